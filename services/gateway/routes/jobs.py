"""Looking at jobs, and cancelling them."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from contracts.envelope import EVERYBODY
from contracts.image_generation import GenerateImage
from contracts.jobs import CancelJob
from services.gateway.routes.auditing import note
from services.gateway.routes.callers import Caller, Calling, parts_of
from services.gateway.routes.desk import Answer
from services.gateway.routes.documented import told
from services.gateway.routes.documented.shapes.jobs import Cancelled, Job, JobDetail
from services.gateway.routes.documented.shapes.pages import PageFacts
from services.gateway.routes.documented.shapes.shape import PageOf
from services.gateway.routes.models import Cursor, JobPagesPage, JobsPage
from services.gateway.routes.problems import not_found
from services.gateway.routes.replies import (
    API,
    Json,
    accepted,
    drawing_reply,
    job_location,
    job_reply,
    page,
    request_reply,
    tree_reply,
)
from services.gateway.routes.second_looks import SecondLook
from services.gateway.routes.waiting import accepted_or_ended, wait_for_end, wished_seconds
from services.gateway.rules.cancelling import spokesmen_of
from services.gateway.rules.cursors import parse_cursor
from services.gateway.rules.entity_tags import weak_tag
from services.gateway.rules.happenings import Happening
from services.gateway.rules.jobs import ENDED
from services.gateway.rules.places import number, read_place, write_place
from services.gateway.store import cancelling, projection
from services.gateway.store import jobs as store
from services.gateway.store.drawn import select_drawing
from services.gateway.store.jobs import JobFilter
from services.gateway.store.pages import next_cursor
from services.gateway.store.reading import Row
from services.gateway.store.tenancy import answering, as_tenant, name_projects
from shared.database import Connection

_REPORT_LIMIT: Final = 500
_PAGES_ORDER: Final = "p"
_SAME_NAMES: Final = {"kind", "service", "error_code", "parent_id", "root_id", "created_after", "created_before"}
_CHANGING: Final = (
    *("id", "updated_at", "state", "progress", "waiting_for", "asset_id", "superseded_by", "cancel_requested_at"),
)
routes = APIRouter(prefix=API, tags=["jobs"], route_class=SecondLook)


@routes.get(
    "/jobs",
    summary="Jobs, the newest first",
    **told(
        "list_jobs",
        PageOf[Job],
        problems=("cursor_invalid", "not_a_member", "operator_only"),
        links={"job": {"operationId": "get_job", "parameters": {"job_id": "$response.body#/items/0/id"}}},
    ),
)
async def get_jobs(request: Request, caller: Calling, asked: Annotated[JobsPage, Query()]) -> Response:
    wanted = JobFilter(
        states=list(asked.state) if asked.state else None,
        roots_only=asked.roots,
        **asked.model_dump(include=_SAME_NAMES),
    )
    projects = _projects(caller, asked)
    async with _looking(request, caller) as connection:
        rows = await store.select_jobs(connection, projects, wanted, parse_cursor(asked.cursor), asked.limit)
    return page([job_reply(row) for row in rows[: asked.limit]], next_cursor(rows, asked.limit))


def _projects(caller: Caller, asked: JobsPage) -> list[UUID] | None:
    """Give the projects to look into; an operator may name any, or none and mean all."""
    if asked.everybody:
        caller.operating()
        return None
    if asked.project_id is not None and caller.is_operator:
        return [asked.project_id]
    return caller.seeing(asked.project_id)


def _looking(request: Request, caller: Caller) -> AbstractAsyncContextManager[Connection]:
    return as_tenant(parts_of(request).pool, caller.memberships, operator=caller.is_operator)


@routes.get(
    "/jobs/{job_id}",
    summary="A job with the tree of what follows from it",
    **told("get_job", JobDetail, problems=("cursor_invalid", "job_not_found"), waits=True, tagged=True),
)
async def get_job(
    request: Request,
    caller: Calling,
    job_id: UUID,
    children_cursor: Cursor | None = None,
    children_limit: Annotated[int, Query(ge=0, le=200)] = 50,
) -> Response:
    """Show a job, what it was asked, its tree, a page of its children, what its pages held, and what was refused.

    `Prefer: wait=n` has the reply wait for its end, of a scrape for that of its tree: 202 where that has not come.
    """
    after = parse_cursor(children_cursor)
    seconds = wished_seconds(request)
    outcome = None if seconds is None else await wait_for_end(request, caller, job_id, seconds)
    async with _looking(request, caller) as connection:
        job = await _job(connection, caller, job_id)
        counts = await store.select_tree_counts(connection, job_id)
        projects, of_job = [job["project_id"]], JobFilter(parent_id=job_id)
        children = await store.select_jobs(connection, projects, of_job, after, children_limit)
        pages = await store.select_scraped_pages(connection, job_id, job["root_id"], _REPORT_LIMIT)
        rejections = await store.select_rejections(connection, job_id, job["root_id"], _REPORT_LIMIT)
        drawing = await select_drawing(connection, job_id) if job["kind"] == GenerateImage.wire_name else None
    body = {
        **job_reply(job),
        "request": request_reply(job["request"]),
        "tree": tree_reply(job["state"], counts),
        "children": {
            "items": [job_reply(child) for child in children[:children_limit]],
            "next_cursor": next_cursor(children, children_limit) if children_limit else None,
        },
        "pages": [dict(row) for row in pages],
        "rejections": [dict(row) for row in rejections],
        "drawing": None if drawing is None else drawing_reply(drawing),
    }
    marks = [[row[name] for name in _CHANGING] for row in (job, *children)]
    tag = weak_tag(marks, job["request"] is None, counts, len(pages), len(rejections), drawing and drawing["pictures"])
    if outcome is None:
        return Json(body, headers={"ETag": tag})
    status = 200 if outcome.ended else 202
    reply = accepted(body, job_location(job_id), status=status, waited_seconds=seconds)
    reply.headers["ETag"] = tag
    return reply


@routes.get(
    "/jobs/{job_id}/pages",
    summary="What the pages of a job say of themselves, and what became of their images",
    **told("list_job_pages", PageOf[PageFacts], problems=("cursor_invalid", "job_not_found")),
)
async def get_pages(
    request: Request, caller: Calling, job_id: UUID, asked: Annotated[JobPagesPage, Query()]
) -> Response:
    """Show the pages that a job has read, or that its tree has where it is the root, in the order of their reading.

    Of images that were left out the first hundred of each page are told, with the reason.
    """
    place = read_place(asked.cursor, _PAGES_ORDER, number)
    async with _looking(request, caller) as connection:
        job = await _job(connection, caller, job_id)
        rows = await store.select_page_facts(connection, job_id, job["root_id"], place, asked.limit)
    shown = rows[: asked.limit]
    following = write_place(_PAGES_ORDER, shown[-1]["seen_number"]) if len(rows) > len(shown) else None
    return page([{name: value for name, value in row.items() if name != "seen_number"} for row in shown], following)


async def _job(connection: Connection, caller: Caller, job_id: UUID) -> Row:
    job = await store.select_job(connection, caller.reach, job_id)
    if job is None:
        raise not_found("job")
    return job


@routes.post(
    "/jobs/{job_id}/cancel",
    status_code=202,
    summary="End a job and everything that follows from it",
    **told("cancel_job", Cancelled, status=202, problems=("job_not_found", "not_a_member", "viewer_only"), waits=True),
)
async def post_cancel(request: Request, caller: Calling, job_id: UUID) -> Response:
    """Ask for the end of a job and its descendants, also those not yet born.

    The workers end them; until they say so, states stay as they are. Repeat it at will. `outcome` is
    `cancellation_requested`, or `already_ended` where nothing was left to cancel.
    """
    parts = parts_of(request)
    async with answering(), parts.bus.transaction(parts.pool) as tx:
        await name_projects(tx.connection, caller.memberships, operator=caller.is_operator)
        await projection.lock_writers(tx.connection)
        job = await _job(tx.connection, caller, job_id)
        caller.ending(job["project_id"])
        doomed = await cancelling.update_tree_cancelled(tx.connection, job_id, caller.user_id)
        if doomed:
            # Every worker knows the root of each of its jobs, so that one word about it ends the whole tree.
            for named in [job_id] if job_id == job["root_id"] else spokesmen_of(doomed):
                tx.say(CancelJob(addressee=EVERYBODY, job_id=named, cancelled_by=caller.user_id))
            await projection.insert_events(tx.connection, [_cancel_requested(job, caller, len(doomed))])
            await note(
                tx.connection, caller, "job.cancel", job_id, job["project_id"], kind=job["kind"], jobs=len(doomed)
            )
        job = await _job(tx.connection, caller, job_id)
        tx.after_commit(parts.stream.wake)
    ended = not doomed and job["state"] in ENDED
    outcome = "already_ended" if ended else "cancellation_requested"
    body = {"outcome": outcome, "jobs_told": len(doomed), "job": job_reply(job)}
    told = Answer(body, job_location(job_id), 200 if ended else 202)
    return await accepted_or_ended(request, caller, told, show=_show_cancelled)


async def _show_cancelled(told: Mapping[str, Any], job: Row) -> dict[str, Any]:
    return {**told, "job": job_reply(job)}


def _cancel_requested(job: Row, caller: Caller, jobs: int) -> Happening:
    return Happening(
        project_id=job["project_id"],
        type="job.cancel_requested",
        at=datetime.now(UTC),
        data={"job_id": job["id"], "root_id": job["root_id"], "cancelled_by": caller.user_id, "jobs": jobs},
        job_id=job["id"],
        parent_id=job["parent_id"],
        root_id=job["root_id"],
    )
