"""What is idle is forgotten, and looking for what is due stays cheap however much has been done before."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from services.scraper.forgetting import forget_old
from services.scraper.store import again
from services.scraper.store import forgetting as store
from shared.database import Pool, open_pool
from shared.identifiers import uuid7
from tests.living import House
from tests.shared.plans import rows_read

TASK = """
    INSERT INTO scraper.tasks (id, kind, command, project_id, root_job_id, state, rank_at, deadline_at, parent_job_id)
    VALUES ($1, 'scraper.continue_crawl.v1', jsonb_build_object('crawl_job_id', $2::text), $3, $2::uuid, $4, now(),
            now(), $2::uuid)
"""


@pytest.fixture
async def pool(house: House) -> AsyncIterator[Pool]:
    pool = await open_pool(house.servers.database_url("scraper"), size=2, application_name="forgetting")
    yield pool
    await pool.close()


async def crawl(house: House, *, days: int, project: UUID | None = None, previous: UUID | None = None) -> UUID:
    """Write down a crawl that began so many days ago, with a few lines."""
    crawl_id = uuid7()
    await house.admin.execute(
        """
        INSERT INTO scraper.crawls (id, project_id, scope, seeds, previous_id, created_at)
        VALUES ($1, $2, '{}', '{}', $3, now() - make_interval(days => $4))
        """,
        *(crawl_id, project or uuid7(), previous, days),
    )
    await house.admin.execute(
        """
        INSERT INTO scraper.crawl_urls (crawl_id, kind, key, url, depth, outcome)
        SELECT $1, 'page', sha256(number::text::bytea), 'https://example.org/' || number, 0, 'read'
        FROM generate_series(1, 7) AS number
        """,
        crawl_id,
    )
    return crawl_id


async def schedule(house: House, project: UUID, last: UUID) -> None:
    await house.admin.execute(
        "INSERT INTO scraper.schedules (project_id, name, every_minutes, command, next_at, last_crawl_id)"
        " VALUES ($1, 'daily', 60, '{}', now(), $2)",
        *(project, last),
    )


async def test_a_crawl_of_long_ago_is_forgotten_unless_something_goes_on_from_it(
    house: House, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_PAGE", 3)
    project = uuid7()
    await crawl(house, days=70)
    young, scheduled = await crawl(house, days=50), await crawl(house, days=100, project=project)
    before = await crawl(house, days=90)
    after = await crawl(house, days=5, previous=before)
    await schedule(house, project, scheduled)
    goes_on = {state: await crawl(house, days=80, project=project) for state in ("pending", "in_progress")}
    for state, crawl_id in goes_on.items():
        await house.admin.execute(TASK, uuid7(), str(crawl_id), project, state)
    await forget_old(pool)
    left = {row["id"] for row in await house.rows("SELECT id FROM scraper.crawls")}
    assert left == {young, scheduled, before, after, *goes_on.values()}
    assert {row["crawl_id"] for row in await house.rows("SELECT crawl_id FROM scraper.crawl_urls")} == left


async def test_pages_of_long_ago_are_forgotten(house: House, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_PAGE", 3)
    await house.admin.execute(
        """
        INSERT INTO scraper.pages (job_id, project_id, url, images_found, images_skipped, skipped, read_at)
        SELECT gen_random_uuid(), gen_random_uuid(), 'https://example.org', 0, 0, '[]',
               now() - make_interval(days => 55 + number)
        FROM generate_series(0, 12) AS number
        """
    )
    await forget_old(pool)
    assert await house.value("SELECT count(*) FROM scraper.pages WHERE read_at > now() - interval '60 days'") == 5
    assert await house.value("SELECT count(*) FROM scraper.pages") == 5


async def test_what_is_due_is_found_without_reading_what_has_ended(house: House) -> None:
    project = uuid7()
    crawl_id = await crawl(house, days=1, project=project)
    await schedule(house, project, crawl_id)
    async with house.admin.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL search_path = scraper")
        await connection.execute(
            """
            INSERT INTO tasks (id, kind, command, project_id, root_job_id, state, rank_at, deadline_at, parent_job_id)
            SELECT gen_random_uuid(), 'scraper.continue_crawl.v1', '{}', $1, $2, 'completed', now(), now(), $2
            FROM generate_series(1, 5000)
            """,
            *(project, crawl_id),
        )
        await connection.execute("ANALYZE tasks; ANALYZE schedules; ANALYZE crawls")
        asked: dict[str, Any] = {
            "schedules": lambda one: again.select_due_schedules(one, 20),
            "steps": lambda one: again.has_open_step(one, crawl_id, "scraper.continue_crawl.v1"),
        }
        assert {name: await rows_read(connection, ask) for name, ask in asked.items()} == {"schedules": 0, "steps": 0}
