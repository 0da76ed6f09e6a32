"""A running gateway, and clients who speak to it."""

from collections.abc import AsyncIterator

import pytest

from tests.gateway.living import Client, Gateway, gateway_settings
from tests.living import House


@pytest.fixture
async def gateway(house: House) -> AsyncIterator[Gateway]:
    """A gateway that is well, in an empty house."""
    async with Gateway(gateway_settings(house.servers)) as gateway:
        await gateway.until_well()
        yield gateway


@pytest.fixture
async def ann(gateway: Gateway) -> AsyncIterator[Client]:
    """A user of the gateway."""
    async with gateway.client("ann") as client:
        yield client


@pytest.fixture
async def bob(gateway: Gateway) -> AsyncIterator[Client]:
    """Another user, who has nothing to do with the first."""
    async with gateway.client("bob") as client:
        yield client


@pytest.fixture
async def oz(gateway: Gateway) -> AsyncIterator[Client]:
    """An operator."""
    async with gateway.client("oz", roles=("operator",)) as client:
        yield client
