"""Sending what webhooks are to be told: every gateway takes of what is due, and what a lost one had is due again."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from random import random
from typing import Final

import structlog
from prometheus_client import Counter, Histogram

from services.gateway.rules.happenings import Happening
from services.gateway.rules.webhooks import (
    DEADLINE_SECONDS,
    EXCERPT_BYTES,
    FAILING_LIMIT,
    GONE,
    PING,
    body_of,
    check_url,
    headers_of,
    message_id,
    retry_in_seconds,
)
from services.gateway.store import deliveries as store
from services.gateway.store.deliveries import Attempt, Due
from services.gateway.store.projection import insert_events, lock_writers
from services.gateway.store.tenancy import DatabaseAwayError, answering
from services.gateway.store.webhooks import Disabled
from shared.database import Connection, Pool
from shared.errors import Failure, printable
from shared.fetch import Answered, Outbound

POLL_SECONDS: Final = 0.5
_AWAY_SECONDS: Final = 2.0
_LINGER_SECONDS: Final = 0.01
_GRACE_SECONDS: Final = 3.0
_NOTING: Final = 2
"""Of the connections of the projections so many at a time note how attempts went."""
HEALTHY_LANES: Final = 48
FAILING_LANES: Final = 16
"""Receivers that fail have lanes of their own, so that they never take those of the others."""

_ATTEMPTS: Final = Counter("diorama_webhook_attempts_total", "Attempts to tell a webhook", ["outcome"])
_SECONDS: Final = Histogram(
    "diorama_webhook_attempt_duration_seconds",
    "How long a receiver took to answer",
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15),
)
_DISABLED: Final = Counter("diorama_webhooks_disabled_total", "Webhooks switched off", ["reason"])
_log = structlog.get_logger(__name__)


class Courier:
    """Sends what is due, many at a time, and few to each receiver.

    Args:
        pool: that of the projections.
        outbound: judges every address that it dials.
        https_only: nothing is sent in the clear.
        told: called when clients were told of something.

    """

    def __init__(self, pool: Pool, outbound: Outbound, *, https_only: bool, told: Callable[[], None]) -> None:
        self._pool = pool
        self._outbound = outbound
        self._https_only = https_only
        self._told = told
        self._noting = asyncio.Semaphore(_NOTING)
        self._under_way: dict[asyncio.Task[None], bool] = {}

    async def run(self) -> None:
        """Send until cancelled; what is under way then gets a moment to end."""
        try:
            while True:
                await self._go_round()
        finally:
            if self._under_way:
                await asyncio.wait(self._under_way, timeout=_GRACE_SECONDS)
            for task in self._under_way:
                task.cancel()
            await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _go_round(self) -> None:
        pause_seconds = POLL_SECONDS
        try:
            await self._take_up()
        except DatabaseAwayError as error:
            _log.warning("webhooks_paused", error=repr(error))
            pause_seconds = _AWAY_SECONDS
        except Exception:  # noqa: BLE001 - nobody would be told anything any more
            _log.exception("webhooks_failed")
            pause_seconds = _AWAY_SECONDS
        await self._pause(pause_seconds)

    async def _pause(self, seconds: float) -> None:
        """Wait, at most until a lane is free again."""
        if not self._under_way:
            await asyncio.sleep(seconds)
            return
        await asyncio.wait(self._under_way, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(_LINGER_SECONDS)

    async def _take_up(self) -> None:
        failing = sum(self._under_way.values())
        healthy = len(self._under_way) - failing
        async with answering(), self._pool.acquire() as connection:
            taken = await store.update_claimed(
                connection, max(0, HEALTHY_LANES - healthy), max(0, FAILING_LANES - failing)
            )
        for due in taken:
            task = asyncio.create_task(self._attempt(due))
            self._under_way[task] = due.failing
            task.add_done_callback(self._under_way.pop)

    async def _attempt(self, due: Due) -> None:
        """Make one attempt; where that cannot be noted, it is due again when its lease has run out."""
        log = _log.bind(webhook_id=str(due.webhook_id), delivery_id=str(due.id))
        try:
            attempt = await self._send(due)
            await self._note(due, attempt)
            log.info("webhook_attempted", state=attempt.state, status_code=attempt.status_code, code=attempt.error_code)
        except DatabaseAwayError as error:
            log.warning("webhook_attempt_not_noted", error=repr(error))
        except Exception:
            log.exception("webhook_attempt_failed")

    async def _send(self, due: Due) -> Attempt:
        begun = time.perf_counter()
        try:
            outcome: Answered | Failure = await self._deliver(due)
        except Failure as failure:
            outcome = failure
        seconds = time.perf_counter() - begun
        _SECONDS.observe(seconds)
        return _judge(due, outcome, round(seconds * 1000))

    async def _deliver(self, due: Due) -> Answered:
        check_url(due.url, self._outbound.policy, https_only=self._https_only)
        body = body_of(due.type, due.at, due.told)
        headers = headers_of(message_id(due.id), int(time.time()), body, due.secrets)
        return await self._outbound.deliver(
            due.url, body, headers=headers, keep_bytes=EXCERPT_BYTES, deadline_seconds=DEADLINE_SECONDS
        )

    async def _note(self, due: Due, attempt: Attempt) -> None:
        async with self._noting, answering(), self._pool.acquire() as connection, connection.transaction():
            if await _may_be_disabled(connection, due, attempt):
                # Before any row is locked, for whoever tells clients of something takes this lock first.
                await lock_writers(connection)
            moved = attempt.error_code is not None and await store.lock_url(connection, due.webhook_id) != due.url
            if moved:
                attempt = _elsewhere(due, attempt)
            if not await store.update_attempted(connection, due, attempt):
                _ATTEMPTS.labels("too_late").inc()
                return
            disabled = None if moved else await _judge_receiver(connection, due, attempt)
        _ATTEMPTS.labels(attempt.state).inc()
        if disabled is not None:
            _DISABLED.labels(disabled.reason).inc()
            self._told()


def _judge(due: Due, outcome: Answered | Failure, duration_ms: int) -> Attempt:
    """Say how an attempt went; only 2xx will do."""
    if isinstance(outcome, Failure):
        return Attempt(None, outcome.code, outcome.sentence, "", duration_ms, _retry_in(due, None))
    excerpt = printable(outcome.beginning.decode(errors="replace"), EXCERPT_BYTES)
    if outcome.is_success:
        return Attempt(outcome.status, None, None, excerpt, duration_ms, None)
    retry_in = None if outcome.status == GONE else _retry_in(due, outcome.retry_after_seconds)
    return Attempt(outcome.status, f"http_{outcome.status}", _why_not(outcome), excerpt, duration_ms, retry_in)


def _elsewhere(due: Due, attempt: Attempt) -> Attempt:
    """Have a webhook that leads elsewhere by now attempted there: what the old receiver said is not said of it."""
    return replace(attempt, retry_in_seconds=None if due.type == PING else 0.0, counts=due.type == PING)


def _retry_in(due: Due, retry_after_seconds: float | None) -> float | None:
    return retry_in_seconds(due.type, due.attempts + 1, random(), retry_after_seconds)  # noqa: S311 - it spreads


def _why_not(answered: Answered) -> str:
    if answered.is_redirect:
        return f"It answered {answered.status}, and redirects are not followed: give the URL that it leads to."
    return f"It answered {answered.status}; any 2xx would have done."


async def _may_be_disabled(connection: Connection, due: Due, attempt: Attempt) -> bool:
    if attempt.error_code is None:
        return False
    return attempt.status_code == GONE or await store.select_has_failed_for(connection, due.webhook_id, FAILING_LIMIT)


async def _judge_receiver(connection: Connection, due: Due, attempt: Attempt) -> Disabled | None:
    """Note how the receiver does; where its webhook is switched off for that, tell those who follow the project."""
    gone = attempt.status_code == GONE
    if attempt.state == "delivered":
        await store.update_receiver_well(connection, due.webhook_id, due.url)
    if attempt.state == "delivered" or (due.type == PING and not gone):
        return None
    disabled = await store.update_receiver_failing(connection, due.webhook_id, FAILING_LIMIT, gone=gone)
    if disabled is not None:
        data = {"webhook_id": due.webhook_id, "reason": disabled.reason}
        await insert_events(connection, [Happening(disabled.project_id, "webhook.disabled", datetime.now(UTC), data)])
    return disabled
