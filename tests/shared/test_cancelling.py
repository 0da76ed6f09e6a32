"""A cancel ends exactly the job that was named and its descendants, also those not yet born."""

import asyncio
from typing import Any

from contracts.jobs import CancelJob, JobCancelled
from contracts.media import FetchMedia
from shared.identifiers import uuid7
from shared.jobs import Job
from tests.living import House, lineage, until


def fetch(**more: Any) -> FetchMedia:
    return FetchMedia(**lineage(**more), url="http://example.com/a.png")


def cancel(command: FetchMedia) -> CancelJob:
    return CancelJob(addressee="all", job_id=command.job_id, cancelled_by="somebody")


async def states(house: House) -> dict[Any, str]:
    return {row["id"]: row["state"] for row in await house.rows("SELECT id, state FROM media.tasks")}


async def stay(_job: Job[FetchMedia]) -> None:
    await asyncio.Event().wait()


async def test_running_work_is_cancelled_and_its_neighbour_is_not(house: House) -> None:
    doomed, neighbour = fetch(), fetch()
    async with house.worker("media", works={FetchMedia: stay}, grace_seconds=2.5):
        await house.say(doomed)
        await house.say(neighbour)
        await until(lambda: _all(house, {doomed.job_id: "in_progress", neighbour.job_id: "in_progress"}))
        await house.say(cancel(doomed))
        await until(lambda: _all(house, {doomed.job_id: "cancelled", neighbour.job_id: "in_progress"}), seconds=3)
    assert [one.job_id for one in await house.heard() if isinstance(one, JobCancelled)] == [doomed.job_id]


async def test_waiting_work_is_cancelled_at_once(house: House) -> None:
    running, waiting = fetch(), fetch()
    async with house.worker("media", works={FetchMedia: stay}, concurrency=1, grace_seconds=2.5):
        await house.say(running)
        await until(lambda: _all(house, {running.job_id: "in_progress"}))
        await house.say(waiting)
        await until(lambda: _all(house, {running.job_id: "in_progress", waiting.job_id: "pending"}))
        await house.say(cancel(waiting))
        await until(lambda: _all(house, {running.job_id: "in_progress", waiting.job_id: "cancelled"}))


async def test_a_cancel_that_overtakes_its_command_still_holds(house: House) -> None:
    command = fetch()
    async with house.worker("media", works={FetchMedia: stay}):
        await house.say(cancel(command))
        await until(lambda: _tombstones(house))
        await house.say(command)
        await until(lambda: _all(house, {command.job_id: "cancelled"}))
    assert [one.job_id for one in await house.heard() if isinstance(one, JobCancelled)] == [command.job_id]


async def test_children_not_yet_born_are_cancelled_with_their_root(house: House) -> None:
    root = uuid7()
    child = fetch(parent_job_id=uuid7(), root_job_id=root)
    async with house.worker("media", works={FetchMedia: stay}):
        await house.say(CancelJob(addressee="all", job_id=root, cancelled_by="somebody"))
        await until(lambda: _tombstones(house))
        await house.say(child)
        await until(lambda: _all(house, {child.job_id: "cancelled"}))


async def test_work_of_another_process_is_cancelled_by_its_next_heartbeat(house: House) -> None:
    command = fetch()
    async with house.worker("media", works={FetchMedia: stay}, heartbeat_seconds=0.3) as worker:
        await house.say(command)
        await until(lambda: _all(house, {command.job_id: "in_progress"}))
        # Another process of the service has heard the cancel; this one has not.
        await worker.pool.execute("INSERT INTO tombstones (job_id, cancelled_by) VALUES ($1, 'x')", command.job_id)
        await until(lambda: _all(house, {command.job_id: "cancelled"}), seconds=3)


async def _all(house: House, expected: dict[Any, str]) -> bool:
    return await states(house) == expected


async def _tombstones(house: House) -> bool:
    return bool(await house.value("SELECT count(*) FROM media.tombstones"))
