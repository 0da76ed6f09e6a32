"""What became of each URL that was seen in a crawl or an import: page by page, and as one table."""

import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from services.gateway.routes.callers import Caller, Calling, parts_of, still_sees
from services.gateway.routes.documented import told
from services.gateway.routes.documented.shapes.accounts import SeenUrl
from services.gateway.routes.documented.shapes.shape import PageOf
from services.gateway.routes.models import UrlsAsked, UrlsPage
from services.gateway.routes.parts import Parts
from services.gateway.routes.problems import not_found
from services.gateway.routes.replies import API, page
from services.gateway.routes.second_looks import SecondLook
from services.gateway.rules.places import number, read_place, write_place
from services.gateway.rules.tables import safe_cell
from services.gateway.store import accounts as store
from services.gateway.store.jobs import select_job
from services.gateway.store.reading import Row
from services.gateway.store.tenancy import as_tenant
from shared.database import Connection

PAGE: Final = 1000
_TABLE: Final = "text/csv"
_ORDER: Final = "u"
_COLUMNS: Final = ("kind", "url", "outcome", "code", "sentence", "found_on", "image_id")
_EXAMPLE: Final = (
    "kind,url,outcome,code,sentence,found_on,image_id\r\n"
    "page,https://example.org/gallery,read,,,,\r\n"
    "image,https://example.org/gone.jpg,refused,http_404,The server answered 404.,https://example.org/gallery,\r\n"
)
routes = APIRouter(prefix=API, tags=["jobs"], route_class=SecondLook)


@routes.get(
    "/jobs/{job_id}/urls",
    summary="What became of each URL that was seen in a crawl or an import",
    **told("list_job_urls", PageOf[SeenUrl], problems=("cursor_invalid", "job_not_found")),
)
async def get_urls(request: Request, caller: Calling, job_id: UUID, asked: Annotated[UrlsPage, Query()]) -> Response:
    """Show one line for each URL, in the order in which they were seen first.

    Each says whether the page was read, and whether the image was stored, was there already, was left out or was
    refused, and why. Jobs that see no URLs have none.
    """
    place = read_place(asked.cursor, _ORDER, number)
    async with _looking(request, caller) as connection:
        await _seen_job(connection, caller, job_id)
        rows = await store.select_url_lines(connection, job_id, asked.outcome, place, asked.limit)
    shown = rows[: asked.limit]
    following = write_place(_ORDER, shown[-1]["seen_number"]) if len(rows) > len(shown) else None
    return page([{name: row[name] for name in (*_COLUMNS, "at")} for row in shown], following)


@dataclass(frozen=True)
class _Export:
    parts: Parts
    caller: Caller
    job_id: UUID
    project_id: UUID
    outcomes: Sequence[str] | None
    place: tuple[int] | None = None

    async def page(self) -> list[Row]:
        memberships, operator = self.caller.memberships, self.caller.is_operator
        async with as_tenant(self.parts.pool, memberships, operator=operator) as connection:
            return await store.select_url_lines(connection, self.job_id, self.outcomes, self.place, PAGE)


@routes.get(
    "/jobs/{job_id}/urls/export",
    summary="The same as a table",
    **told("export_job_urls", content=_TABLE, example=_EXAMPLE, problems=("job_not_found",)),
)
async def get_urls_export(
    request: Request, caller: Calling, job_id: UUID, asked: Annotated[UrlsAsked, Query()]
) -> Response:
    """Stream all lines as CSV (RFC 4180) with a header.

    What a spreadsheet would take for a formula has an apostrophe before it.
    """
    async with _looking(request, caller) as connection:
        job = await _seen_job(connection, caller, job_id)
    export = _Export(parts_of(request), caller, job_id, job["project_id"], asked.outcome)
    # Whatever is wrong before the first line is a problem; afterwards it could only be a stream that is cut off.
    return StreamingResponse(_table(export, await export.page()), media_type=_TABLE)


async def _table(export: _Export, rows: list[Row]) -> AsyncIterator[str]:
    yield _lines([_COLUMNS])
    while rows:
        yield _lines([safe_cell(row[name]) for name in _COLUMNS] for row in rows[:PAGE])
        if len(rows) <= PAGE or not await still_sees(export.parts, export.caller, [export.project_id]):
            return
        export = replace(export, place=(rows[PAGE - 1]["seen_number"],))
        rows = await export.page()


def _lines(rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _looking(request: Request, caller: Caller) -> AbstractAsyncContextManager[Connection]:
    return as_tenant(parts_of(request).pool, caller.memberships, operator=caller.is_operator)


async def _seen_job(connection: Connection, caller: Caller, job_id: UUID) -> Row:
    job = await select_job(connection, caller.reach, job_id)
    if job is None:
        raise not_found("job")
    return job
