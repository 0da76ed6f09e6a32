"""With a confined process ends all that it has started, also what would lead a session of its own."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.errors import Refused, TryAgain
from shared.sandbox import Sandbox
from tests.shared import hostile_functions as hostile
from tests.shared.test_sandbox import until


def sleepers(seconds: str) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if words == f"sleep\0{seconds}\0".encode():
            found.append(int(process.name))
    return found


@pytest.fixture
def seconds() -> Iterator[str]:
    """Give a time to sleep that nobody else sleeps, and leave nobody who does."""
    seconds = str(600_000 + os.getpid())
    yield seconds
    for runaway in sleepers(seconds):
        os.kill(runaway, signal.SIGKILL)


async def flown(seconds: str, *, confined: bool) -> None:
    """Have a call start a sleeper that flees, and take too long."""
    async with Sandbox(processes=1, memory_bytes=200_000_000, seconds=1.0, confined=confined) as sandbox:
        with pytest.raises((Refused, TryAgain)) as ended:
            await sandbox.run(hostile.flee, b"", seconds=seconds)
        assert ended.value.code == "takes_too_long"


async def test_what_would_leave_its_group_is_killed_with_it(seconds: str) -> None:
    await flown(seconds, confined=True)
    await until(lambda: sleepers(seconds) == [])


async def test_what_is_not_kept_from_leaving_lives_on(seconds: str) -> None:
    """The control: whoever kills a group ends nobody who has left it."""
    await flown(seconds, confined=False)
    await until(lambda: len(sleepers(seconds)) == 1)
