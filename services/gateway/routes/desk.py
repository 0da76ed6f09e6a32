"""Where work is handed in: what many clients submit at once is written and said in one transaction."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from contracts.envelope import Command
from services.gateway.routes.problems import Problem
from services.gateway.rules.happenings import job_happening
from services.gateway.rules.jobs import JobRow, job_of_command
from services.gateway.store import projection, submissions
from services.gateway.store.audit import AuditEntry
from services.gateway.store.submissions import (
    AnsweredElsewhereError,
    ProjectGoneError,
    Remembered,
    SceneHeld,
    SceneWanted,
)
from services.gateway.store.tenancy import answering, name_projects
from shared.batching import Batcher
from shared.bus import Bus
from shared.database import Connection, Pool
from shared.outbox import Transaction
from shared.telemetry import trace_id_of

_WRITE_SECONDS: Final = 10


@dataclass(slots=True)
class Answer:
    """What a client is told once its work is taken in."""

    body: dict[str, Any]
    location: str
    status: int = 202
    replayed: bool = False

    @property
    def stored(self) -> dict[str, Any]:
        """What is kept for whoever asks again."""
        return {"body": self.body, "location": self.location, "status": self.status}


@dataclass(slots=True)
class Submission:
    """Commands that one request hands in, and what belongs to them.

    Attributes:
        answer: tells the client what became of the jobs; of a scene also which record it has.
        remember: where the request had an Idempotency-Key.
        refusal: why it is not taken in, unless it was before.

    """

    commands: Sequence[Command]
    answer: Callable[[Sequence[JobRow], SceneHeld | None], Answer]
    traceparent: str | None = None
    remember: Remembered | None = None
    scene: SceneWanted | None = None
    scene_media: dict[str, Any] | None = None
    refusal: Problem | None = None
    jobs: list[JobRow] = field(init=False)
    held: SceneHeld | None = field(init=False, default=None)
    outcome: Answer | Exception | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        now = datetime.now(UTC)
        self.jobs = [job_of_command(command, now) for command in self.commands]

    @property
    def key(self) -> tuple[UUID, str] | None:
        """The Idempotency-Key, and the user who may use it, by his personal project."""
        return None if self.remember is None else (self.remember.project_id, self.remember.key)

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
        while True:
            try:
                return await self._write_once(batch)
            except AnsweredElsewhereError:
                continue  # nothing was written, and this time that answer is found
            except ProjectGoneError as error:
                _refuse(batch, error.projects)

    async def _write_once(self, batch: list[Submission]) -> list[Answer | Exception]:
        first = _first_of_each_key(batch)
        traces = {command.job_id: one.traceparent for one in first for command in one.commands}
        async with (
            answering(),
            asyncio.timeout(_WRITE_SECONDS),
            self._bus.outbox.transaction(self._pool, traces) as tx,
        ):
            await name_projects(tx.connection, set().union(*(one.projects for one in first)))
            await _recall(tx.connection, [one for one in batch if one.remember])
            await _place_scenes(tx.connection, [one for one in first if one.scene and one.outcome is None])
            fresh = [one for one in first if one.outcome is None]
            await self._insert(tx, fresh)
            await _remember(tx.connection, first)
        return [_outcome_of(one, first) for one in batch]

    async def _insert(self, tx: Transaction, fresh: Sequence[Submission]) -> None:
        jobs = [job for one in fresh for job in one.jobs]
        if jobs:
            born = await projection.insert_jobs(tx.connection, jobs, living=True)
            if gone := {job.project_id for job in jobs if job.id not in born}:
                raise ProjectGoneError(gone)
            await projection.insert_events(tx.connection, [job_happening("job.submitted", job) for job in jobs])
        media = [one.scene_media for one in fresh if one.scene_media]
        if media:
            await submissions.insert_scene_media(tx.connection, media)
        for one in fresh:
            one.outcome = one.answer(one.jobs, one.held)
            for command in one.commands:
                tx.say(command)
        tx.after_commit(self._wake)


def _refuse(batch: Sequence[Submission], gone: set[UUID]) -> None:
    """Answer those who hand work in to projects that were deleted."""
    for one in batch:
        if not gone.isdisjoint(job.project_id for job in one.jobs):
            one.refusal = Problem(404, "project_not_found", "The project was deleted; nothing was handed in.")


def _first_of_each_key(batch: Sequence[Submission]) -> list[Submission]:
    """Leave out those that repeat an Idempotency-Key within the batch: they get the answer of the first."""
    first: dict[object, Submission] = {}
    for one in batch:
        one.outcome, one.held = one.refusal, None
        first.setdefault(one.key or id(one), one)
    return list(first.values())


def _outcome_of(one: Submission, first: Sequence[Submission]) -> Answer | Exception:
    if one.outcome is None:
        twin = next(other for other in first if other.key == one.key)
        assert twin.outcome is not None  # noqa: S101 - the first of each key has been answered
        one.outcome = replay(one.remember, twin.remember, twin.outcome)
    return one.outcome


async def _recall(connection: Connection, keyed: Sequence[Submission]) -> None:
    """Answer again what was answered before."""
    if not keyed:
        return
    known = await submissions.select_answers(connection, [one.key for one in keyed if one.key])
    for one in keyed:
        if one.key and (before := known.get(one.key)) is not None:
            one.outcome = replay(one.remember, before, Answer(**before.answer))


def replay(remember: Remembered | None, before: Remembered | None, outcome: Answer | Exception) -> Answer | Exception:
    """Answer again what was answered to the same request before; another request under its key is a problem."""
    if remember is None or before is None or remember.fingerprint != before.fingerprint:
        sentence = "This Idempotency-Key was used for another request; choose a new one."
        return Problem(422, "idempotency_key_reused", sentence)
    return replace(outcome, replayed=True) if isinstance(outcome, Answer) else outcome


async def _remember(connection: Connection, answered: Sequence[Submission]) -> None:
    """Remember what was answered for the first time, also where a scene that was being drawn was joined."""
    rows = [
        replace(one.remember, answer=one.outcome.stored)
        for one in answered
        if one.remember and isinstance(one.outcome, Answer) and not one.outcome.replayed
    ]
    if rows:
        await submissions.insert_answers(connection, rows)


async def _place_scenes(connection: Connection, placing: Sequence[Submission]) -> None:
    """Begin each scene that is not being drawn; for one that is, give its task or say that another is under way."""
    wanted = {one.scene.place: one.scene for one in reversed(placing) if one.scene}
    if not wanted:
        return
    # Projections touch the same rows while they hold this lock; whoever takes it first waits for nobody.
    await projection.lock_writers(connection)
    await submissions.upsert_scenes(connection, list(wanted.values()), _registrations(placing))
    held = await submissions.select_scenes(connection, wanted)
    for one in placing:
        if one.scene is None:
            continue
        one.held = held[one.scene.place]
        if one.held.task_id == one.scene.task_id:
            continue
        if one.held.drawing == one.scene.drawing:
            one.outcome = one.answer(one.jobs, one.held)
        else:
            sentence = "Another image of this scene is being drawn; wait for it or cancel its task first."
            one.outcome = Problem(409, "generation_in_progress", sentence)


def _registrations(placing: Sequence[Submission]) -> list[AuditEntry]:
    """Note for each chapter who registers it in passing, should he be the first to have a scene of it drawn."""
    first: dict[tuple[UUID, str], AuditEntry] = {}
    for one in placing:
        if one.scene:
            first.setdefault(one.scene.place[:2], _registration(one, one.scene))
    return list(first.values())


def _registration(one: Submission, scene: SceneWanted) -> AuditEntry:
    return AuditEntry(
        project_id=scene.project_id,
        actor=one.commands[0].submitted_by,
        action="chapter.create",
        subject_kind="chapter",
        subject_id=scene.chapter_id,
        details={"in_passing": True},
        trace_id=trace_id_of(one.traceparent),
    )
