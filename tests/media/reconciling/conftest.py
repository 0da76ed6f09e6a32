"""Media's tables and bucket, with nothing in them."""

from collections.abc import AsyncIterator

import pytest

from shared.database import Pool, open_pool
from shared.objects import ObjectStore
from tests.living import House
from tests.media.reconciling.shelf import keys, spare_the_rest


@pytest.fixture
async def pool(house: House) -> AsyncIterator[Pool]:
    """Media's tables, of whose parts only those are due in which something lies."""
    await spare_the_rest(house)
    pool = await open_pool(house.servers.database_url("media"), size=6, application_name="tests")
    yield pool
    await pool.close()


@pytest.fixture
async def objects(house: House) -> AsyncIterator[ObjectStore]:
    """The bucket, with nothing of media in it."""
    async with house.objects() as objects:
        for key in await keys(objects):
            await objects.delete(key)
        yield objects
