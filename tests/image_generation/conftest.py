"""What tests of drawing have at hand."""

from collections.abc import AsyncIterator

import pytest

from tests.image_generation.painters import Painter


@pytest.fixture
async def painter() -> AsyncIterator[Painter]:
    return Painter()
