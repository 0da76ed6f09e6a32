"""Hints from outside that there is news of a job: a reason to look, and never what is believed."""

import re
from typing import Annotated, Final
from uuid import UUID

import orjson
from fastapi import APIRouter, Path, Request, Response

from contracts.image_generation import GenerateImage
from contracts.jobs import LookAgain
from services.gateway.routes.callers import parts_of
from services.gateway.routes.documented import told
from services.gateway.routes.edge.limiting import admit_stranger
from services.gateway.routes.problems import not_found
from services.gateway.store import projection
from services.gateway.store.resuming import insert_resumptions, upsert_told_request
from services.gateway.store.tenancy import answering
from shared import hints
from shared.outbox import Transaction

_LARGEST_BYTES: Final = 64 * 1024
_NAME: Final = re.compile(r"[\x21-\x7e]{1,200}")
routes = APIRouter(tags=["work"])


@routes.post(
    hints.PATH + "/{job_id}/{proof}",
    status_code=204,
    summary="Hint that a provider has news of a job",
    **told("hint", None, status=204, problems=("hint_not_found",)),
)
async def post_hint(
    request: Request, job_id: UUID, proof: Annotated[str, Path(min_length=43, max_length=43)]
) -> Response:
    """Have a job looked at now. The address is told to the provider that draws, and whoever has it needs no token.

    What is sent is not believed: the provider itself is asked. A hint may be lost, or come as often as it will. Only
    its `id`, the provider's name for the request, is kept: where the job has ended as `outcome_unknown`, or does so
    later, another one goes on with what was paid for.
    """
    parts = parts_of(request)
    if "authorization" in request.headers:  # which nobody looks at here; whoever sends none is counted already
        await admit_stranger(request, parts)
    secret = parts.settings.image_hints_secret
    if secret is None or not hints.is_proof(secret.get_secret_value(), job_id, proof):
        raise not_found("hint")
    named = _name_in(await request.body())
    async with answering(), parts.bus.transaction() as tx:
        tx.say(LookAgain(addressee=GenerateImage.addressed_service(), job_ids=(job_id,)))
        if named is not None:
            await _go_on(tx, job_id, named)
            tx.after_commit(parts.stream.wake)
    return Response(status_code=204)


def _name_in(body: bytes) -> str | None:
    """Find what a provider calls the request; None where nothing that can be asked for is said."""
    try:
        said = orjson.loads(body) if len(body) <= _LARGEST_BYTES else None
    except orjson.JSONDecodeError:
        return None
    name = said.get("id") if isinstance(said, dict) else None
    if isinstance(name, bool) or not isinstance(name, str | int):
        return None
    return text if _NAME.fullmatch(text := str(name)) else None


async def _go_on(tx: Transaction, job_id: UUID, request_id: str) -> None:
    await projection.lock_writers(tx.connection)
    if await upsert_told_request(tx.connection, job_id, request_id):
        for command in await insert_resumptions(tx.connection, [job_id]):
            tx.say(command)
