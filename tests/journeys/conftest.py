"""A whole house at work: three servers and five services as real processes, a web site beside it, and its visitors."""

import shutil
from collections.abc import AsyncIterator

import pytest

from deploy.database import WORKERS
from deploy.local.servers import Outside
from deploy.local.stack import Stack
from deploy.local.state import read_state
from tests.journeys.end_state import until_quiet
from tests.journeys.gallery import Gallery
from tests.journeys.visitors import Visitor, visiting

QUICK = {
    worker: {"LEASE_SECONDS": "4", "HEARTBEAT_SECONDS": "1", "GRACE_SECONDS": "4"}
    for worker in WORKERS
    if worker != "image_generation"
}
"""Losses are noticed sooner than in production, by the same rules; one worker keeps the defaults."""


@pytest.fixture(scope="session")
async def whole_stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with Stack(tmp_path_factory.mktemp("house"), service_environment=QUICK) as stack:
        yield stack


@pytest.fixture
async def stack(whole_stack: Stack) -> AsyncIterator[Stack]:
    """The house with one process of each service, quiet before and after."""
    await until_quiet(whole_stack)
    yield whole_stack
    await until_quiet(whole_stack)


@pytest.fixture
async def twin(stack: Stack, gallery: Gallery, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A second process of each service, on the servers of the first ones."""
    directory = tmp_path_factory.mktemp("twin")
    shutil.copy(stack.directory / "secrets.json", directory)
    servers = Outside(
        database_admin_url=stack.database_admin_url, rabbitmq_url=stack.rabbitmq_url, object_store=stack.object_store
    )
    # The first house's site is at the one address that may be fetched; the twin would allow another one.
    site = {"OUTBOUND_ALLOW": gallery.address.removeprefix("http://")}
    environment = {worker: {**QUICK.get(worker, {}), **site} for worker in WORKERS}
    async with Stack(directory, outside=servers, service_environment=environment) as twin:
        yield twin


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
