"""A process that is killed from outside, as a machine without memory does, says nothing about the file that it read."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest

from shared.errors import Refused, TryAgain
from shared.sandbox import Killed, Sandbox
from tests.shared import hostile_functions as hostile


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(processes=1, memory_bytes=256_000_000, seconds=30) as sandbox:
        yield sandbox


async def test_a_file_whose_reader_was_killed_is_read_again_later(sandbox: Sandbox) -> None:
    (child,) = sandbox._children
    reading = asyncio.create_task(sandbox.run(hostile.burn, b""))
    while not child.calls:
        await asyncio.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    with pytest.raises(TryAgain) as told:
        await reading
    assert isinstance(told.value, Killed)
    assert told.value.code == "sandbox_unavailable"
    assert "killed" in told.value.sentence
    facts, _ = await sandbox.run(hostile.echo, b"next")
    assert facts["size_bytes"] == 4


async def test_a_file_that_makes_its_reader_hang_up_is_refused_as_ever(sandbox: Sandbox) -> None:
    """That we kill what has hung up and lives on is not the doing of anybody else."""
    with pytest.raises(Refused) as told:
        await sandbox.run(hostile.hang_up, b"")
    assert told.value.code == "decoder_crashed"
