"""What lies in the scraper's books when a round begins: a crawl that was cancelled early, and one of long ago."""

from typing import Final
from uuid import UUID

import orjson

from contracts.scraper import ContinueCrawl
from tests.reliability.crash_points.hands import PROJECT, Hands, lineage
from tests.reliability.crash_points.site import NOWHERE
from tests.reliability.crash_points.voice import same_id

_LINES: Final = 3


async def leave_a_crawl_that_was_cancelled(hands: Hands) -> None:
    """Leave URLs that wait behind a step that nobody takes any more."""
    crawl_id = same_id("cancelled crawl")
    step = ContinueCrawl(**lineage("cancelled step"), crawl_job_id=crawl_id, number=1)
    await _write_down(hands, crawl_id, "waiting", days=0, step=step)
    await hands.until(
        "SELECT NOT EXISTS (SELECT FROM scraper.crawl_urls WHERE outcome = 'waiting' AND crawl_id = $1)", crawl_id
    )
    await hands.until("SELECT count(*) FROM gateway.url_lines WHERE source_job_id = $1", crawl_id)


async def leave_a_crawl_of_long_ago(hands: Hands) -> None:
    """Leave what is old enough to be forgotten, and wait until it is."""
    crawl_id = same_id("old crawl")
    await _write_down(hands, crawl_id, "read", days=90)
    await hands.until("SELECT count(*) = 0 FROM scraper.crawls WHERE id = $1", crawl_id)


async def _write_down(
    hands: Hands, crawl_id: UUID, outcome: str, *, days: int, step: ContinueCrawl | None = None
) -> None:
    document = None if step is None else orjson.dumps(step.model_dump(mode="json", exclude_none=True)).decode()
    await hands.books.rows(
        """
        WITH crawl AS (
            INSERT INTO scraper.crawls (id, project_id, scope, seeds, pages_taken, created_at)
            VALUES ($1, $2, '{}', '{}', $3, now() - make_interval(days => $4)) RETURNING id
        ), step AS (
            INSERT INTO scraper.tasks (id, kind, command, project_id, root_job_id, state, announced, rank_at,
                                       deadline_at, finished_at)
            SELECT $5, $6, $7::text::jsonb, $2, $5, 'cancelled', true, now(), now(), now() WHERE $7::text IS NOT NULL
        )
        INSERT INTO scraper.crawl_urls (crawl_id, kind, key, url, depth, outcome)
        SELECT crawl.id, 'page', sha256(number::text::bytea), $8 || number, 0, $9
        FROM crawl, generate_series(1, $3) AS number
        """,
        crawl_id,
        PROJECT,
        _LINES,
        days,
        same_id("cancelled step"),
        ContinueCrawl.wire_name,
        document,
        f"{hands.site.url_of(NOWHERE)}/",
        outcome,
    )
