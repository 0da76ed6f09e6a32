"""Having kinds of work rest, and go on."""

from datetime import UTC, datetime
from typing import Final

from fastapi import APIRouter, Request, Response

from contracts.catalogue import CATALOGUE
from contracts.envelope import EVERYBODY, Command
from contracts.jobs import CheckWorker, PauseWork, ResumeWork
from services.gateway.routes.acting import act_once
from services.gateway.routes.auditing import note
from services.gateway.routes.callers import Caller, Calling, parts_of
from services.gateway.routes.desk import Answer
from services.gateway.routes.documented import told
from services.gateway.routes.documented.shapes.operators import Pause, Resumed
from services.gateway.routes.documented.shapes.shape import PageOf
from services.gateway.routes.problems import Problem
from services.gateway.routes.replies import API, page, plain
from services.gateway.routes.wishes import PauseAsked, ResumeAsked
from services.gateway.store import pauses as store
from services.gateway.store.reading import Row
from services.gateway.store.tenancy import as_tenant
from shared.outbox import Transaction

_WORK: Final = f"{API}/work"
routes = APIRouter(prefix=_WORK, tags=["operators"])


@routes.get("/pauses", summary="The kinds of work that rest", **told("list_pauses", PageOf[Pause]))
async def get_pauses(request: Request, caller: Calling) -> Response:
    async with as_tenant(parts_of(request).pool, caller.memberships) as connection:
        return page(await store.select_pauses(connection), None)


@routes.post(
    "/pause",
    status_code=202,
    summary="Have a kind of work rest for a while; for operators",
    **told(
        "pause_work",
        Pause,
        status=202,
        problems=("operator_only", "paused_by_another", "kind_unknown", "pause_end_invalid"),
        once=True,
    ),
)
async def post_pause(request: Request, caller: Calling, asked: PauseAsked) -> Response:
    """Start no more jobs of a kind until it is resumed or the pause expires; what runs goes on.

    Its pending jobs are shown as `waiting_for: pause`.
    """
    caller.operating()
    addressee = _addressee(asked.kind)

    async def act(tx: Transaction) -> Answer:
        before = await _check_owner(tx, caller, asked.kind, take_over=asked.take_over)
        end = _end(asked)
        owner = before and before["owner"]
        await note(tx.connection, caller, "work.pause", asked.kind, None, expires_at=end, taken_from=owner)
        said_at = await store.upsert_pause(tx.connection, asked.kind, caller.user_id, end)
        tx.say(PauseWork(addressee=addressee, kind=asked.kind, owner=caller.user_id, expires_at=end, said_at=said_at))
        return Answer(plain(await store.select_pause(tx.connection, asked.kind) or {}), f"{_WORK}/pauses")

    return await act_once(request, caller, act)


@routes.post(
    "/resume",
    status_code=202,
    summary="Have a kind of work go on; for operators",
    **told(
        "resume_work",
        Resumed,
        status=202,
        problems=("operator_only", "paused_by_another", "kind_unknown", "pause_not_found"),
        once=True,
    ),
)
async def post_resume(request: Request, caller: Calling, asked: ResumeAsked) -> Response:
    """End the pause of a kind; 404 where it does not rest, 409 where it rests by the wish of somebody else."""
    caller.operating()
    addressee = _addressee(asked.kind)

    async def act(tx: Transaction) -> Answer:
        pause = await _check_owner(tx, caller, asked.kind, take_over=asked.take_over)
        if pause is None:
            raise Problem(404, "pause_not_found", "This kind of work does not rest.")
        await note(tx.connection, caller, "work.resume", asked.kind, None, paused_by=pause["owner"])
        said_at = await store.update_resumed(tx.connection, asked.kind, caller.user_id)
        tx.say(ResumeWork(addressee=addressee, kind=asked.kind, said_at=said_at))
        return Answer(plain({**pause, "resumed_by": caller.user_id}), f"{_WORK}/pauses")

    return await act_once(request, caller, act)


def _addressee(kind: str) -> str:
    """Name who does work of this kind; raises a 422 problem where nobody does."""
    command = CATALOGUE.get(kind)
    if command is None or not issubclass(command, Command):
        kinds = ", ".join(sorted(name for name, one in CATALOGUE.items() if issubclass(one, Command)))
        raise Problem(422, "kind_unknown", f"There is no work of that kind; there is {kinds}.")
    return EVERYBODY if issubclass(command, CheckWorker) else command.addressed_service()


def _end(asked: PauseAsked) -> datetime:
    try:
        return asked.end(datetime.now(UTC))
    except ValueError as error:
        raise Problem(422, "pause_end_invalid", f"The pause makes no sense: {error}.") from error


async def _check_owner(tx: Transaction, caller: Caller, kind: str, *, take_over: bool) -> Row | None:
    """Give the pause that holds; raises a 409 problem where it is somebody else's."""
    pause = await store.select_pause(tx.connection, kind)
    if pause is not None and pause["owner"] != caller.user_id and not take_over:
        sentence = f"{pause['owner']} has paused this kind of work; say `take_over` to decide instead."
        raise Problem(409, "paused_by_another", sentence)
    return pause
