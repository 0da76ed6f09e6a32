"""A token comes from a terminal, a chat or a header, and what comes along with it keeps nobody out in the dark."""

import json

import pytest

from tests.gateway.browser import Page
from tests.gateway.living import Gateway

_LIVE = "document.querySelector('#connection')?.dataset.state === 'live'"
_SIGN_IN = """(token) => {
    document.querySelector('#token').value = token;
    document.querySelector('.door-form').requestSubmit();
}"""


async def _paste(page: Page, gateway: Gateway, token: str) -> None:
    await page.open(gateway.url)
    await page.until("document.activeElement.id === 'token'")
    await page.run(f"({_SIGN_IN})({json.dumps(token)})")


@pytest.mark.parametrize("pasted", ["Bearer {}", " {}\u200b", '"{}"', "{} \n", "\ufeff{}", "Authorization: Bearer {}"])
async def test_what_is_copied_along_with_a_token_is_left_out(page: Page, gateway: Gateway, pasted: str) -> None:
    await _paste(page, gateway, pasted.format(gateway.token("ann")))
    await page.until(_LIVE)


async def test_a_token_that_a_terminal_has_broken_in_two_is_put_together(page: Page, gateway: Gateway) -> None:
    token = gateway.token("ann")
    await _paste(page, gateway, f"{token[:40]} {token[40:]}")
    await page.until(_LIVE)


@pytest.mark.parametrize("address", [False, True])
async def test_a_token_that_was_copied_in_part_is_told_and_not_a_gateway_that_is_away(
    page: Page, gateway: Gateway, *, address: bool
) -> None:
    token = f"{gateway.token('ann')[:20]}…"
    if address:
        await page.open(f"{gateway.url}/#token={token}")
    else:
        await _paste(page, gateway, token)
    told = await page.until("document.querySelector('.door .problem')?.innerText")
    assert "“…”" in told
    assert "token_malformed" in told
    assert await page.run("document.querySelector('#offline').checkVisibility()") is False
    assert await page.run("sessionStorage.length") == 0


async def test_a_door_to_which_nothing_was_brought_says_so(page: Page, gateway: Gateway) -> None:
    await _paste(page, gateway, "   ")
    assert await page.run("document.querySelector('#token').validationMessage")
    assert await page.run("document.querySelector('#token').checkValidity()") is False
