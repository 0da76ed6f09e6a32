"""Handing in work: pages to scrape, images to keep, maps to draw, and probes of the workers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter, Request, Response

from contracts.depth_map import MapDepth
from contracts.envelope import Command
from contracts.jobs import CheckWorker
from contracts.media import DescribeMedia, FetchMedia
from contracts.scraper import ImageContext, ScrapePages
from services.gateway.routes.callers import Caller, Calling, parts_of
from services.gateway.routes.desk import Answer
from services.gateway.routes.documented import told
from services.gateway.routes.documented.operations import JOB_LINKS, SUBMITTING
from services.gateway.routes.documented.shapes.jobs import DescribeJobs, Job, MapJobs
from services.gateway.routes.models import (
    DescriptionsAsked,
    ImagesMeant,
    MapsAsked,
    ProbeAsked,
    ScrapeAsked,
    StoreAsked,
)
from services.gateway.routes.problems import Problem
from services.gateway.routes.replies import API, job_location, job_reply, submitted_job
from services.gateway.routes.second_looks import SecondLook
from services.gateway.routes.submitting import hand_in, new_job
from services.gateway.rules.jobs import JobRow
from services.gateway.store.images import ImageFilter, select_originals
from services.gateway.store.reading import Row
from services.gateway.store.submissions import SceneHeld
from services.gateway.store.tenancy import as_tenant

MAPS_LIMIT: Final = 500
_ONE_JOB: Final[Any] = {"status": 202, "problems": SUBMITTING, "once": True, "waits": True, "links": JOB_LINKS}
_MANY_JOBS: Final[Any] = {"status": 202, "once": True, "waits": True}
routes = APIRouter(prefix=API, tags=["work"], route_class=SecondLook)


@routes.post(
    "/scrapes",
    status_code=202,
    summary="Scrape pages and keep their images",
    **told("create_scrape", Job, **_ONE_JOB),
)
async def post_scrape(request: Request, caller: Calling, asked: ScrapeAsked) -> Response:
    job = new_job(caller, caller.writing(asked.project_id), asked.pipeline)
    return await hand_in(request, caller, [ScrapePages(**job, urls=asked.pages, rendered=asked.rendered)])


@routes.post(
    "/media/store", status_code=202, summary="Download and keep one image", **told("store_media", Job, **_ONE_JOB)
)
async def post_media(request: Request, caller: Calling, asked: StoreAsked) -> Response:
    job = new_job(caller, caller.writing(asked.project_id), asked.pipeline)
    command = FetchMedia(**job, url=asked.url, context=ImageContext(**asked.context))
    media = asked.scene_id and {
        "job_id": command.job_id,
        "project_id": command.project_id,
        "scene_id": asked.scene_id,
        "url": asked.url,
    }
    return await hand_in(request, caller, [command], scene_media=media or None)


@routes.post(
    "/probes",
    status_code=202,
    summary="Have a worker do nothing, to see that jobs go there and back",
    **told("create_probe", Job, **_ONE_JOB),
)
async def post_probe(request: Request, caller: Calling, asked: ProbeAsked) -> Response:
    job = new_job(caller, caller.writing(asked.project_id))
    return await hand_in(request, caller, [CheckWorker(**job, service=asked.service)])


@routes.post(
    "/maps",
    status_code=202,
    summary="Draw the depth and edge maps of images",
    **told("create_maps", MapJobs, problems=(*SUBMITTING, "image_not_found"), **_MANY_JOBS),
)
async def post_maps(request: Request, caller: Calling, asked: MapsAsked) -> Response:
    """Draw the maps of one image, of many, or of those that a filter finds: at most 500 at once, the oldest first.

    What the recipe has drawn already is not drawn again: its job ends at once and says `already_mapped`, unless
    `redraw` is true. Where a filter finds more, `more` is true: call again once these are done, with `mapped: false`,
    or with `without_recipe` where all have maps by another recipe.

    A filter finds no videos unless it asks for them, and last of all what could not be drawn before. Its `map_state` is
    that of the maps that were drawn last.
    """
    originals, more = await _originals(request, caller, asked, _one_after_the_other)
    commands = [
        MapDepth(
            **new_job(caller, caller.writing(original["project_id"]), ("depth", "edges")),
            asset_id=original["id"],
            original_key=original["original_key"],
            sha256=original["sha256"],
            recipe=asked.recipe,
            redraw=asked.redraw,
        )
        for original in originals
    ]
    return await _hand_in_each(request, caller, commands, MapDepth.wire_name, more=more)


@routes.post(
    "/images/describe",
    status_code=202,
    summary="Describe images anew",
    **told("describe_images", DescribeJobs, problems=(*SUBMITTING, "image_not_found"), **_MANY_JOBS),
)
async def post_describe(request: Request, caller: Calling, asked: DescriptionsAsked) -> Response:
    """Look again at one image, at many, or at those that a filter finds: at most 500 at once, the oldest first.

    What is seen replaces what was seen in the same way before. What people say of an image stays.
    """
    originals, more = await _originals(request, caller, asked)
    commands = [
        DescribeMedia(
            **new_job(caller, caller.writing(original["project_id"]), ("describe",)),
            asset_id=original["id"],
            kinds=asked.kinds,
        )
        for original in originals
    ]
    return await _hand_in_each(request, caller, commands, DescribeMedia.wire_name, more=more)


async def _hand_in_each(
    request: Request, caller: Caller, commands: Sequence[Command], kind: str, *, more: bool
) -> Response:
    def tell(jobs: Sequence[JobRow], _held: SceneHeld | None) -> Answer:
        body = {"items": [submitted_job(job) for job in jobs], "total": len(jobs), "more": more}
        location = job_location(jobs[0].id) if len(jobs) == 1 else f"{API}/jobs?kind={kind}"
        return Answer(body, location)

    return await hand_in(request, caller, commands, answer=tell, show=_show_only_job)


async def _show_only_job(told: Mapping[str, Any], job: Row) -> dict[str, Any]:
    return {**told, "items": [job_reply(job)]}


def _one_after_the_other(wanted: ImageFilter) -> Sequence[ImageFilter]:
    """Say of which images maps are drawn first, and of which then: what failed before is in nobody's way."""
    stills = False if wanted.video is None else wanted.video
    found = replace(wanted, video=stills, map_state=None, newest_map_state=wanted.map_state)
    return [replace(found, map_failed=failed) for failed in (False, True)]


def _all_at_once(wanted: ImageFilter) -> Sequence[ImageFilter]:
    return [wanted]


async def _originals(
    request: Request,
    caller: Caller,
    asked: ImagesMeant,
    in_order: Callable[[ImageFilter], Sequence[ImageFilter]] = _all_at_once,
) -> tuple[list[Row], bool]:
    named = [asked.image_id] if asked.image_id else asked.image_ids
    wanted = [ImageFilter(ids=list(named))] if named is not None else in_order(ImageFilter(**_fields(asked)))
    # Whom a filter finds is only looked for where something may be changed.
    found_everywhere = named is not None or asked.project_id is not None
    projects = caller.seeing(asked.project_id) if found_everywhere else caller.writable
    async with as_tenant(parts_of(request).pool, caller.memberships) as connection:
        found: list[Row] = []
        for each in wanted:
            found += await select_originals(connection, projects, each, MAPS_LIMIT + 1 - len(found))
    if named is not None:
        _check_all_found(named, found)
    return found[:MAPS_LIMIT], len(found) > MAPS_LIMIT


def _fields(asked: ImagesMeant) -> dict[str, Any]:
    return asked.filter.model_dump() if asked.filter else {}


def _check_all_found(named: Sequence[UUID], found: Sequence[Row]) -> None:
    missing = [str(image_id) for image_id in named if image_id not in {row["id"] for row in found}]
    if missing:
        errors = [{"pointer": "/body/image_ids", "message": f"there is no image {image_id}"} for image_id in missing]
        raise Problem(404, "image_not_found", "Some of these images do not exist.", errors=errors[:20])
