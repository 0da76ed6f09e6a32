"""Importing lists of images: a root job, and a child that fetches the image of each row that can be taken."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from contracts.envelope import Step
from contracts.media import FetchMedia
from contracts.scraper import ImageContext, ImportManifest, ManifestRow
from services.gateway.routes.acting import act_once, begin
from services.gateway.routes.auditing import note
from services.gateway.routes.bodies import json_of, media_type_of, model_of, text_of, type_refused
from services.gateway.routes.callers import Caller, Calling
from services.gateway.routes.desk import Answer
from services.gateway.routes.documented import told
from services.gateway.routes.documented.operations import SUBMITTING
from services.gateway.routes.documented.shapes.imports import Imported
from services.gateway.routes.models import DEFAULT_PIPELINE, MANY, Asked, Pipeline, Prose, Tags, WebUrl
from services.gateway.routes.problems import Problem
from services.gateway.routes.replies import API, Json, job_location, job_reply, plain, submitted_job
from services.gateway.routes.second_looks import SecondLook
from services.gateway.routes.submitting import new_job
from services.gateway.rules.births import fetches_of_manifest
from services.gateway.rules.happenings import job_happening
from services.gateway.rules.jobs import job_of_command
from services.gateway.rules.manifests import ROWS_LIMIT, Row, fields_of, rows_of_csv, rows_of_lines, split_tags
from services.gateway.store import projection
from services.gateway.store.edits import insert_imported_tags
from services.gateway.store.reading import Row as Stored
from shared.errors import Refused, printable
from shared.identifiers import child_id
from shared.outbox import Transaction

_LINES: Final = ("application/x-ndjson", "application/jsonl")
_TYPES: Final = ("application/json", "text/csv", *_LINES)
_PAGE_BYTES: Final = 200 * 1024
_SHOWN_CHARACTERS: Final = 300
_CSV_EXAMPLE: Final = "url,title,caption,tags\nhttps://example.org/a.jpg,Hills,Hills at dusk,dusk;hills\n"
_LINE_EXAMPLE: Final = '{"url": "https://example.org/a.jpg", "caption": "Hills at dusk", "tags": ["dusk"]}\n'
routes = APIRouter(prefix=API, tags=["work"], route_class=SecondLook)


class ImportAsked(Asked):
    """A list of images to fetch, with what is said about each."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"rows": [{"url": "https://example.org/a.jpg", "caption": "Hills at dusk", "tags": ["dusk"]}]}]
        }
    )

    rows: Annotated[tuple[dict[str, Any], ...], Field(min_length=1, max_length=ROWS_LIMIT)] = Field(
        description="each with `url`, and `title`, `alt`, `caption`, `credit`, `licence`, `page_url` or `tags`;"
        " one that is not as it should be is refused, and the others are not"
    )
    pipeline: Pipeline = DEFAULT_PIPELINE


class ImportPlace(BaseModel):
    """Where the images of a CSV file, or of lines of JSON, go."""

    project_id: UUID | None = Field(default=None, description="default: your personal project")
    pipeline: Annotated[list[Step], Field(max_length=16)] | None = Field(
        default=None, description="what should happen with each image; repeat it for several steps"
    )


class ImportedRow(BaseModel):
    """A row that can be taken."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    url: WebUrl
    title: Prose | None = None
    alt: Prose | None = None
    caption: Prose | None = None
    credit: Prose | None = None
    licence: Prose | None = None
    page_url: WebUrl | None = None
    tags: Annotated[Tags, BeforeValidator(split_tags)] = ()

    def context(self, number: int) -> ImageContext:
        said = self.model_dump(exclude={"url", "tags"}, exclude_none=True)
        return ImageContext(**said, position=number)


@dataclass(frozen=True)
class _Manifest:
    """A list as it came."""

    project_id: UUID | None
    pipeline: Sequence[str]
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class _Taken:
    """A row and the job that fetches its image."""

    number: int
    row: ImportedRow
    job_id: UUID


_BODIES: Final[Mapping[str, Any]] = {
    "application/json": ImportAsked.model_json_schema(),
    "text/csv": {"type": "string", "examples": [_CSV_EXAMPLE]},
    "application/x-ndjson": {"type": "string", "examples": [_LINE_EXAMPLE]},
}


@routes.post(
    "/imports",
    status_code=202,
    summary="Import a list of images with what is said about them",
    **told(
        "import_images",
        Imported,
        status=202,
        also={200: Imported},
        problems=(*SUBMITTING, "project_not_found", "manifest_unreadable", "too_many_rows"),
        once=True,
        waits=True,
        bodies=_BODIES,
    ),
)
async def post_imports(request: Request, caller: Calling, place: Annotated[ImportPlace, Query()]) -> Response:
    """Have up to 5,000 images fetched: sent as JSON, as a CSV file with a header, or as lines of JSON.

    Columns are `url`, `title`, `alt`, `caption`, `credit`, `licence`, `page_url` and `tags`, in CSV with semicolons
    between them; others are not heeded. Each row is taken or refused by itself, with its number, a code and a sentence.
    Where none is taken the answer is a 200 without a job. Where the body is no JSON, `project_id` and `pipeline` are
    said in the address.
    """
    manifest = await _manifest(request, place)
    project_id = caller.writing(manifest.project_id)
    taken, refused = _judged(manifest.rows)
    if not taken:
        return Json({"job": None, "items": [], "total": 0, "refused": refused})

    async def act(tx: Transaction) -> Answer:
        commands, items = _commands(caller, project_id, manifest.pipeline, taken)
        jobs = await begin(tx, commands)
        await _name_fetches(tx, commands)
        tags = {one.job_id: one.row.tags for one in items if one.row.tags}
        await insert_imported_tags(tx.connection, project_id, tags)
        root = jobs[0]
        await note(tx.connection, caller, "import.create", root.id, project_id, rows=len(items), refused=len(refused))
        shown = [{"row": one.number, "url": one.row.url, "job_id": one.job_id} for one in items]
        body = {"job": submitted_job(root), "items": shown, "total": len(shown), "refused": refused}
        return Answer(plain(body), job_location(root.id))

    return await act_once(request, caller, act, show=_show_import)


async def _name_fetches(tx: Transaction, commands: Sequence[ImportManifest]) -> None:
    """Let each row's job be seen at once; media hears of it from the scraper, or from us when we ask about it."""
    now = datetime.now(UTC)
    jobs = [job_of_command(fetch, now) for command in commands for fetch in fetches_of_manifest(command)]
    await projection.insert_jobs(tx.connection, jobs)
    await projection.insert_events(tx.connection, [job_happening("job.named", job) for job in jobs])


async def _show_import(told: Mapping[str, Any], job: Stored) -> dict[str, Any]:
    return {**told, "job": job_reply(job)}


async def _manifest(request: Request, place: ImportPlace) -> _Manifest:
    match media_type_of(request):
        case "application/json":
            asked = model_of(ImportAsked, json_of(await request.body()))
            rows = [Row(number, fields_of(row)) for number, row in enumerate(asked.rows, 1)]
            return _Manifest(asked.project_id or place.project_id, asked.pipeline, rows)
        case "text/csv":
            found = rows_of_csv(text_of(await request.body()))
        case media_type if media_type in _LINES:
            found = rows_of_lines(await request.body())
        case _:
            raise type_refused(request, *_TYPES)
    pipeline = DEFAULT_PIPELINE if place.pipeline is None else place.pipeline
    return _Manifest(place.project_id, pipeline, _counted(found))


def _counted(found: Iterable[Row]) -> list[Row]:
    try:
        rows = list(islice(found, ROWS_LIMIT + 1))
    except Refused as refused:
        raise Problem(422, "manifest_unreadable", refused.sentence) from refused
    if len(rows) > ROWS_LIMIT:
        raise Problem(413, "too_many_rows", f"A manifest has at most {ROWS_LIMIT} rows; please divide it.")
    return rows


def _judged(rows: Sequence[Row]) -> tuple[list[tuple[int, ImportedRow]], list[dict[str, Any]]]:
    """Tell the rows that can be taken from those that are refused."""
    taken: dict[str, tuple[int, ImportedRow]] = {}
    refused: list[dict[str, Any]] = []
    for row in rows:
        outcome = _judge(row)
        if isinstance(outcome, dict):
            refused.append(outcome)
        elif outcome.url in taken:
            sentence = f"Row {taken[outcome.url][0]} has the same URL."
            refused.append(_refusal(row, "duplicate", sentence))
        else:
            taken[outcome.url] = (row.number, outcome)
    return list(taken.values()), refused


def _judge(row: Row) -> ImportedRow | dict[str, Any]:
    if row.fields is None:
        return _refusal(row, "row_unreadable", "It is no JSON object.")
    if "url" not in row.fields:
        return _refusal(row, "url_missing", "It has no `url`.")
    try:
        return ImportedRow.model_validate(row.fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        code = "url_invalid" if first["loc"] == ("url",) else "row_invalid"
        return _refusal(row, code, f"`{place}`: {first['msg'].removeprefix('Value error, ')}.")


def _refusal(row: Row, code: str, sentence: str) -> dict[str, Any]:
    url = (row.fields or {}).get("url")
    shown = printable(url, _SHOWN_CHARACTERS) if isinstance(url, str) else None
    return {"row": row.number, "code": code, "sentence": printable(sentence), "url": shown}


def _commands(
    caller: Caller, project_id: UUID, pipeline: Sequence[str], taken: Sequence[tuple[int, ImportedRow]]
) -> tuple[list[ImportManifest], list[_Taken]]:
    """Give the command of the root job, which has the first page of rows, and those of its children for the others."""
    root = new_job(caller, project_id, pipeline)
    commands: list[ImportManifest] = []
    items: list[_Taken] = []
    for number, page in enumerate(_pages(taken)):
        lineage = root if number == 0 else _child_of(root, number)
        placed = [
            _Taken(at, row, child_id(lineage["job_id"], FetchMedia.wire_name, f"url:{row.url}")) for at, row in page
        ]
        rows = tuple(
            ManifestRow(fetch_job_id=one.job_id, url=one.row.url, context=one.row.context(one.number)) for one in placed
        )
        commands.append(ImportManifest(**lineage, rows=rows))
        items += placed
    return commands, items


def _child_of(root: Mapping[str, Any], number: int) -> dict[str, Any]:
    job_id = child_id(root["job_id"], ImportManifest.wire_name, str(number))
    return {**root, "job_id": job_id, "parent_job_id": root["job_id"]}


def _pages(taken: Sequence[tuple[int, ImportedRow]]) -> Iterator[list[tuple[int, ImportedRow]]]:
    """Divide rows so that each page fits into one message."""
    page: list[tuple[int, ImportedRow]] = []
    size_bytes = 0
    for number, row in taken:
        row_bytes = len(row.model_dump_json().encode()) + 200  # for the ids and names around it
        if page and (len(page) == MANY or size_bytes + row_bytes > _PAGE_BYTES):
            yield page
            page, size_bytes = [], 0
        page.append((number, row))
        size_bytes += row_bytes
    yield page
