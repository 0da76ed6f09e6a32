"""However attempts fail, a job is tried again when its time has come, and not for ever."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any, cast

import asyncpg
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from shared import retry, tasks
from shared.errors import Refused, TryAgain
from shared.tasks import Lease, Settlement
from tests.living import House
from tests.shared.chores import fetch
from tests.shared.machines import Machine, StoppedClock, a_stopped_clock, explore, finds_a_broken_promise

EXAMPLES, STEPS = 80, 16
HOUR_SECONDS = 3600
ITS_OWN_FAULT = (ValueError("broken"), OSError("reset"), TryAgain("busy", "Later."), Refused("refused", "No."))
NOT_ITS_FAULT = (
    TryAgain("rate_limited", "Patience.", rate_limited=True),
    asyncpg.CannotConnectNowError("the database system is starting up"),
    asyncpg.DeadlockDetectedError("deadlock detected"),
)
THREE_RETRIES = "there is a first attempt and there are three retries"
DOUBLED = "each pause is twice as long"
OTHERS_FAULT = "what is not its fault uses up no attempt"
BACKOFF_SECONDS = {1: 5, 2: 10, 3: 20, 4: 40}


class Retrying(Machine):
    """One job whose attempts fail in every way, and the database's clock."""

    def __init__(self, clock: StoppedClock) -> None:
        super().__init__()
        self.clock = clock
        self.pool = cast("Any", clock)
        self.command = fetch()
        self.faults = 0
        self.lease: Lease | None = None
        self.wait_seconds = 0.0
        self.over = False
        self.do(clock.begin())

    def teardown(self) -> None:
        self.do(self.clock.end())

    @initialize()
    def is_accepted(self) -> None:
        async def accept() -> None:
            await tasks.insert_tasks(
                self.pool,
                [self.command],
                [None],
                worker="me",
                leased=0,
                lease_seconds=15,
                deadline_hours=24,
                announced=[True],
            )

        self.do(accept())

    @precondition(lambda self: self.lease is None and not self.over)
    @rule()
    def comes_a_moment_too_early_and_then_in_time(self) -> None:
        if self.wait_seconds > 0:
            self.do(self.clock.pass_seconds(self.wait_seconds - 0.001))
            assert not self.do(self._claim()), "it was tried again before its time"
            self.do(self.clock.pass_seconds(0.002))
        (row,) = self.do(self._claim())
        self.lease = Lease(row["id"], row["lease_token"], row["lease_epoch"], row["attempt"] + 1, row["started_at"])
        assert row["attempt"] == self.faults, OTHERS_FAULT

    @precondition(lambda self: self.lease is not None)
    @rule(error=st.sampled_from(ITS_OWN_FAULT))
    def fails_by_its_own_fault(self, error: Exception) -> None:
        verdict = self._judge(error)
        self.faults += 1
        final = self.faults == 4 or isinstance(error, Refused)
        assert (verdict.retry_in_seconds is None) == final, THREE_RETRIES
        self._settle(verdict)

    @precondition(lambda self: self.lease is not None)
    @rule(error=st.sampled_from(NOT_ITS_FAULT))
    def fails_by_the_fault_of_others(self, error: Exception) -> None:
        verdict = self._judge(error)
        assert verdict.retry_in_seconds is not None, "what is not its fault ends no job"
        self._settle(verdict)

    @precondition(lambda self: self.lease is not None)
    @rule(seconds=st.sampled_from([-1.0, 0.0, 0.5, 300.0, 3600.0, 86400.0, 1e300]), rate_limited=st.booleans())
    def is_asked_to_come_again_later(self, seconds: float, *, rate_limited: bool) -> None:
        verdict = self._judge(TryAgain("later", "Later.", retry_after_seconds=seconds, rate_limited=rate_limited))
        self.faults += not rate_limited
        final = self.faults == 4
        assert (verdict.retry_in_seconds is None) == final, THREE_RETRIES
        assert final or verdict.retry_in_seconds == min(max(seconds, 0), HOUR_SECONDS), "it comes within the hour"
        self._settle(verdict)

    @precondition(lambda self: self.over)
    @rule()
    def is_never_tried_again(self) -> None:
        self.do(self.clock.pass_seconds(HOUR_SECONDS))
        assert not self.do(self._claim())

    def _judge(self, error: Exception) -> retry.Verdict:
        assert self.lease is not None
        verdict = retry.judge(error, self.lease.attempt)
        if verdict.retry_in_seconds is not None and getattr(error, "retry_after_seconds", None) is None:
            middle_seconds = BACKOFF_SECONDS[self.lease.attempt]
            assert middle_seconds * 0.5 <= verdict.retry_in_seconds <= middle_seconds * 1.5, (
                "each pause is twice as long"
            )
        return verdict

    def _settle(self, verdict: retry.Verdict) -> None:
        assert self.lease is not None
        assert verdict.attempts_used == self.faults, OTHERS_FAULT
        self.wait_seconds, self.over = verdict.retry_in_seconds or 0, verdict.retry_in_seconds is None
        state: tasks.State = "failed" if self.over else "pending"
        end = Settlement(self.lease, state, verdict.attempts_used, retry_in_seconds=self.wait_seconds)
        assert self.do(tasks.settle_tasks(self.pool, [end]))
        self.lease = None

    async def _claim(self) -> list[asyncpg.Record]:
        return await tasks.claim_tasks(
            self.pool, worker="me", kinds=[self.command.wire_name], limit=1, lease_seconds=15, suspects=False
        )


@pytest.fixture
async def retrying(house: House) -> AsyncIterator[Callable[[], Retrying]]:
    async with a_stopped_clock(house) as clock:
        yield lambda: Retrying(clock)


async def test_attempts_follow_their_schedule(retrying: Callable[[], Retrying]) -> None:
    await explore(retrying, examples=EXAMPLES, steps=STEPS)


JUDGE, SETTLE = retry.judge, tasks.settle_tasks


def _charge_everything(error: BaseException, attempt: int) -> retry.Verdict:
    return replace(JUDGE(error, attempt), attempts_used=attempt)


def _never_give_up(error: BaseException, attempt: int) -> retry.Verdict:
    verdict = JUDGE(error, attempt)
    return verdict if isinstance(error, Refused) else replace(verdict, retry_in_seconds=verdict.retry_in_seconds or 40)


async def _wait_for_nothing(connection: Any, ends: list[Settlement]) -> Any:
    settled = await SETTLE(connection, ends)
    await connection.execute("UPDATE tasks SET run_at = now()")
    return settled


@pytest.mark.parametrize(
    ("room", "name", "mutation", "promise"),
    [
        (retry, "judge", _charge_everything, OTHERS_FAULT),
        (retry, "judge", _never_give_up, THREE_RETRIES),
        (retry, "ATTEMPTS", 5, THREE_RETRIES),
        (retry, "_LONGEST_REQUESTED_SECONDS", float("inf"), "it comes within the hour"),
        (retry, "_FIRST_SECONDS", 20.0, DOUBLED),
        (tasks, "settle_tasks", _wait_for_nothing, "tried again before its time"),
    ],
)
async def test_another_schedule_is_noticed(
    retrying: Callable[[], Retrying],
    monkeypatch: pytest.MonkeyPatch,
    *,
    room: Any,
    name: str,
    mutation: Any,
    promise: str,
) -> None:
    monkeypatch.setattr(room, name, mutation)
    await finds_a_broken_promise(retrying, promise, examples=EXAMPLES, steps=STEPS)
