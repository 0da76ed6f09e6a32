"""A page is scraped: every picture is stored once, described and mapped; what is none is refused with a reason."""

import io

import numpy as np
import pytest
from PIL import Image

from deploy.local.stack import Stack
from tests.journeys.end_state import differences, until_quiet
from tests.journeys.gallery import CLOSED, Gallery, Picture, truncated, web_page_in_disguise
from tests.journeys.visitors import Visitor

PICTURES = 24


async def test_a_page_is_scraped_and_every_picture_is_stored_once_described_and_mapped(
    stack: Stack, gallery: Gallery, visitor: Visitor
) -> None:
    broken = (truncated("half"), web_page_in_disguise("sorry"))
    exhibition = await gallery.exhibit("whole", PICTURES, further=broken)
    job_id = await visitor.scrapes(exhibition)
    await until_quiet(stack)

    assert await differences(stack, visitor) == []
    images = await visitor.images()
    assert {image["source_url"] for image in images} == {exhibition.url_of(picture) for picture in exhibition.sound}
    assert all(image["palette"] and image["perceptual_hash"] and image["thumbhash"] for image in images)
    job = await visitor.job(job_id)
    assert {(one["source"], one["code"]) for one in job["rejections"]} == {
        (exhibition.url_of(picture), picture.code) for picture in broken
    }
    assert {one["code"] for one in job["tree"]["failures"]} == {picture.code for picture in broken}
    assert all(one["sentence"] for one in job["rejections"])
    assert [(page["images_found"], page["images_skipped"]) for page in job["pages"]] == [(PICTURES + 2, 0)]
    for image in images[:6]:
        await _check_maps(visitor, image)


async def _check_maps(visitor: Visitor, image: dict[str, object]) -> None:
    [maps] = (await visitor.gateway.get(f"/images/{image['id']}/maps"))["items"]
    size = (image["width_px"], image["height_px"])
    with Image.open(io.BytesIO(await visitor.gateway.download(maps["depth"]["url"]))) as depth:
        assert (depth.mode, depth.size) == ("I;16", size)
        levels = np.asarray(depth)
    assert (levels.min(), levels.max()) == (0, 65535)
    assert len(np.unique(levels)) > 256, "eight bits would hold it"
    with Image.open(io.BytesIO(await visitor.gateway.download(maps["edges"]["url"]))) as edges:
        assert edges.size == size
        assert set(np.unique(np.asarray(edges))) == {0, 255}


async def test_a_picture_that_hangs_twice_is_stored_and_mapped_once(
    stack: Stack, gallery: Gallery, visitor: Visitor
) -> None:
    first = await gallery.exhibit("twice", 2)
    again = Picture("again.jpg", first.pictures[0].body, first.pictures[0].content_type)
    await visitor.scrapes(await gallery.exhibit("twice", 2, further=[again]))
    await until_quiet(stack)

    assert await differences(stack, visitor) == []
    assert len(await visitor.images()) == 2


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("nowhere/", "http_404"),
        (f"{CLOSED}/", "robots_disallowed"),
        ("refused/00.jpg", "not_a_page"),
    ],
)
async def test_what_cannot_be_scraped_is_refused_with_its_reason(
    stack: Stack, gallery: Gallery, visitor: Visitor, path: str, code: str
) -> None:
    await gallery.exhibit("refused", 1)
    job = await visitor.gateway.post("/scrapes", {"url": f"{gallery.address}/{path}"})
    await until_quiet(stack)

    ended = await visitor.gateway.get(f"/jobs/{job['id']}")
    assert (ended["state"], ended["error"]["code"]) == ("failed", code)
    assert ended["error"]["sentence"]
    assert ended["tree"]["total"] == 0
    assert await visitor.images() == []
