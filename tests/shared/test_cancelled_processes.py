"""A cancelled job leaves no process behind, whatever the process is busy with and whatever it has started itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from contracts.jobs import CancelJob
from contracts.media import FetchMedia
from shared.jobs import Job
from shared.sandbox import Sandbox
from tests.living import House, until
from tests.shared.chores import fetch, is_in
from tests.shared.hostile_functions import burn, have_child_and_sleep
from tests.shared.test_sandbox import members_of_group

CANCEL_SECONDS = 3


@asynccontextmanager
async def a_worker(house: House, function: Any) -> AsyncIterator[int]:
    """Run a worker whose jobs call a function in a confined process; give the number of the process's group."""

    async def work(_job: Job[FetchMedia], sandbox: Sandbox) -> None:
        await sandbox.run(function, b"")

    async with (
        Sandbox(processes=1, memory_bytes=2**28, seconds=60) as sandbox,
        house.worker("media", works={FetchMedia: work}, crafts={"sandbox": sandbox}, grace_seconds=2.5),
    ):
        [child] = sandbox._children
        yield child.pid


@pytest.mark.parametrize(("function", "processes"), [(burn, 1), (have_child_and_sleep, 2)])
async def test_a_cancel_ends_the_work_and_its_whole_process_group(house: House, function: Any, processes: int) -> None:
    command = fetch()

    async def at_work() -> bool:
        return members_of_group(group) == processes and await is_in(house, "in_progress", command)

    async def gone() -> bool:
        return members_of_group(group) == 0 and await is_in(house, "cancelled", command)

    async with a_worker(house, function) as group:
        await house.say(command)
        await until(at_work)
        await house.say(CancelJob(addressee="all", job_id=command.job_id, cancelled_by="somebody"))
        await until(gone, seconds=CANCEL_SECONDS)


async def test_without_a_cancel_the_work_would_go_on(house: House) -> None:
    command, other = fetch(), fetch()

    async def at_work() -> bool:
        return members_of_group(group) == 2 and await is_in(house, "in_progress", command)

    async def gone() -> bool:
        return members_of_group(group) == 0

    async with a_worker(house, have_child_and_sleep) as group:
        await house.say(command)
        await until(at_work)
        await house.say(CancelJob(addressee="all", job_id=other.job_id, cancelled_by="somebody"))
        with pytest.raises(TimeoutError):
            await until(gone, seconds=CANCEL_SECONDS)
        assert await at_work()
