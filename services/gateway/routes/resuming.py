"""Going on with a drawing that may be paid for: somebody says what its provider calls the request."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, StringConstraints

from services.gateway.routes.acting import act_once
from services.gateway.routes.auditing import note
from services.gateway.routes.callers import Calling
from services.gateway.routes.desk import Answer
from services.gateway.routes.documented import told
from services.gateway.routes.documented.shapes.jobs import Resumed
from services.gateway.routes.problems import Problem, not_found
from services.gateway.routes.replies import API, job_location, job_reply, plain
from services.gateway.routes.second_looks import SecondLook
from services.gateway.store import jobs as store
from services.gateway.store.reading import Row
from services.gateway.store.resuming import insert_resumptions, upsert_told_request
from shared.outbox import Transaction

routes = APIRouter(prefix=API, tags=["jobs"], route_class=SecondLook)


class ResumptionAsked(BaseModel):
    """What the provider calls the request, as its own pages tell."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"examples": [{"request_id": "12345"}]})

    request_id: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,200}$")]


@routes.post(
    "/jobs/{job_id}/resume",
    status_code=202,
    summary="Go on with a drawing that nobody knows the outcome of",
    **told(
        "resume_job",
        Resumed,
        status=202,
        problems=("job_not_found", "not_a_member", "viewer_only", "outcome_known"),
        once=True,
        waits=True,
    ),
)
async def post_resumption(request: Request, caller: Calling, job_id: UUID, asked: ResumptionAsked) -> Response:
    """Go on with what was paid for by a job that has ended as `outcome_unknown`: nothing is asked for anew.

    The provider is asked about the request by this name. Where it knows another one by it, the new job ends as
    `outcome_unknown` as well, and another name can be said. Whoever would rather pay once more retries the job instead:
    of both only one is done.
    """

    async def act(tx: Transaction) -> Answer:
        job = await store.select_job(tx.connection, caller.reach, job_id)
        if job is None:
            raise not_found("job")
        caller.ending(job["project_id"])
        known = await upsert_told_request(tx.connection, job_id, asked.request_id)
        commands = await insert_resumptions(tx.connection, [job_id]) if known else []
        if not commands:
            sentence = "Only a drawing goes on whose outcome is unknown, and which nobody has done again."
            raise Problem(409, "outcome_known", sentence)
        for command in commands:
            tx.say(command)
        new_id = commands[0].job_id
        await note(tx.connection, caller, "job.resume", job_id, job["project_id"], resumed_as=new_id)
        row = await store.select_job(tx.connection, None, new_id)
        if row is None:
            raise TypeError("a job that was made is there")
        return Answer(plain({"id": job_id, "job": job_reply(row)}), job_location(new_id))

    return await act_once(request, caller, act, show=_show)


async def _show(told: Mapping[str, Any], job: Row) -> dict[str, Any]:
    return {**told, "job": job_reply(job)}
