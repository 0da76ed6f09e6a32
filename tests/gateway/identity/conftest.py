"""One gateway for each module, whose users sign in with a secret, with published keys, and locally.

Nothing here outlives a request but rows, so that a test needs no gateway and no house of its own: only those rows gone.
"""

from collections.abc import AsyncIterator

import pytest

from deploy.local.stack import Stack
from tests.gateway.identity.attacks import PUBLISHED
from tests.gateway.identity.forging import LOCAL_SECRET, SECRET, SUPABASE, KeyServer
from tests.gateway.living import Gateway, gateway_settings
from tests.living import House


@pytest.fixture(scope="module")
async def key_server() -> AsyncIterator[KeyServer]:
    """Where the issuer publishes its keys."""
    async with KeyServer(*PUBLISHED).serving() as server:
        yield server


@pytest.fixture(scope="module")
async def building(servers: Stack) -> AsyncIterator[House]:
    """A house that was empty when the module began."""
    async with House(servers) as house:
        yield house


@pytest.fixture(scope="module")
async def door(building: House, key_server: KeyServer) -> AsyncIterator[Gateway]:
    """A gateway with every kind of users."""
    settings = gateway_settings(
        building.servers,
        secret_key=LOCAL_SECRET,
        supabase_url=SUPABASE,
        supabase_jwt_secret=SECRET,
        supabase_jwks_url=key_server.url,
    )
    async with Gateway(settings) as gateway:
        await gateway.until_well()
        yield gateway


@pytest.fixture
async def house(building: House) -> House:
    """The same house without the rows of the tests before."""
    for table in ("api_keys", "tickets", "jobs", "events", "idempotency_keys", "projects"):
        await building.admin.execute(f"DELETE FROM gateway.{table}")
    return building


@pytest.fixture
async def gateway(house: House, door: Gateway) -> Gateway:
    """The same gateway, in front of that house."""
    assert house.servers
    return door
