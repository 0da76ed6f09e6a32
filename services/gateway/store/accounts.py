"""What became of each URL that was seen in a crawl or an import."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from services.gateway.store.pages import Conditions
from services.gateway.store.reading import Row, fetch
from shared.database import Connection


async def upsert_url_lines(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Note lines; of several about one URL that which stands highest, and of those alike the latest."""
    await connection.execute(
        """
        INSERT INTO url_lines AS held (
            source_job_id, kind, digest, url, outcome, code, sentence, found_on, fetch_job_id, project_id, at)
        SELECT source_job_id, kind, digest, url, outcome, code, sentence, found_on, fetch_job_id, project_id, at
        FROM (
            SELECT DISTINCT ON (source_job_id, kind, url) sha256(convert_to(url, 'UTF8')) AS digest, told.*
            FROM jsonb_to_recordset($1)
                AS told (place integer, source_job_id uuid, kind text, url text, outcome text, standing integer,
                         code text, sentence text, found_on text, fetch_job_id uuid, project_id uuid, at timestamptz)
            ORDER BY source_job_id, kind, url, standing DESC, at DESC
        ) AS line
        ORDER BY place
        ON CONFLICT (source_job_id, kind, digest) DO UPDATE
        SET outcome = excluded.outcome, code = excluded.code, sentence = excluded.sentence,
            found_on = coalesce(excluded.found_on, held.found_on), fetch_job_id = excluded.fetch_job_id,
            at = excluded.at
        WHERE excluded.standing > held.standing OR (excluded.standing = held.standing AND excluded.at > held.at)
        """,
        [{**row, "place": place} for place, row in enumerate(rows)],
    )


async def select_url_lines(
    connection: Connection, job_id: UUID, outcomes: Sequence[str] | None, after: tuple[int] | None, limit: int
) -> list[Row]:
    """Select lines of a crawl or an import in the order in which they were noted first, one more than `limit`.

    Of an image that was found the outcome is what media says of it, where it has: of the last time that it was fetched.
    """
    conditions = Conditions(job_id)
    conditions.behind("(seen_number)", after)
    conditions.add("outcome = ANY ({})", None if outcomes is None else list(outcomes))
    conditions.arguments.append(limit + 1)
    return await fetch(
        connection,
        f"""
        SELECT seen_number, kind, url, outcome, code, sentence, found_on, image_id, at FROM (
            SELECT line.seen_number, line.kind, line.url, line.found_on, line.at, stored.asset_id AS image_id,
                   CASE WHEN line.outcome <> 'found' THEN line.outcome
                        WHEN rejection.job_id IS NOT NULL OR job.state IN ('failed', 'cancelled') THEN 'refused'
                        WHEN stored.is_again THEN 'duplicate'
                        WHEN stored.asset_id IS NOT NULL OR job.state = 'completed' THEN 'stored'
                        ELSE 'found' END AS outcome,
                   coalesce(line.code, rejection.code, job.error_code) AS code,
                   coalesce(line.sentence, rejection.sentence, job.error_sentence) AS sentence
            FROM url_lines AS line
            LEFT JOIN LATERAL (
                WITH RECURSIVE tries AS (
                    SELECT line.fetch_job_id AS id
                    UNION SELECT job.superseded_by FROM tries JOIN jobs AS job USING (id)
                    WHERE job.superseded_by IS NOT NULL
                )
                SELECT tries.id FROM tries LEFT JOIN jobs AS job USING (id) WHERE job.superseded_by IS NULL
            ) AS latest ON line.fetch_job_id IS NOT NULL
            LEFT JOIN rejections AS rejection ON rejection.job_id = latest.id
            LEFT JOIN jobs AS job ON job.id = latest.id
            LEFT JOIN LATERAL (
                SELECT source.asset_id, EXISTS (
                    SELECT FROM asset_sources AS earlier
                    WHERE earlier.asset_id = source.asset_id
                      AND (earlier.at, earlier.job_id) < (source.at, source.job_id)) AS is_again
                FROM asset_sources AS source WHERE source.job_id = latest.id LIMIT 1
            ) AS stored ON true
            WHERE line.source_job_id = $1
        ) AS line
        WHERE true{conditions}
        ORDER BY seen_number LIMIT ${len(conditions.arguments)}
        """,  # noqa: S608 - the conditions' text is ours
        *conditions.arguments,
    )
