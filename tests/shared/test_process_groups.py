"""A program is gone with all that it started, also where whoever starts it is cancelled before it knows of it."""

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

from shared.process_groups import running
from tests.living import until

END_SECONDS = 3
LINE_LIMIT_BYTES = 1024
FORKS = (
    "import os, sys, time\n"
    "other = os.fork()\n"
    "other and open(sys.argv[1], 'w').write(f'{os.getpid()} {other} ')\n"
    "time.sleep(600)"
)


def pids_in(told: Path) -> list[int]:
    return [int(pid) for pid in told.read_text().split()] if told.exists() else []


def lives(pid: int) -> bool:
    """Tell whether a process is there and no zombie, which waits for nobody but us."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_here_for_two(told: Path) -> None:
    """Wait with the loop standing still, so that whoever starts the program is where it was."""
    deadline = time.monotonic() + 30
    while len(pids_in(told)) < 2 and time.monotonic() < deadline:
        os.sched_yield()


@pytest.mark.parametrize("turns", range(2, 10))
async def test_a_cancel_while_a_program_is_started_ends_all_that_it_started(tmp_path: Path, turns: int) -> None:
    told = tmp_path / "pids"

    async def run() -> None:
        async with running([sys.executable, "-c", FORKS, str(told)], {}, LINE_LIMIT_BYTES):
            await asyncio.sleep(600)

    starting = asyncio.create_task(run())
    for _ in range(turns):
        await asyncio.sleep(0)
    wait_here_for_two(told)

    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(END_SECONDS):
            await starting
    pids = pids_in(told)
    assert len(pids) == 2
    await until(lambda: asyncio.sleep(0, not any(map(lives, pids))))


async def test_a_program_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        async with running([str(tmp_path / "missing")], {}, LINE_LIMIT_BYTES):
            pass
