"""With twenty thousand images, searches look into indexes, also behind the walls, and into no table as a whole."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from services.gateway.rules.queries import parse_query
from services.gateway.store import search
from services.gateway.store.search import Order, Wanted
from services.gateway.store.tenancy import as_tenant
from shared.database import Connection, Pool, open_pool
from tests.living import House

PROJECT = UUID("00000000-0000-4000-8000-00000000cccc")
IMAGES = 20_000

MADE = """
    WITH made AS (
        INSERT INTO asset_search (asset_id, project_id, created_at, width_px, height_px, size_bytes, kinds, hosts,
                                  words)
        SELECT gen_random_uuid(), $1, '2030-01-01'::timestamptz + i * interval '1 s', 800, 600, 1000, '{scraped}',
               '{example.org}', setweight(to_tsvector('image_words', 'common word' || i % 2000), 'A')
        FROM generate_series(1, $2::integer) AS i RETURNING asset_id, created_at
    ), colours AS (
        INSERT INTO asset_colours (asset_id, position, project_id, cell, place, share)
        SELECT asset_id, 1, $1, cell_of_place(place), place, 0.5 FROM (
            SELECT asset_id, colour_place('#' || substr(md5(asset_id::text), 1, 6)) AS place FROM made OFFSET 0
        ) AS lying
    )
    INSERT INTO image_tags (asset_id, project_id, tag)
    SELECT asset_id, $1, 'tag' || row_number() OVER (ORDER BY asset_id) % 1000 FROM made
"""
QUESTIONS: list[tuple[str, Order, Wanted]] = [
    ("asset_search_by_words", "relevance", Wanted(query=parse_query("word77"))),
    ("asset_search_by_words", "newest", Wanted(query=parse_query('"common word78" -word79'))),
    ("asset_search_by_words", "relevance", Wanted(query=parse_query("word77*"), kinds=["scraped"])),
    ("asset_search_by_time", "newest", Wanted()),
    ("asset_search_by_time", "oldest", Wanted(orientation="landscape")),
    ("asset_search_by_time", "newest", Wanted(query=parse_query("common"), kinds=["scraped"])),
    ("asset_colours_by_cell", "colour", Wanted(colour="#c02020", colour_distance=0.05)),
    ("image_tags", "newest", Wanted(tags=["tag7"], min_width=700)),
]


@pytest.fixture
async def pool(house: House) -> AsyncIterator[Pool]:
    """Many images of one project, and who may see them."""
    async with house.admin.acquire() as admin, admin.transaction():
        await admin.execute("SET LOCAL search_path = gateway, public")
        await admin.execute("ALTER TABLE image_tags DISABLE TRIGGER USER")
        await admin.execute(MADE, PROJECT, IMAGES)
        await admin.execute("ALTER TABLE image_tags ENABLE TRIGGER USER")
    await house.admin.execute("VACUUM ANALYZE gateway.asset_search, gateway.asset_colours, gateway.image_tags")
    pool = await open_pool(house.servers.database_url("gateway"), size=1, application_name="tests")
    yield pool
    await pool.close()


class _Explaining:
    """A connection that tells how it would answer."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.plan = ""

    async def fetchrow(self, sql: str, *arguments: Any) -> Any:
        return await self._connection.fetchrow(sql, *arguments)

    async def fetch(self, sql: str, *arguments: Any) -> list[Any]:
        rows = await self._connection.fetch(f"EXPLAIN {sql}", *arguments)
        self.plan = "\n".join(row[0] for row in rows)
        return []


async def _plan(pool: Pool, order: Order, wanted: Wanted, *, known: bool = True) -> str:
    async with as_tenant(pool, [PROJECT]) as connection:
        await search.plan_for_values(connection, wanted.query if known else None)
        explaining = _Explaining(connection)
        await search.select_found(explaining, [PROJECT], wanted, order, place=None, limit=20)  # type: ignore[arg-type]
        return explaining.plan


async def test_searches_look_into_indexes(pool: Pool, house: House) -> None:
    for index, order, wanted in QUESTIONS:
        plan = await _plan(pool, order, wanted)
        assert "Seq Scan" not in plan, (wanted, plan)
        assert index in plan, (wanted, plan)
    # The look is not blind: behind the wall, a condition that might tell of what it saw is answered by no index.
    await house.admin.execute("ALTER FUNCTION pg_catalog.ts_match_vq(tsvector, tsquery) NOT LEAKPROOF")
    try:
        assert "asset_search_by_words" not in await _plan(pool, *QUESTIONS[0][1:])
    finally:
        await house.admin.execute("ALTER FUNCTION pg_catalog.ts_match_vq(tsvector, tsquery) LEAKPROOF")


async def test_the_beginning_of_all_words_is_looked_for_in_the_table(pool: Pool) -> None:
    """In the index it would be looked for in the entries of all these words, one by one."""
    wanted = Wanted(query=parse_query("word*"))
    assert "asset_search_by_words" not in await _plan(pool, "relevance", wanted)
    assert "asset_search_by_words" in await _plan(pool, "relevance", wanted, known=False)
