"""Who is served next is fair, workers do not starve each other, and slots are neither lost nor used twice."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts.jobs import JobFailed
from contracts.media import AcceptUpload, FetchMedia
from shared import tasks
from shared.database import Connection, Pool, open_pool
from shared.jobs import Job
from shared.runner import Runner
from shared.worker import Worker
from tests.living import House, until
from tests.shared.chores import about, all_ended, all_said, check, do_nothing, fetch, is_in, put, reason_of

KINDS = (FetchMedia.wire_name,)


@pytest.fixture
async def pool(house: House) -> AsyncIterator[Pool]:
    pool = await open_pool(house.servers.database_url("media"), size=4, application_name="claims")
    yield pool
    await pool.close()


async def claim(
    connection: Pool | Connection, limit: int, *, kinds: tuple[str, ...] = KINDS, suspects: bool = False
) -> list[UUID]:
    given: Any = connection
    rows = await tasks.claim_tasks(given, worker="me", kinds=kinds, limit=limit, lease_seconds=15, suspects=suspects)
    return [row["id"] for row in rows]


async def put_many(house: House, count: int, *, project: UUID | None = None, **columns: Any) -> list[UUID]:
    commands = [fetch() for _ in range(count)]
    for command in commands:
        await put(house, command, **(columns | ({"project_id": project} if project else {})))
    return [command.job_id for command in commands]


async def rank(house: House, job_ids: list[UUID], *, seconds_ago: float) -> None:
    await house.admin.execute(
        "UPDATE media.tasks SET rank_at = now() - $2 * interval '1 s' WHERE id = ANY ($1)", job_ids, seconds_ago
    )


async def test_the_project_with_the_fewest_running_goes_first(house: House, pool: Pool) -> None:
    busy, idle = uuid4(), uuid4()
    await put_many(house, 2, project=busy, state="in_progress", lease_token=uuid4())
    first = await put_many(house, 5, project=busy)
    await rank(house, first, seconds_ago=900)  # it has waited for far longer
    late = await put_many(house, 5, project=idle)
    assert set(await claim(pool, 2)) <= set(late)
    shares = Counter(job_id in first for job_id in await claim(pool, 4))
    assert shares == {True: 2, False: 2}


async def test_within_a_project_priority_goes_first_and_waiting_ages_it(house: House) -> None:
    async with house.worker("media", works={FetchMedia: do_nothing}):
        await house.admin.execute(
            "INSERT INTO media.pauses VALUES ($1, 'me', now() + interval '1 hour')", FetchMedia.wire_name
        )
        normal, urgent, unimportant = fetch(), fetch(priority=10), fetch(priority=-10)
        for command in (unimportant, normal, urgent):
            await house.say(command)
        await until(lambda: is_in(house, "pending", unimportant, normal, urgent))
    await house.admin.execute("DELETE FROM media.pauses")
    pool = await open_pool(house.servers.database_url("media"), size=1, application_name="claims")
    assert await claim(pool, 1) == [urgent.job_id]
    # After five minutes what has no priority has caught up with ten points of it.
    await house.admin.execute(
        """
        UPDATE media.tasks SET rank_at = (SELECT rank_at - interval '1 s' FROM media.tasks WHERE id = $1) WHERE id = $2
        """,
        normal.job_id,
        unimportant.job_id,
    )
    assert await claim(pool, 1) == [unimportant.job_id]
    await pool.close()


async def test_ten_points_of_priority_are_worth_five_minutes_of_waiting(house: House) -> None:
    async with house.worker("media", works={FetchMedia: do_nothing}):
        for command in (normal := fetch(), urgent := fetch(priority=10)):
            await house.say(command)
        await until(lambda: is_in(house, "completed", normal, urgent))
    ahead = await house.value(
        """
        SELECT extract(epoch FROM (created_at - rank_at))::int FROM media.tasks WHERE id = $1
        """,
        urgent.job_id,
    )
    assert ahead == 300


async def test_two_who_claim_at_once_get_different_tasks_and_neither_gets_none(house: House, pool: Pool) -> None:
    waiting = await put_many(house, 12)
    async with AsyncExitStack() as stack:
        got: list[list[UUID]] = []
        for _ in range(3):  # none has committed when the next one chooses
            connection = await stack.enter_async_context(pool.acquire())
            await stack.enter_async_context(connection.transaction())
            got.append(await claim(connection, 4))
        assert [len(claimed) for claimed in got] == [4, 4, 4]
    assert sorted(job_id for claimed in got for job_id in claimed) == sorted(waiting)


async def test_what_may_not_run_is_not_claimed_and_hides_nothing(house: House, pool: Pool) -> None:
    later = await put_many(house, 30)
    await house.admin.execute("UPDATE media.tasks SET run_at = now() + interval '1 hour'")
    suspects = await put_many(house, 30, suspect=True)
    await put_many(house, 30, kind=AcceptUpload.wire_name)
    (due,) = await put_many(house, 1)
    await rank(house, [due], seconds_ago=0)
    assert await claim(pool, 2) == [due]
    assert (await claim(pool, 1, suspects=True))[0] in suspects
    assert await claim(pool, 5) == []
    await house.admin.execute("INSERT INTO media.pauses VALUES ($1, 'me', now() + interval '1 hour')", KINDS[0])
    await house.admin.execute("UPDATE media.tasks SET run_at = now() WHERE id = ANY ($1)", later)
    assert await claim(pool, 5) == []
    await house.admin.execute("UPDATE media.pauses SET expires_at = now() - interval '1 s'")
    assert len(await claim(pool, 5)) == 5


async def test_three_workers_are_all_busy_when_there_is_enough_to_do(house: House) -> None:
    everybody, here = asyncio.Event(), Counter[str]()

    async def gather(job: Job[FetchMedia]) -> None:
        here[job._bench.worker] += 1
        if here.total() == 12:
            everybody.set()
        await everybody.wait()

    await put_many(house, 40)
    async with AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(house.worker("media", works={FetchMedia: gather}, concurrency=4))
        await asyncio.wait_for(everybody.wait(), 15)
        await until(lambda: all_ended(house, 40))
    runs = await house.rows("SELECT lease_epoch FROM media.tasks")
    assert {row["lease_epoch"] for row in runs} == {1}


async def test_slots_reserved_for_what_could_not_be_taken_in_are_free_again(house: House) -> None:
    async with house.worker("media", works={FetchMedia: do_nothing}, concurrency=2) as worker:
        for _ in range(5):  # jsonb takes no NUL
            await house.say(FetchMedia(**{**fetch().model_dump(), "url": "http://example.com/\x00a.png"}))
        await until(lambda: _letters(house, 5))
        await put(house, command := fetch())
        await until(lambda: is_in(house, "completed", command), seconds=5)
        await until(lambda: _has_reserved_nothing(worker._runner))


async def _letters(house: House, count: int) -> bool:
    return bool(await house.value("SELECT count(*) FROM media.dead_letters") == count)


async def test_transactions_side_by_side_give_back_exactly_what_they_reserved(house: House) -> None:
    async with house.worker("media", works={FetchMedia: do_nothing}, concurrency=4) as worker:
        runner = worker._runner
        await until(lambda: _has_no_backlog(runner))
        outbox = worker.bus.outbox
        async with runner._claiming, outbox.transaction(worker.pool, eager=True) as tx:  # nobody claims meanwhile
            tx.work(fetch())
            await tx.flush()
            assert runner._reserved == 4
            async with worker.bus.transaction() as other:
                other.work(fetch())
            assert runner._reserved == 4, "the other one gave back what it had not reserved"
        with pytest.raises(ZeroDivisionError):
            await fail_with_work(worker)
        await until(lambda: all_ended(house, 2))
        await until(lambda: _has_reserved_nothing(runner))


async def fail_with_work(worker: Worker) -> None:
    async with worker.bus.outbox.transaction(worker.pool, eager=True) as tx:
        tx.work(fetch())
        await tx.flush()
        raise ZeroDivisionError


async def _has_no_backlog(runner: Any) -> bool:
    return not runner._backlog


async def _has_reserved_nothing(runner: Any) -> bool:
    """Tell whether all slots are free again; whoever looks for more work has some of them for that moment."""
    return not runner._reserved


async def test_no_more_run_than_there_are_slots_however_they_come(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some are claimed at the very moment when others are taken in."""
    claiming, go_on, done = asyncio.Event(), asyncio.Event(), asyncio.Event()
    claim_tasks = tasks.claim_tasks
    here = most = 0

    async def claim_slowly(pool: Pool, **options: Any) -> Any:
        rows = await claim_tasks(pool, **options)
        if rows:
            claiming.set()
            await go_on.wait()
        return rows

    async def stay(_job: Job[FetchMedia]) -> None:
        nonlocal here, most
        here += 1
        most = max(most, here)
        try:
            await done.wait()
        finally:
            here -= 1

    async with house.worker("media", works={FetchMedia: stay}, concurrency=4) as worker:
        await until(lambda: _has_no_backlog(worker._runner))
        monkeypatch.setattr(tasks, "claim_tasks", claim_slowly)
        await put_many(house, 4)
        try:
            await asyncio.wait_for(claiming.wait(), 20)
            commands = [fetch() for _ in range(4)]
            for command in commands:
                await house.say(command)
            await until(lambda: _are_taken_in(house, 8))
            go_on.set()
            await until(lambda: _is_busy(worker._runner, 4))
        finally:
            go_on.set()
            done.set()
        await until(lambda: all_ended(house, 8))
    assert most == 4


async def _are_taken_in(house: House, count: int) -> bool:
    return bool(await house.value("SELECT count(*) FROM media.tasks") == count)


async def _is_busy(runner: Any, count: int) -> bool:
    return len(runner._running) >= count


async def test_a_task_whose_command_cannot_be_read_ends_as_failed(house: House) -> None:
    broken, neighbour = fetch(), fetch()
    await put(house, broken)
    await put(house, neighbour)
    await house.admin.execute("UPDATE media.tasks SET command = command - 'url' WHERE id = $1", broken.job_id)
    async with house.worker("media", works={FetchMedia: do_nothing}):
        await until(lambda: is_in(house, "failed", broken))
        await until(lambda: is_in(house, "completed", neighbour))
        await until(lambda: all_said(house))
    assert await reason_of(house, broken) == "command_not_understood"
    (failed,) = about(await house.heard(), broken.job_id)
    assert isinstance(failed, JobFailed)


async def test_no_task_waits_for_the_end_of_another_that_cannot_be_read(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database goes away between the claim and that end; a lease that nobody works under would have to run out."""
    tried: list[Any] = []
    fail_unreadable = Runner._fail_unreadable

    async def be_away_at_first(runner: Runner, *unreadable: Any) -> None:
        tried.append(unreadable)
        if len(tried) == 1:
            raise ConnectionError("the database is away")
        await fail_unreadable(runner, *unreadable)

    async def claim_the_broken_one_first(*given: Any, **more: Any) -> list[Any]:
        return sorted(await claim_tasks(*given, **more), key=lambda row: row["id"] != broken.job_id)

    claim_tasks = tasks.claim_tasks
    monkeypatch.setattr(tasks, "claim_tasks", claim_the_broken_one_first)
    monkeypatch.setattr(Runner, "_fail_unreadable", be_away_at_first)
    broken, *neighbours = (fetch() for _ in range(4))
    for command in (broken, *neighbours):
        await put(house, command)
    await house.admin.execute("UPDATE media.tasks SET command = command - 'url' WHERE id = $1", broken.job_id)
    async with house.worker("media", works={FetchMedia: do_nothing}, lease_seconds=600):
        await until(lambda: is_in(house, "completed", *neighbours))
        assert len(tried) == 1
        assert await is_in(house, "in_progress", broken), "its lease has to run out"


async def test_a_task_whose_lineage_cannot_be_read_ends_at_its_deadline(house: House) -> None:
    broken, neighbour = fetch(), fetch()
    await put(house, broken)
    await house.admin.execute(
        """
        UPDATE media.tasks
        SET command = command - 'submitted_by', deadline_at = now() - interval '1 s', run_at = now() + interval '1 h'
        WHERE id = $1
        """,
        broken.job_id,
    )
    async with house.worker("media", works={FetchMedia: do_nothing}):
        await until(lambda: is_in(house, "failed", broken))
        await put(house, neighbour)
        await until(lambda: is_in(house, "completed", neighbour))
        await until(lambda: all_said(house))
    assert await reason_of(house, broken) == "deadline_exceeded"
    (failed,) = about(await house.heard(), broken.job_id)
    assert isinstance(failed, JobFailed)
    assert (failed.project_id, failed.submitted_by) == (broken.project_id, "unknown")


async def test_database_trouble_in_a_handler_does_not_use_up_an_attempt(house: House) -> None:
    runs = Counter[UUID]()

    async def lose_the_connection(job: Job[FetchMedia]) -> None:
        runs[job.id] += 1
        if runs[job.id] <= 6:
            async with job._bench.pool.acquire() as connection:
                await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    async with house.worker("media", works={FetchMedia: lose_the_connection}):
        await house.say(command := fetch())
        for number in range(1, 7):
            await until(lambda: _has_run(runs, number))  # noqa: B023 - awaited before the next one
            await until(lambda: is_in(house, "pending", command))
            await house.admin.execute("UPDATE media.tasks SET run_at = now()")
        await until(lambda: is_in(house, "completed", command))
    assert await house.value("SELECT attempt FROM media.tasks") == 1


async def _has_run(runs: Counter[UUID], count: int) -> bool:
    return runs.total() >= count


async def test_a_check_is_answered_although_a_thousand_tasks_of_a_paused_kind_wait(house: House, pool: Pool) -> None:
    await house.admin.execute("INSERT INTO media.pauses VALUES ($1, 'me', now() + interval '1 hour')", KINDS[0])
    command = fetch()
    await put(house, command)
    await house.admin.execute(
        """
        INSERT INTO media.tasks (id, kind, command, project_id, root_job_id, state, rank_at, deadline_at, announced)
        SELECT gen_random_uuid(), kind, command, project_id, root_job_id, state, rank_at, deadline_at, true
        FROM media.tasks, generate_series(1, 1000)
        """
    )
    await put(house, probe := check())
    await rank(house, [probe.job_id], seconds_ago=0)
    assert await claim(pool, 3, kinds=(*KINDS, probe.wire_name)) == [probe.job_id]
