"""Maps are reviewed by keys, one after the other; what was decided holds, and can be taken back."""

import re
from typing import Final

import pytest

from contracts.depth_map import MapDepth
from services.gateway.rules.reviewing import REASONS
from tests.gateway.browser import Page
from tests.gateway.dashboard.conftest import enter
from tests.gateway.dashboard.pictures import RED, Shown, show_maps, show_picture
from tests.gateway.living import Client, Gateway
from tests.gateway.review.mapped import BANDED, FLAT, SOUND, queue
from tests.living import House, until

_STATUS: Final = "document.querySelector('.review-status').innerText"
_NAME: Final = "document.querySelector('.review-name').innerText"
_NAMES: Final = "[...document.querySelectorAll('.review-row-title')].map((title) => title.textContent)"
_PROGRESS: Final = "document.querySelector('.review .viewer-place').innerText"
_FULL: Final = "document.querySelector('.review .is-bits:not([hidden])')?.dataset.bits === '16'"
_PIXEL: Final = """new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => {
    const stage = document.querySelector('.review .stage-canvas');
    const copy = new OffscreenCanvas(1, 1).getContext('2d');
    copy.drawImage(stage, -Math.floor(0.1 * stage.width), -(stage.height >> 1));
    resolve([...copy.getImageData(0, 0, 1, 1).data.slice(0, 3)]);
})))"""
_BREAK: Final = """{
    const real = window.fetch;
    window.answers = () => { window.fetch = real; };
    window.fetch = (url, options) =>
        options?.method === 'POST' ? Promise.reject(new TypeError('gone')) : real(url, options);
}"""


@pytest.fixture
async def three(board: Page, gateway: Gateway, ann: Client) -> dict[str, Shown]:
    """Three pictures with maps, the soundest first, and their review open."""
    qualities = {"Sound": SOUND, "Banded": BANDED, "Flat": FLAT}
    shown = {title: await show_picture(gateway, ann, title=title, quality=one) for title, one in qualities.items()}
    await board.until("(tally => !tally.hidden && tally.innerText === '3')(document.querySelector('.pictures .tally'))")
    await board.run("document.querySelector('.pictures .tally').closest('button').click()")
    await board.until(f"{_NAME} === 'Flat' && {_FULL}")
    return shown


async def _says(board: Page, *words: str) -> None:
    for word in words:
        await board.until(f"{_STATUS}.includes('{word}')")


async def _until_counted(ann: Client, **counts: int) -> None:
    async def counted() -> bool:
        known = (await queue(ann))["counts"]
        return all(known[state] == number for state, number in counts.items())

    await until(counted)


async def _take_back(board: Page) -> None:
    for kind in ("keyDown", "keyUp"):
        await board.send("Input.dispatchKeyEvent", type=kind, key="z", modifiers=2, windowsVirtualKeyCode=90)


async def test_the_reasons_are_those_of_the_gateway(page: Page, gateway: Gateway) -> None:
    await page.open(gateway.url)
    await page.until("document.querySelector('#token')")
    assert await page.run("import('/modules/reviewing/reasons.js').then(({ REASONS }) => REASONS)") == REASONS


@pytest.mark.usefixtures("three")
async def test_keys_approve_reject_and_take_back_and_nothing_is_loaded_anew(board: Page, ann: Client) -> None:
    assert await board.run(_NAMES) == ["Flat", "Banded", "Sound"]
    assert await board.run(_PROGRESS) == "0 of 3 reviewed"
    assert "Flat" in await board.run("document.querySelector('.review-about').innerText")
    await board.press("a", code=65)
    await _says(board, "Approved: Flat.", "Now: Banded, flat, banding.")
    await board.press("r", code=82)
    assert await board.run("document.querySelector('.reasons legend').innerText") == "Why reject Banded?"
    await board.press("Enter", code=13)
    assert "Choose a reason" in await board.run("document.querySelector('.reasons').innerText")
    await board.press("5", code=53)
    await board.press("Enter", code=13)
    await _says(board, "Rejected: Banded.", "Now: Sound.")
    await board.press("a", code=65)
    await board.until("document.querySelector('.review-end').innerText.includes('All maps are reviewed')")
    assert await board.run(_PROGRESS) == "3 of 3 reviewed"
    await _until_counted(ann, unreviewed=0, approved=2, rejected=1)
    [rejected] = (await queue(ann, state="rejected"))["items"]
    assert (rejected["image"]["title"], rejected["review"]["reasons"]) == ("Banded", ["banding"])
    await _take_back(board)
    await _says(board, "Taken back: Sound.")
    await board.press("u", code=85)
    await _says(board, "Taken back: Banded.")
    assert await board.run(_NAME) == "Banded"
    await board.until(f"{_PROGRESS} === '1 of 3 reviewed'")
    await _until_counted(ann, approved=1)
    # The list was asked for once; all else were counts, and decisions.
    lists = [url for url in board.requests if re.search(r"/review/maps\?state", url)]
    assert len(lists) == 1
    await board.press("Escape", code=27)
    await board.until("!document.querySelector('.review').open && location.hash === ''")


async def _told_to_draw(house: House) -> MapDepth:
    said: list[MapDepth] = []

    async def told() -> bool:
        said.extend(one for one in await house.heard("depth_map") if isinstance(one, MapDepth))
        return bool(said)

    await until(told)
    [command] = said
    return command


async def test_what_is_to_be_drawn_again_is_drawn_though_it_was_drawn_before(
    board: Page, three: dict[str, Shown], house: House
) -> None:
    await board.press("g", code=71)
    await _says(board, "drawn again")
    command = await _told_to_draw(house)
    assert (str(command.asset_id), command.recipe, command.redraw) == (three["Flat"].image_id, "default", True)

    await board.press("o", code=79)
    words = "[...document.querySelectorAll('button')].find((one) => one.innerText === 'Draw the maps again')"
    await board.until(f"{words} !== undefined")
    await board.run(f"{words}.click()")
    command = await _told_to_draw(house)
    assert (str(command.asset_id), command.redraw) == (three["Flat"].image_id, True)


@pytest.mark.usefixtures("three")
async def test_the_map_shows_while_d_is_held_and_digits_choose_it(board: Page) -> None:
    assert await board.run(_PIXEL) == list(RED)
    await board.press("3", code=51)
    await board.send("Input.dispatchKeyEvent", type="keyDown", key="d", windowsVirtualKeyCode=68)
    assert await board.run(_PIXEL) == pytest.approx([26, 26, 26], abs=2)
    await board.send("Input.dispatchKeyEvent", type="keyUp", key="d", windowsVirtualKeyCode=68)
    assert await board.run(_PIXEL) == list(RED)
    # What comes next is there already, and the wipe stays where it was.
    await board.run("""{
        const wipe = document.querySelector('.review [data-control=wipe]');
        wipe.value = 0;
        wipe.dispatchEvent(new Event('input'));
    }""")
    await board.press("j", code=74)
    await board.until(f"{_NAME} === 'Banded' && {_FULL}")
    assert await board.run(_PIXEL) == pytest.approx([26, 26, 26], abs=2)
    await board.press("k", code=75)
    assert await board.run(_NAME) == "Flat"


async def test_several_are_decided_of_at_once_and_others_decisions_are_told(
    board: Page, gateway: Gateway, ann: Client, three: dict[str, Shown]
) -> None:
    for key, code in (("x", 88), ("j", 74), ("x", 88)):
        await board.press(key, code=code)
    await board.until("document.querySelector('.review-acts').innerText.includes('Approve 2')")
    await board.press("a", code=65)
    await _says(board, "Approved: 2 maps.", "Now: Sound.")
    await _until_counted(ann, approved=2)
    await ann.post(f"/images/{three['Sound'].image_id}/maps/default/reject", {"reasons": ["flat"]})
    await _says(board, "Sound: rejected by ann meanwhile.")
    await board.until(f"{_PROGRESS} === '3 of 3 reviewed'")
    await show_picture(gateway, ann, title="Fresh", quality=BANDED)
    await board.until("document.querySelector('.review-below button')")
    await board.run("document.querySelector('.review-below button').click()")
    await board.until(f"{_NAME} === 'Fresh'")


@pytest.mark.usefixtures("three")
async def test_a_decision_that_does_not_arrive_is_not_lost(board: Page, ann: Client) -> None:
    await board.run(_BREAK)
    await board.press("a", code=65)
    told = await board.until("document.querySelector('.review-side .problem')?.innerText")
    assert "The gateway does not answer" in told
    assert await board.run(_NAME) == "Flat"
    assert await board.run(_PROGRESS) == "0 of 3 reviewed"
    await board.run("window.answers()")
    await board.press("a", code=65)
    await _says(board, "Approved: Flat.")
    await _until_counted(ann, approved=1)


async def test_a_link_opens_the_review_and_where_nothing_waits_it_says_what_to_do(
    page: Page, gateway: Gateway, ann: Client
) -> None:
    await enter(page, gateway, "&review=unreviewed")
    told = await page.until("(end => end?.checkVisibility() && end.innerText)(document.querySelector('.review-end'))")
    assert "Draw the maps" in told
    shown = await show_picture(gateway, ann, mapped=False)
    await show_maps(gateway, ann, shown, quality=FLAT)
    await page.until("document.querySelector('.review-below button')")
    await page.look(360, 740, dark=True, still=True)
    await page.run("document.querySelector('.review-below button').click()")
    await page.until(f"{_NAME} === 'Half and half' && {_FULL}")
    assert await page.run("document.querySelector('.review').scrollWidth") <= 360
    assert await page.run("document.querySelector('.review-acts button').getBoundingClientRect().height") >= 44
    assert page.complaints == []
