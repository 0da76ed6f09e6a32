"""Where work is handed in: what many clients submit at once is written and said in one transaction."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from uuid import UUID

from contracts.envelope import Command
from services.gateway.routes.problems import Problem
from services.gateway.rules.happenings import job_happening
from services.gateway.rules.jobs import JobRow, job_of_command
from services.gateway.store import projection, submissions
from services.gateway.store.submissions import Remembered, SceneHeld, SceneWanted
from services.gateway.store.tenancy import answering, name_projects
from shared.batching import Batcher
from shared.bus import Bus
from shared.database import Connection, Pool
from shared.outbox import Transaction

_WRITE_SECONDS: Final = 10
T = TypeVar("T")


@dataclass(slots=True)
class Answer:
    """What a client is told once its work is taken in."""

    body: dict[str, Any]
    location: str
    status: int = 202
    replayed: bool = False


@dataclass(slots=True)
class Submission:
    """Commands that one request hands in, and what belongs to them.

    Attributes:
        answer: tells the client what became of the jobs; of a scene also which record it has.
        remember: where the request had an Idempotency-Key.

    """

    commands: Sequence[Command]
    answer: Callable[[Sequence[JobRow], SceneHeld | None], Answer]
    traceparent: str | None = None
    remember: Remembered | None = None
    scene: SceneWanted | None = None
    scene_media: dict[str, Any] | None = None
    jobs: list[JobRow] = field(init=False)
    outcome: Answer | Exception | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        now = datetime.now(UTC)
        self.jobs = [job_of_command(command, now) for command in self.commands]

    @property
    def projects(self) -> set[UUID]:
        """The projects that its rows belong to; the caller's right to them has been checked."""
        projects = {command.project_id for command in self.commands}
        return projects if self.remember is None else projects | {self.remember.project_id}


class Desk:
    """Takes work in. Nothing is accepted unless it is written, and nothing written remains unsaid."""

    def __init__(self, bus: Bus, pool: Pool, *, wake: Callable[[], None]) -> None:
        self._bus = bus
        self._pool = pool
        self._wake = wake
        self._batcher = Batcher(self._write)

    async def hand_in(self, submission: Submission) -> Answer:
        """Have a submission written with the next batch; raises Problem and DatabaseAwayError."""
        async with answering():
            return await self._batcher.submit(submission)

    async def drain(self) -> None:
        """Return when everything handed in so far is written."""
        await self._batcher.drain()

    async def _write(self, batch: list[Submission]) -> list[Answer | Exception]:
        traces = {command.job_id: one.traceparent for one in batch for command in one.commands}
        for one in batch:
            one.outcome = None
        async with (
            answering(),
            asyncio.timeout(_WRITE_SECONDS),
            self._bus.outbox.transaction(self._pool, traces) as tx,
        ):
            await name_projects(tx.connection, set().union(*(one.projects for one in batch)))
            await _recall(tx.connection, [one for one in batch if one.remember])
            await _place_scenes(tx.connection, [one for one in batch if one.scene and not one.outcome])
            await self._insert(tx, [one for one in batch if not one.outcome])
            await _remember(tx.connection, [one for one in batch if one.remember])
        return [_outcome_of(one) for one in batch]

    async def _insert(self, tx: Transaction, fresh: Sequence[Submission]) -> None:
        if not fresh:
            return
        jobs = [job for one in fresh for job in one.jobs]
        await projection.insert_jobs(tx.connection, jobs)
        media = [one.scene_media for one in fresh if one.scene_media]
        if media:
            await submissions.insert_scene_media(tx.connection, media)
        await projection.insert_events(tx.connection, [job_happening("job.submitted", job) for job in jobs])
        for one in fresh:
            one.outcome = one.answer(one.jobs, None)
            for command in one.commands:
                tx.say(command)
        tx.after_commit(self._wake)
