"""What tests of drawing have at hand."""

from collections.abc import AsyncIterator

import pytest

from tests.image_generation.ateliers import ModelsLabServer, opened
from tests.image_generation.painters import Painter
from tests.image_generation.shift import Shift
from tests.living import House


@pytest.fixture
async def painter() -> AsyncIterator[Painter]:
    return Painter()


@pytest.fixture
async def server() -> AsyncIterator[ModelsLabServer]:
    """ModelsLab's; tests of other providers have their own."""
    async with ModelsLabServer() as server:
        yield server


@pytest.fixture
async def shift(house: House, server: ModelsLabServer) -> AsyncIterator[Shift]:
    async with opened(server, most_in_flight=500, price_usd="0.04") as providers:
        yield Shift(house, {provider.name: provider for provider in providers})
