"""The object store beside the gateway, without anything that was uploaded before."""

from collections.abc import AsyncIterator

import pytest

from tests.gateway.living import Client, Gateway, gateway_settings
from tests.gateway.uploads.pictures import Shelf
from tests.living import House

NARROW_BYTES = 64 * 1024
"""The most of a file where limits are tried."""


@pytest.fixture
async def shelf(gateway: Gateway, house: House) -> Shelf:
    objects = gateway.parts.uploads._objects
    await objects.ensure_bucket()
    shelf = Shelf(objects, house)
    await shelf.clear()
    return shelf


@pytest.fixture
async def narrow(shelf: Shelf) -> AsyncIterator[Client]:
    """A client of a gateway that takes little."""
    settings = gateway_settings(shelf.house.servers, maximum_upload_bytes=NARROW_BYTES, maximum_body_bytes=NARROW_BYTES)
    async with Gateway(settings) as gateway, gateway.client("ann") as client:
        yield client
