"""A gateway whose webhooks may lead to receivers of the test."""

from collections.abc import AsyncIterator

import pytest

from tests.gateway.living import Gateway, gateway_settings
from tests.living import House
from tests.shared.strangers import Stranger, answer


@pytest.fixture
async def receiver() -> AsyncIterator[Stranger]:
    """A receiver that is content with everything."""
    async with Stranger(otherwise=answer(b"thanks")) as receiver:
        yield receiver


@pytest.fixture
async def other_receiver() -> AsyncIterator[Stranger]:
    async with Stranger(otherwise=answer(b"thanks")) as receiver:
        yield receiver


@pytest.fixture
async def teller(
    house: House, receiver: Stranger, other_receiver: Stranger, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Gateway]:
    """A gateway that may reach these receivers, and looks often for what is due."""
    monkeypatch.setattr("services.gateway.rounds.webhooks.POLL_SECONDS", 0.05)
    allow = frozenset({("127.0.0.1", receiver.port), ("127.0.0.1", other_receiver.port)})
    async with Gateway(gateway_settings(house.servers, outbound_allow=allow)) as gateway:
        await gateway.until_well()
        yield gateway
