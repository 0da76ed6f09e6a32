"""Files sent past the gateway: a client gets leave to put one into the object store, and says when it lies there."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from contracts.media import AcceptUpload
from contracts.scraper import ImageContext, ReadManifest
from services.gateway.routes.acting import act_once, acting, begin
from services.gateway.routes.callers import Caller, Calling, parts_of
from services.gateway.routes.desk import Answer
from services.gateway.routes.documented import told
from services.gateway.routes.documented.operations import JOB_LINKS
from services.gateway.routes.documented.shapes.images import Image
from services.gateway.routes.documented.shapes.jobs import Job
from services.gateway.routes.manifest_uploads import (
    MANIFEST_TYPES,
    check_announced,
    check_in_time,
    check_sent,
    is_manifest,
    key_of,
)
from services.gateway.routes.models import Words
from services.gateway.routes.problems import Problem, not_found
from services.gateway.routes.replies import API, Json, image_reply, job_location, job_reply, plain, submitted_job
from services.gateway.routes.second_looks import SecondLook
from services.gateway.routes.submitting import new_job
from services.gateway.routes.uploading import ACCEPTED_TYPES, FormFields
from services.gateway.store import uploads as store
from services.gateway.store.images import select_image
from services.gateway.store.jobs import select_job
from services.gateway.store.reading import Row
from services.gateway.store.tenancy import as_tenant
from services.gateway.uploads import Ticket
from shared.identifiers import uuid7
from shared.object_keys import upload_key
from shared.outbox import Transaction

_PATH: Final = f"{API}/uploads"
_ANNOUNCING: Final = ("not_a_member", "viewer_only", "image_being_deleted", "file_too_large")
_COMPLETING: Final = (
    *("upload_not_found", "project_not_found", "viewer_only", "upload_missing", "upload_size_differs"),
    *("upload_expired", "object_store_unavailable"),
)
_UPLOAD: Final = {
    name: {"operationId": name, "parameters": {"upload_id": "$response.body#/id"}}
    for name in ("get_upload", "complete_upload", "cancel_upload")
}
_SHOWN: Final = ("id", "project_id", "filename", "content_type", "size_bytes", "sha256", "pipeline", "tags")
routes = APIRouter(prefix=API, tags=["uploads"], route_class=SecondLook)


class UploadAsked(FormFields):
    """A file that a client is about to send, as it will be."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"filename": "a.jpg", "content_type": "image/jpeg", "size_bytes": 123456}]},
    )

    filename: Annotated[Words, StringConstraints(min_length=1, max_length=255)] | None = None
    content_type: Annotated[Words, StringConstraints(min_length=1, max_length=100)] = Field(
        json_schema_extra={"enum": [*ACCEPTED_TYPES, *MANIFEST_TYPES]},
        description="of an image, or of a manifest: a list of images with what is said about each",
    )
    size_bytes: Annotated[int, Field(ge=1, lt=2**63)]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = Field(
        default=None, description="where it is known: a file that the project has already need not be sent"
    )


class UploadPromised(BaseModel):
    """An upload, and how to send its bytes."""

    id: UUID
    project_id: UUID
    state: Literal["waiting", "accepted", "expired"]
    filename: str | None
    content_type: str
    size_bytes: int
    sha256: str | None
    pipeline: list[str]
    tags: list[str]
    job: Job | None = Field(description="what takes it in, once it was completed")
    object_key: str | None = Field(description="of a manifest: so `scraper.read_manifest.v1` names it, as an event")
    expires_at: datetime | None = Field(description="until then it can be sent and completed")
    created_at: datetime
    links: dict[str, str]


class UploadBegun(UploadPromised):
    """How to send the bytes of an upload."""

    method: Literal["PUT"]
    url: str = Field(description="of the object store; the token is not sent there")
    headers: dict[str, str] = Field(description="to be sent with the bytes as they stand")


class UploadSpared(BaseModel):
    """The image that the project has of these bytes."""

    duplicate: Literal[True]
    image: Image


@routes.post(
    "/uploads",
    status_code=201,
    summary="Get leave to upload a file directly into the object store",
    **told(
        "create_upload",
        UploadBegun,
        status=201,
        also={200: UploadSpared},
        problems=_ANNOUNCING,
        once=True,
        links=_UPLOAD,
    ),
)
async def post_uploads(request: Request, caller: Calling, asked: UploadAsked) -> Response:
    """Announce one file by its type and size, and get an address of the object store to which exactly that may be sent.

    With `sha256` a file that the project has already is answered with its image. What was not completed when it
    expires is removed. A manifest (CSV with a header or lines of JSON, gzipped or not, or Parquet) has up to 1 GiB;
    `title`, `alt`, `caption` and `tags` are of an image, and of those in a manifest its columns say such things.
    """
    project_id = caller.writing(asked.project_id)
    _check_file(asked, parts_of(request).uploads.file_bytes)
    upload_id = uuid7()

    async def act(tx: Transaction) -> Answer:
        if (image := await _held(request, tx, project_id, asked.sha256)) is not None:
            return Answer(plain({"duplicate": True, "image": image}), f"{API}/images/{image['id']}", 200)
        uploads = parts_of(request).uploads
        ticket = await uploads.ticket(upload_id, content_type=asked.content_type, size_bytes=asked.size_bytes)
        await store.insert_upload(tx.connection, _row(asked, caller, project_id, upload_id, ticket))
        row = await store.select_upload(tx.connection, [project_id], upload_id)
        assert row is not None  # noqa: S101 - it was inserted just now
        sending = {"method": "PUT", "url": ticket.url, "headers": ticket.headers}
        return Answer(plain({**_reply(row, None), **sending}), f"{_PATH}/{upload_id}", 201)

    return await act_once(request, caller, act)


def _check_file(asked: UploadAsked, limit_bytes: int) -> None:
    if asked.content_type in MANIFEST_TYPES:
        check_announced(asked.size_bytes)
        return
    if asked.content_type not in ACCEPTED_TYPES:
        sentence = f"Files of this type are not taken; taken are {', '.join((*ACCEPTED_TYPES, *MANIFEST_TYPES))}."
        raise Problem(415, "media_type_unsupported", sentence)
    if asked.size_bytes > limit_bytes:
        raise Problem(413, "file_too_large", f"It is larger than {limit_bytes} bytes, which is the most.")


async def _held(request: Request, tx: Transaction, project_id: UUID, sha256: str | None) -> dict[str, Any] | None:
    """Give the image that the project has of these bytes; raises a 409 problem where that is being deleted."""
    held = (await store.select_held_bytes(tx.connection, project_id, [sha256])).get(sha256) if sha256 else None
    if held is None:
        return None
    row = await select_image(tx.connection, [project_id], held["id"])
    if row is None:
        sentence = "The project is about to delete this very image; announce it again once that is done."
        raise Problem(409, "image_being_deleted", sentence)
    return await image_reply(row, parts_of(request).links)


def _row(asked: UploadAsked, caller: Caller, project_id: UUID, upload_id: UUID, ticket: Ticket) -> dict[str, Any]:
    same = ("filename", "content_type", "size_bytes", "sha256", "tags", "pipeline")
    return {
        **{name: getattr(asked, name) for name in same},
        "id": upload_id,
        "project_id": project_id,
        "created_by": caller.user_id,
        "state": "waiting",
        "context": asked.context.model_dump(exclude_none=True),
        "expires_at": ticket.expires_at,
    }


@routes.get(
    "/uploads/{upload_id}",
    summary="How an upload is coming on",
    **told("get_upload", UploadPromised, problems=("upload_not_found",)),
)
async def get_upload(request: Request, caller: Calling, upload_id: UUID) -> Response:
    async with as_tenant(parts_of(request).pool, caller.memberships) as connection:
        row = await store.select_upload(connection, list(caller.memberships), upload_id)
        if row is None:
            raise not_found("upload")
        job = row["job_id"] and await select_job(connection, [row["project_id"]], row["job_id"])
    return Json(_reply(row, job_reply(job) if job else None))


@routes.post(
    "/uploads/{upload_id}/complete",
    status_code=202,
    summary="Say that the bytes of an upload lie in the object store",
    **told("complete_upload", Job, status=202, problems=_COMPLETING, once=True, links=JOB_LINKS),
)
async def post_complete(request: Request, caller: Calling, upload_id: UUID) -> Response:
    """Have what was sent taken in. Whoever repeats this is told of the same job.

    The images of a manifest are fetched; where its columns have other names, say `scraper.read_manifest.v1` with its
    `object_key` and `columns` to `/api/v1/events` instead.

    409 `upload_missing`: nothing lies there yet. 409 `upload_size_differs`: it is not what was announced; send it
    again. 410 `upload_expired`: announce it anew.
    """
    async with as_tenant(parts_of(request).pool, caller.memberships) as connection:
        row = await _writable(caller, upload_id, connection)
    if row["job_id"] is None:
        check_sent(row, await parts_of(request).uploads.size_of(upload_id))

    async def act(tx: Transaction) -> Answer:
        upload = await _writable(caller, upload_id, tx.connection, locked=True)
        if upload["job_id"] is not None:
            known = await select_job(tx.connection, [upload["project_id"]], upload["job_id"])
            assert known is not None  # noqa: S101 - both were written in one transaction
            return Answer(plain(job_reply(known)), job_location(upload["job_id"]))
        [job] = await begin(tx, [_command(caller, upload)])
        await store.update_accepted(tx.connection, [{**upload, "job_id": job.id}])
        return Answer(plain(submitted_job(job)), job_location(job.id))

    return await act_once(request, caller, act)


async def _writable(caller: Caller, upload_id: UUID, connection: Any, *, locked: bool = False) -> Row:
    """Give an upload that is to be changed; raises a problem where it is not there, not his, or too late."""
    row = await store.select_upload(connection, list(caller.memberships), upload_id, locked=locked)
    if row is None:
        raise not_found("upload")
    caller.writing(row["project_id"])
    check_in_time(row)
    return row


def _command(caller: Caller, upload: Row) -> AcceptUpload | ReadManifest:
    job, object_key = new_job(caller, upload["project_id"], upload["pipeline"]), upload_key(upload["id"])
    if is_manifest(upload):
        return ReadManifest(**job, object_key=object_key)
    return AcceptUpload(**job, object_key=object_key, context=ImageContext(**upload["context"]))


@routes.delete(
    "/uploads/{upload_id}",
    status_code=204,
    summary="Give an upload up",
    **told("cancel_upload", status=204, problems=("upload_not_found", "viewer_only", "upload_completed")),
)
async def delete_upload(request: Request, caller: Calling, upload_id: UUID) -> Response:
    """Give up what was not completed; what was sent is removed. 409 where it was completed: cancel its job instead."""
    async with acting(request, caller) as tx:
        row = await store.select_upload(tx.connection, list(caller.memberships), upload_id, locked=True)
        if row is None:
            raise not_found("upload")
        caller.writing(row["project_id"])
        if row["job_id"] is not None:
            sentence = "It was completed already; cancel its job, or delete the image that it has become."
            raise Problem(409, "upload_completed", sentence)
        await store.update_abandoned(tx.connection, upload_id)
    await parts_of(request).uploads.remove(upload_id)  # what comes later all the same, the rounds remove
    return Response(status_code=204)


def _reply(row: Row, job: dict[str, Any] | None) -> dict[str, Any]:
    location = f"{_PATH}/{row['id']}"
    return {
        **{name: row[name] for name in _SHOWN},
        "state": "expired" if row["expired"] else row["state"],
        "job": job,
        "object_key": key_of(row),
        "expires_at": row["expires_at"] if row["state"] == "waiting" else None,
        "created_at": row["created_at"],
        "links": {"self": location, "complete": f"{location}/complete"},
    }
