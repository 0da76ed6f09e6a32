"""How long a picture will take is told at once, however many pictures others have had drawn."""

from uuid import UUID, uuid4

import pytest

from services.gateway.store.scenes import select_prospect
from services.gateway.store.tenancy import as_tenant
from shared.database import open_pool
from tests.living import House

OTHERS = 5000


async def keep(house: House, project_id: UUID, count: int, seconds: float) -> None:
    await house.admin.execute(
        """
        INSERT INTO gateway.pictures (task_id, sample, project_id, object_key, provider, model, aspect_ratio, samples,
                                      generation_seconds, generated_at)
        SELECT gen_random_uuid(), 0, $1, 'key', 'p', 'model', '1:1', 1, $3, now() - number * interval '1 s'
        FROM generate_series(1, $2::integer) AS number
        """,
        project_id,
        count,
        seconds,
    )


@pytest.mark.parametrize(("aspect_ratio", "own", "seconds"), [("1:1", 4, 7.0), ("16:9", 4, 7.0), ("1:1", 0, None)])
async def test_no_picture_of_others_is_read_for_it(
    house: House, aspect_ratio: str, own: int, seconds: float | None
) -> None:
    mine = uuid4()
    await keep(house, uuid4(), OTHERS, 1.0)
    await keep(house, mine, own, 7.0)
    await house.admin.execute("ANALYZE gateway.pictures")
    pool = await open_pool(house.servers.database_url("gateway"), size=1, application_name="looking")
    try:
        async with as_tenant(pool, [uuid4(), mine]) as connection:
            prospect = await select_prospect(connection, (mine, "c", 1), "p", aspect_ratio, 1)
            read = await connection.fetchval(
                "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'pictures'"
            )
    finally:
        await pool.close()
    assert prospect.seconds == seconds
    assert read <= 2 * own
