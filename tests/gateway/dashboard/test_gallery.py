"""Pictures appear by themselves, with how far they are."""

import pytest

from contracts.scraper import ImageContext
from tests.gateway.browser import Page
from tests.gateway.dashboard.pictures import show_maps, show_picture
from tests.gateway.living import Client, Gateway
from tests.gateway.sayings import media_stored

_LOADED = "document.querySelectorAll('.tile-picture[data-loaded]').length"
_TITLES = "[...document.querySelectorAll('.tile-title')].map((title) => title.textContent)"
_STEPS = "[...document.querySelectorAll('.tile .step')].map((step) => step.title)"


async def test_an_empty_gallery_says_what_to_do_and_does_it(board: Page, ann: Client) -> None:
    await board.run("document.querySelector('.empty input[value=draw]').click()")
    await board.run("document.querySelector('.empty textarea').value = 'a lighthouse in the fog'")
    await board.run("document.querySelector('.empty form').requestSubmit()")
    await board.until("document.querySelector('.job')?.innerText.includes('a lighthouse in the fog')")
    (job,) = (await ann.get("/jobs")).body["items"]
    assert job["kind"] == "image_generation.generate_image.v1"


async def test_a_refused_request_is_told_with_its_code_and_trace(board: Page) -> None:
    await board.run("document.querySelector('.empty input[value=store]').click()")
    await board.run("document.querySelector('.empty input[name=url]').value = 'ftp://example.org/a.jpg'")
    await board.run("document.querySelector('.empty form').requestSubmit()")
    told = await board.until("document.querySelector('.empty .problem')?.innerText")
    assert "only http and https URLs are fetched" in told
    assert "validation_failed" in told
    assert "trace" in told
    # A browser reports every answer that is no success; this one was asked for.
    assert [complaint for complaint in board.complaints if "422" not in complaint] == []
    board.complaints.clear()


async def test_a_picture_appears_when_it_is_stored_and_its_steps_follow(
    board: Page, gateway: Gateway, ann: Client
) -> None:
    shown = await show_picture(gateway, ann, mapped=False)
    await board.until(f"{_LOADED} === 1")
    assert await board.run(_STEPS) == [
        "Stored: done",
        "Described: done",
        "Depth map: waiting",
        "Edge map: waiting",
    ]
    await show_maps(gateway, ann, shown)
    await board.until(f"{_STEPS}.join().includes('Depth map: done')")
    assert await board.run("document.querySelectorAll('.tile').length") == 1
    colour = "getComputedStyle(document.querySelector('.palette').lastChild).backgroundColor"
    assert await board.run(colour) == "rgb(0, 0, 255)"


async def test_the_gallery_shows_depth_over_its_pictures(board: Page, gateway: Gateway, ann: Client) -> None:
    await show_picture(gateway, ann)
    await board.until(f"{_LOADED} === 1")
    clip = "getComputedStyle(document.querySelector('.tile-over')).clipPath"
    assert await board.run(clip) == "inset(0px 0px 0px 100%)"
    await board.run("document.querySelector('input[value=depth]').click()")
    await board.until("document.querySelector('.tile-over').naturalWidth > 0")
    assert await board.until(f"({clip}).startsWith('inset(0px') && !({clip}).includes('100%')")


async def test_pages_follow_when_the_end_is_near(board: Page, gateway: Gateway, ann: Client) -> None:
    titles = await _show_more_than_a_page(gateway, ann)
    await board.run("window.isOld = true; location.reload()")
    await board.until("!window.isOld && document.querySelectorAll('.tile').length === 60")
    await board.until(
        "(scrollTo(0, document.documentElement.scrollHeight), document.querySelectorAll('.tile').length === 61)"
    )
    assert await board.run(_TITLES) == titles


async def test_pages_follow_until_a_tall_screen_is_full(board: Page, gateway: Gateway, ann: Client) -> None:
    titles = await _show_more_than_a_page(gateway, ann)
    await board.look(1_280, 12_000)
    await board.run("window.isOld = true; location.reload()")
    await board.until("!window.isOld && document.querySelectorAll('.tile').length === 61")
    assert await board.run(_TITLES) == titles


async def test_what_somebody_says_of_a_picture_of_a_later_page_does_not_make_it_new(
    board: Page, gateway: Gateway, ann: Client
) -> None:
    titles = await _show_more_than_a_page(gateway, ann)
    await board.run("window.isOld = true; location.reload()")
    await board.until("!window.isOld && document.querySelectorAll('.tile').length === 60")
    await board.until("document.querySelector('#connection')?.dataset.state === 'live'")
    await board.run(
        "new MutationObserver(() => (window.said = (window.said ?? '') + document.querySelector('#news').textContent))"
        ".observe(document.querySelector('#news'), { childList: true })"
    )
    oldest = (await ann.get("/images", params={"limit": "200"})).body["items"][-1]
    assert oldest["title"] == titles[-1] == "Picture 0"
    await ann.send("PATCH", f"/api/v1/images/{oldest['id']}", json={"tags": ["sea"]})
    await board.until(f"performance.getEntriesByType('resource').some(({{ name }}) => name.endsWith('{oldest['id']}'))")
    await show_picture(gateway, ann, title="Newest", mapped=False)
    await board.until(f"{_TITLES}[0] === 'Newest'")
    await board.until("window.said?.includes('Newest')")
    assert "Picture 0" not in await board.run("window.said")
    assert await board.run(_TITLES) == ["Newest", *titles[:-1]]


async def test_a_new_picture_that_is_deleted_before_it_is_shown_is_offered_no_more(
    board: Page, gateway: Gateway, ann: Client
) -> None:
    await _show_more_than_a_page(gateway, ann)
    await board.run("window.isOld = true; location.reload()")
    await board.until("!window.isOld && document.querySelectorAll('.tile').length === 60")
    await board.until("document.querySelector('#connection')?.dataset.state === 'live'")
    await board.run("scrollTo(0, 400)")
    shown = await show_picture(gateway, ann, title="Newest", mapped=False)
    fresh = "document.querySelector('.is-fresh')"
    await board.until(f"!{fresh}.hidden && {fresh}.innerText.includes('1 new picture')")
    await ann.send("DELETE", f"/api/v1/images/{shown.image_id}")
    await board.until(f"{fresh}.hidden")
    board.complaints.clear()  # a browser reports that the picture is not found any more


async def test_a_gallery_counts_what_is_left_when_a_picture_is_deleted(
    board: Page, gateway: Gateway, ann: Client
) -> None:
    for title in ("One", "Other"):
        shown = await show_picture(gateway, ann, title=title, mapped=False)
    await board.until("document.querySelector('.gallery-below').innerText.startsWith('2 pictures')")
    await ann.send("DELETE", f"/api/v1/images/{shown.image_id}")
    await board.until("document.querySelectorAll('.tile').length === 1")
    await board.until("document.querySelector('.gallery-below').innerText.startsWith('1 picture,')")
    board.complaints.clear()  # as above


async def _show_more_than_a_page(gateway: Gateway, ann: Client) -> list[str]:
    """Have one picture more than a page holds, and give their titles, the newest first."""
    first = await show_picture(gateway, ann, title="Picture 0", mapped=False)
    more = [
        media_stored(
            first.fetch,
            sha256=f"{number:064x}",
            renditions=first.stored.renditions,
            context=ImageContext(title=f"Picture {number}"),
        )
        for number in range(1, 61)
    ]
    await gateway.hear(*more)
    return [f"Picture {number}" for number in reversed(range(61))]


@pytest.mark.parametrize("dark", [False, True])
async def test_a_phone_shows_one_part_at_a_time_and_nothing_that_is_too_wide(
    board: Page, gateway: Gateway, ann: Client, dark: bool
) -> None:
    await board.look(360, 740, dark=dark)
    await show_picture(gateway, ann, title="A title that has no room on such a small screen, by no means at all")
    await board.until(f"{_LOADED} === 1")
    shown = "['.pictures', '.work-panel'].map((part) => document.querySelector(part).checkVisibility())"
    assert await board.run(shown) == [True, False]
    assert await board.run("document.documentElement.scrollWidth") == 360
    await board.run("document.querySelector('.views button:last-child').click()")
    assert await board.run(shown) == [False, True]
    assert await board.run("document.documentElement.scrollWidth") == 360
    paper = await board.run("getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).map(Number)")
    assert (max(paper) < 60) is dark
