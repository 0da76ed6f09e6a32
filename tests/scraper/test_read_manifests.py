"""Manifests of any length are read row by row, and what was read of one before a crash is not read again."""

import gzip
import json
import tracemalloc
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from contracts.jobs import JobChildrenNamed, JobCompleted, JobFailed
from contracts.scraper import ImageFound, ImportManifest, ManifestColumns, ReadManifest, UrlsAccounted
from services.scraper.handlers import import_manifest, manifests, read_manifest
from services.scraper.sources import Manifests
from services.scraper.sources.manifests import ManifestImage, RefusedRow, pages_of, read_rows
from shared.errors import Refused
from shared.fetch import Outbound
from shared.objects import ObjectStore
from tests.living import House, lineage, until
from tests.scraper.site import USER_AGENT, Site

NAMES = ManifestColumns()
WORKS: Any = {ReadManifest: read_manifest, ImportManifest: import_manifest}


def written(folder: Path, body: str | bytes) -> Path:
    path = folder / "manifest"
    path.write_bytes(body.encode() if isinstance(body, str) else body)
    return path


@pytest.mark.parametrize(
    "body",
    [
        'url,caption\r\nhttps://a.org/1.jpg,"One, and\nmore"\r\n\r\nhttps://a.org/2.jpg,\r\n',
        '\ufeffcaption;url\n"One, and\nmore";https://a.org/1.jpg\n;https://a.org/2.jpg',
        '{"url": "https://a.org/1.jpg", "caption": "One, and\\nmore"}\n\n{"url": "https://a.org/2.jpg", "caption": 3}',
        gzip.compress(b'url\tcaption\nhttps://a.org/1.jpg\t"One, and\nmore"\nhttps://a.org/2.jpg\t\n', mtime=0),
    ],
)
def test_rows_of_every_format_are_read_alike(tmp_path: Path, body: str | bytes) -> None:
    one, two = read_rows(written(tmp_path, body), NAMES)
    assert isinstance(one, ManifestImage)
    assert isinstance(two, ManifestImage)
    assert (one.url, one.context.caption, one.context.position) == ("https://a.org/1.jpg", "One, and\nmore", 1)
    assert (two.url, two.context.caption) == ("https://a.org/2.jpg", None)


def test_columns_are_called_as_whoever_sends_them_says(tmp_path: Path) -> None:
    columns = ManifestColumns(url="IMAGE_URL", caption="TEXT")
    [row] = read_rows(written(tmp_path, "TEXT,IMAGE_URL,url\nA,https://a.org/1.jpg,x\n"), columns)
    assert isinstance(row, ManifestImage)
    assert (row.url, row.context.caption) == ("https://a.org/1.jpg", "A")


def test_a_row_that_names_no_image_is_refused_with_its_reason_and_the_others_are_not(tmp_path: Path) -> None:
    lines = ["{", '{"a": 1}', '{"url": "ftp://a.org/"}', '{"url": "https://u:p@a.org/"}', "[" * 9000, '{"url": 5}']
    body = "\n".join(['{"url": "https://a.org/1"}', *lines, '{"url": "https://a.org/2\\u0000"}'])
    rows = list(read_rows(written(tmp_path, body), NAMES))
    assert [row.code if isinstance(row, RefusedRow) else row.url for row in rows] == [
        "https://a.org/1",
        "row_unreadable",
        "url_missing",
        "url_scheme_refused",
        "url_credentials_refused",
        "row_unreadable",
        "url_missing",
        "https://a.org/2",
    ]


def test_a_row_of_nothing_but_what_cannot_be_written_down_spoils_no_other(tmp_path: Path) -> None:
    nothing = r'"\u0000"'
    lines = (f'{{"url": {nothing}}}', f'{{"url": "https://a.org/1", "page_url": {nothing}, "title": {nothing}}}')
    refused, taken = read_rows(written(tmp_path, "\n".join(lines)), NAMES)
    assert isinstance(refused, RefusedRow)
    assert (refused.shown, refused.code) == ("row 1", "url_invalid")
    assert isinstance(taken, ManifestImage)
    assert (taken.context.page_url, taken.context.title) == (None, None)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"address,caption\nhttps://a.org/1,x", "manifest_unreadable"),
        (b'url\n"' + b"a\n" * 100_000, "manifest_unreadable"),
        (b"url\n" + b"a" * 2_000_000, "manifest_unreadable"),
        (b'url\n"' + b'\n","' * 400_000, "manifest_unreadable"),
        (b"url\n" + b"\n" * 20_000 + b"https://a.org/1", "manifest_unreadable"),
        (b"url,caption\n" + b",\n" * 20_000 + b"https://a.org/1,x", "manifest_unreadable"),
        (b'{"url": "https://a.org/1"}\n' + b" \n" * 20_000, "manifest_unreadable"),
        (gzip.compress(b"url\nhttps://a.org/\n" * 100, mtime=0)[:-9], "manifest_unreadable"),
    ],
)
def test_what_is_no_manifest_is_refused(tmp_path: Path, body: bytes, code: str) -> None:
    with pytest.raises(Refused) as refusal:
        list(read_rows(written(tmp_path, body), NAMES))
    assert refusal.value.code == code


def test_rows_with_empty_ones_between_them_are_read_however_many_they_are(tmp_path: Path) -> None:
    body = "url\r\r\n" + "https://a.org/1\r\r\n" * 20_000
    assert len(list(read_rows(written(tmp_path, body), NAMES))) == 20_000


async def test_a_row_that_never_ends_is_given_up_before_it_fills_the_memory(tmp_path: Path) -> None:
    path = written(tmp_path, gzip.compress(b'url\nhttps://a.org/1,"' + b'\na","' * 2_000_000, 1))
    tracemalloc.start()
    try:
        with pytest.raises(Refused, match="quotation mark"):
            [page async for page in pages_of(path, NAMES, begin=0)]
        assert tracemalloc.get_traced_memory()[1] < 64 * 1024 * 1024
    finally:
        tracemalloc.stop()


async def test_a_manifest_of_100_000_rows_is_flat_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "manifest"
    with path.open("w") as file:
        file.write("url,caption\n")
        file.writelines(f"https://example.org/pictures/{row}.jpg,Caption of picture {row}\n" for row in range(100_000))
    tracemalloc.start()
    try:
        count = 0
        async for page in pages_of(path, NAMES, begin=90_000):
            count += len(page)
        assert count == 10_000
        assert tracemalloc.get_traced_memory()[1] < 4 * 1024 * 1024
    finally:
        tracemalloc.stop()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with Site() as site:
        yield site


async def read(house: House, site: Site, command: ReadManifest) -> list[Any]:
    store = house.servers.object_store
    objects = ObjectStore(
        endpoint_url=store.endpoint_url,
        bucket=store.bucket,
        access_key_id=store.access_key_id,
        secret_access_key=store.secret_access_key,
    )
    allow = frozenset({("127.0.0.1", site.port)})
    async with Outbound(user_agent=USER_AGENT, allow=allow) as outbound, objects:
        await objects.ensure_bucket()
        await objects.put("uploads/manifest", b"url\nhttps://a.org/uploaded.jpg\n", content_type="text/csv")
        crafts = {"manifests": Manifests(outbound, objects, None)}
        async with house.worker("scraper", works=WORKS, crafts=crafts):
            await house.say(command)
            await until(lambda: has_ended(house, command.job_id))
    return await house.heard()


async def has_ended(house: House, job_id: UUID) -> bool:
    ended = await house.value("SELECT count(*) FROM scraper.tasks WHERE id = $1 AND state <> 'pending'", job_id)
    left = await house.value(
        "SELECT (SELECT count(*) FROM scraper.tasks WHERE state IN ('pending', 'in_progress'))"
        "     + (SELECT count(*) FROM scraper.outbox)"
    )
    return bool(ended and not left)


async def test_every_row_is_found_once_and_every_row_accounted_for(house: House, site: Site) -> None:
    rows = [{"url": f"https://a.org/{number % 1100}.jpg", "caption": f"Caption {number}"} for number in range(1200)]
    body = "\n".join(map(json.dumps, [*rows, {"caption": "nothing"}]))
    site.say("/list.jsonl", body, content_type="application/x-ndjson")
    command = ReadManifest(**lineage(), url=f"{site.origin}/list.jsonl")
    said = await read(house, site, command)
    found = {one.url: one.context.caption for one in said if isinstance(one, ImageFound)}
    assert found == {f"https://a.org/{number}.jpg": f"Caption {number}" for number in range(1100)}
    assert len([one for one in said if isinstance(one, ImageFound)]) == 1100
    named = [
        child
        for one in said
        if isinstance(one, JobChildrenNamed) and one.job_id == command.job_id
        for child in one.children
    ]
    assert [child.kind for child in named] == [ImportManifest.wire_name] * 3
    lines = [line for one in said if isinstance(one, UrlsAccounted) for line in one.lines]
    assert [(line.url, line.code) for line in lines if line.outcome == "refused"] == [("row 1201", "url_missing")]
    assert len([line for line in lines if line.outcome == "found"]) == 1100


async def test_what_stands_before_a_break_is_taken_accounted_for_and_named_and_the_job_says_so(
    house: House, site: Site
) -> None:
    rows = "".join(f"https://a.org/{number}.jpg\n" for number in range(700))
    site.say("/list.csv", f'url\n{rows}"' + "never closed\n" * 100_000, content_type="text/csv")
    command = ReadManifest(**lineage(), url=f"{site.origin}/list.csv")
    said = await read(house, site, command)
    urls = {f"https://a.org/{number}.jpg" for number in range(700)}
    assert {one.url for one in said if isinstance(one, ImageFound)} == urls
    lines = [line for one in said if isinstance(one, UrlsAccounted) for line in one.lines]
    assert {(line.url, line.outcome) for line in lines} == {(url, "found") for url in urls}
    assert len(lines) == 700
    [failed] = [one for one in said if isinstance(one, JobFailed)]
    assert (failed.job_id, failed.code) == (command.job_id, "manifest_unreadable")
    assert failed.sentence.endswith("rows 1 to 700.")
    named = {
        child.job_id
        for one in said
        if isinstance(one, JobChildrenNamed) and one.job_id == command.job_id
        for child in one.children
    }
    made = await house.rows("SELECT id FROM scraper.tasks WHERE parent_job_id = $1", command.job_id)
    assert named == {row["id"] for row in made}
    assert len(named) == 2


async def test_what_media_has_made_of_images_by_the_end_changes_nothing_of_how_many_were_read(
    house: House, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete = manifests._complete

    async def be_overtaken(*arguments: Any, **options: Any) -> None:
        for outcome, number in (("stored", 1), ("duplicate", 2), ("refused", 3)):
            url = f"https://a.org/{number}.jpg"
            await house.rows("UPDATE scraper.crawl_urls SET outcome = $1 WHERE url = $2", outcome, url)
        await complete(*arguments, **options)

    monkeypatch.setattr(manifests, "_complete", be_overtaken)
    rows = "".join(f"https://a.org/{number}.jpg\n" for number in range(5))
    site.say("/list.csv", f"url\n{rows}no link\n", content_type="text/csv")
    command = ReadManifest(**lineage(), url=f"{site.origin}/list.csv")
    said = await read(house, site, command)
    [result] = [one.result for one in said if isinstance(one, JobCompleted) and one.job_id == command.job_id]
    assert result == {"rows": 6, "images": 5, "refused": 1, "cut": False, "changed": False}


async def test_a_manifest_that_breaks_at_once_is_refused_as_a_whole(house: House, site: Site) -> None:
    site.say("/list.csv", 'url\n"' + "never closed\n" * 100_000, content_type="text/csv")
    command = ReadManifest(**lineage(), url=f"{site.origin}/list.csv")
    said = await read(house, site, command)
    [failed] = [one for one in said if isinstance(one, JobFailed)]
    assert failed.code == "manifest_unreadable"
    assert "rows 1 to" not in failed.sentence
    assert not any(isinstance(one, JobChildrenNamed | UrlsAccounted) for one in said)


async def test_an_upload_is_read_and_nobody_elses_objects_are(house: House, site: Site) -> None:
    said = await read(house, site, ReadManifest(**lineage(), object_key="uploads/manifest"))
    assert [one.url for one in said if isinstance(one, ImageFound)] == ["https://a.org/uploaded.jpg"]
    with pytest.raises(ValueError, match="object_key"):
        ReadManifest(**lineage(), object_key="media/originals/aa/" + "a" * 64 + ".jpg")


async def test_a_manifest_goes_on_after_the_rows_that_are_recorded(house: House, site: Site) -> None:
    body = "url\n" + "".join(f"https://a.org/{row}.jpg\n" for row in range(700))
    site.say("/list.csv", body, content_type="text/csv")
    command = ReadManifest(**lineage(), url=f"{site.origin}/list.csv")
    await house.admin.execute(
        """
        INSERT INTO scraper.crawls (id, project_id, scope, seeds, rows_read, imports_begun, manifest_digest)
        VALUES ($1, $2, '{}', '{}', 500, 1, $3)
        """,
        command.job_id,
        command.project_id,
        sha256(body.encode()).digest(),
    )
    said = await read(house, site, command)
    found = {one.url for one in said if isinstance(one, ImageFound)}
    assert found == {f"https://a.org/{row}.jpg" for row in range(500, 700)}


@pytest.mark.parametrize("place", [{}, {"url": "https://a.org/", "object_key": "uploads/a"}])
async def test_a_manifest_has_one_place(house: House, site: Site, place: dict[str, str]) -> None:
    command = ReadManifest(**lineage(), **place)
    await read(house, site, command)
    code = await house.value("SELECT error_code FROM scraper.tasks WHERE id = $1", command.job_id)
    assert code == "manifest_place_unclear"
