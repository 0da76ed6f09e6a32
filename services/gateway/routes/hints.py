"""Hints from outside that there is news of a job: a reason to look, and never what is believed."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response

from contracts.image_generation import GenerateImage
from contracts.jobs import LookAgain
from services.gateway.routes.callers import parts_of
from services.gateway.routes.documented import told
from services.gateway.routes.edge.limiting import admit_stranger
from services.gateway.routes.problems import not_found
from services.gateway.store.tenancy import answering
from shared import hints

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

    What is sent is not read: the provider itself is asked. A hint may be lost, or come as often as it will.
    """
    parts = parts_of(request)
    if "authorization" in request.headers:  # which nobody looks at here; whoever sends none is counted already
        await admit_stranger(request, parts)
    secret = parts.settings.image_hints_secret
    if secret is None or not hints.is_proof(secret.get_secret_value(), job_id, proof):
        raise not_found("hint")
    async with answering(), parts.bus.transaction() as tx:
        tx.say(LookAgain(addressee=GenerateImage.addressed_service(), job_ids=(job_id,)))
    return Response(status_code=204)
