"""Files sent through the gateway: a form with one or many, read as it comes."""

from collections.abc import Iterable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self
from uuid import UUID

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError
from starlette.requests import ClientDisconnect

from contracts.media import AcceptUpload
from contracts.scraper import ImageContext
from services.gateway.routes.acting import act_once, begin
from services.gateway.routes.callers import Caller, CallingNow, parts_of
from services.gateway.routes.desk import Answer
from services.gateway.routes.documented import told
from services.gateway.routes.documented.shapes.images import Image
from services.gateway.routes.documented.shapes.jobs import Job
from services.gateway.routes.models import DEFAULT_PIPELINE, Asked, Pipeline, Prose, Tags
from services.gateway.routes.problems import Problem, passing
from services.gateway.routes.replies import API, image_reply, job_location, plain, submitted_job
from services.gateway.routes.submitting import new_job
from services.gateway.store import uploads as store
from services.gateway.store.images import select_image
from services.gateway.store.reading import Row
from services.gateway.store.tenancy import DatabaseAwayError, as_tenant
from services.gateway.uploads import FILES_LIMIT, Busy, FormRefused, Spool
from shared.errors import Refused
from shared.identifiers import uuid7
from shared.image_formats import IMAGE_FORMATS
from shared.object_keys import upload_key
from shared.outbox import Transaction

PATH: Final = f"{API}/images/upload"
ACCEPTED_TYPES: Final = tuple(known.content_type for known in IMAGE_FORMATS.values())
_ACCEPTED, _DUPLICATE, _REFUSED, _UNSUPPORTED = 202, 200, 400, 415
_STATUSES: Final = {"file_too_large": 413, "body_empty": 422}
_PROBLEMS: Final = (
    *("multipart_invalid", "multipart_incomplete", "client_disconnected", "not_a_member", "viewer_only"),
    *("project_not_found", "upload_stalled", "image_being_deleted", "file_too_large", "too_many_files"),
    *("form_too_large", "body_too_large", "media_type_unsupported", "validation_failed"),
    *("web_page_not_image", "not_an_image", "format_refused", "format_not_supported"),
    *("body_empty", "no_files", "no_file_taken", "uploads_busy", "object_store_unavailable"),
)
_SEVERAL: Final = frozenset({"tags", "pipeline"})
_FORM: Final = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {
            "type": "array",
            "minItems": 1,
            "maxItems": FILES_LIMIT,
            "items": {"type": "string", "format": "binary"},
            "description": f"one file, or several under any names; taken are {', '.join(ACCEPTED_TYPES)}",
        },
        "project_id": {"type": "string", "format": "uuid", "description": "default: your personal project"},
        "title": {"type": "string", "maxLength": 2000},
        "alt": {"type": "string", "maxLength": 2000},
        "caption": {"type": "string", "maxLength": 2000},
        "tags": {"type": "string", "description": "divided by commas, or repeat the field"},
        "pipeline": {"type": "string", "description": "likewise; `describe,depth,edges` where there is none"},
    },
}
routes = APIRouter(prefix=API, tags=["uploads"])


class FormFields(Asked):
    """What a form says of all its files."""

    title: Prose | None = None
    alt: Prose | None = None
    caption: Prose | None = None
    tags: Tags = ()
    pipeline: Pipeline = DEFAULT_PIPELINE

    @property
    def context(self) -> ImageContext:
        return ImageContext(title=self.title, alt=self.alt, caption=self.caption)


class FileProblem(BaseModel):
    """Why a file was not taken."""

    status: int
    code: str
    detail: str


class FileTaken(BaseModel):
    """What became of one file."""

    filename: str
    size_bytes: int
    sha256: str | None = Field(description="of what was taken")
    content_type: str | None = Field(description="by its bytes")
    status: int = Field(description="202: taken, see `job`; 200: the project has it, see `image`; else see `problem`")
    duplicate: bool = Field(description="the project, or this form, has the same bytes already")
    job: Job | None
    image: Image | None
    problem: FileProblem | None


class FilesTaken(BaseModel):
    """What became of a form's files, in their order."""

    items: list[FileTaken]
    total: int
    accepted: int
    duplicates: int
    refused: int


@routes.post(
    "/images/upload",
    status_code=202,
    summary="Upload images, one or many",
    **told("upload_images", FilesTaken, status=202, also={200: FilesTaken}, problems=_PROBLEMS, once=True, form=_FORM),
)
async def post_upload(request: Request, caller: CallingNow) -> Response:
    """Take up to 20 files in; what else the form says is said of every one that is new to the project.

    Each is answered for itself: with a job, with the image that the project has already, or with the problem for which
    it was not taken. Where none is taken the answer is a problem. A file is what its first bytes say, whatever it is
    called. Large files go past the gateway: see `POST /uploads`.
    """
    async with Delivery(request, caller) as delivery:
        await delivery.read()
        return await delivery.hand_in()


@dataclass(frozen=True, slots=True)
class _File:
    """A file that came in; `upload_id` where it was put into the object store."""

    filename: str
    size_bytes: int
    sha256: str
    content_type: str | None
    refusal: Refused | None
    upload_id: UUID | None

    @classmethod
    def of(cls, spool: Spool, upload_id: UUID | None) -> Self:
        return cls(spool.filename, spool.size_bytes, spool.sha256, spool.content_type, spool.refusal, upload_id)


class Delivery:
    """One form on its way in. Left, whatever no job has taken over is removed again."""

    def __init__(self, request: Request, caller: Caller) -> None:
        self._request = request
        self._caller = caller
        self._parts = parts_of(request)
        self._fields: Sequence[tuple[str, str]] = ()
        self._files: list[_File] = []
        self._put: list[UUID] = []
        self._taken: set[UUID] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        removed: list[UUID] = []
        for upload_id in self._put:
            if upload_id not in self._taken:
                if not await self._parts.uploads.remove(upload_id):
                    break  # what is left, the rounds find later
                removed.append(upload_id)
        if removed:
            with suppress(DatabaseAwayError):
                async with as_tenant(self._parts.pool, self._caller.memberships) as connection:
                    await store.delete_receiving(connection, removed)

    async def read(self) -> None:
        """Read the form to its end and keep what can be taken of it; raises Problem and TryAgain."""
        uploads = self._parts.uploads
        try:
            with uploads.form(self._request.headers.get("content-type", "")) as form:
                async with aclosing(uploads.files_of(form, self._request.stream())) as files:
                    async for spool in files:
                        self._project(fields_of(form.fields))
                        self._files.append(_File.of(spool, None if spool.refusal else await self._keep(spool)))
                self._fields = form.fields
        except FormRefused as refusal:
            raise Problem(refusal.status, refusal.code, refusal.sentence, headers=_accepting(refusal)) from refusal
        except Busy as busy:
            sentence = "Too many files come in at this moment; nothing was taken, please try again shortly."
            raise passing("uploads_busy", sentence) from busy
        except ClientDisconnect as gone:
            raise Problem(400, "client_disconnected", "You left before the form had ended.") from gone

    async def _keep(self, spool: Spool) -> UUID:
        upload_id = uuid7()
        async with as_tenant(self._parts.pool, self._caller.memberships) as connection:
            project_id = self._caller.personal_project  # until the whole form is read
            await store.insert_receiving(connection, upload_id, project_id, self._caller.user_id)
        self._put.append(upload_id)
        await self._parts.uploads.put(upload_id, spool)
        return upload_id

    async def hand_in(self) -> Response:
        """Make jobs of the files that are new to the project, and answer; raises Problem and DatabaseAwayError."""
        asked = fields_of(self._fields)
        project_id = self._project(asked)
        if not self._files:
            raise Problem(422, "no_files", "The form holds no file; send at least one, with its name.")

        async def act(tx: Transaction) -> Answer:
            return await _Intake(self._request, tx, self._caller, asked, project_id).take(self._files, self._taken)

        return await act_once(self._request, self._caller, act, said=self._said())

    def _project(self, asked: FormFields) -> UUID:
        return self._caller.writing(asked.project_id)

    def _said(self) -> bytes:
        files = [(file.filename, file.sha256, file.size_bytes) for file in self._files]
        return orjson.dumps([self._fields, files])


class _Intake:
    """What becomes of the files of one form, in one transaction."""

    def __init__(self, request: Request, tx: Transaction, caller: Caller, asked: FormFields, project_id: UUID) -> None:
        self._links = parts_of(request).links
        self._tx = tx
        self._caller = caller
        self._asked = asked
        self._project_id = project_id
        self._commands: dict[str, AcceptUpload] = {}
        self._rows: list[dict[str, Any]] = []

    async def take(self, files: Sequence[_File], taken: set[UUID]) -> Answer:
        """Take files in; tell in `taken` which uploads have jobs now."""
        hashes = [file.sha256 for file in files if file.refusal is None]
        held = await store.select_held_bytes(self._tx.connection, self._project_id, hashes)
        items = [await self._item(file, held.get(file.sha256)) for file in files]
        if all(item["status"] >= _REFUSED for item in items):
            raise _nothing_taken(items)
        jobs = {job.id: submitted_job(job) for job in await begin(self._tx, list(self._commands.values()))}
        await store.update_accepted(self._tx.connection, self._rows)
        taken.clear()
        taken.update(row["id"] for row in self._rows)
        for item in items:
            item["job"] = jobs.get(item["job"])
        return _answer(items)

    async def _item(self, file: _File, held: Row | None) -> dict[str, Any]:
        item = _blank(file)
        if file.refusal is not None:
            return _with_problem(item, _STATUSES.get(file.refusal.code, _UNSUPPORTED), file.refusal)
        if held is not None and not held["visible"]:
            sentence = "The project is about to delete this very image; send it again once that is done."
            return _with_problem(item, 409, Refused("image_being_deleted", sentence))
        if held is not None:
            row = await select_image(self._tx.connection, [self._project_id], held["id"])
            assert row is not None  # noqa: S101 - it is visible, and whoever hides it waits for this transaction
            return {**item, "status": _DUPLICATE, "duplicate": True, "image": await image_reply(row, self._links)}
        again = file.sha256 in self._commands
        return {**item, "status": _ACCEPTED, "duplicate": again, "job": self._command(file).job_id}

    def _command(self, file: _File) -> AcceptUpload:
        if file.sha256 not in self._commands:
            assert file.upload_id is not None  # noqa: S101 - it was not refused, so it was kept
            command = AcceptUpload(
                **new_job(self._caller, self._project_id, self._asked.pipeline),
                object_key=upload_key(file.upload_id),
                context=self._asked.context,
            )
            self._commands[file.sha256] = command
            self._rows.append(self._row(file, command))
        return self._commands[file.sha256]

    def _row(self, file: _File, command: AcceptUpload) -> dict[str, Any]:
        return {
            "id": file.upload_id,
            "job_id": command.job_id,
            "project_id": self._project_id,
            "filename": file.filename,
            "content_type": file.content_type,
            "size_bytes": file.size_bytes,
            "sha256": file.sha256,
            "context": command.context.model_dump(exclude_none=True),
            "tags": self._asked.tags,
            "pipeline": command.pipeline,
        }


def fields_of(pairs: Iterable[tuple[str, str]]) -> FormFields:
    """Read the fields of a form; raises a validation error as of any other body."""
    said: dict[str, Any] = {}
    for name, value in pairs:
        if name in _SEVERAL:
            said.setdefault(name, []).extend(part.strip() for part in value.split(",") if part.strip())
        elif value:
            said[name] = [said[name], value] if name in said else value
    try:
        return FormFields.model_validate(said)
    except ValidationError as error:
        raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in error.errors()]) from error


def _accepting(refusal: FormRefused) -> dict[str, str]:
    return {"Accept": "multipart/form-data"} if refusal.status == _UNSUPPORTED else {}


def _blank(file: _File) -> dict[str, Any]:
    kept = file.refusal is None
    return {
        "filename": file.filename,
        "size_bytes": file.size_bytes,
        "sha256": file.sha256 if kept else None,
        "content_type": file.content_type,
        "status": None,
        "duplicate": False,
        "job": None,
        "image": None,
        "problem": None,
    }


def _with_problem(item: dict[str, Any], status: int, refusal: Refused) -> dict[str, Any]:
    problem = {"status": status, "code": refusal.code, "detail": refusal.sentence}
    return {**item, "status": status, "problem": problem}


def _nothing_taken(items: Sequence[dict[str, Any]]) -> Problem:
    first = items[0]["problem"]
    errors = [
        {"pointer": f"/body/files/{place}", "code": item["problem"]["code"], "message": item["problem"]["detail"]}
        for place, item in enumerate(items)
    ]
    if len({item["problem"]["code"] for item in items}) == 1:
        return Problem(first["status"], first["code"], first["detail"], errors=errors)
    return Problem(422, "no_file_taken", "None of these files can be taken; `errors` says why of each.", errors=errors)


def _answer(items: Sequence[dict[str, Any]]) -> Answer:
    jobs = {item["job"]["id"] for item in items if item["job"]}
    body = {
        "items": items,
        "total": len(items),
        "accepted": len(jobs),
        "duplicates": sum(item["duplicate"] for item in items),
        "refused": sum(item["status"] >= _REFUSED for item in items),
    }
    location = job_location(next(iter(jobs))) if len(jobs) == 1 else f"{API}/jobs?kind={AcceptUpload.wire_name}"
    return Answer(plain(body), location, _ACCEPTED if jobs else _DUPLICATE)
