"""One real stack of servers, shared by the tests that leave it whole."""

from collections.abc import AsyncIterator

import pytest

from deploy.local.stack import Stack


@pytest.fixture(scope="session")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with Stack(tmp_path_factory.mktemp("state") / "servers", services=()) as stack:
        yield stack
