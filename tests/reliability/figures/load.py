"""Clients who hand in jobs and insist: each request is repeated, with its key, until it is accepted."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any
from uuid import UUID, uuid4

import aiohttp

from deploy.database import WORKERS
from deploy.local.stack import Stack
from tests.journeys.visitors import visiting

IN_FLIGHT = 32
_READ, _ACCEPTED = 200, 202
_PAUSE_SECONDS = 0.25
_PATIENCE_SECONDS = 120.0
_ANSWER_SECONDS = 20.0
_RETRYABLE = frozenset({408, 425, 429, 502, 503, 504})
_AWAY = (aiohttp.ClientError, ConnectionError, TimeoutError)


@dataclass
class Crowd:
    """Posts jobs that do nothing, and keeps the only list of what was promised.

    Attributes:
        accepted: the service of each job for which a 202 was given.
        answers: how often each status was answered.
        unanswered: connections that were refused or broke off.
        seconds: how long each request took, answered or not.

    """

    url: str
    session: aiohttp.ClientSession
    project_id: UUID
    accepted: dict[UUID, str] = field(default_factory=dict)
    answers: Counter[int] = field(default_factory=Counter)
    unanswered: int = 0
    seconds: list[float] = field(default_factory=list)

    @property
    def final_errors(self) -> int:
        """Count answers of 5xx that do not ask to be tried again."""
        return sum(count for status, count in self.answers.items() if status >= 500 and status not in _RETRYABLE)

    @property
    def other_answers(self) -> int:
        """Count answers that are neither 200 nor 202."""
        return sum(count for status, count in self.answers.items() if status not in {_READ, _ACCEPTED})

    def counted_anew(self) -> "Crowd":
        """Give the same clients, of whom nothing has been counted yet."""
        return Crowd(self.url, self.session, self.project_id)

    async def probe(self, service: str) -> UUID:
        """Hand in a job that does nothing. Raises TimeoutError where nobody accepts it within two minutes."""
        key = {"Idempotency-Key": str(uuid4())}
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while True:
                status, body = await self._request("POST", "/probes", json={"service": service}, headers=key)
                if status == _ACCEPTED:
                    job_id = UUID(body["id"])
                    self.accepted[job_id] = service
                    return job_id
                await asyncio.sleep(_PAUSE_SECONDS)

    async def look(self, path: str) -> int:
        """Read something; return the status of the answer."""
        status, _ = await self._request("GET", path)
        return status

    async def burst(self, jobs: int, service: str = "media") -> float:
        """Hand in so many jobs as fast as 32 at a time allow; return the seconds that it took."""
        numbers = iter(range(jobs))

        async def some() -> None:
            for _ in numbers:
                await self.probe(service)

        begun = time.monotonic()
        await asyncio.gather(*(some() for _ in range(IN_FLIGHT)))
        return time.monotonic() - begun

    @asynccontextmanager
    async def steadily(self, jobs_per_second: float, services: Iterable[str] = WORKERS) -> AsyncIterator[None]:
        """Hand in jobs at a rate, for the services in turn, while the context is open; left, all are accepted."""
        turns = cycle(services)
        if not jobs_per_second:
            yield
            return
        async with at_a_rate(jobs_per_second, lambda: self.probe(next(turns))):
            yield

    async def _request(self, method: str, path: str, **request: Any) -> tuple[int, Any]:
        begun = time.perf_counter()
        try:
            async with self.session.request(method, f"{self.url}/api/v1{path}", **request) as answer:
                self.answers[answer.status] += 1  # also where the rest of the answer is cut off
                return answer.status, await answer.json()
        except _AWAY:
            self.unanswered += 1
            return 0, None
        finally:
            self.seconds.append(time.perf_counter() - begun)


@asynccontextmanager
async def at_a_rate(per_second: float, act: Callable[[], Any]) -> AsyncIterator[None]:
    """Begin something so many times a second, whether or not what was begun has ended; left, all of it has ended.

    Whoever waited for the one before would ask the slower the slower he is answered, and measure nothing.
    """
    async with asyncio.TaskGroup() as group:

        async def begin() -> None:
            due = time.monotonic()
            while True:
                group.create_task(act())
                due += 1 / per_second
                await asyncio.sleep(max(0.0, due - time.monotonic()))

        beginning = group.create_task(begin())
        try:
            yield
        finally:
            beginning.cancel()


@asynccontextmanager
async def crowd_at(stack: Stack) -> AsyncIterator[Crowd]:
    connector = aiohttp.TCPConnector(limit=2 * IN_FLIGHT)
    timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS)
    async with visiting(stack) as visitor:
        headers = visitor.gateway._authorised()  # that client repeats by itself, and would hide what is counted here
        session = aiohttp.ClientSession(headers=headers, connector=connector, timeout=timeout)
        async with session:
            yield Crowd(stack.gateway_url, session, visitor.project_id)
