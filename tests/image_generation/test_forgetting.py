"""What has ended costs nobody anything, is found all the same by whoever names it, and is forgotten in the end."""

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest

from services.image_generation import store
from services.image_generation.forgetting import forget_old
from services.image_generation.rules import Size
from services.image_generation.rules.trouble import Trouble
from services.image_generation.settings import Settings
from services.image_generation.store import accounts, generations
from shared.database import Connection, Pool, open_pool
from tests.image_generation.ateliers import ModelsLabServer, opened
from tests.image_generation.lost_requests import end, going_on, lose, name_of, paid
from tests.image_generation.painters import Painter, trouble, wish
from tests.image_generation.shift import Shift
from tests.living import House

DAYS = 365


@pytest.fixture
async def pool(house: House) -> AsyncIterator[Pool]:
    pool = await open_pool(house.servers.database_url("image_generation"), size=2, application_name="forgetting")
    yield pool
    await pool.close()


async def asked(house: House, count: int, *, provider: str = "painter", state: str | None = "failed") -> None:
    """Write down requests that came to nothing, and their tasks as they stand."""
    await house.admin.execute(
        """
        WITH made AS (
            INSERT INTO image_generation.generations (job_id, project_id, provider, paid, price_micros, asked_at)
            SELECT gen_random_uuid(), gen_random_uuid(), $2, true, 10000, now() - interval '2 days'
            FROM generate_series(1, $1::int) RETURNING job_id
        )
        INSERT INTO image_generation.tasks (id, kind, command, project_id, root_job_id, state, rank_at, deadline_at,
                                            finished_at)
        SELECT job_id, 'image_generation.generate_image.v1', '{}', gen_random_uuid(), job_id, $3, now(),
               now() + interval '1 d', CASE WHEN $3 NOT IN ('pending', 'in_progress') THEN now() END
        FROM made WHERE $3 IS NOT NULL
        """,
        count,
        provider,
        state,
    )


async def looked(pool: Pool) -> tuple[int, int]:
    """Ask how an account stands; give how many are on their way, and how many rows were read for it."""
    asking = store.Asking(uuid4(), uuid4(), "ann", "painter", True, 10_000, Size(64, 48), 1)
    async with pool.acquire() as connection, connection.transaction():
        before = await read_rows(connection)  # by earlier transactions of this session
        standing = await store.select_standing(connection, asking)
        return standing.on_their_way, await read_rows(connection) - before


async def read_rows(connection: Connection) -> int:
    read: int = await connection.fetchval(
        """
        SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::int FROM pg_stat_xact_user_tables
        WHERE schemaname = 'image_generation' AND relname IN ('tasks', 'generations')
        """
    )
    return read


@pytest.mark.parametrize("state", ["failed", "cancelled", "completed", None])
async def test_what_has_ended_is_looked_at_once_and_never_again(house: House, pool: Pool, state: str | None) -> None:
    await asked(house, 2000, state=state)
    await asked(house, 3, state="in_progress")
    await asked(house, 2, state="pending")
    await asked(house, 2000, provider="another")
    await asked(house, 4, provider="another", state="pending")
    await house.admin.execute("VACUUM ANALYZE image_generation.generations")
    await house.admin.execute("VACUUM ANALYZE image_generation.tasks")
    on_their_way, read = await looked(pool)
    assert (on_their_way, read > 2000) == (5, True), "somebody has to look once"
    await house.admin.execute("VACUUM ANALYZE image_generation.generations")
    on_their_way, read = await looked(pool)
    assert on_their_way == 5
    assert read < 50, "and whoever comes later reads of those that are on their way"


async def noted(house: House) -> int:
    count: int = await house.value("SELECT count(*)::int FROM image_generation.generations WHERE ended_at IS NOT NULL")
    return count


async def test_who_is_turned_away_has_noted_it_too(house: House) -> None:
    """Many wait while an account is full: what each of them finds out is not thrown away."""
    await asked(house, 30)
    await asked(house, 1, state="pending")
    await house.admin.execute(
        "UPDATE image_generation.tasks SET run_at = now() + interval '1 h' WHERE state = 'pending'"
    )
    full = Painter(most_in_flight=1)
    await Shift(house, {"painter": full}, patient=True).work([wish()])
    assert full.asked == 0
    assert await noted(house) == 30


async def test_however_many_have_ended_a_look_notes_a_page(
    house: House, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a year in which nobody noted any, a statement that notes all would never end in time."""
    monkeypatch.setattr(accounts, "_PAGE", 40)
    await asked(house, 100)
    await asked(house, 3, state="pending")
    for count in (40, 80, 100, 100):
        assert (await looked(pool))[0] == 3, "and all are counted rightly"
        assert await noted(house) == count


async def test_what_nobody_notes_is_looked_at_by_everybody(house: House, pool: Pool) -> None:
    """The control."""
    await asked(house, 2000)
    for _ in range(2):
        assert (await looked(pool))[1] > 2000
        await house.admin.execute("UPDATE image_generation.generations SET ended_at = NULL")
        await house.admin.execute("VACUUM ANALYZE image_generation.generations")


async def test_the_version_before_finds_what_is_on_its_way_as_well(house: House, pool: Pool) -> None:
    """It runs beside this one while that is rolled out, and knows nothing of what was noted."""
    await asked(house, 2000)
    await house.admin.execute("UPDATE image_generation.generations SET generated_at = now()")
    await asked(house, 3, state="pending")
    await house.admin.execute("VACUUM ANALYZE image_generation.generations")
    async with pool.acquire() as connection, connection.transaction():
        before = await read_rows(connection)
        on_their_way = await connection.fetchval(
            """
            SELECT count(*) FROM generations g
            WHERE g.provider = 'painter' AND generated_at IS NULL AND let_go_at IS NULL
              AND EXISTS (SELECT FROM tasks WHERE id = g.job_id AND state IN ('pending', 'in_progress'))
            """
        )
        assert (on_their_way, await read_rows(connection) - before < 50) == (3, True)


async def test_a_name_that_is_said_long_after_the_end_is_still_gone_on_with(house: House, pool: Pool) -> None:
    async with ModelsLabServer() as server, opened(server, most_in_flight=1, price_usd="0.04") as providers:
        shift = Shift(house, {provider.name: provider for provider in providers})
        [lost] = await lose(shift, server)
        assert (await end(shift, wish())).state == "completed", "its place is free"
        noted = "SELECT ended_at IS NOT NULL FROM image_generation.generations WHERE job_id = $1"
        assert await house.value(noted, lost.job_id)
        await house.admin.execute(
            "UPDATE image_generation.generations SET asked_at = asked_at - make_interval(days => $1)", 2 * DAYS
        )
        await house.admin.execute("DELETE FROM image_generation.tasks")
        await forget_old(pool, DAYS)
        heir = going_on(lost, name_of(server, lost.job_id))
        assert (await end(shift, heir)).state == "completed"
        assert paid(server, lost, heir) == 1
        await forget_old(pool, DAYS)
        assert await house.value("SELECT count(*) FROM image_generation.generations") == 2, "its task is known still"
        await house.admin.execute("DELETE FROM image_generation.tasks")
        for _ in range(2):
            await forget_old(pool, DAYS)
        assert await house.value("SELECT count(*) FROM image_generation.generations") == 0


async def aged(house: House, job_id: UUID, days: float) -> None:
    await house.admin.execute(
        """
        UPDATE image_generation.generations
        SET asked_at = asked_at - $2::float8 * interval '1 day',
            generated_at = generated_at - $2::float8 * interval '1 day'
        WHERE job_id = $1
        """,
        *(job_id, days),
    )


async def test_what_was_drawn_long_ago_is_forgotten_with_its_task_and_nothing_else(
    house: House, pool: Pool, painter: Painter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generations, "_PAGE", 2)
    shift = Shift(house, {"painter": painter})
    old, young, remembered = [wish() for _ in range(5)], wish(), wish()
    await shift.work([*old, young, remembered])
    unknown = wish()
    painter.troubles = [trouble(Trouble.UNKNOWN)]
    await shift.work([unknown])
    for one in (*old, remembered, unknown):
        await aged(house, one.job_id, DAYS + 1)
    await aged(house, young.job_id, DAYS - 1)
    await house.admin.execute("DELETE FROM image_generation.tasks WHERE id <> $1", remembered.job_id)
    await forget_old(pool, DAYS)
    rows = await house.rows("SELECT job_id FROM image_generation.generations")
    assert {row["job_id"] for row in rows} == {young.job_id, remembered.job_id, unknown.job_id}


async def test_what_counts_in_today_s_budget_is_kept_however_little_is(
    house: House, pool: Pool, painter: Painter
) -> None:
    await Shift(house, {"painter": painter}).work([wish()])
    await house.admin.execute("DELETE FROM image_generation.tasks")
    await forget_old(pool, 1)
    assert await house.value("SELECT sum(price_micros)::int FROM image_generation.generations") == 10_000


@pytest.mark.parametrize(("retention", "said", "kept"), [(365, 7, 365), (5, 7, 28), (365, 100, 400)])
def test_it_is_kept_at_least_while_its_command_may_come_once_more(retention: int, said: int, kept: int) -> None:
    told = Settings.model_construct(generations_retention_days=retention, said_retention_days=said)
    assert told.generations_kept_days == kept
