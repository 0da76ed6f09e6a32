"""The SQL of what takes room in a crawl."""

from collections.abc import Sequence
from uuid import UUID

from services.scraper.store.crawls import Line
from shared.database import Connection


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
