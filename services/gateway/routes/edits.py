"""People's edits: what they say of an image, and that it shall be gone; of one, or of many at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from contracts.media import DeleteMedia
from services.gateway.routes.acting import act_once, acting, begin
from services.gateway.routes.auditing import entry, note
from services.gateway.routes.callers import Caller, Calling, parts_of
from services.gateway.routes.desk import Answer
from services.gateway.routes.documented import told
from services.gateway.routes.documented.operations import JOB_LINKS
from services.gateway.routes.documented.shapes.images import Image
from services.gateway.routes.documented.shapes.jobs import Job
from services.gateway.routes.documented.shapes.shape import PageOf
from services.gateway.routes.images import shown_image
from services.gateway.routes.models import MANY, ImagesAsked, Page, Prose, Tag, Tags, exactly_one
from services.gateway.routes.problems import Problem, not_found
from services.gateway.routes.replies import API, job_location, page, plain, submitted_job
from services.gateway.routes.second_looks import SecondLook
from services.gateway.routes.submitting import new_job
from services.gateway.routes.versions import check_version
from services.gateway.rules.happenings import Happening
from services.gateway.rules.places import read_place, words, write_place
from services.gateway.rules.tags import TAGS_LIMIT
from services.gateway.store import edits as store
from services.gateway.store import projection
from services.gateway.store.audit import insert_audit
from services.gateway.store.edits import Edit
from services.gateway.store.images import ImageFilter, select_image
from services.gateway.store.reading import Row
from services.gateway.store.tenancy import as_tenant
from shared.database import Connection
from shared.outbox import Transaction

_IMAGES: Final = f"{API}/images"
_EDITING: Final = ("image_not_found", "viewer_only")
_DONE: Final = {"tag": "tagged", "untag": "untagged", "delete": "deleted"}
routes = APIRouter(prefix=API, tags=["images"], route_class=SecondLook)


class ImageEdited(BaseModel):
    """What somebody says of an image; what is left out stays as it is."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"title": "Hills at dusk", "tags": ["dusk", "hills"]}], "minProperties": 1},
    )

    title: Prose | None = Field(default=None, description="null: as it was found; empty: none")
    alt: Prose | None = Field(default=None, description="likewise")
    caption: Prose | None = Field(default=None, description="likewise")
    tags: Tags = Field(default=(), description=f"all that it shall have, at most {TAGS_LIMIT}")

    @model_validator(mode="after")
    def _something(self) -> "ImageEdited":
        if not self.model_fields_set:
            raise ValueError("give at least one of `title`, `alt`, `caption` and `tags`")
        return self


class ManyEdited(BaseModel):
    """Something that shall be done to images that are named, or that a filter finds."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [{"action": "tag", "filter": {"tag": ["dusk"]}, "tags": ["hills"], "dry_run": True}],
            **exactly_one("ids", "filter"),
            "if": {"properties": {"action": {"const": "delete"}}},
            "then": {"properties": {"tags": {"maxItems": 0}}},
            "else": {"required": ["tags"], "properties": {"tags": {"minItems": 1}}},
        },
    )

    action: Literal["tag", "untag", "delete"]
    ids: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=MANY)] | None = None
    filter: ImagesAsked | None = Field(default=None, description="an empty one finds all")
    project_id: UUID | None = Field(default=None, description="of the filter; default: all that you may change")
    tags: Tags = Field(default=(), description="to give or to take")
    dry_run: bool = Field(default=False, description="only say what would be done")

    @model_validator(mode="after")
    def _one_way(self) -> "ManyEdited":
        if [self.ids, self.filter].count(None) != 1:
            raise ValueError("give exactly one of `ids` and `filter`")
        if bool(self.tags) == (self.action == "delete"):
            raise ValueError("give `tags` to tag and untag, and none to delete")
        return self


class OneDone(BaseModel):
    """What was done to one image."""

    id: UUID
    outcome: Literal["tagged", "untagged", "deleted"]
    version: int | None = Field(description="that this makes it; null where it is deleted, or nothing was done yet")
    job_id: UUID | None = Field(description="that deletes it")


class OneSkipped(BaseModel):
    """Why nothing was done to an image that was named."""

    id: UUID
    code: str
    sentence: str


class ManyDone(BaseModel):
    """What was, or would be, done to which images."""

    action: Literal["tag", "untag", "delete"]
    items: list[OneDone]
    total: int
    skipped: list[OneSkipped]
    more: bool = Field(description="the filter finds more; ask again")
    dry_run: bool


class TagCount(BaseModel):
    """A tag, and how many images have it."""

    tag: str
    count: int


class TagsPage(Page):
    """A page of tags."""

    prefix: Tag | None = Field(default=None, description="how they begin")


@routes.patch(
    "/images/{image_id}",
    summary="Say something else of an image",
    **told("update_image", Image, problems=_EDITING, tagged=True, edits=True),
)
async def patch_image(request: Request, caller: Calling, image_id: UUID, asked: ImageEdited) -> Response:
    """Change title, alt, caption or tags. What people say wins over what was found with the image, for good.

    Send `If-Match` with the `ETag` that you have seen, and an edit that would overwrite somebody else's is a 412.
    """
    async with acting(request, caller) as tx:
        row = await _image(tx.connection, caller, image_id)
        check_version(request, row["version"])
        version = await _edit(tx, caller, row, asked)
        await projection.insert_events(tx.connection, [_happening("image.edited", row, version=version)])
        said = sorted(asked.model_fields_set)
        await note(tx.connection, caller, "image.update", image_id, row["project_id"], fields=said)
        row = await _image(tx.connection, caller, image_id)
    return await shown_image(row, parts_of(request).links)


async def _edit(tx: Transaction, caller: Caller, row: Row, asked: ImageEdited) -> int:
    said = asked.model_dump(include=asked.model_fields_set & {"title", "alt", "caption"})
    words = {name: said.get(name, row[f"edited_{name}"]) for name in ("title", "alt", "caption")}
    if "tags" in asked.model_fields_set:
        await store.delete_other_tags(tx.connection, row["id"], asked.tags)
        await store.insert_tags(tx.connection, {row["id"]: row["project_id"]}, asked.tags)
    edit = Edit(asset_id=row["id"], project_id=row["project_id"], edited_by=caller.user_id, **words)
    return await store.upsert_edit(tx.connection, edit)


@routes.delete(
    "/images/{image_id}",
    status_code=202,
    summary="Delete an image",
    **told(
        "delete_image",
        Job,
        status=202,
        problems=(*_EDITING, "project_not_found"),
        once=True,
        edits=True,
        links=JOB_LINKS,
    ),
)
async def delete_image(request: Request, caller: Calling, image_id: UUID) -> Response:
    """Delete an image with its maps. It is gone for the next look, and its job ends once it is deleted.

    What is stored of it goes a day later, and its maps after two, unless it is stored again until then.

    Should the job fail, or be cancelled, the image is there again, and its `deletion` says why.
    """

    async def act(tx: Transaction) -> Answer:
        row = await _image(tx.connection, caller, image_id)
        check_version(request, row["version"])
        [command] = await _delete(tx, caller, [row])
        return Answer(plain(submitted_job(command)), job_location(command.id))

    return await act_once(request, caller, act)


async def _image(connection: Connection, caller: Caller, image_id: UUID) -> Row:
    """Give an image that this caller may change; raises a problem."""
    row = await select_image(connection, list(caller.memberships), image_id)
    if row is None:
        raise not_found("image")
    caller.writing(row["project_id"])
    return row


async def _delete(tx: Transaction, caller: Caller, rows: Sequence[Row]) -> list[Any]:
    commands = [DeleteMedia(**new_job(caller, row["project_id"]), asset_id=row["id"]) for row in rows]
    jobs = await begin(tx, commands)
    await store.update_deleting(tx.connection, {command.asset_id: command.job_id for command in commands})
    done = list(zip(rows, jobs, strict=True))
    happenings = [_happening("image.deleting", row, job_id=job.id) for row, job in done]
    await projection.insert_events(tx.connection, happenings)
    noted = [entry(caller, "image.delete", row["id"], row["project_id"], job_id=job.id) for row, job in done]
    await insert_audit(tx.connection, noted)
    return jobs


def _happening(type_: str, row: Row, **data: Any) -> Happening:
    return Happening(row["project_id"], type_, datetime.now(UTC), {"image_id": row["id"], **data})


@dataclass
class _Plan:
    """What becomes of images.

    Attributes:
        rows: those to which something is done.
        skipped: why to others of those that were named nothing is, as `id, code, sentence`.
        more: a filter finds more than are done at once.
        versions, jobs: what came of it, by image.

    """

    rows: list[Row] = field(default_factory=list)
    skipped: list[dict[str, Any]] = field(default_factory=list)
    more: bool = False
    versions: dict[UUID, int] = field(default_factory=dict)
    jobs: dict[UUID, UUID] = field(default_factory=dict)


@routes.post(
    "/images/bulk",
    summary="Tag, untag or delete many images",
    **told(
        "edit_images",
        ManyDone,
        also={202: ManyDone},
        problems=("image_not_found", "project_not_found", "viewer_only", "not_a_member"),
        once=True,
    ),
)
async def post_bulk(request: Request, caller: Calling, asked: ManyEdited) -> Response:
    """Do something to the images that are named, or to those that a filter finds: at most 500 at once, oldest first.

    A filter leaves out those to which nothing would be done, so that asking again while there are `more` reaches all.
    With `dry_run` the answer is the same and nothing is done.
    """

    async def act(tx: Transaction) -> Answer:
        plan = await _plan(tx.connection, caller, asked)
        if not asked.dry_run and plan.rows:
            await _carry_out(tx, caller, asked, plan)
        deleted = asked.action == "delete" and not asked.dry_run
        return Answer(plain(_reply(asked, plan)), _IMAGES, 202 if deleted else 200)

    return await act_once(request, caller, act, looks_only=asked.dry_run)


async def _plan(connection: Connection, caller: Caller, asked: ManyEdited) -> _Plan:
    if asked.ids is None:
        rows = await _found(connection, caller, asked)
        return _Plan(rows[:MANY], more=len(rows) > MANY)
    ids = list(dict.fromkeys(asked.ids))
    rows = await store.select_named(connection, list(caller.memberships), ids, asked.tags)
    _check_all_found(ids, rows)
    plan = _Plan()
    for row in rows:
        caller.writing(row["project_id"])
        if (reason := _reason_to_skip(asked, row)) is None:
            plan.rows.append(row)
        else:
            plan.skipped.append({"id": row["id"], "code": reason[0], "sentence": reason[1]})
    return plan


async def _found(connection: Connection, caller: Caller, asked: ManyEdited) -> list[Row]:
    projects = caller.writable if asked.project_id is None else [caller.writing(asked.project_id)]
    known = asked.filter or ImagesAsked()
    wanted = ImageFilter(**known.model_dump(include={field.name for field in fields(ImageFilter)}))
    match asked.action:
        case "tag":
            return await store.select_taggable(connection, projects, wanted, asked.tags, MANY + 1)
        case "untag":
            return await store.select_tagged(connection, projects, wanted, asked.tags, MANY + 1)
        case "delete":
            return await store.select_deletable(connection, projects, wanted, MANY + 1)


def _check_all_found(ids: Sequence[UUID], rows: Sequence[Row]) -> None:
    missing = [str(image_id) for image_id in ids if image_id not in {row["id"] for row in rows}]
    if missing:
        errors = [{"pointer": "/body/ids", "message": f"there is no image {image_id}"} for image_id in missing]
        raise Problem(404, "image_not_found", "Some of these images do not exist.", errors=errors[:20])


def _reason_to_skip(asked: ManyEdited, row: Row) -> tuple[str, str] | None:
    """Say why nothing is done to an image that was named; a filter leaves it out by the same rule, see the store."""
    if asked.action == "tag" and row["given"] == len(asked.tags):
        return "already_tagged", "It has all of these tags."
    if asked.action == "tag" and row["held"] - row["given"] + len(asked.tags) > TAGS_LIMIT:
        return "too_many_tags", f"It would have more than {TAGS_LIMIT} tags."
    if asked.action == "untag" and not row["given"]:
        return "not_tagged", "It has none of these tags."
    return None


async def _carry_out(tx: Transaction, caller: Caller, asked: ManyEdited, plan: _Plan) -> None:
    if asked.action == "delete":
        jobs = await _delete(tx, caller, plan.rows)
        plan.jobs = {row["id"]: job.id for row, job in zip(plan.rows, jobs, strict=True)}
        return
    images = {row["id"]: row["project_id"] for row in plan.rows}
    if asked.action == "tag":
        await store.insert_tags(tx.connection, images, asked.tags)
    else:
        await store.delete_tags(tx.connection, list(images), asked.tags)
    plan.versions = await store.upsert_versions(tx.connection, images, caller.user_id)
    happenings = [_happening("image.edited", row, version=plan.versions[row["id"]]) for row in plan.rows]
    await projection.insert_events(tx.connection, happenings)
    noted = [entry(caller, "image.update", row["id"], row["project_id"], fields=["tags"]) for row in plan.rows]
    await insert_audit(tx.connection, noted)


def _reply(asked: ManyEdited, plan: _Plan) -> dict[str, Any]:
    items = [
        {
            "id": row["id"],
            "outcome": _DONE[asked.action],
            "version": plan.versions.get(row["id"]),
            "job_id": plan.jobs.get(row["id"]),
        }
        for row in plan.rows
    ]
    about = {"action": asked.action, "more": plan.more, "dry_run": asked.dry_run}
    return {**about, "items": items, "total": len(items), "skipped": plan.skipped}


@routes.get(
    "/tags",
    summary="The tags of your images, and how many have each",
    **told("list_tags", PageOf[TagCount], problems=("not_a_member", "cursor_invalid")),
)
async def get_tags(request: Request, caller: Calling, asked: Annotated[TagsPage, Query()]) -> Response:
    projects = caller.seeing(asked.project_id)
    (after,) = read_place(asked.cursor, "tags", words) or (None,)
    async with as_tenant(parts_of(request).pool, projects) as connection:
        rows = await store.select_tag_counts(connection, projects, asked.prefix, after, asked.limit)
    items = [{"tag": row["tag"], "count": row["images"]} for row in rows[: asked.limit]]
    return page(items, write_place("tags", items[-1]["tag"]) if len(rows) > asked.limit else None)
