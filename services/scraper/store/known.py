"""The SQL of what is known of URLs before they are noted."""

from collections.abc import Sequence
from uuid import UUID

from services.scraper.store.crawls import Line
from shared.database import Connection

_LOOKED_BACK = 10
"""So many crawls, one after which the other came, are asked what they have found: what is new asks each of them."""


async def select_lines_known(connection: Connection, crawl_id: UUID, lines: Sequence[Line]) -> set[tuple[str, bytes]]:
    """Tell which of these URLs have a line already, whatever it says; return kind and key of those."""
    rows = await connection.fetch(
        """
        SELECT u.kind, u.key FROM crawl_urls u JOIN unnest($2::text[], $3::bytea[]) AS g (kind, key) USING (kind, key)
        WHERE u.crawl_id = $1
        """,
        crawl_id,
        [line.kind for line in lines],
        [line.key for line in lines],
    )
    return {(row["kind"], row["key"]) for row in rows}


async def select_images_known(connection: Connection, crawl_id: UUID, keys: Sequence[bytes]) -> set[bytes]:
    """Tell which images a crawl has found, or one that it came after, and did not see refused.

    One that could not read the site saw none, and yet nobody shall fetch again what was found before it.
    """
    rows = await connection.fetch(
        """
        WITH RECURSIVE before AS (
            SELECT id, previous_id, 1 AS step FROM crawls WHERE id = $1
            UNION ALL
            SELECT c.id, c.previous_id, step + 1 FROM before JOIN crawls c ON c.id = before.previous_id WHERE step < $3
        )
        SELECT key FROM unnest($2::bytea[]) AS g (key) CROSS JOIN LATERAL (
            -- Mostly it is the latest that knows it, and no other is asked.
            SELECT FROM before JOIN crawl_urls u ON u.crawl_id = before.id
            WHERE u.kind = 'image' AND u.key = g.key AND u.outcome IN ('found', 'stored', 'duplicate') LIMIT 1
        ) AS known
        """,
        crawl_id,
        list(keys),
        _LOOKED_BACK,
    )
    return {row["key"] for row in rows}
