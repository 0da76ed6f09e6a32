"""Pictures are found, a link finds the same, and where nothing comes the page says what to do."""

from typing import Final

from contracts.media import NamedColour
from tests.gateway.browser import Page
from tests.gateway.dashboard.pictures import show_picture
from tests.gateway.living import Client, Gateway
from tests.gateway.search.exhibits import Exhibit, found, leaning, show

_TITLES: Final = "[...document.querySelectorAll('.tile-title')].map((title) => title.textContent).sort().join()"
_FRESH: Final = "(fresh => !fresh.hidden && fresh.innerText)(document.querySelector('.is-fresh'))"
_WRITE: Final = """(name, text) => {
    const input = document.querySelector(`.search [name=${name}]`);
    input.value = text;
    for (const type of ['input', 'change']) input.dispatchEvent(new Event(type, {bubbles: true}));
}"""
_BREAK: Final = """{
    const real = window.fetch;
    window.answers = () => { window.fetch = real; };
    window.fetch = (url, options) =>
        !String(url).includes('/search/images?') ? real(url, options)
        : new Promise((_, reject) => { window.breaks = () => reject(new TypeError('gone')); });
}"""
_GREEN: Final = (NamedColour(hex="#3f9a3a", name="green", share=1.0),)


async def _write(board: Page, name: str, text: str) -> None:
    await board.run(f"({_WRITE})('{name}', '{text}')")


async def _finds(board: Page, *titles: str) -> None:
    await board.until(f"({_TITLES}) === '{','.join(titles)}'")


async def test_a_search_stands_in_the_address_and_a_link_finds_the_same(
    board: Page, gateway: Gateway, ann: Client
) -> None:
    await show_picture(gateway, ann, title="A red barn", mapped=False)
    lake = await show_picture(gateway, ann, title="The green lake", mapped=False, palette=_GREEN)
    await ann.send("PATCH", f"/api/v1/images/{lake.image_id}", json={"tags": ["dusk"]})
    await _finds(board, "A red barn", "The green lake")
    await _write(board, "q", "barn")
    await _finds(board, "A red barn")
    assert await board.run("location.hash") == "#q=barn"
    await _write(board, "q", "")
    await _finds(board, "A red barn", "The green lake")
    await board.run("document.querySelector('.colour[aria-label=Green]').click()")
    await _finds(board, "The green lake")
    await _write(board, "tags", "dusk")
    await _write(board, "source", "example.org")
    await board.until("location.hash.includes('source=example.org')")
    await board.run("window.isOld = true; location.reload()")
    await board.until(f"!window.isOld && ({_TITLES}) === 'The green lake'")
    assert await board.run("document.querySelector('.colour[aria-pressed=true]').title") == "Green"
    chips = await board.run("[...document.querySelectorAll('.chips li')].map((chip) => chip.innerText.trim())")
    assert chips == ["Green", "dusk", "example.org", "Show all pictures"]
    # To open a picture and to close it again leaves the search as it is.
    await board.run("document.querySelector('.tile-link').click()")
    await board.until("document.querySelector('.viewer').open")
    await board.press("Escape", code=27)
    await board.until("!document.querySelector('.viewer').open")
    await _finds(board, "The green lake")
    await board.run("document.querySelector('.chips li:last-child button').click()")
    await _finds(board, "A red barn", "The green lake")
    assert await board.run("location.hash") == ""


async def test_what_changes_meanwhile_is_told_and_not_mixed_into_what_was_found(
    board: Page, gateway: Gateway, ann: Client
) -> None:
    await _write(board, "q", "barn")
    told = await board.until("document.querySelector('.is-narrow')?.innerText")
    assert "No picture is like that" in told
    await show_picture(gateway, ann, title="A red barn", mapped=False)
    assert "1 picture changed since you asked" in await board.until(_FRESH)
    assert await board.run(_TITLES) == ""
    await board.run("document.querySelector('.is-fresh').click()")
    await _finds(board, "A red barn")
    assert await board.run(_FRESH) is False


async def test_a_search_that_is_slow_says_so_and_one_that_breaks_is_tried_again(
    board: Page, gateway: Gateway, ann: Client
) -> None:
    await show_picture(gateway, ann, title="A red barn", mapped=False)
    await board.run(_BREAK)
    await _write(board, "q", "barn")
    assert "longer than usual" in await board.until("document.querySelector('.slow')?.innerText")
    await board.run("(window.breaks(), window.answers())")
    told = await board.until("document.querySelector('.gallery-below .problem')?.innerText")
    assert "The gateway does not answer" in told
    await board.run("document.querySelector('.gallery-below .problem button').click()")
    await _finds(board, "A red barn")


async def test_a_picture_leads_to_its_colours_its_tags_and_what_is_like_it(
    board: Page, gateway: Gateway, ann: Client
) -> None:
    await show_picture(gateway, ann, title="A red barn", mapped=False, perceptual_hash="ab" * 8)
    copy = await show_picture(gateway, ann, title="A copy", mapped=False, perceptual_hash="ab" * 8)
    await show_picture(gateway, ann, title="The lake", mapped=False, palette=_GREEN, perceptual_hash="54" * 8)
    await _finds(board, "A copy", "A red barn", "The lake")
    await board.run(f"document.querySelector('.tile[data-image=\"{copy.image_id}\"] a').click()")
    await board.until("document.querySelector('.swatch-search')")
    assert "250 \u00d7 125" in await board.run("document.querySelector('.facts').innerText")
    await board.run("document.querySelector('.alike details:last-of-type').open = true")
    same = await board.until("document.querySelector('.alike-list')?.innerText")
    assert "A red barn" in same
    assert "100 %" in same
    await board.run("document.querySelector('.tag-form input').value = 'Dusk, barns'")
    await board.run("document.querySelector('.tag-form').requestSubmit()")
    await board.until("document.querySelector('.tag-status').innerText.includes('Tagged: Dusk, barns')")
    assert sorted((await ann.get(f"/images/{copy.image_id}")).body["tags"]) == ["barns", "dusk"]
    await board.run("document.querySelector('.is-gone').click()")
    await board.until("document.querySelectorAll('.tag-list li').length === 1")
    assert len((await ann.get(f"/images/{copy.image_id}")).body["tags"]) == 1
    await ann.send("PATCH", f"/api/v1/images/{copy.image_id}", json={"tags": ["theirs"]})
    await board.until("document.querySelector('.tag-list').innerText.includes('theirs')")
    await board.run("document.querySelector('.is-tag').click()")
    await _finds(board, "A copy")
    assert await board.run("document.querySelector('.viewer').open") is False
    await board.run(f"document.querySelector('.tile[data-image=\"{copy.image_id}\"] a').click()")
    await board.until("document.querySelector('.swatch-search')?.click() ?? location.hash.includes('color')")
    await _finds(board, "A copy", "A red barn")


async def test_a_copy_that_its_group_does_not_show_is_not_said_to_be_alone(
    board: Page, gateway: Gateway, ann: Client
) -> None:
    first = await show_picture(gateway, ann, title="First", mapped=False)
    copy = Exhibit("Copy", vector=leaning(1.0), perceptual_hash="c3d4e5f60718293a")
    await show(gateway, first.fetch, *[copy] * 11)
    (group,) = [one for one in await found(ann, "/search/images/duplicates") if one["total"] > len(one["images"])]
    listed = {image["id"] for image in group["images"]}
    images = (await ann.get("/images", params={"limit": "50"})).body["items"]
    hidden = next(image["id"] for image in images if image["title"] == "Copy" and image["id"] not in listed)
    await board.run(f"location.hash = '#image={hidden}'")
    await board.until("document.querySelector('#viewer-title')?.textContent === 'Copy'")
    await board.run("document.querySelector('.alike details:last-of-type').open = true")
    told = await board.until(
        "(hint => hint && !hint.startsWith('Looking') && hint)"
        "(document.querySelector('.alike details:last-of-type .hint')?.textContent)"
    )
    assert told.startswith("There are more copies"), told
    board.complaints.clear()  # a browser reports that no file lies where these pictures are said to
