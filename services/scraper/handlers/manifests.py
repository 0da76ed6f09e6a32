"""Manifests that are read here, page by page: what was recorded of one is not read again after a crash.

Where another file lies there by then, it is read from its beginning: no row of it is lost, and of what was recorded
before none is told again, for a URL is told once of each manifest.
"""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from hashlib import sha256
from uuid import UUID

from contracts.media import FetchMedia
from contracts.scraper import ImportManifest, ManifestRow, ReadManifest
from services.scraper.handlers.accounts import account, line_of
from services.scraper.rules import FETCH_RECIPE, image_subject
from services.scraper.sources.manifests import ROWS_A_PAGE, ManifestImage, Manifests, ReadRow, RefusedRow, digest_of
from services.scraper.sources.scopes import key_of
from services.scraper.store import crawls
from services.scraper.store import manifests as store
from services.scraper.store.crawls import Line
from services.scraper.store.manifests import Reading
from shared.errors import Refused
from shared.identifiers import child_id
from shared.jobs import Completion, Job


async def read_manifest(job: Job[ReadManifest], manifests: Manifests) -> None:
    """Read a manifest, and have an import follow for each page of its rows; where it breaks off, for those before."""
    command = job.command
    async with job.recording() as tx:
        place = command.url or command.object_key or ""
        await crawls.insert_crawl(tx.connection, job.id, command.project_id, scope={}, seeds=[place])
        reading = await store.select_reading(tx.connection, job.id, ROWS_A_PAGE)
    job.progress(None, "fetching the manifest")
    cut = False
    try:
        async with manifests.fetched(url=command.url, object_key=command.object_key) as path:
            reading = reading.of(await digest_of(path))
            async with aclosing(manifests.pages(path, command.columns, begin=reading.rows)) as pages:
                async for page in pages:
                    allowed = page[: max(0, command.max_rows - reading.rows)]
                    cut = len(allowed) < len(page)
                    if allowed:
                        reading = await _take(job, allowed, reading)
                    job.progress(None, f"{reading.rows} rows")
                    if cut:
                        break
    except Refused as refusal:
        if not reading.rows and not reading.imports:
            raise
        await _fail(job, reading, refusal)
        return
    await _complete(job, reading, cut=cut)


async def _take(job: Job[ReadManifest], page: Sequence[ReadRow], before: Reading) -> Reading:
    """Record a page of rows, and have what is new in it imported; give how far the manifest is read then."""
    lines = {line.key: line for row in reversed(page) for line in [_line(job, row)]}
    images = {key_of(row.url): row for row in reversed(page) if isinstance(row, ManifestImage)}
    async with job.recording() as tx:
        await crawls.select_crawl(tx.connection, job.id)  # locked, for media may tell of its images at this moment
        new = await crawls.insert_lines(tx.connection, job.id, list(lines.values()), found_on=None, job_id=job.id)
        fresh = [line for line in reversed(lines.values()) if ("image", line.key) in new]
        rows = tuple(
            ManifestRow(fetch_job_id=line.fetch_job_id, url=images[line.key].url, context=images[line.key].context)
            for line in fresh
            if line.fetch_job_id is not None
        )
        if rows:
            tx.work(_import(job, before.imports, rows))
        reading = replace(before, rows=before.rows + len(page), imports=before.imports + bool(rows))
        await store.update_reading(tx.connection, job.id, reading, images=len(rows))
        told = [
            line_of("image", one.url, one.outcome, code=one.code, sentence=one.sentence, fetch_job_id=one.fetch_job_id)
            for one in fresh
        ]
        account(tx, job.command, job.id, told)
    return reading


def _line(job: Job[ReadManifest], row: ReadRow) -> Line:
    if isinstance(row, RefusedRow):
        return Line("image", _key_of_refused(row), row.shown, 0, "refused", row.code, row.sentence)
    fetch_job_id = child_id(job.id, FetchMedia.wire_name, image_subject(row.url), FETCH_RECIPE)
    return Line("image", key_of(row.url), row.url, 0, "found", fetch_job_id=fetch_job_id)


def _key_of_refused(row: RefusedRow) -> bytes:
    """Tell what is no URL, and so has no canonical spelling, by its row, and by what stands there in this file."""
    return sha256(f"row {row.number} {row.code} {row.shown}".encode()).digest()


def _import(job: Job[ReadManifest], number: int, rows: tuple[ManifestRow, ...]) -> ImportManifest:
    lineage = job.command.child_lineage(_import_id(job, number))
    return ImportManifest(**lineage, rows=rows, priority=job.command.priority)


def _import_id(job: Job[ReadManifest], number: int) -> UUID:
    return child_id(job.id, ImportManifest.wire_name, str(number))


async def _complete(job: Job[ReadManifest], reading: Reading, *, cut: bool) -> None:
    async with job.completing() as tx:
        await _name_imports(tx, job, reading)
        told, refused = await store.count_taken(tx.connection, job.id)
        tx.result(rows=reading.rows, images=told, refused=refused, cut=cut, changed=reading.changed)


async def _fail(job: Job[ReadManifest], reading: Reading, refusal: Refused) -> None:
    """End as failed, and say that what was read before goes on."""
    sentence = refusal.sentence
    if reading.rows:
        sentence += f" What stands before that is taken: rows 1 to {reading.rows}."
    if reading.changed:
        sentence += " It has changed while it was read; what was read of it as it was before is taken as well."
    async with job.failing(refusal.code, sentence) as tx:
        await _name_imports(tx, job, reading)


async def _name_imports(tx: Completion, job: Job[ReadManifest], reading: Reading) -> None:
    imports = [_import_id(job, number) for number in range(reading.imports)]
    made = await store.select_tasks_made(tx.connection, imports)
    for job_id in imports:
        if job_id in made:
            tx.name_child(job_id, ImportManifest.wire_name)
