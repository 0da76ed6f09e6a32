"""A whole house at work: three servers and five services as real processes, a web site beside it, and its visitors."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from deploy.database import SERVICES, WORKERS
from deploy.local.stack import Stack
from deploy.local.state import read_state
from tests.journeys.end_state import until_quiet
from tests.journeys.gallery import Gallery
from tests.journeys.visitors import Visitor, visiting

QUICK = {"LEASE_SECONDS": "4", "HEARTBEAT_SECONDS": "1", "GRACE_SECONDS": "4"}
"""Losses are noticed sooner than in production, by the same rules."""


def twin_of(service: str) -> str:
    """Name the second process of a service; it runs only where a journey asks for it."""
    return f"{service}-2"


TWINS = tuple(map(twin_of, SERVICES))


@pytest.fixture(scope="session")
async def whole_stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """The house, with one process of each service at work."""
    quick = dict.fromkeys(WORKERS, QUICK)
    two = dict.fromkeys(SERVICES, 2)
    async with Stack(tmp_path_factory.mktemp("house"), processes=two, service_environment=quick) as stack:
        await asyncio.gather(*(stack.supervisor.hold(twin) for twin in TWINS))
        yield stack


@pytest.fixture
async def stack(whole_stack: Stack) -> AsyncIterator[Stack]:
    """The house, quiet before and after."""
    await until_quiet(whole_stack)
    yield whole_stack
    await until_quiet(whole_stack)


@pytest.fixture
async def pair(stack: Stack) -> AsyncIterator[Stack]:
    """The house with two processes of each service at work."""
    await asyncio.gather(*(stack.supervisor.start_again(twin) for twin in TWINS))
    yield stack
    await asyncio.gather(*(stack.supervisor.hold(twin) for twin in TWINS))


@pytest.fixture(scope="session")
async def gallery(whole_stack: Stack) -> AsyncIterator[Gallery]:
    """A site at the one address on this machine that may be fetched."""
    state = read_state(whole_stack.directory)
    assert state is not None
    async with Gallery(state.urls["sample_site"]).opened() as gallery:
        yield gallery


@pytest.fixture
async def visitor(stack: Stack) -> AsyncIterator[Visitor]:
    async with visiting(stack) as visitor:
        yield visitor
