"""What became of each URL of a crawl is known for as long as a setting says, and never half of it."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from services.gateway.rounds import clean_up
from services.gateway.store import expiry
from tests.gateway.living import Client, Gateway, gateway_settings
from tests.living import House, until

YEAR = timedelta(days=365)


async def crawl(house: House, client: Client, *, ended_days: float | None, said_days: float, lines: int = 5) -> UUID:
    """Write down a crawl that ended so many days ago, or has not, with lines that were noted so many days ago."""
    reply = await client.post("/scrapes", {"url": "https://example.org"})
    crawl_id = UUID(reply.body["id"])
    if ended_days is not None:
        await house.admin.execute(
            """
            UPDATE gateway.jobs SET state = 'completed', finished_at = now() - $2::float8 * interval '1 day'
            WHERE id = $1
            """,
            *(crawl_id, ended_days),
        )
    await note(house, crawl_id, client.project_id, said_days, lines)
    return crawl_id


async def note(house: House, source_id: UUID, project_id: UUID, said_days: float, lines: int) -> None:
    await house.admin.execute(
        """
        INSERT INTO gateway.url_lines (source_job_id, kind, digest, url, outcome, project_id, at)
        SELECT $1, 'page', sha256(number::text::bytea), 'https://example.org/' || number, 'read', $2,
               now() - $3::float8 * interval '1 day'
        FROM generate_series(1, $4::int) AS number
        """,
        *(source_id, project_id, said_days, lines),
    )


async def left(house: House) -> dict[UUID, int]:
    rows = await house.rows("SELECT source_job_id AS id, count(*) FROM gateway.url_lines GROUP BY 1")
    return {row["id"]: row["count"] for row in rows}


async def follow(house: House, crawl_id: UUID) -> None:
    """Have a step of a crawl wait, as where its failures are asked once more."""
    await house.admin.execute(
        """
        INSERT INTO gateway.jobs
        SELECT (jsonb_populate_record(job, jsonb_build_object('id', gen_random_uuid(), 'state', 'pending',
                                                              'parent_id', job.id, 'finished_at', NULL))).*
        FROM gateway.jobs AS job WHERE id = $1
        """,
        crawl_id,
    )


async def test_what_ended_long_ago_goes_and_nothing_else(
    ann: Client, gateway: Gateway, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "_PAGE", 3)
    old = await crawl(house, ann, ended_days=366, said_days=367)
    young = await crawl(house, ann, ended_days=364, said_days=400)
    endless = await crawl(house, ann, ended_days=None, said_days=400)
    goes_on = await crawl(house, ann, ended_days=400, said_days=400)
    await follow(house, goes_on)
    strange, new = uuid4(), uuid4()
    await note(house, strange, ann.project_id, 366, 4)
    await note(house, new, ann.project_id, 364, 4)
    assert len(await left(house)) == 6
    await clean_up(gateway.parts.bus.pool, {expiry.URL_LINES: YEAR})
    assert await left(house) == {young: 5, endless: 5, goes_on: 5, new: 4}
    assert (await ann.get(f"/jobs/{old}/urls")).body["items"] == []
    assert len((await ann.get(f"/jobs/{young}/urls")).body["items"]) == 5


async def test_by_the_age_of_its_lines_alone_a_crawl_that_goes_on_would_be_cut_short(
    ann: Client, gateway: Gateway, house: House
) -> None:
    """The control."""
    endless = await crawl(house, ann, ended_days=None, said_days=400)
    by_age = """
        DELETE FROM url_lines WHERE (source_job_id, kind, digest) IN (
            SELECT source_job_id, kind, digest FROM url_lines WHERE at < now() - $1::interval LIMIT $2)
    """
    await clean_up(gateway.parts.bus.pool, {by_age: YEAR})
    assert endless not in await left(house)


async def test_the_gateway_lets_them_go_after_the_time_that_is_set(ann: Client, gateway: Gateway, house: House) -> None:
    assert gateway.settings.url_lines_retention_days == 365
    young = await crawl(house, ann, ended_days=29, said_days=29)
    await crawl(house, ann, ended_days=31, said_days=31)

    async def only_the_young_are_left() -> bool:
        return set(await left(house)) == {young}

    async with Gateway(gateway_settings(house.servers, url_lines_retention_days=30)):
        await until(only_the_young_are_left)
    assert await left(house) == {young: 5}
