"""Manifests in Parquet are read as all others, in little memory, and hostile ones harm nobody."""

import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from contracts.scraper import ManifestColumns
from services.scraper.sources import Manifests
from services.scraper.sources.manifests import ManifestImage, ReadRow
from services.scraper.sources.parquet import confined_to, rows_of
from shared.errors import Refused
from shared.fetch import Outbound
from shared.objects import ObjectStore
from shared.sandbox import Sandbox
from tests.scraper.site import USER_AGENT

MIB = 1024 * 1024
ROOMY, SECONDS = 256 * MIB, 20.0


def manifests(memory_bytes: int = ROOMY) -> Manifests:
    nowhere = ObjectStore(endpoint_url="http://127.0.0.1:9", bucket="b", access_key_id="a", secret_access_key="s")
    return Manifests(Outbound(user_agent=USER_AGENT), nowhere, None, memory_bytes=memory_bytes, seconds=SECONDS)


def written(folder: Path, columns: dict[str, Any], **options: Any) -> Path:
    path = folder / "manifest"
    parquet.write_table(pa.table(columns), path, **options)
    return path


async def read(path: Path, columns: ManifestColumns | None = None, *, begin: int = 0) -> list[ReadRow]:
    pages = manifests().pages(path, columns or ManifestColumns(), begin=begin)
    return [row async for page in pages for row in page]


def urls_of(rows: list[ReadRow]) -> list[str]:
    return [row.url if isinstance(row, ManifestImage) else row.code for row in rows]


async def test_rows_of_parquet_are_read_as_those_of_other_manifests(tmp_path: Path) -> None:
    said = pa.array(["One", None, "One", "x" * 3000]).dictionary_encode()
    links: list[str | None] = ["https://a.org/1.jpg", None, "ftp://a.org/", "https://a.org/" + "4" * 5000]
    more = {"KEY": [1, 2, 3, 4], "licence": [1, 2, 3, 4], "sizes": [[1], [2], [], None]}
    path = written(tmp_path, {"TEXT": said, "IMAGE": links, **more})
    one, *others = await read(path, ManifestColumns(url="IMAGE", caption="TEXT"))
    assert isinstance(one, ManifestImage)
    assert (one.url, one.context.caption, one.context.licence, one.context.position) == (links[0], "One", None, 1)
    assert urls_of(others) == ["url_missing", "url_scheme_refused", "url_too_long"]
    assert [row.number for row in others] == [2, 3, 4]


async def test_texts_that_are_no_utf8_are_read_as_far_as_they_can_be(tmp_path: Path) -> None:
    path = written(tmp_path, {"url": pa.array([b"https://a.org/1.jpg"]), "caption": pa.array([b"a\xff\x00b"])})
    [row] = await read(path)
    assert isinstance(row, ManifestImage)
    assert row.context.caption == "a�b"


@pytest.mark.parametrize("begin", [0, 500, 1500, 2000])
async def test_reading_goes_on_at_any_page(tmp_path: Path, begin: int) -> None:
    links = [f"https://a.org/{number}.jpg" for number in range(2000)]
    path = written(tmp_path, {"url": links}, row_group_size=700)
    rows = await read(path, begin=begin)
    assert urls_of(rows) == links[begin:]
    assert [row.number for row in rows] == list(range(begin + 1, 2001))


async def test_one_group_of_40_000_rows_is_read_in_a_fraction_of_its_size(tmp_path: Path) -> None:
    count, room = 40_000, 32 * MIB
    columns = {
        "url": [f"https://a.org/{row}.jpg" for row in range(count)],
        "caption": ["A long caption. " * 110] * count,
    }
    path = written(tmp_path, columns, row_group_size=count, use_dictionary=False)
    assert parquet.ParquetFile(path).metadata.row_group(0).total_byte_size > 2 * room
    pages = manifests(room).pages(path, ManifestColumns(), begin=0)
    assert sum([len(page) async for page in pages]) == count


@pytest.fixture
async def reader(tmp_path: Path) -> AsyncIterator[Sandbox]:
    path = tmp_path / "manifest"
    path.touch()
    async with confined_to(path, memory_bytes=64 * MIB, seconds=SECONDS) as sandbox:
        yield sandbox


async def outcome(reader: Sandbox, path: Path) -> str:
    try:
        return f"{sum([len(rows) async for rows in rows_of(reader, path, ['url'], begin=0, rows=500)])} rows"
    except Refused as refusal:
        return refusal.code


async def test_what_is_no_parquet_or_names_no_link_is_refused(tmp_path: Path, reader: Sandbox) -> None:
    path = written(tmp_path, {"url": [f"https://a.org/{row}.jpg" for row in range(1000)]})
    whole = path.read_bytes()
    assert await outcome(reader, path) == "1000 rows"
    lies = whole[:-8] + (2**31 - 1).to_bytes(4, "little") + whole[-4:]
    for body in (b"PAR1", b"PAR1....PAR1", whole[:-1], whole[: len(whole) // 2], lies, b"PAR1" + bytes(99) + b"PAR1"):
        path.write_bytes(body)
        assert await outcome(reader, path) == "manifest_unreadable"
    for columns in ({"link": ["https://a.org/1.jpg"]}, {"url": [1]}, {"url": [["https://a.org/1.jpg"]]}):
        written(tmp_path, columns)
        assert await outcome(reader, path) == "manifest_unreadable"
    path.write_bytes(b"PARE" + whole[4:])
    with pytest.raises(Refused, match="encrypted"):
        await read(path)


async def test_a_small_file_that_unpacks_to_more_than_there_is_room_for_is_refused(
    tmp_path: Path, reader: Sandbox
) -> None:
    path = written(tmp_path, {"url": ["a" * (100 * MIB)]}, compression="zstd")
    assert path.stat().st_size < MIB
    assert await outcome(reader, path) == "needs_too_much_memory"
    written(tmp_path, {"url": ["https://a.org/" + "a" * MIB] * 300}, compression="zstd")
    assert await outcome(reader, path) == "needs_too_much_memory"
    written(tmp_path, {"url": ["https://a.org/1.jpg"]})
    assert await outcome(reader, path) == "1 rows", "whoever comes next is read"


async def test_damaged_files_are_read_or_refused_and_nothing_else(tmp_path: Path, reader: Sandbox) -> None:
    path = written(tmp_path, {"url": [f"https://a.org/{row}.jpg" for row in range(2000)], "caption": ["x"] * 2000})
    whole = path.read_bytes()
    dice = random.Random(7)  # noqa: S311 - the same damage each time
    outcomes = set()
    for _ in range(120):
        body = bytearray(whole)
        footer = len(body) - 8 - int.from_bytes(body[-8:-4], "little")
        for _ in range(dice.choice((1, 4, 30))):
            body[dice.randrange(footer if dice.random() < 0.7 else 4, len(body) - 4)] = dice.randrange(256)
        path.write_bytes(body)
        outcomes.add(await outcome(reader, path))
    refusals = {one for one in outcomes if not one.endswith(" rows")}
    known = {"manifest_unreadable", "decoder_failed", "decoder_crashed", "needs_too_much_memory", "takes_too_long"}
    assert "manifest_unreadable" in refusals
    assert refusals <= known
    path.write_bytes(whole)
    assert await outcome(reader, path) == "2000 rows"
