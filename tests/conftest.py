"""The real parts that tests run against: PostgreSQL, RabbitMQ and an object store, started once."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.local.stack import Stack
from tests.living import House

FLOORS = (
    "house",
    "contracts",
    "image_generation",
    "depth_map",
    "scraper",
    "media",
    "shared",
    "gateway",
    "deploy",
    "journeys",
    "reliability",
)
"""The quick ones first: what is wrong in one room should be known before whole stacks are started."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the floors in their order, and each as it was collected."""
    items.sort(key=lambda item: FLOORS.index(item.path.relative_to(Path(__file__).parent).parts[0]))


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
