"""Manifests that are read here, page by page: what was recorded of one is not read again after a crash."""

from collections.abc import Sequence
from contextlib import aclosing
from hashlib import sha256
from math import ceil
from uuid import UUID

from contracts.media import FetchMedia
from contracts.scraper import ImportManifest, ManifestRow, ReadManifest
from services.scraper.handlers.accounts import account, line_of
from services.scraper.rules import FETCH_RECIPE, image_subject
from services.scraper.sources.manifests import ROWS_A_PAGE, ManifestImage, Manifests, ReadRow, RefusedRow
from services.scraper.sources.scopes import key_of
from services.scraper.store import crawls as store
from services.scraper.store.crawls import Line
from shared.errors import Refused
from shared.identifiers import child_id
from shared.jobs import Completion, Job


async def read_manifest(job: Job[ReadManifest], manifests: Manifests) -> None:
    """Read a manifest, and have an import follow for each page of its rows; where it breaks off, for those before."""
    command = job.command
    async with job.recording() as tx:
        place = command.url or command.object_key or ""
        await store.insert_crawl(tx.connection, job.id, command.project_id, scope={}, seeds=[place])
        begin = await store.select_rows_read(tx.connection, job.id)
    job.progress(None, "fetching the manifest")
    rows_read, cut = begin, False
    try:
        async with (
            manifests.fetched(url=command.url, object_key=command.object_key) as path,
            aclosing(manifests.pages(path, command.columns, begin=begin)) as pages,
        ):
            async for page in pages:
                allowed = page[: max(0, command.max_rows - rows_read)]
                cut = len(allowed) < len(page)
                if allowed:
                    await _take(job, allowed, rows_read)
                rows_read += len(allowed)
                job.progress(None, f"{rows_read} rows")
                if cut:
                    break
    except Refused as refusal:
        if not rows_read:
            raise
        await _fail(job, rows_read, refusal)
        return
    await _complete(job, rows_read, cut=cut)


async def _take(job: Job[ReadManifest], page: Sequence[ReadRow], rows_before: int) -> None:
    lines = {line.key: line for row in reversed(page) for line in [_line(job, row)]}
    images = {key_of(row.url): row for row in reversed(page) if isinstance(row, ManifestImage)}
    async with job.recording() as tx:
        await store.select_crawl(tx.connection, job.id)  # locked, for media may tell of its images at this moment
        new = await store.insert_lines(tx.connection, job.id, list(lines.values()), found_on=None, job_id=job.id)
        fresh = [line for line in reversed(lines.values()) if ("image", line.key) in new]
        rows = tuple(
            ManifestRow(fetch_job_id=line.fetch_job_id, url=images[line.key].url, context=images[line.key].context)
            for line in fresh
            if line.fetch_job_id is not None
        )
        if rows:
            tx.work(_import(job, rows_before // ROWS_A_PAGE, rows))
        await store.update_rows_read(tx.connection, job.id, rows=len(page), images=len(rows))
        told = [
            line_of("image", one.url, one.outcome, code=one.code, sentence=one.sentence, fetch_job_id=one.fetch_job_id)
            for one in fresh
        ]
        account(tx, job.command, job.id, told)


def _line(job: Job[ReadManifest], row: ReadRow) -> Line:
    if isinstance(row, RefusedRow):
        # What is no URL has no canonical spelling; its row is what tells it from others.
        key = sha256(f"row {row.number}".encode()).digest()
        return Line("image", key, row.shown, 0, "refused", row.code, row.sentence)
    fetch_job_id = child_id(job.id, FetchMedia.wire_name, image_subject(row.url), FETCH_RECIPE)
    return Line("image", key_of(row.url), row.url, 0, "found", fetch_job_id=fetch_job_id)


def _import(job: Job[ReadManifest], number: int, rows: tuple[ManifestRow, ...]) -> ImportManifest:
    lineage = job.command.child_lineage(_import_id(job, number))
    return ImportManifest(**lineage, rows=rows, priority=job.command.priority)


def _import_id(job: Job[ReadManifest], number: int) -> UUID:
    return child_id(job.id, ImportManifest.wire_name, str(number))


async def _complete(job: Job[ReadManifest], rows_read: int, *, cut: bool) -> None:
    async with job.completing() as tx:
        await _name_imports(tx, job, rows_read)
        told, refused = await store.count_taken(tx.connection, job.id)
        tx.result(rows=rows_read, images=told, refused=refused, cut=cut)


async def _fail(job: Job[ReadManifest], rows_read: int, refusal: Refused) -> None:
    """End as failed, and say that what was read before goes on."""
    sentence = f"{refusal.sentence} What stands before that is taken: rows 1 to {rows_read}."
    async with job.failing(refusal.code, sentence) as tx:
        await _name_imports(tx, job, rows_read)


async def _name_imports(tx: Completion, job: Job[ReadManifest], rows_read: int) -> None:
    imports = [_import_id(job, number) for number in range(ceil(rows_read / ROWS_A_PAGE))]
    made = await store.select_tasks_made(tx.connection, imports)  # a page of rows that are all known makes none
    for job_id in imports:
        if job_id in made:
            tx.name_child(job_id, ImportManifest.wire_name)
