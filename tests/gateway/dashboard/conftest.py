"""A browser before the gateway's dashboard."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.gateway.browser import BINARY, Page, browsing
from tests.gateway.living import Gateway


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    """An empty tab."""
    if BINARY is None:
        pytest.skip("no Chromium is on the path: `apt-get install chromium` brings one")
    async with browsing(tmp_path / "profile") as page:
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
