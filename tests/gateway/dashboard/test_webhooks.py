"""Webhooks are looked after: tested, read about, told again, and signed anew."""

import pytest

from tests.gateway.browser import Page
from tests.gateway.dashboard.panels import DIALOG, ROWS, TOLD, act, go, rows
from tests.gateway.live.conftest import other_receiver, receiver, teller  # noqa: F401 - fixtures
from tests.gateway.live.receiving import webhook
from tests.gateway.living import Client, Gateway
from tests.shared.strangers import Stranger


@pytest.fixture
async def gateway(teller: Gateway) -> Gateway:  # noqa: F811
    return teller


async def test_webhooks_are_tested_told_again_and_signed_anew(
    office: Page,
    oz: Client,
    receiver: Stranger,  # noqa: F811
) -> None:
    hook = await webhook(oz, receiver, event_types=["job.*"])
    await go(office, "webhooks")
    [told] = await rows(office, count=1)
    for word in ("Active", hook["url"], "job.*"):
        assert word in told
    await act(office, "test")
    await office.until("document.querySelector('.toast a')")
    await go(office, "webhooks", open=hook["id"])
    await office.until(f"{ROWS}.length === 1 && {ROWS}[0].startsWith('Delivered ping')")
    await act(office, "resend")
    await receiver.until(lambda: len(receiver.asked) == 2)
    assert len({asked.headers["webhook-id"] for asked in receiver.asked}) == 1
    await act(office, "open")
    body = await office.until("document.querySelector('[aria-label=\"What is sent\"]')?.textContent")
    assert '"sent_by": "oz"' in body

    await go(office, "webhooks")
    await act(office, "rotate")
    # Another dialog follows at once, which shows the secret.
    await office.until(f"{DIALOG}?.querySelector('.is-primary')")
    await office.run(f"{DIALOG}.querySelector('.is-primary').click()")
    secret = await office.until("document.querySelector('.secret')?.textContent")
    assert secret.startswith("whsec_")
    assert secret != hook["secret"]
    await office.run(f"{DIALOG}.querySelector('.button').click()")
    await office.until(f"{TOLD}.includes('Two secrets sign')")
    assert "whsec_" not in await office.run("document.documentElement.outerHTML")
    await act(office, "switch")
    await office.until(f"{ROWS}[0].startsWith('Switched off')")
    assert (await oz.get(f"/webhooks/{hook['id']}")).body["active"] is False
