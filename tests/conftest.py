"""The real parts that tests run against: PostgreSQL, RabbitMQ and an object store, started once."""

import gc
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from deploy.local.stack import Stack
from shared.database import Pool
from shared.sandbox import process
from tests.living import House, Post, administrating
from tests.sharing_out import place, pytest_xdist_make_scheduler

__all__ = ["pytest_xdist_make_scheduler"]

MEMORY = Path("/dev/shm")  # noqa: S108 - pytest makes a folder in it that is nobody else's
ROOM_BYTES = 4 * 1024**3
"""More than three workers have ever left behind."""

# How long an example takes tells of the machine, and of a busy one nothing about a promise. Before any test is read,
# for what each sets for itself is set beside this.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")


def pytest_configure() -> None:
    """Keep all that tests write in memory, where there is room for it.

    The servers make as sure of their disk as they are shipped to, and do not wait for one: what tests end, freeze and
    kill are processes, and memory survives these as a disk does.
    """
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ROOM_BYTES:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the floors in their order."""
    items.sort(key=lambda item: place(item.path))


def pytest_collection_finish() -> None:
    """Spare the collector of garbage what lasts as long as the run: modules and tests, by now a million objects."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """Three servers and every schema, without any service."""
    directory: Path = tmp_path_factory.mktemp("servers")
    async with Stack(directory, services=()) as stack:
        await stack.prepare_database()
        yield stack


@pytest.fixture(scope="session")
async def admin(servers: Stack) -> AsyncIterator[Pool]:
    """Connections of an administrator, which come back by themselves when a test has killed the database."""
    async with administrating(servers) as admin:
        yield admin


@pytest.fixture(scope="session")
async def post(servers: Stack) -> AsyncIterator[Post]:
    """The way to the broker, which comes back by itself as well."""
    async with Post(servers) as post:
        yield post


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a verdict come of what bytes cost, however little of a processor this machine gives them.

    Where it gives less than a quarter of one, the machine is to blame otherwise, and nothing is said of the bytes.
    """
    monkeypatch.setattr(process, "_PATIENCE", 100)


@pytest.fixture
async def house(servers: Stack, admin: Pool, post: Post) -> AsyncIterator[House]:
    """An empty house: no rows, no messages, nobody at work."""
    async with House(servers, admin, post) as house:
        yield house
