"""The sample gallery is a real site: its page shows every picture, and its files are what they should be."""

import io
import socket
from pathlib import Path

import aiohttp
import pytest
from PIL import Image, ImageChops, ImageOps, ImageStat

from deploy.demo.drawing import draw_gallery, encoded, missing
from deploy.demo.gallery import gallery
from deploy.demo.page import SKIPPED_CODES, page_of
from deploy.demo.pictures import (
    BROKEN_FILES,
    COPIED,
    COPY_FILE,
    PAGE_FILE,
    PICTURES,
    TRUNCATED,
    TRUNCATED_FILE,
    Picture,
)
from deploy.local.errors import CannotRun
from deploy.local.ports import LOOPBACK
from services.scraper.extraction import Page, extract
from tests.ports import free_port

SITE = "http://127.0.0.1:20000"


@pytest.fixture(scope="module")
def page() -> Page:
    return extract(page_of(SITE).encode(), url=f"{SITE}/", charset="utf-8", robots_token="Diorama")


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    """A folder in which every picture lies already, tiny."""
    for picture in PICTURES:
        (tmp_path / picture.file).write_bytes(encoded(Image.new("L" if picture.grey else "RGB", (16, 9)), picture))
    return tmp_path


def test_the_gallery_has_every_format_shape_and_way_of_showing() -> None:
    assert len(PICTURES) >= 24
    assert {picture.format for picture in PICTURES} == {"jpg", "png", "webp", "gif"}
    assert {6, 8} <= {picture.orientation for picture in PICTURES if picture.format == "jpg"}
    assert len({picture.style for picture in PICTURES}) >= 8
    assert len({picture.ratio for picture in PICTURES}) >= 6
    assert len({picture.file for picture in PICTURES}) == len(PICTURES)


def test_a_scraper_finds_every_picture_of_the_page_whole_and_each_once(page: Page) -> None:
    found = [image.url.removeprefix(f"{SITE}/pictures/") for image in page.images]
    assert sorted(found) == sorted([*(picture.file for picture in PICTURES), COPY_FILE, *BROKEN_FILES])
    assert sorted(skipped.code for skipped in page.skipped) == sorted(SKIPPED_CODES)


def test_the_page_shows_its_pictures_in_all_ways_and_says_what_they_are(page: Page) -> None:
    ways = {image.found_in for image in page.images}
    assert {"img", "srcset", "picture", "lazy", "noscript", "og:image", "json-ld", "background", "poster"} <= ways
    assert sum(image.caption is not None for image in page.images) >= 20
    assert any(image.licence for image in page.images)


def test_a_broken_picture_has_no_other_candidate_that_could_stand_in_for_it(page: Page) -> None:
    broken = [image for image in page.images if image.url.endswith(BROKEN_FILES)]
    assert [image.alternatives for image in broken] == [(), ()]


@pytest.mark.parametrize("orientation", [1, 6, 8])
def test_a_picture_is_upright_once_its_orientation_is_applied(orientation: int) -> None:
    upright = Image.linear_gradient("L").resize((60, 40)).convert("RGB")
    upright.paste((255, 0, 0), (0, 0, 10, 10))
    picture = Picture(name="x", title="", caption="", description="", style="", ratio="3:2", orientation=orientation)
    stored = Image.open(io.BytesIO(encoded(upright, picture)))
    assert stored.size == ((60, 40) if orientation == 1 else (40, 60))
    shown = ImageOps.exif_transpose(stored)
    assert shown.size == upright.size
    assert max(ImageStat.Stat(ImageChops.difference(shown, upright)).mean) < 8


async def test_what_is_drawn_is_kept_and_what_is_broken_is_made_of_it(drawn: Path) -> None:
    before = {picture.file: (drawn / picture.file).stat().st_mtime_ns for picture in PICTURES}
    assert missing(drawn) == []
    await draw_gallery(drawn)
    assert {name: (drawn / name).stat().st_mtime_ns for name in before} == before
    assert (drawn / COPY_FILE).read_bytes() == (drawn / COPIED.file).read_bytes()
    whole, half = (drawn / TRUNCATED.file).read_bytes(), (drawn / TRUNCATED_FILE).read_bytes()
    assert whole.startswith(half)
    assert len(half) == len(whole) // 2
    (drawn / TRUNCATED.file).unlink()
    assert missing(drawn) == [TRUNCATED]


async def test_the_site_answers_like_any_other_and_lies_about_its_broken_picture(drawn: Path) -> None:
    await draw_gallery(drawn)
    port = free_port()
    async with gallery(drawn, LOOPBACK, port) as address, aiohttp.ClientSession(address) as session:
        for path, content_type in {
            "/": "text/html",
            "/robots.txt": "text/plain",
            f"/pictures/{PICTURES[2].file}": "image/webp",
            f"/pictures/{PAGE_FILE}": "image/jpeg",
            f"/pictures/{TRUNCATED_FILE}": "image/png",
        }.items():
            async with session.get(path) as answer:
                assert (answer.status, answer.content_type) == (200, content_type), path
        async with session.get("/pictures/%2e%2e%2fsecrets.png") as answer:
            assert answer.status == 404


async def test_a_port_that_another_program_has_is_told_in_a_sentence(drawn: Path) -> None:
    with socket.socket() as other:
        other.bind((LOOPBACK, 0))
        other.listen()
        with pytest.raises(CannotRun, match="gallery_port_taken"):
            async with gallery(drawn, LOOPBACK, other.getsockname()[1]):
                pass
