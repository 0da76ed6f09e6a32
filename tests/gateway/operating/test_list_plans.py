"""With very many jobs and deliveries that have ended, lists of the few that are wanted read those few."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import orjson
import pytest

from services.gateway.store.deliveries import select_deliveries
from services.gateway.store.jobs import JobFilter, select_jobs
from services.gateway.store.tenancy import as_tenant
from shared.database import Connection, Pool, open_pool
from tests.living import House

PROJECT = UUID("00000000-0000-4000-8000-00000000dddd")
ROOT = UUID("00000000-0000-4000-8000-00000000eeee")
MANY = 20_000
FEW = 5
MADE = """
    INSERT INTO gateway.jobs (id, project_id, submitted_by, kind, service, state, root_id, created_at, error_code)
    SELECT CASE WHEN i = 1 THEN $2::uuid ELSE gen_random_uuid() END, $1, 'ann', 'a.b.v1', 'a',
           CASE WHEN i <= $4 THEN 'pending' ELSE 'completed' END,
           CASE WHEN i <= $4 THEN $2::uuid ELSE gen_random_uuid() END,
           '2030-01-01'::timestamptz + i * interval '1 s', NULL
    FROM generate_series(1, $3::integer) AS i
"""

TOLD = """
    WITH project AS (INSERT INTO gateway.projects (id, name) VALUES ($1, 'p') RETURNING id),
         hook AS (INSERT INTO gateway.webhooks (id, project_id, url, created_by)
                  SELECT $2, id, 'https://example.org', 'ann' FROM project RETURNING id)
    INSERT INTO gateway.webhook_deliveries (webhook_id, project_id, sequence, type, at, data, state, created_at)
    SELECT hook.id, $1, i, 'image.stored', now(), '{}', CASE WHEN i <= $4 THEN 'failed' ELSE 'delivered' END,
           '2030-01-01'::timestamptz + i * interval '1 s'
    FROM hook, generate_series(1, $3::integer) AS i
"""


@pytest.fixture
async def pool(house: House) -> AsyncIterator[Pool]:
    """Very many jobs of one project, of which the oldest few wait."""
    await house.admin.execute(MADE, PROJECT, ROOT, MANY, FEW)
    await house.admin.execute("VACUUM ANALYZE gateway.jobs")
    pool = await open_pool(house.servers.database_url("gateway"), size=1, application_name="tests")
    yield pool
    await pool.close()


class _Measuring:
    """A connection that counts the rows which are read for an answer, and then passed over."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.read = 0

    async def fetch(self, sql: str, *arguments: Any) -> list[Any]:
        [row] = await self._connection.fetch(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql}", *arguments)
        plan = row[0] if not isinstance(row[0], str) else orjson.loads(row[0])
        self.read = _read(plan[0]["Plan"])
        return []


def _read(node: dict[str, Any]) -> int:
    here = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
    return int(here * node["Actual Loops"]) * ("Relation Name" in node) + sum(map(_read, node.get("Plans", ())))


async def _read_for(pool: Pool, wanted: JobFilter, *, everybody: bool) -> int:
    async with as_tenant(pool, [PROJECT], operator=everybody) as connection:
        measuring = _Measuring(connection)
        await select_jobs(measuring, None if everybody else [PROJECT], wanted, None, 50)  # type: ignore[arg-type]
    return measuring.read


@pytest.mark.parametrize("everybody", [False, True])
async def test_those_that_are_wanted_are_read_and_hardly_any_others(pool: Pool, everybody: bool) -> None:
    for states in (["pending", "in_progress"], ["pending"]):
        assert await _read_for(pool, JobFilter(states=states), everybody=everybody) < 100, states
    assert await _read_for(pool, JobFilter(root_id=ROOT), everybody=everybody) < 100
    assert await _read_for(pool, JobFilter(kind="no.such.v1"), everybody=everybody) >= MANY, "what is measured"


async def test_of_what_a_webhook_was_told_those_that_failed_are_found(pool: Pool, house: House) -> None:
    await house.admin.execute(TOLD, PROJECT, ROOT, MANY, FEW)
    await house.admin.execute("VACUUM ANALYZE gateway.webhook_deliveries")
    for states in (["failed"], ["pending"]):
        async with as_tenant(pool, [PROJECT]) as connection:
            measuring = _Measuring(connection)
            await select_deliveries(measuring, ROOT, states, None, 50)  # type: ignore[arg-type]
        assert measuring.read < 100, states
