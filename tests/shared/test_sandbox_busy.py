"""Time in which a confined process is given no processor, or nobody listens to it, is not held against its bytes."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from shared.errors import TryAgain
from tests.shared import hostile_functions as hostile
from tests.shared.test_sandbox import a_sandbox, until


async def test_what_is_answered_while_this_process_is_frozen_is_heard() -> None:
    async with a_sandbox(seconds=1.0) as sandbox:
        (child,) = sandbox._children
        call = asyncio.create_task(sandbox.run(hostile.doze, b"", seconds=0.3))

        await until(lambda: not child.usable)
        stand_still(1.5)
        assert (await call)[1] == [b"awake"]


@pytest.mark.usefixtures("unhurried")
async def test_time_without_a_processor_is_not_held_against_a_file() -> None:
    async with a_sandbox(seconds=0.5) as sandbox:
        used = (await sandbox.run(hostile.labour, b"", until=0))[0]["seconds"]
        with crowd_beside(next(iter(sandbox._children)).pid) as leave:
            call = asyncio.create_task(sandbox.run(hostile.labour, b"", until=used + 0.3))
            assert not (await asyncio.wait({call}, timeout=1.0))[0]
            leave()
            await call


async def test_a_machine_that_has_no_time_for_long_is_blamed_for_it() -> None:
    async with a_sandbox(seconds=0.5) as sandbox:
        used = (await sandbox.run(hostile.labour, b"", until=0))[0]["seconds"]
        pid = next(iter(sandbox._children)).pid
        os.setpriority(os.PRIO_PROCESS, pid, 19)  # next to nothing is left to it, however late this process looks
        with crowd_beside(pid), pytest.raises(TryAgain, match="machine_too_busy"):
            await sandbox.run(hostile.labour, b"", until=used + 0.45)


def stand_still(seconds: float) -> None:
    """Let nothing happen in this process meanwhile, as after SIGSTOP."""
    time.sleep(seconds)


@contextmanager
def crowd_beside(pid: int) -> Iterator[Callable[[], None]]:
    """Leave a process little of the one processor that it may use, until the crowd is told to leave."""
    processors = os.sched_getaffinity(pid)
    command = (sys.executable, "-c", "while True: pass")
    crowd = [subprocess.Popen(command, start_new_session=True) for _ in range(8)]  # noqa: S603 - our own words

    def leave() -> None:
        for one in crowd:
            one.kill()
            one.wait()
        os.sched_setaffinity(pid, processors)

    try:
        for member in (pid, *(one.pid for one in crowd)):
            os.sched_setaffinity(member, {min(processors)})
        yield leave
    finally:
        for one in crowd:
            one.kill()
            one.wait()
