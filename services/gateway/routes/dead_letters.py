"""Dead letters: looking at them, having them delivered once more, and giving them up."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from contracts.jobs import CancelJob, DeadLetterInstruction, DiscardDeadLetters, RedriveDeadLetters
from services.gateway.routes.acting import act_once
from services.gateway.routes.auditing import entry
from services.gateway.routes.callers import Caller, Calling, parts_of
from services.gateway.routes.desk import Answer
from services.gateway.routes.documented import told
from services.gateway.routes.documented.shapes.operators import InstructedLetters, Letter, LetterDetail
from services.gateway.routes.documented.shapes.shape import PageOf
from services.gateway.routes.problems import Problem, not_found
from services.gateway.routes.replies import API, Json, letter_reply, page, plain
from services.gateway.routes.second_looks import SecondLook
from services.gateway.routes.wishes import LettersAsked, LettersMeant, LettersPage
from services.gateway.rules.cursors import parse_cursor
from services.gateway.store import letters as store
from services.gateway.store import projection
from services.gateway.store.audit import insert_audit
from services.gateway.store.letters import LetterFilter
from services.gateway.store.pages import next_cursor
from services.gateway.store.reading import Row
from services.gateway.store.tenancy import as_tenant
from shared.outbox import Transaction

LETTERS_LIMIT: Final = 1000
_DEAD: Final = "dead"
_ACTS: Final = {RedriveDeadLetters: "dead_letter.redrive", DiscardDeadLetters: "dead_letter.discard"}
_ON_THE_WAY: Final = {RedriveDeadLetters: "redriving", DiscardDeadLetters: "discarding"}
_INSTRUCTION: Final[Any] = {
    "status": 202,
    "also": {200: InstructedLetters},
    "problems": ("dead_letter_not_found", "not_a_member", "viewer_only"),
    "once": True,
}
routes = APIRouter(prefix=API, tags=["operators"], route_class=SecondLook)


@routes.get(
    "/dead-letters",
    summary="Messages that could not be read or taken in, the newest first",
    **told(
        "list_dead_letters",
        PageOf[Letter],
        problems=("cursor_invalid", "not_a_member"),
        links={
            "dead_letter": {
                "operationId": "get_dead_letter",
                "parameters": {"letter_id": "$response.body#/items/0/id"},
            }
        },
    ),
)
async def get_letters(request: Request, caller: Calling, asked: Annotated[LettersPage, Query()]) -> Response:
    """Show dead letters: to operators those of everybody, to others those about the jobs of their projects."""
    projects = [asked.project_id] if asked.project_id and caller.is_operator else caller.reach
    if asked.project_id is not None and not caller.is_operator:
        projects = caller.seeing(asked.project_id)
    fields = asked.model_dump(include=set(LettersAsked.model_fields))
    wanted = LetterFilter(projects=projects, states=list(asked.state) if asked.state else None, **fields)
    async with as_tenant(parts_of(request).pool, caller.memberships, operator=caller.is_operator) as connection:
        rows = await store.select_letters(connection, wanted, parse_cursor(asked.cursor), asked.limit)
    return page([letter_reply(row) for row in rows[: asked.limit]], next_cursor(rows, asked.limit))


@routes.get(
    "/dead-letters/{letter_id}",
    summary="A dead letter, and how its body begins",
    **told("get_dead_letter", LetterDetail, problems=("dead_letter_not_found",)),
)
async def get_letter(request: Request, caller: Calling, letter_id: UUID) -> Response:
    async with as_tenant(parts_of(request).pool, caller.memberships, operator=caller.is_operator) as connection:
        row = await store.select_letter(connection, caller.reach, letter_id)
    if row is None:
        raise not_found("dead_letter")
    return Json({**letter_reply(row), "excerpt": row["excerpt"]})


@routes.post(
    "/dead-letters/redrive",
    status_code=202,
    summary="Deliver dead letters once more",
    **told("redrive_dead_letters", InstructedLetters, **_INSTRUCTION),
)
async def post_redrive(request: Request, caller: Calling, asked: LettersMeant) -> Response:
    """Have their services take letters in once more, under their own ids: at most 1000 at once.

    First come those that were left alone for longest, so that asking again while there are `more` reaches all. What
    was taken in meanwhile is recognised. A letter's `state` tells how it ended: `taken_in`, or `dead` again. One that
    is named is also meant while it is `redriving` or `discarding`. A job that failed because of its letter waits again;
    one that was retried, cancelled or drawn anew is not done.
    """
    return await _have_done(request, caller, asked, RedriveDeadLetters)


@routes.post(
    "/dead-letters/discard",
    status_code=202,
    summary="Give dead letters up",
    **told("discard_dead_letters", InstructedLetters, **_INSTRUCTION),
)
async def post_discard(request: Request, caller: Calling, asked: LettersMeant) -> Response:
    """Have letters kept for their time and never delivered again: at most 1000 at once.

    First come those that were left alone for longest. One that is named is given up also while it is `redriving`, or
    `discarding` and nothing has come of it.
    """
    return await _have_done(request, caller, asked, DiscardDeadLetters)


async def _have_done(
    request: Request, caller: Caller, asked: LettersMeant, instruction: type[RedriveDeadLetters | DiscardDeadLetters]
) -> Response:
    async def act(tx: Transaction) -> Answer:
        found = await _meant(tx, caller, asked)
        # One that is named is also meant while nobody knows what became of the last instruction about it.
        open_states = {_DEAD, *_ON_THE_WAY.values()} if asked.ids else {_DEAD}
        chosen = [row for row in found[:LETTERS_LIMIT] if row["state"] in open_states]
        if chosen and not asked.dry_run:
            await _instruct(tx, caller, chosen, instruction)
        return _answer(asked, found, chosen)

    return await act_once(request, caller, act, looks_only=asked.dry_run)


async def _meant(tx: Transaction, caller: Caller, asked: LettersMeant) -> list[Row]:
    locked = not asked.dry_run
    if asked.filter is not None:
        projects = None if caller.is_operator else caller.writable
        wanted = LetterFilter(projects=projects, states=[_DEAD], **asked.filter.model_dump())
        return await store.select_meant_letters(tx.connection, wanted, LETTERS_LIMIT, locked=locked)
    ids = list(dict.fromkeys(asked.ids or ()))
    named = LetterFilter(projects=caller.reach, ids=ids)
    found = await store.select_meant_letters(tx.connection, named, len(ids), locked=locked)
    missing = [letter_id for letter_id in ids if letter_id not in {row["id"] for row in found}]
    if missing:
        errors = [{"pointer": "/body/ids", "message": f"there is no dead letter {letter_id}"} for letter_id in missing]
        raise Problem(404, "dead_letter_not_found", "Some of these dead letters do not exist.", errors=errors[:20])
    for row in found:
        caller.ending(row["project_id"])
    return found


async def _instruct(
    tx: Transaction, caller: Caller, chosen: Sequence[Row], instruction: type[DeadLetterInstruction]
) -> None:
    ids = [row["id"] for row in chosen]
    await store.update_asked_letters(tx.connection, ids, _ON_THE_WAY[instruction], caller.user_id)
    noted = [entry(caller, _ACTS[instruction], row["id"], row["project_id"], code=row["code"]) for row in chosen]
    await insert_audit(tx.connection, noted)
    if instruction is RedriveDeadLetters:
        await _take_ends_back(tx, caller, ids)
    for service, of_service in _by_service(chosen).items():
        tx.say(instruction(addressee=service, dead_letter_ids=tuple(of_service), asked_by=caller.user_id))


async def _take_ends_back(tx: Transaction, caller: Caller, letter_ids: Sequence[UUID]) -> None:
    """Have jobs whose commands are delivered again wait again, so that nobody takes them for failed and repeats them.

    Those that nobody wants any more are forbidden, before the instruction that delivers their commands.
    """
    revived = await store.update_revived_jobs(tx.connection, letter_ids)
    await projection.tell_jobs(tx.connection, "job.revived", [job_id for ids in revived.values() for job_id in ids])
    for job in await store.select_unwanted_jobs(tx.connection, letter_ids):
        tx.say(CancelJob(addressee=job["service"], job_id=job["id"], cancelled_by=caller.user_id))


def _by_service(letters: Sequence[Mapping[str, Any]]) -> dict[str, list[UUID]]:
    services: dict[str, list[UUID]] = {}
    for letter in letters:
        services.setdefault(letter["service"], []).append(letter["id"])
    return services


def _answer(asked: LettersMeant, found: Sequence[Row], chosen: Sequence[Row]) -> Answer:
    left = {row["id"] for row in chosen}
    body = {
        "items": [{"id": row["id"], "service": row["service"], "code": row["code"]} for row in chosen],
        "total": len(chosen),
        "services": {service: len(ids) for service, ids in _by_service(chosen).items()},
        "skipped": [{"id": row["id"], "state": row["state"]} for row in found[:LETTERS_LIMIT] if row["id"] not in left],
        "more": len(found) > LETTERS_LIMIT,
        "dry_run": asked.dry_run,
    }
    return Answer(plain(body), f"{API}/dead-letters", 200 if asked.dry_run else 202)
