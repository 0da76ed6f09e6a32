"""The SQL of accounts: what became of images that were found."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from shared.database import Connection


@dataclass(frozen=True, slots=True)
class Fate:
    """How the fetch of an image ended: `stored`, `duplicate` or `refused`, with the reason."""

    fetch_job_id: UUID
    outcome: str
    code: str | None = None
    sentence: str | None = None


async def update_lines_of_fetches(connection: Connection, fates: Sequence[Fate]) -> None:
    """Note how fetches ended; an image that is stored stays so, whatever is heard late.

    Crawls are locked before their lines, as by whoever notes lines: these see the same images in another order.
    """
    await connection.execute(
        """
        WITH locked AS MATERIALIZED (
            SELECT id FROM crawls WHERE id IN (SELECT crawl_id FROM crawl_urls WHERE fetch_job_id = ANY ($1::uuid[]))
            ORDER BY id FOR NO KEY UPDATE
        )
        UPDATE crawl_urls u SET outcome = g.outcome, code = g.code, sentence = g.sentence, settled_at = now()
        FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) AS g (fetch_job_id, outcome, code, sentence)
        WHERE u.fetch_job_id = g.fetch_job_id AND u.outcome NOT IN ('stored', 'duplicate')
          AND u.crawl_id IN (SELECT id FROM locked)
        """,
        [fate.fetch_job_id for fate in fates],
        [fate.outcome for fate in fates],
        [fate.code for fate in fates],
        [fate.sentence for fate in fates],
    )
