"""The real parts that tests run against: PostgreSQL, RabbitMQ and an object store, started once."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.local.stack import Stack
from tests.living import House


@pytest.fixture(scope="session")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """Three servers and every schema, without any service."""
    directory: Path = tmp_path_factory.mktemp("servers")
    async with Stack(directory, services=()) as stack:
        await stack.prepare_database()
        yield stack


@pytest.fixture
async def house(servers: Stack) -> AsyncIterator[House]:
    """An empty house: no rows, no messages, nobody at work."""
    async with House(servers) as house:
        yield house
