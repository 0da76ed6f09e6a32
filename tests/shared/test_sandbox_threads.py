"""What works in many threads may use more of the processors, but takes no longer."""

import time

import pytest

from shared.errors import Refused
from shared.sandbox import Sandbox
from tests.shared import hostile_functions as hostile


def of_many_threads(seconds: float) -> Sandbox:
    return Sandbox(processes=1, memory_bytes=200_000_000, seconds=seconds, threads=16)


async def test_a_call_that_stands_still_is_killed_as_soon_as_one_of_a_single_thread() -> None:
    async with of_many_threads(1.0) as sandbox:
        started = time.monotonic()
        with pytest.raises(Refused, match="takes_too_long"):
            await sandbox.run(hostile.sleep, b"")
        assert time.monotonic() - started < 5


@pytest.mark.usefixtures("unhurried")
async def test_processor_time_is_that_of_all_threads_together() -> None:
    async with of_many_threads(2.0) as sandbox:
        used = (await sandbox.run(hostile.labour, b"", until=0))[0]["seconds"]
        assert (await sandbox.run(hostile.labour, b"", until=used + 2.4))[0]["seconds"] >= used + 2.4
