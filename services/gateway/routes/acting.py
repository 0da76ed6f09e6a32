"""Doing something at once, in one transaction, and only once for each Idempotency-Key."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final

from fastapi import Request, Response

from services.gateway.routes.callers import Caller, parts_of
from services.gateway.routes.desk import Answer, replay
from services.gateway.routes.replies import Json, accepted
from services.gateway.routes.submitting import remembered
from services.gateway.routes.versions import etag_of
from services.gateway.store import projection, submissions
from services.gateway.store.submissions import AnsweredElsewhereError, Remembered
from services.gateway.store.tenancy import answering, name_projects
from shared.outbox import Transaction

_WRITE_SECONDS: Final = 10

Act = Callable[[Transaction], Awaitable[Answer]]
"""What is done; its answer must be JSON as it stands, for it may be given again."""


async def act_once(request: Request, caller: Caller, act: Act, *, looks_only: bool = False) -> Response:
    """Do something as this caller and answer; raises Problem and DatabaseAwayError.

    `looks_only`: it changes nothing, so nobody who writes waits for it.
    """
    told = await _once(request, caller, act, locks=not looks_only)
    return accepted(told.body, told.location, status=told.status, replayed=told.replayed)


async def create_once(request: Request, caller: Caller, act: Act) -> Response:
    """Make something that no job depends on, and answer 201 with where it is and its `version`."""
    told = await _once(request, caller, act, locks=False)
    headers = {"Location": told.location, "ETag": etag_of(told.body["version"])}
    if told.replayed:
        headers["Idempotency-Replayed"] = "true"
    return Json(told.body, 201, headers)


async def _once(request: Request, caller: Caller, act: Act, *, locks: bool) -> Answer:
    remember = await remembered(request, caller)
    while True:
        with suppress(AnsweredElsewhereError):  # nothing was done, and this time that answer is found
            return await _act(request, caller, remember, act, locks=locks)


async def _act(request: Request, caller: Caller, remember: Remembered | None, act: Act, *, locks: bool) -> Answer:
    parts = parts_of(request)
    async with answering(), asyncio.timeout(_WRITE_SECONDS), parts.bus.transaction(parts.pool) as tx:
        await name_projects(tx.connection, caller.memberships, operator=caller.is_operator)
        if locks:
            await projection.lock_writers(tx.connection)
        if remember is None:
            answer = await act(tx)
        else:
            answer = await _recalled(tx, remember) or await act(tx)
            if not answer.replayed:
                await submissions.insert_answers(tx.connection, [replace(remember, answer=answer.stored)])
        tx.after_commit(parts.stream.wake)
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
