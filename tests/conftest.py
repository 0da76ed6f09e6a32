"""The real parts that tests run against: PostgreSQL, RabbitMQ and an object store, started once."""

import os
import shutil
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


MEMORY = Path("/dev/shm")  # noqa: S108 - pytest makes a folder in it that is nobody else's
ROOM_BYTES = 4 * 1024**3
"""More than the servers of two workers have ever left behind."""


def pytest_configure() -> None:
    """Keep all that tests write in memory, where there is room for it.

    The servers make as sure of their disk as they are shipped to, and do not wait for one: what tests end, freeze and
    kill are processes, and memory survives these as a disk does.
    """
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ROOM_BYTES:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


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
