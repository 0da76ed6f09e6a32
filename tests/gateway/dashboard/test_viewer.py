"""One picture and its depth, pixel by pixel."""

from typing import Any

import pytest

from shared.objects import ObjectStore
from tests.gateway.browser import Page
from tests.gateway.dashboard.conftest import enter
from tests.gateway.dashboard.pictures import (
    BLUE,
    HEIGHT_PX,
    LEVELS,
    RED,
    TOWARDS_US,
    WIDTH_PX,
    png_of,
    show_maps,
    show_picture,
)
from tests.gateway.living import Client, Gateway, Voice
from tests.gateway.sayings import track_of, video_stored

_FULL_DEPTH = "document.querySelector('.is-bits')?.dataset.bits === '16'"
_PIXEL = """(u) => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => {
    const stage = document.querySelector('.stage-canvas');
    const copy = new OffscreenCanvas(1, 1).getContext('2d');
    copy.drawImage(stage, -Math.floor(u * stage.width), -(stage.height >> 1));
    resolve([...copy.getImageData(0, 0, 1, 1).data.slice(0, 3)]);
})))"""
_SLIDE = """(name, value) => {
    const slider = document.querySelector(`[data-control=${name}]`);
    slider.value = value;
    slider.dispatchEvent(new Event('input'));
}"""


@pytest.fixture
async def picture(board: Page, gateway: Gateway, ann: Client) -> str:
    """A picture with maps, and its viewer open."""
    shown = await show_picture(gateway, ann)
    await board.until("document.querySelector('.tile-link')?.click() ?? document.querySelector('.viewer').open")
    await board.until(_FULL_DEPTH)
    return shown.image_id


async def _pixel(board: Page, u: float) -> tuple[int, ...]:
    return tuple(await board.run(f"({_PIXEL})({u})"))


async def _slide(board: Page, name: str, value: int) -> None:
    await board.run(f"({_SLIDE})('{name}', {value})")


async def _choose(board: Page, colouring: str) -> None:
    await board.run(f"document.querySelector('.stage-panel input[value={colouring}]').click()")


@pytest.mark.usefixtures("picture")
async def test_the_wipe_parts_the_picture_from_its_depth(board: Page) -> None:
    await _choose(board, "grey")
    near = round(0.9 * 255)
    assert await _pixel(board, 0.1) == RED
    assert await _pixel(board, 0.9) == pytest.approx((near, near, near), abs=2)
    await _slide(board, "wipe", 100)
    assert (await _pixel(board, 0.1), await _pixel(board, 0.9)) == (RED, BLUE)
    await _slide(board, "wipe", 0)
    assert await _pixel(board, 0.1) == pytest.approx((26, 26, 26), abs=2)


@pytest.mark.usefixtures("picture")
async def test_opacity_lets_the_picture_shine_through(board: Page) -> None:
    await _choose(board, "grey")
    await _slide(board, "opacity", 50)
    near = 0.9 * 255
    assert await _pixel(board, 0.9) == pytest.approx((near / 2, near / 2, (near + 255) / 2), abs=3)
    await _slide(board, "opacity", 0)
    assert await _pixel(board, 0.9) == BLUE


@pytest.mark.usefixtures("picture")
async def test_near_is_red_and_far_is_blue_in_colour_and_edges_are_edges(board: Page) -> None:
    await _slide(board, "wipe", 0)
    for colouring in ("turbo", "spectral"):
        await _choose(board, colouring)
        red, _, blue = await _pixel(board, 0.98)
        assert red > 2 * blue
        red, _, blue = await _pixel(board, 0.08)
        assert blue > 1.5 * red
    await _choose(board, "edges")
    await board.until(f"({_PIXEL})(0.25).then((pixel) => pixel.join() === '0,0,0')")
    assert await _pixel(board, 0.5 + 0.5 / WIDTH_PX) == (255, 255, 255)


async def test_normals_are_shown_where_they_were_drawn_and_not_offered_elsewhere(
    board: Page, gateway: Gateway, ann: Client
) -> None:
    without = await show_picture(gateway, ann, title="Without")
    await show_picture(gateway, ann, title="With", normals=True)
    await board.until("document.querySelectorAll('.tile').length === 2")
    await board.run("document.querySelector('.tile-link').click()")
    await board.until(_FULL_DEPTH)
    assert "Normals" in await board.run("document.querySelector('.facts').innerText")
    await board.press("5", code=53)
    await board.until(f"({_PIXEL})(0.9).then((pixel) => pixel.join() === '{','.join(map(str, TOWARDS_US))}')")
    assert await _pixel(board, 0.1) == RED
    await board.press("ArrowRight", code=39)
    await board.until(f"location.hash === '#image={without.image_id}'")
    normals = "document.querySelector('.stage-panel input[value=normals]')"
    await board.until(f"{normals}.disabled && {_FULL_DEPTH}")
    assert not await board.run(f"{normals}.checked || {normals}.checkVisibility()")
    assert await _pixel(board, 0.9) != TOWARDS_US


@pytest.mark.usefixtures("picture")
async def test_picture_depth_and_edges_stand_side_by_side_under_one_cursor(board: Page) -> None:
    await _choose(board, "grey")
    await board.press("s", code=83)
    edge = (2 + 0.5 + 0.5 / WIDTH_PX) / 3
    await board.until(f"({_PIXEL})({edge}).then((pixel) => pixel.join() === '255,255,255')")
    assert (await _pixel(board, 0.2 / 3), await _pixel(board, 0.8 / 3)) == (RED, BLUE)
    assert await _pixel(board, 1.1 / 3) == pytest.approx((26, 26, 26), abs=2)
    await board.run("document.querySelector('.stage-canvas').focus()")
    await board.press("ArrowRight", code=39)
    assert await board.until("document.querySelector('.reading').textContent")
    across = [
        await board.run(f"Promise.all([0.51, 1.51, 2.51].map((at) => ({_PIXEL})((at + {step / 500}) / 3)))")
        for step in range(16)
    ]
    # The levels beneath are dark, or but one channel is bright: where none is dark, there is a ring.
    rings = [[min(pixels[part]) > 150 for pixels in across] for part in range(3)]
    assert rings[0] == rings[1] == rings[2]
    assert any(rings[0])
    await board.press("s", code=83)
    assert await _pixel(board, 0.1) == RED


@pytest.mark.usefixtures("picture")
async def test_depth_is_read_in_sixteen_bits_with_the_keyboard(board: Page) -> None:
    await board.run("document.querySelector('.stage-canvas').focus()")
    await board.press("ArrowRight", code=39)
    text = await board.until("document.querySelector('.reading').textContent")
    level = int(LEVELS[HEIGHT_PX // 2, int(0.51 * WIDTH_PX)])
    assert level % 257 != 0, "8 bits could say this too"
    assert f" {level:,} " in text
    assert text.startswith(f"{level / 65_535:.4f}")
    assert f"at {int(0.51 * WIDTH_PX)}, {HEIGHT_PX // 2}" in text


async def test_a_video_plays_its_preview_and_links_its_sound_and_subtitles(
    board: Page, gateway: Gateway, ann: Client
) -> None:
    fetch = Voice((await ann.post("/media/store", {"url": "https://example.org/a.mp4"})).body)
    stored = video_stored(fetch, tracks=(track_of("audio"), track_of("subtitles", "en")))
    async with ObjectStore.of(gateway.settings) as objects:
        for rendition in stored.renditions:
            await objects.put(rendition.key, png_of(RED), content_type="image/png")
    await gateway.hear(stored)
    told = await board.until("document.querySelector('.tile-length:not([hidden])')?.textContent")
    assert told == "Video 1:12"
    shown = "document.querySelector('.film-picture[src*=\"/{}.webp\"]')?.naturalWidth > 0"
    for still, first, then in ((False, "preview", "250"), (True, "250", "preview")):
        await board.look(1280, 900, still=still)
        await board.run("document.querySelector('.tile-link').click()")
        await board.until(shown.format(first))
        await board.run("document.querySelector('.film button').click()")
        await board.until(shown.format(then))
        if not still:
            await board.press("Escape", code=27)
            await board.until("!document.querySelector('.viewer').open")
    told = await board.run("document.querySelector('.facts').innerText")
    for word in ("1:12", "mp4, h264, aac", "Sound, 2.0 KB", "Subtitles, en, 2.0 KB"):
        assert word in told
    links = "[...document.querySelectorAll('.facts a[href*=\"/tracks/\"]')].map(({ rel, target }) => [rel, target])"
    assert await board.run(links) == [["noopener noreferrer", "_blank"]] * 2


async def test_the_viewer_tells_where_the_depth_comes_from(board: Page, picture: str) -> None:
    told = await board.until("(told => told.includes('Jobs') && told)(document.querySelector('.facts').innerText)")
    for word in ("ramp of the tests", "larger is nearer", "Red", "Download a picture", "Map depth"):
        assert word in told
    assert await board.run("location.hash") == f"#image={picture}"


async def test_pictures_are_walked_through_with_the_keyboard(board: Page, gateway: Gateway, ann: Client) -> None:
    older = await show_picture(gateway, ann, title="Older")
    newer = await show_picture(gateway, ann, title="Newer")
    await board.until("document.querySelectorAll('.tile').length === 2")
    await board.run("document.querySelector('.tile-link').click()")
    for key, code, expected in (("ArrowRight", 39, older), ("ArrowLeft", 37, newer), ("ArrowLeft", 37, newer)):
        await board.until(_FULL_DEPTH)
        await board.press(key, code=code)
        await board.until(f"location.hash === '#image={expected.image_id}'")
    await board.until(_FULL_DEPTH)
    await board.press("Escape", code=27)
    await board.until("!document.querySelector('.viewer').open")
    await board.until("location.hash === ''")
    await board.until(f"document.activeElement.closest('.tile')?.dataset.image === '{newer.image_id}'")


async def test_the_keyboard_is_heard_also_when_what_is_told_of_a_picture_has_changed(
    board: Page, gateway: Gateway, ann: Client
) -> None:
    older = await show_picture(gateway, ann, title="Older")
    newer = await show_picture(gateway, ann, title="Newer")
    await board.until("document.querySelectorAll('.tile').length === 2")
    await board.run("document.querySelector('.tile-link').click()")
    await board.until(_FULL_DEPTH)
    await ann.send("PATCH", f"/api/v1/images/{newer.image_id}", json={"title": "Renamed"})
    await board.until("document.querySelector('#viewer-title').textContent.includes('Renamed')")
    assert await board.run("document.activeElement.id") == "viewer-title"
    await board.press("ArrowRight", code=39)
    await board.until(f"location.hash === '#image={older.image_id}'")


async def test_a_deep_link_opens_its_picture(page: Page, gateway: Gateway, ann: Client) -> None:
    shown = await show_picture(gateway, ann)
    await enter(page, gateway, f"&image={shown.image_id}")
    await page.until(_FULL_DEPTH)
    assert await page.run("document.title") == "Half and half · Diorama"


async def test_a_picture_that_is_not_there_is_told(page: Page, gateway: Gateway) -> None:
    await enter(page, gateway, "&image=00000000-0000-4000-8000-000000000000")
    told: Any = await page.until("document.querySelector('.viewer .problem')?.innerText")
    assert "There is no such image." in told
    assert "image_not_found" in told


async def test_maps_appear_in_the_open_viewer_when_they_are_drawn(board: Page, gateway: Gateway, ann: Client) -> None:
    shown = await show_picture(gateway, ann, mapped=False)
    await board.until("document.querySelector('.tile-link')?.click() ?? document.querySelector('.viewer').open")
    missing = await board.until("document.querySelector('.stage-missing').innerText")
    assert missing == "There is no depth map of this picture: waiting."
    await show_maps(gateway, ann, shown)
    await board.until(_FULL_DEPTH)
