"""Doing something at once, in one transaction, and only once for each Idempotency-Key."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from fastapi import Request, Response

from contracts.envelope import Command
from services.gateway.routes.callers import Caller, parts_of
from services.gateway.routes.desk import Answer, replay
from services.gateway.routes.problems import Problem
from services.gateway.routes.replies import Json, accepted
from services.gateway.routes.submitting import remembered
from services.gateway.routes.versions import etag_of
from services.gateway.routes.waiting import Shown, accepted_or_ended
from services.gateway.rules.happenings import job_happening
from services.gateway.rules.jobs import JobRow, job_of_command
from services.gateway.store import projection, submissions
from services.gateway.store.submissions import AnsweredElsewhereError, Remembered
from services.gateway.store.tenancy import answering, name_projects
from shared.outbox import Transaction

_WRITE_SECONDS: Final = 10

Act = Callable[[Transaction], Awaitable[Answer]]
"""What is done; its answer must be JSON as it stands, for it may be given again."""


async def act_once(
    request: Request,
    caller: Caller,
    act: Act,
    *,
    looks_only: bool = False,
    said: bytes | None = None,
    show: Shown | None = None,
) -> Response:
    """Do something as this caller and answer; raises Problem and DatabaseAwayError.

    Args:
        request: what asks for it.
        caller: who asks.
        act: does it, in a transaction.
        looks_only: it changes nothing, so nobody who writes waits for it.
        said: what tells one request from another, where that is not its body.
        show: tells what became of the one job that the answer may be about, whose end a client can wait for.

    """
    told = await _once(request, caller, act, locks=not looks_only, said=said)
    if show is not None and not looks_only:
        return await accepted_or_ended(request, caller, told, show=show)
    return accepted(told.body, told.location, status=told.status, replayed=told.replayed)


async def create_once(request: Request, caller: Caller, act: Act) -> Response:
    """Make something that no job depends on, and answer 201 with where it is and its `version`."""
    told = await _once(request, caller, act, locks=False)
    headers = {"Location": told.location, "ETag": etag_of(told.body["version"])}
    if told.replayed:
        headers["Idempotency-Replayed"] = "true"
    return Json(told.body, 201, headers)


async def _once(request: Request, caller: Caller, act: Act, *, locks: bool, said: bytes | None = None) -> Answer:
    remember = await remembered(request, caller, said)
    while True:
        with suppress(AnsweredElsewhereError):  # nothing was done, and this time that answer is found
            return await _act(request, caller, remember, act, locks=locks)


@asynccontextmanager
async def acting(request: Request, caller: Caller, *, locks: bool = True) -> AsyncIterator[Transaction]:
    """Open a transaction in which this caller acts; clients are told of it at once. Raises DatabaseAwayError."""
    parts = parts_of(request)
    async with answering(), asyncio.timeout(_WRITE_SECONDS), parts.bus.transaction(parts.pool) as tx:
        await name_projects(tx.connection, caller.memberships, operator=caller.is_operator)
        if locks:
            await projection.lock_writers(tx.connection)
        tx.after_commit(parts.stream.wake)
        yield tx


async def _act(request: Request, caller: Caller, remember: Remembered | None, act: Act, *, locks: bool) -> Answer:
    async with acting(request, caller, locks=locks) as tx:
        if remember is None:
            answer = await act(tx)
        else:
            answer = await _recalled(tx, remember) or await act(tx)
            if not answer.replayed:
                await submissions.insert_answers(tx.connection, [replace(remember, answer=answer.stored)])
    return answer


async def _recalled(tx: Transaction, remember: Remembered) -> Answer | None:
    key = (remember.project_id, remember.key)
    before = (await submissions.select_answers(tx.connection, [key])).get(key)
    if before is None:
        return None
    outcome = replay(remember, before, Answer(**before.answer))
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


async def begin(tx: Transaction, commands: Sequence[Command]) -> list[JobRow]:
    """Make jobs of commands and say them; the caller's right to their projects has been checked.

    Raises a 404 problem where one was deleted meanwhile.
    """
    now = datetime.now(UTC)
    jobs = [job_of_command(command, now) for command in commands]
    if jobs:
        born = await projection.insert_jobs(tx.connection, jobs, living=True)
        if len(born) < len(jobs):
            raise Problem(404, "project_not_found", "The project was deleted; nothing was handed in.")
        await projection.insert_events(tx.connection, [job_happening("job.submitted", job) for job in jobs])
    for command in commands:
        tx.say(command)
    return jobs
