"""The SQL of crawls: what was seen, what waits to be asked, and what became of each URL.

One step of a crawl runs at a time, so that whatever is still `asked` when a step begins was lost with the one before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.database import Connection

LOST_AT_MOST = 4
"""A URL whose reader went away so many times is not asked again."""

LATE_SECONDS = 3600.0
"""Whom nobody has asked for so long after his time, as while nobody worked, has all patience anew."""


@dataclass(frozen=True, slots=True)
class CrawlRow:
    """A crawl as it stands.

    Attributes:
        pages_taken: pages and lists that were let into the frontier.
        lists_taken: sitemaps and feeds among them.

    """

    id: UUID
    scope: dict[str, Any]
    seeds: list[str]
    previous_id: UUID | None
    pages_taken: int
    lists_taken: int
    pages_done: int
    images_taken: int
    urls_noted: int
    rendered: bool


@dataclass(frozen=True, slots=True)
class Line:
    """What is known of a URL when it is first seen.

    Attributes:
        key: SHA-256 of its canonical spelling.
        outcome: `waiting` to be asked; or how it ended already, with `code` and `sentence` where it was not taken.

    """

    kind: str
    key: bytes
    url: str
    depth: int
    outcome: str
    code: str | None = None
    sentence: str | None = None
    fetch_job_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A URL that is asked now.

    Attributes:
        tries: that failed.
        put_off_seconds: since its host has asked for patience first; 0 where it never did, or that begins anew.

    """

    kind: str
    key: bytes
    url: str
    depth: int
    tries: int
    put_off_seconds: float = 0.0


async def insert_crawl(
    connection: Connection,
    crawl_id: UUID,
    project_id: UUID,
    *,
    scope: Mapping[str, Any],
    seeds: Sequence[str],
    previous_id: UUID | None = None,
    rendered: bool = False,
) -> None:
    """Begin a crawl; one that exists stays as it is."""
    await connection.execute(
        """
        INSERT INTO crawls (id, project_id, scope, seeds, previous_id, rendered)
        VALUES ($1, $2, $3, $4, (SELECT id FROM crawls WHERE id = $5 AND project_id = $2), $6)
        ON CONFLICT (id) DO NOTHING
        """,
        crawl_id,
        project_id,
        dict(scope),
        list(seeds),
        previous_id,
        rendered,
    )


async def select_crawl(connection: Connection, crawl_id: UUID) -> CrawlRow | None:
    """Give a crawl, locked for the rest of the transaction."""
    row = await connection.fetchrow(
        """
        SELECT id, scope, seeds, previous_id, pages_taken, lists_taken, pages_done, images_taken, urls_noted, rendered
        FROM crawls WHERE id = $1 FOR UPDATE
        """,
        crawl_id,
    )
    return None if row is None else CrawlRow(**dict(row))


async def insert_lines(
    connection: Connection, crawl_id: UUID, lines: Sequence[Line], *, found_on: str | None, job_id: UUID
) -> set[tuple[str, bytes]]:
    """Note URLs that were not seen before; return kind and key of those.

    What was left out where it was seen before, and is not where it is seen now, counts as new; so does an image whose
    site could not tell its rules, where it has told them now. No line is given twice.
    """
    rows = await connection.fetch(
        """
        INSERT INTO crawl_urls (crawl_id, kind, key, url, depth, outcome, code, sentence, fetch_job_id, found_on,
                                job_id, settled_at)
        SELECT $1, g.kind, g.key, g.url, g.depth, g.outcome, g.code, g.sentence, g.fetch_job_id, $10, $11,
               CASE WHEN g.outcome <> 'waiting' THEN now() END
        FROM unnest($2::text[], $3::bytea[], $4::text[], $5::int[], $6::text[], $7::text[], $8::text[], $9::uuid[])
            WITH ORDINALITY AS g (kind, key, url, depth, outcome, code, sentence, fetch_job_id, place)
        ORDER BY g.place
        ON CONFLICT (crawl_id, kind, key) DO UPDATE
        SET outcome = excluded.outcome, code = excluded.code, sentence = excluded.sentence,
            fetch_job_id = excluded.fetch_job_id, depth = excluded.depth,
            found_on = coalesce(excluded.found_on, crawl_urls.found_on), job_id = excluded.job_id,
            settled_at = excluded.settled_at
        WHERE (excluded.outcome IN ('waiting', 'found', 'refused') AND crawl_urls.outcome = 'skipped'
               AND crawl_urls.code NOT IN ('page_limit', 'image_limit'))
           OR (excluded.outcome IN ('found', 'refused') AND crawl_urls.outcome = 'refused' AND crawl_urls.kind = 'image'
               AND crawl_urls.code = 'robots_unavailable' AND excluded.code IS DISTINCT FROM 'robots_unavailable')
        RETURNING kind, key
        """,
        crawl_id,
        [line.kind for line in lines],
        [line.key for line in lines],
        [line.url for line in lines],
        [line.depth for line in lines],
        [line.outcome for line in lines],
        [line.code for line in lines],
        [line.sentence for line in lines],
        [line.fetch_job_id for line in lines],
        found_on,
        job_id,
    )
    return {(row["kind"], row["key"]) for row in rows}


async def update_counts(
    connection: Connection,
    crawl_id: UUID,
    *,
    pages: int = 0,
    lists: int = 0,
    done: int = 0,
    images: int = 0,
    noted: int = 0,
    left_out: int = 0,
) -> None:
    """Count what was let in, what has ended, and what was seen; `lists`: how many of `pages` are lists."""
    await connection.execute(
        """
        UPDATE crawls
        SET pages_taken = pages_taken + $2, pages_done = pages_done + $3, images_taken = images_taken + $4,
            urls_noted = urls_noted + $5, urls_left_out = urls_left_out + $6, lists_taken = lists_taken + $7
        WHERE id = $1
        """,
        crawl_id,
        pages,
        done,
        images,
        noted,
        left_out,
        lists,
    )


async def update_lines_skipped(
    connection: Connection, crawl_id: UUID, keys: Sequence[tuple[str, bytes]], *, code: str, sentence: str
) -> None:
    """Say of URLs that were just noted that they are not taken after all."""
    await connection.execute(
        """
        UPDATE crawl_urls u SET outcome = 'skipped', code = $4, sentence = $5, fetch_job_id = NULL, settled_at = now()
        FROM unnest($2::text[], $3::bytea[]) AS g (kind, key)
        WHERE u.crawl_id = $1 AND u.kind = g.kind AND u.key = g.key
        """,
        crawl_id,
        [kind for kind, _ in keys],
        [key for _, key in keys],
        code,
        sentence,
    )


async def update_lines_lost(connection: Connection, crawl_id: UUID) -> list[dict[str, Any]]:
    """Put back what was asked when the step before was lost; return those given up, `kind, url, code, sentence`."""
    rows = await connection.fetch(
        """
        WITH lost AS (
            UPDATE crawl_urls SET lost = lost + 1,
                outcome    = CASE WHEN lost + 1 < $2 THEN 'waiting' ELSE 'refused' END,
                code       = CASE WHEN lost + 1 < $2 THEN NULL ELSE 'worker_lost' END,
                sentence   = CASE WHEN lost + 1 < $2 THEN NULL ELSE 'Whoever reads it goes away without an answer.' END,
                settled_at = CASE WHEN lost + 1 < $2 THEN NULL ELSE now() END
            WHERE crawl_id = $1 AND outcome = 'asked'
            RETURNING kind, url, outcome, code, sentence
        )
        SELECT kind, url, code, sentence FROM lost WHERE outcome = 'refused'
        """,
        crawl_id,
        LOST_AT_MOST,
    )
    return [dict(row) for row in rows]


async def claim_lines(connection: Connection, crawl_id: UUID, job_id: UUID, limit: int) -> list[Claimed]:
    """Take the next URLs to ask, nearest to the seeds first.

    What was lost before comes last and alone, so that a page that ends its readers ends no neighbour's chance.
    """
    return await _claim(connection, crawl_id, job_id, limit, lost=False) or await _claim(
        connection, crawl_id, job_id, 1, lost=True
    )


async def _claim(connection: Connection, crawl_id: UUID, job_id: UUID, limit: int, *, lost: bool) -> list[Claimed]:
    rows = await connection.fetch(
        """
        WITH due AS (
            SELECT kind, key, not_before FROM crawl_urls
            WHERE crawl_id = $1 AND outcome = 'waiting' AND (lost > 0) = $4
              AND (not_before IS NULL OR not_before <= now())
            ORDER BY depth, seen_number LIMIT $3
            FOR UPDATE SKIP LOCKED
        ), asked AS (
            UPDATE crawl_urls u SET outcome = 'asked', job_id = $2,
                -- Where we come so late, it is not its host that has used up the patience.
                put_off_at = CASE WHEN due.not_before < now() - $5 * interval '1 s' THEN NULL ELSE u.put_off_at END
            FROM due WHERE u.crawl_id = $1 AND u.kind = due.kind AND u.key = due.key
            RETURNING u.kind, u.key, u.url, u.depth, u.tries, u.seen_number, u.put_off_at
        )
        SELECT kind, key, url, depth, tries,
               coalesce(extract(epoch FROM now() - put_off_at), 0)::float8 AS put_off_seconds
        FROM asked ORDER BY depth, seen_number
        """,
        crawl_id,
        job_id,
        limit,
        lost,
        LATE_SECONDS,
    )
    return [Claimed(**dict(row)) for row in rows]


async def update_line_settled(
    connection: Connection,
    crawl_id: UUID,
    line: Claimed,
    *,
    outcome: str,
    code: str | None = None,
    sentence: str | None = None,
) -> None:
    """Say what became of a URL that was asked."""
    await connection.execute(
        """
        UPDATE crawl_urls SET outcome = $4, code = $5, sentence = $6, settled_at = now()
        WHERE crawl_id = $1 AND kind = $2 AND key = $3
        """,
        crawl_id,
        line.kind,
        line.key,
        outcome,
        code,
        sentence,
    )


async def update_line_postponed(
    connection: Connection, crawl_id: UUID, line: Claimed, *, seconds: float, counts: bool, put_off: bool
) -> None:
    """Have a URL wait, because its host cannot answer it now.

    `counts`: as a try that failed; `put_off`: its host asks for patience, of which the first time is remembered.
    """
    await connection.execute(
        """
        UPDATE crawl_urls
        SET outcome = 'waiting', tries = tries + $5::int, not_before = now() + $4 * interval '1 s',
            put_off_at = CASE WHEN $6 THEN coalesce(put_off_at, now()) ELSE put_off_at END
        WHERE crawl_id = $1 AND kind = $2 AND key = $3
        """,
        crawl_id,
        line.kind,
        line.key,
        seconds,
        int(counts),
        put_off,
    )


async def upsert_line_read(
    connection: Connection, crawl_id: UUID, key: bytes, url: str, *, depth: int, found_on: str, job_id: UUID
) -> str | None:
    """Note where a redirect led as read; return what was known of it, or `unseen`.

    None where it was read before, or is being asked at this moment. One that was refused when it was asked itself is
    read all the same, now that it has answered.
    """
    before: str | None = await connection.fetchval(
        """
        WITH before AS (
            -- As it was before this statement; the crawl's row is locked already, so nobody else is here.
            SELECT outcome FROM crawl_urls WHERE crawl_id = $1 AND kind = 'page' AND key = $2
        )
        INSERT INTO crawl_urls (crawl_id, kind, key, url, depth, outcome, found_on, job_id, settled_at)
        VALUES ($1, 'page', $2, $3, $4, 'read', $5, $6, now())
        ON CONFLICT (crawl_id, kind, key) DO UPDATE
        SET outcome = 'read', code = NULL, sentence = NULL, settled_at = now()
        WHERE crawl_urls.outcome IN ('waiting', 'skipped', 'refused')
        RETURNING coalesce((SELECT outcome FROM before), 'unseen')
        """,
        crawl_id,
        key,
        url,
        depth,
        found_on,
        job_id,
    )
    return before


async def select_wait_seconds(connection: Connection, crawl_id: UUID) -> float | None:
    """Tell in how many seconds the next URL is due, 0 for now; None where none waits."""
    seconds = await connection.fetchval(
        """
        SELECT extract(epoch FROM min(greatest(coalesce(not_before, now()), now())) - now())
        FROM crawl_urls WHERE crawl_id = $1 AND outcome = 'waiting'
        """,
        crawl_id,
    )
    return None if seconds is None else float(seconds)


async def select_fetches(connection: Connection, job_id: UUID) -> list[UUID]:
    """Give the jobs under which media fetches what one step has found."""
    rows = await connection.fetch(
        "SELECT fetch_job_id FROM crawl_urls WHERE job_id = $1 AND fetch_job_id IS NOT NULL ORDER BY seen_number",
        job_id,
    )
    return [row["fetch_job_id"] for row in rows]


async def count_asked_in(connection: Connection, job_id: UUID) -> int:
    """Count the URLs of which one step has recorded what they gave."""
    return int(
        await connection.fetchval(
            """
            SELECT count(*) FROM crawl_urls
            WHERE job_id = $1 AND kind <> 'image' AND outcome IN ('read', 'duplicate', 'refused')
            """,
            job_id,
        )
    )
