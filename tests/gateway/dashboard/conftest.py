"""A browser before the gateway's dashboard."""

from collections.abc import AsyncIterator

import pytest

from tests.gateway.browser import BINARY, Page, running, visiting
from tests.gateway.living import Gateway


@pytest.fixture(scope="module")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A browser that everybody uses after the other, and in which nobody finds anything of anybody."""
    if BINARY is None:
        pytest.skip("no Chromium is on the path: `apt-get install chromium` brings one")
    async with running(tmp_path_factory.mktemp("browser")) as address:
        yield address


@pytest.fixture
async def page(browser: str) -> AsyncIterator[Page]:
    """An empty tab."""
    async with visiting(browser) as page:
        await page.look(1280, 900, still=True)
        yield page


@pytest.fixture
async def board(page: Page, gateway: Gateway) -> AsyncIterator[Page]:
    """The dashboard as ann sees it, live; at the end it must not have complained, nor asked anybody else."""
    await enter(page, gateway)
    yield page
    asked_nobody_else(page, gateway)
    assert page.complaints == []


@pytest.fixture
async def office(page: Page, gateway: Gateway) -> AsyncIterator[Page]:
    """The panels as an operator sees them."""
    await enter(page, gateway, "&panel=jobs", token=gateway.token("oz", ("operator",)))
    yield page
    asked_nobody_else(page, gateway)
    assert page.complaints == []


def asked_nobody_else(page: Page, gateway: Gateway) -> None:
    homes = (gateway.url, gateway.settings.s3_endpoint_url, "data:", "blob:", "about:")
    assert [url for url in page.requests if not url.startswith(homes)] == []


async def enter(page: Page, gateway: Gateway, hash_: str = "", *, token: str | None = None) -> None:
    """Come in with the address that `make up` prints, and wait until the page hears what happens."""
    await page.open(f"{gateway.url}/#token={token or gateway.token('ann')}{hash_}")
    await page.until("document.querySelector('#connection')?.dataset.state === 'live'")
    await page.until("document.querySelector('.pictures') && !document.querySelector('[aria-busy], .skeleton')")
