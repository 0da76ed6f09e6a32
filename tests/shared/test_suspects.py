"""A task of a crashed process runs alone, and no worker stands still for it."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from contracts.jobs import CancelJob, PauseWork
from contracts.media import AcceptUpload, FetchMedia
from shared import isolation
from shared.jobs import Job
from tests.living import House, until
from tests.shared.chores import all_ended, check, do_nothing, fetch, is_in, put, reason_of, upload


class Gate:
    """Work that stays until it is let go; what need not stay passes."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.staying: set[UUID] = set()
        self.stay: set[UUID] = set()
        self.together: dict[UUID, int] = {}
        self.here = 0

    async def __call__(self, job: Job[FetchMedia]) -> None:
        self.here += 1
        self.together[job.id] = self.here
        try:
            if job.id in self.stay:
                self.staying.add(job.id)
                await self.open.wait()
        finally:
            self.here -= 1

    async def holds(self, job_id: UUID) -> bool:
        return job_id in self.staying


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "_PATIENCE_SECONDS", 1.0)
    monkeypatch.setattr(isolation, "_REST_SECONDS", 0.2)


@pytest.mark.usefixtures("quick")
async def test_a_suspect_waits_for_a_long_neighbour_only_for_a_while(house: House) -> None:
    gate, long, suspect, later = Gate(), fetch(), fetch(), fetch()
    gate.stay.add(long.job_id)
    async with house.worker("media", works={FetchMedia: gate}) as worker:
        await house.say(long)
        await until(lambda: gate.holds(long.job_id))
        await put(house, suspect, suspect=True)
        await until(lambda: _is_isolating(worker))
        await put(house, later)
        await until(lambda: is_in(house, "completed", later), seconds=10)
        assert await is_in(house, "in_progress", long)
        gate.open.set()
        await until(lambda: is_in(house, "completed", long, suspect), seconds=10)
    assert gate.together[suspect.job_id] == 1, "it did not run alone"


async def _is_isolating(worker: object) -> bool:
    return bool(worker._runner._isolation.active)  # type: ignore[attr-defined]


async def test_without_an_end_to_the_waiting_the_worker_would_stand_still(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolation, "_PATIENCE_SECONDS", 3600)
    monkeypatch.setattr(isolation, "_LONGEST_PATIENCE_SECONDS", 3600)
    gate, long, suspect, later = Gate(), fetch(), fetch(), fetch()
    gate.stay.add(long.job_id)
    async with house.worker("media", works={FetchMedia: gate}, grace_seconds=9) as worker:
        await house.say(long)
        await until(lambda: gate.holds(long.job_id))
        await put(house, suspect, suspect=True)
        await until(lambda: _is_isolating(worker))
        await put(house, later)
        with pytest.raises(TimeoutError):
            await until(lambda: is_in(house, "completed", later), seconds=3)
        gate.open.set()


@pytest.mark.usefixtures("quick")
async def test_a_suspect_that_runs_for_long_does_not_stop_the_others(house: House) -> None:
    gate, suspect, later = Gate(), fetch(), fetch()
    gate.stay.add(suspect.job_id)
    await put(house, suspect, suspect=True)
    async with house.worker("media", works={FetchMedia: gate}):
        await until(lambda: gate.holds(suspect.job_id))
        await house.say(later)
        await until(lambda: is_in(house, "completed", later), seconds=10)
        assert await is_in(house, "in_progress", suspect)
        gate.open.set()
        await until(lambda: is_in(house, "completed", suspect))


class HeardOut(Gate):
    """Goes on where only its lease was lost, as whoever has paid for an answer does."""

    def __init__(self) -> None:
        super().__init__()
        self.went_on = asyncio.Event()

    async def __call__(self, job: Job[FetchMedia]) -> None:
        work = asyncio.create_task(super().__call__(job))
        try:
            await asyncio.wait((work,))
        except asyncio.CancelledError:
            if job.lease_lost:
                self.went_on.set()
                await asyncio.wait((work,))
            work.cancel()
            raise


async def test_whoever_goes_on_without_a_lease_is_waited_for_as_well(house: House) -> None:
    gate, lost, suspect = HeardOut(), fetch(), fetch()
    gate.stay.add(lost.job_id)
    async with house.worker("media", works={FetchMedia: gate}, heartbeat_seconds=0.2) as worker:
        await house.say(lost)
        await until(lambda: gate.holds(lost.job_id))
        await house.admin.execute(
            """
            UPDATE media.tasks SET state = 'failed', lease_token = NULL, lease_until = NULL, worker = NULL,
                finished_at = now()
            """
        )
        await gate.went_on.wait()
        await put(house, suspect, suspect=True)
        await until(lambda: _is_isolating(worker))
        gate.open.set()
        await until(lambda: is_in(house, "completed", suspect), seconds=10)
    assert gate.together[suspect.job_id] == 1, "it did not run alone"


class Clock:
    """Stands in for the module `time`."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


def _patience(isolating: isolation.Isolation, clock: Clock) -> float:
    """Begin, and give the seconds until it is given up because neighbours still run."""
    while not isolating.begin():
        clock.now += 1
    began = clock.now
    while not isolating.give_up_when_over():
        clock.now += 1
    return clock.now - began


def test_neighbours_that_are_always_long_are_waited_for_longer_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "time", clock := Clock())
    isolating = isolation.Isolation()
    assert [_patience(isolating, clock) for _ in range(7)] == [30, 60, 120, 240, 480, 600, 600]
    isolating.end()
    assert _patience(isolating, clock) == 30


async def test_a_paused_suspect_stops_nobody(house: House) -> None:
    gate, suspect = Gate(), fetch()
    long, later = upload(), upload()
    gate.stay.add(long.job_id)
    expires_at = datetime.now(UTC) + timedelta(hours=1)
    async with house.worker("media", works={FetchMedia: do_nothing, AcceptUpload: gate}) as worker:
        await house.say(PauseWork(addressee="media", kind=FetchMedia.wire_name, owner="me", expires_at=expires_at))
        await until(lambda: house.value("SELECT true FROM media.pauses"))
        await house.say(long)
        await until(lambda: gate.holds(long.job_id))
        await put(house, suspect, suspect=True)
        await until(lambda: _was_surveyed_twice(house))
        assert not await _is_isolating(worker)
        await house.say(later)
        await until(lambda: is_in(house, "completed", later), seconds=5)
        assert await is_in(house, "pending", suspect)
        gate.open.set()


async def _was_surveyed_twice(house: House) -> bool:
    """Tell whether the worker said that a job waits: it does so at each look, once a second."""
    probe = fetch()
    await put(house, probe, announced=False)
    await house.admin.execute("UPDATE media.tasks SET created_at = now() - interval '9 s' WHERE id = $1", probe.job_id)
    for _ in range(2):
        await house.admin.execute("UPDATE media.tasks SET announced = false WHERE id = $1", probe.job_id)
        await until(lambda: house.value("SELECT announced FROM media.tasks WHERE id = $1", probe.job_id))
    return True


async def test_a_cancelled_suspect_ends_without_stopping_anybody(house: House) -> None:
    gate, long, suspect = Gate(), fetch(), fetch()
    gate.stay.add(long.job_id)
    async with house.worker("media", works={FetchMedia: gate}) as worker:
        await house.say(long)
        await until(lambda: gate.holds(long.job_id))
        await house.say(CancelJob(addressee="all", job_id=suspect.job_id, cancelled_by="me"))
        await until(lambda: house.value("SELECT true FROM media.tombstones"))
        await put(house, suspect, suspect=True)
        await until(lambda: is_in(house, "cancelled", suspect), seconds=5)
        assert not await _is_isolating(worker)
        gate.open.set()


async def test_suspects_run_one_by_one_and_then_the_work_goes_on(house: House) -> None:
    gate = Gate()
    suspects, others = [fetch() for _ in range(5)], [fetch() for _ in range(20)]
    for command in suspects:
        await put(house, command, suspect=True)
    async with house.worker("media", works={FetchMedia: gate}):
        for command in others:
            await house.say(command)
        await until(lambda: all_ended(house, 25), seconds=15)
    assert {gate.together[command.job_id] for command in suspects} == {1}


async def test_the_neighbours_of_a_crash_are_rerun_and_not_charged(house: House) -> None:
    lost = {"state": "in_progress", "worker": "dead/1/x", "lease_epoch": 1}
    commands = [fetch() for _ in range(5)]
    for command in commands:
        await put(house, command, lease_token=uuid4(), **lost)
    await house.admin.execute("UPDATE media.tasks SET lease_until = now() - interval '1 s'")
    async with house.worker("media", works={FetchMedia: do_nothing}):
        await until(lambda: is_in(house, "completed", *commands), seconds=15)
    rows = await house.rows("SELECT attempt, crashes, suspect FROM media.tasks")
    assert Counter((row["attempt"], row["crashes"], row["suspect"]) for row in rows) == {(1, 0, True): 5}


@pytest.mark.parametrize(("crashes", "attempt", "ends"), [(2, 0, "failed"), (0, 3, "failed"), (1, 1, "completed")])
async def test_a_lone_run_that_dies_is_charged_to_the_task(house: House, crashes: int, attempt: int, ends: str) -> None:
    command = fetch()
    await put(
        house,
        command,
        state="in_progress",
        lease_token=uuid4(),
        lease_epoch=3,
        suspect=True,
        crashes=crashes,
        attempt=attempt,
    )
    await house.admin.execute("UPDATE media.tasks SET lease_until = now() - interval '1 s'")
    async with house.worker("media", works={FetchMedia: do_nothing}):
        await until(lambda: is_in(house, ends, command), seconds=15)
    assert await reason_of(house, command) == ("worker_lost" if ends == "failed" else None)
    assert await house.value("SELECT crashes FROM media.tasks") == crashes + 1


async def test_a_check_of_the_worker_passes_while_others_are_under_suspicion(house: House) -> None:
    probe = check()
    await put(house, fetch(), suspect=True)
    async with house.worker("media", works={FetchMedia: do_nothing}):
        await house.say(probe)
        await until(lambda: is_in(house, "completed", probe))
