"""Whoever has no mouse comes where everybody comes, and loses nothing on the way."""

from tests.gateway.browser import Page
from tests.gateway.dashboard.panels import go
from tests.gateway.dashboard.pictures import show_picture
from tests.gateway.living import Client, Gateway

_SKIP = "document.querySelector('.skip')"
_FOCUSED = "document.activeElement"


async def test_skipping_to_the_pictures_keeps_what_was_searched_for(board: Page, gateway: Gateway, ann: Client) -> None:
    await show_picture(gateway, ann, title="Dusk over hills", mapped=False)
    await board.run("location.hash = 'q=dusk'")
    await board.until("document.querySelector('.chips:not([hidden])') && document.querySelector('.tile')")
    await board.run(f"({_SKIP}.focus(), {_SKIP}.click())")
    await board.until(f"{_FOCUSED}.closest('.pictures')")
    assert await board.run("location.hash") == "#q=dusk"
    assert await board.run("document.querySelector('#search-words').value") == "dusk"


async def test_skipping_in_a_panel_leads_into_the_panel_and_not_out_of_it(office: Page) -> None:
    await go(office, "failures")
    await office.run(f"({_SKIP}.focus(), {_SKIP}.click())")
    await office.until(f"{_FOCUSED}.closest('.office')")
    assert await office.run("location.hash") == "#panel=failures"
    assert await office.run("document.querySelector('.office').checkVisibility()") is True


async def test_skipping_leads_to_what_is_shown_where_only_one_part_has_room(board: Page) -> None:
    await board.look(360, 740, still=True)
    await board.run("document.querySelector('#views button:last-child').click()")
    await board.run(f"({_SKIP}.focus(), {_SKIP}.click())")
    await board.until(f"{_FOCUSED}.closest('.work-panel')")
