"""Who comes in, and what stays outside."""

from tests.gateway.browser import Page
from tests.gateway.dashboard.conftest import enter
from tests.gateway.dashboard.pictures import show_picture
from tests.gateway.living import Client, Gateway

_SIGN_IN = """(token) => {
    document.querySelector('#token').value = token;
    document.querySelector('.door-form').requestSubmit();
}"""


async def test_a_token_in_the_address_opens_the_door_and_is_cleaned_away(page: Page, gateway: Gateway) -> None:
    await enter(page, gateway)
    assert await page.run("location.href") == f"{gateway.url}/"
    assert await page.run("document.querySelector('#token')") is None
    assert gateway.token("ann")[:20] not in await page.run("document.documentElement.outerHTML")


async def test_without_a_token_one_is_asked_for(page: Page, gateway: Gateway) -> None:
    await page.open(gateway.url)
    await page.until("document.activeElement.id === 'token'")
    await page.run(f"({_SIGN_IN})('{gateway.token('ann')}')")
    await page.until("document.querySelector('.empty')")


async def test_a_token_that_is_refused_is_told_with_its_reason(page: Page, gateway: Gateway) -> None:
    await page.open(f"{gateway.url}/#token=nonsense")
    told = await page.until("document.querySelector('.door .problem')?.innerText")
    assert "token_" in told
    assert "trace" in told
    assert await page.run("sessionStorage.length") == 0


async def test_what_pages_say_of_their_pictures_is_never_markup(board: Page, gateway: Gateway, ann: Client) -> None:
    title = "<img src=x onerror=\"document.title='broken in'\"><b>bold</b>"
    shown = await show_picture(gateway, ann, title=title)
    tile = f".tile[data-image='{shown.image_id}']"
    assert await board.until(f'document.querySelector("{tile} .tile-title")?.textContent') == title
    await board.run(f'document.querySelector("{tile} a").click()')
    assert await board.until("document.querySelector('#viewer-title')?.textContent") == title
    assert await board.run("document.querySelectorAll('#viewer-title *, .tile-title *').length") == 0


async def test_the_policy_keeps_the_page_from_asking_anybody_else(page: Page, gateway: Gateway) -> None:
    await enter(page, gateway)
    assert page.complaints == []
    outcome = await page.run("fetch('http://127.0.0.1:1/').then(() => 'answered', (error) => error.name)")
    assert outcome == "TypeError"
    assert any("Content Security Policy" in complaint for complaint in page.complaints)


async def test_text_cannot_become_markup_or_code_even_by_mistake(page: Page, gateway: Gateway) -> None:
    await enter(page, gateway)
    assert page.complaints == []
    for mistake in ("document.body.innerHTML = '<b>x</b>'", "document.createElement('script').text = 'x'"):
        outcome = await page.run(f"(() => {{ try {{ {mistake}; return 'done'; }} catch (e) {{ return e.name; }} }})()")
        assert outcome == "TypeError"
