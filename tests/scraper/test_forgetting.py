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


async def test_a_crawl_that_is_asked_once_more_while_it_is_forgotten_goes_on_with_what_it_has(
    house: House, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = uuid7()
    crawl_id = await crawl(house, days=70, project=project)
    select = store.select_old_crawls

    async def then_asked(pool: Pool, days: int) -> list[UUID]:
        selected = await select(pool, days)
        await house.admin.execute(TASK, uuid7(), str(crawl_id), project, "pending")
        return selected

    monkeypatch.setattr(store, "select_old_crawls", then_asked)
    await forget_old(pool)
    assert await house.value("SELECT count(*) FROM scraper.crawl_urls WHERE crawl_id = $1", crawl_id) == 7
    assert await house.value("SELECT count(*) FROM scraper.crawls WHERE id = $1", crawl_id) == 1


STEPS = ("delete_old_pages", "select_old_crawls", "delete_lines", "delete_crawl")
"""All that a round of forgetting does, in its order; the third is done several times."""


class Death(Exception):
    """The process ends here."""


@pytest.mark.parametrize("point", [f"{side} {step}" for step in STEPS for side in ("before", "after")])
@pytest.mark.parametrize("turn", [1, 2])
async def test_whoever_forgets_may_die_at_any_step_and_the_next_ends_the_same(
    house: House, pool: Pool, monkeypatch: pytest.MonkeyPatch, point: str, turn: int
) -> None:
    monkeypatch.setattr(store, "_PAGE", 3)
    await read_pages(house)
    for _ in range(2):
        await crawl(house, days=70)
    young = await crawl(house, days=50)
    side, step = point.split()
    real, turns = getattr(store, step), 0

    async def dying(*arguments: object) -> object:
        nonlocal turns
        turns += 1
        if turns == turn and side == "before":
            raise Death
        answer: object = await real(*arguments)
        if turns == turn:
            raise Death
        return answer

    with monkeypatch.context() as mortal:
        mortal.setattr(store, step, dying)
        if step == "select_old_crawls" and turn > 1:  # done once; whoever dies in his second look has begun anew
            await forget_old(pool)
        with pytest.raises(Death):
            await forget_old(pool)
    lines = await house.rows("SELECT DISTINCT crawl_id FROM scraper.crawl_urls")
    crawls = {row["id"] for row in await house.rows("SELECT id FROM scraper.crawls")}
    assert young in {row["crawl_id"] for row in lines} <= crawls, "no line is left without its crawl"
    await forget_old(pool)
    assert [row["id"] for row in await house.rows("SELECT id FROM scraper.crawls")] == [young]
    assert await house.value("SELECT count(*) FROM scraper.crawl_urls WHERE crawl_id = $1", young) == 7
    assert await house.value("SELECT count(*) FROM scraper.crawl_urls") == 7
    assert await house.value("SELECT count(*) FROM scraper.pages") == 5


async def read_pages(house: House) -> None:
    """Write down thirteen pages, of which five are younger than sixty days."""
    await house.admin.execute(
        """
        INSERT INTO scraper.pages (job_id, project_id, url, images_found, images_skipped, skipped, read_at)
        SELECT gen_random_uuid(), gen_random_uuid(), 'https://example.org', 0, 0, '[]',
               now() - make_interval(days => 55 + number)
        FROM generate_series(0, 12) AS number
        """
    )


async def test_pages_of_long_ago_are_forgotten(house: House, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_PAGE", 3)
    await read_pages(house)
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
            "schedules": lambda one: again.select_due_schedules(one, 20, besides="scraper.ask_robots.v1"),
            "steps": lambda one: again.has_open_step(one, crawl_id, "scraper.continue_crawl.v1"),
        }
        assert {name: await rows_read(connection, ask) for name, ask in asked.items()} == {"schedules": 0, "steps": 0}
