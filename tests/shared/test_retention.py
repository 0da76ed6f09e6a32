"""What is old is deleted, and what can still be asked for is not."""

import pytest

from contracts.media import FetchMedia
from shared import housekeeping
from shared.housekeeping import Housekeeping
from tests.living import House, until
from tests.shared.chores import do_nothing, fetch, put

RETENTION_DAYS = 7


async def lay_down(house: House) -> None:
    """Two of each: one as old as may be, one older than that."""
    for days in (RETENTION_DAYS * 2 - 1, RETENTION_DAYS * 2 + 1):
        await put(house, fetch(), state="completed", attempt=days)
        await put(house, fetch(), state="pending", attempt=days)
        await house.admin.execute(
            """
            UPDATE media.tasks
            SET created_at = now() - attempt * interval '1 day',
                finished_at = CASE WHEN state = 'completed' THEN now() - attempt * interval '1 day' END
            """
        )
        await house.admin.execute(
            "INSERT INTO media.inbox VALUES (gen_random_uuid(), now() - $1 * interval '1 day')", days
        )
        await house.admin.execute(
            "INSERT INTO media.tombstones VALUES (gen_random_uuid(), 'me', now() - $1 * interval '1 day')", days
        )
        await house.admin.execute(
            """
            INSERT INTO media.dead_letters (id, received_at, routing_key, body, code, sentence)
            VALUES (gen_random_uuid(), now() - 2 * $1 * interval '1 day', 'x', '', 'x', 'x')
            """,
            days,
        )


async def counts(house: House) -> dict[str, int]:
    row = (
        await house.rows(
            """
            SELECT (SELECT count(*) FROM media.tasks WHERE state = 'completed') AS ended,
                   (SELECT count(*) FROM media.tasks WHERE state = 'pending')   AS pending,
                   (SELECT count(*) FROM media.inbox)                           AS inbox,
                   (SELECT count(*) FROM media.tombstones)                      AS tombstones,
                   (SELECT count(*) FROM media.dead_letters)                    AS dead_letters
            """
        )
    )[0]
    return dict(row)


KEPT = {"ended": 1, "pending": 2, "inbox": 1, "tombstones": 1, "dead_letters": 1}


async def test_what_is_older_than_the_retention_goes_and_all_else_stays(house: House) -> None:
    await lay_down(house)
    assert set((await counts(house)).values()) == {2}
    async with house.worker("media", works={}, said_retention_days=RETENTION_DAYS):
        await until(lambda: _is(house, KEPT))


async def _is(house: House, expected: dict[str, int]) -> bool:
    return await counts(house) == expected


async def test_a_large_heap_goes_page_by_page(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "_PAGE", 10)
    await house.admin.execute(
        "INSERT INTO media.inbox SELECT gen_random_uuid(), now() - interval '1 year' FROM generate_series(1, 95)"
    )
    async with house.worker("media"):
        await until(lambda: _inbox_is_empty(house))


async def _inbox_is_empty(house: House) -> bool:
    return not await house.value("SELECT count(*) FROM media.inbox")


async def test_days_of_what_was_said_are_dropped_whole(house: House) -> None:
    days = {"said_20200101": "2020-01-01", "said_20200102": "2020-01-02"}
    for name, day in days.items():
        await house.admin.execute(
            f"""
            CREATE TABLE media.{name} PARTITION OF media.said
            FOR VALUES FROM ('{day} 00:00Z') TO ('{day} 00:00Z'::timestamptz + interval '1 day')
            """
        )
        owner = await house.value("SELECT tableowner FROM pg_tables WHERE schemaname = 'media' AND tablename = 'said'")
        await house.admin.execute(f'ALTER TABLE media.{name} OWNER TO "{owner}"')
    assert await partitions(house) > set(days)
    async with house.worker("media", works={}) as worker:
        await Housekeeping(worker.pool, retention_days=RETENTION_DAYS, works=True).prepare()
    left = await partitions(house)
    assert not left & set(days)
    today = await house.value("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD')")
    assert f"said_{today}" in left


async def partitions(house: House) -> set[str]:
    rows = await house.rows("SELECT relid::regclass::text AS name FROM pg_partition_tree('media.said') WHERE isleaf")
    return {row["name"].removeprefix("media.") for row in rows}


async def test_tasks_that_wait_are_never_deleted_for_their_age(house: House) -> None:
    await put(house, old := fetch())
    await house.admin.execute("UPDATE media.tasks SET created_at = now() - interval '1 year'")
    async with house.worker("media", works={type(old): do_nothing}):
        await until(lambda: _completed(house, old))


async def test_a_task_that_ended_just_now_is_kept_however_long_it_waited(house: House) -> None:
    await put(house, old := fetch(), state="completed")
    await put(house, older := fetch(), state="completed")
    await house.admin.execute("UPDATE media.tasks SET created_at = now() - interval '1 year', finished_at = now()")
    await house.admin.execute(
        "UPDATE media.tasks SET finished_at = now() - interval '1 year' WHERE id = $1", older.job_id
    )
    async with house.worker("media", works={type(old): do_nothing}):
        await until(lambda: _is_gone(house, older))
        assert await _completed(house, old)


async def _is_gone(house: House, command: FetchMedia) -> bool:
    return not await house.value("SELECT count(*) FROM media.tasks WHERE id = $1", command.job_id)


async def _completed(house: House, command: FetchMedia) -> bool:
    return bool(await house.value("SELECT state = 'completed' FROM media.tasks WHERE id = $1", command.job_id))
