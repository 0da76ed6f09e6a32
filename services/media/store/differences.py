"""What rows name and the bucket lacks, and the other way round."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.media.store.blobs import CONDEMNED_HOURS
from shared.database import Pool

SETTLED_MINUTES = 10
"""How long a deletion may be on its way to the object store: longer than the store's client is patient."""

_TOMBSTONE_DAYS = 7


@dataclass(frozen=True, slots=True)
class Orphan:
    """An object, and the hash that its key names."""

    key: str
    sha256: str
    size_bytes: int


async def claim_part(pool: Pool, hours: float) -> int | None:
    """Choose the part of the library (0 to 255) that nobody has looked at for longest; None where none is due."""
    part: int | None = await pool.fetchval(
        """
        INSERT INTO reconciled_parts AS held (part, looked_at)
        SELECT number, now()
        FROM generate_series(0, 255) AS number LEFT JOIN reconciled_parts AS before ON before.part = number
        WHERE before.looked_at IS NULL OR before.looked_at < now() - $1 * interval '1 hour'
        ORDER BY before.looked_at NULLS FIRST, number LIMIT 1
        ON CONFLICT (part) DO UPDATE SET looked_at = excluded.looked_at
        WHERE held.looked_at < now() - $1 * interval '1 hour'
        RETURNING part
        """,
        hours,
    )
    return part


async def select_named_keys(pool: Pool, beginning: str) -> list[tuple[str, str]]:
    """List what somebody refers to: key and hash of every object of the bytes whose hash begins so."""
    rows = await pool.fetch(
        """
        SELECT named.key, sha256 FROM blobs CROSS JOIN LATERAL (
            SELECT original_key AS key
            UNION ALL SELECT rendition ->> 'key' FROM jsonb_path_query(facts, '$.renditions[*]') AS rendition
            UNION SELECT facts -> 'clean_copy' ->> 'key' WHERE facts -> 'clean_copy' ->> 'key' IS NOT NULL
            UNION ALL SELECT track ->> 'key' FROM jsonb_path_query(facts, '$.video.tracks[*]') AS track
        ) AS named
        WHERE sha256 >= $1 AND sha256 < $1 || 'g' AND asset_count > 0
        """,
        beginning,
    )
    return [(row["key"], row["sha256"]) for row in rows]


async def replace_missing(pool: Pool, beginning: str, gone: Sequence[tuple[str, str]]) -> list[str]:
    """Note what is missing of the bytes whose hash begins so, each key with its hash; return what was not known."""
    rows = await pool.fetch(
        """
        WITH gone AS (
            SELECT key, sha256 FROM unnest($2::text[], $3::text[]) AS found (key, sha256)
            WHERE EXISTS (SELECT FROM blobs WHERE blobs.sha256 = found.sha256 AND asset_count > 0)
        ), found_again AS (
            DELETE FROM missing_objects WHERE sha256 >= $1 AND sha256 < $1 || 'g' AND key NOT IN (SELECT key FROM gone)
        )
        INSERT INTO missing_objects (key, sha256) SELECT key, sha256 FROM gone ON CONFLICT DO NOTHING RETURNING key
        """,
        beginning,
        [key for key, _ in gone],
        [sha256 for _, sha256 in gone],
    )
    return [row["key"] for row in rows]


async def insert_orphans(pool: Pool, found: Sequence[Orphan]) -> None:
    """Note those objects of whose bytes no row knows; those that are noted stay as old as they are.

    One whose deletion was begun long ago and that is still there begins a new day.
    """
    await pool.execute(
        """
        INSERT INTO orphans (key, sha256, size_bytes)
        SELECT found.* FROM unnest($1::text[], $2::text[], $3::bigint[]) AS found (key, sha256, size_bytes)
        WHERE NOT EXISTS (SELECT FROM blobs WHERE blobs.sha256 = found.sha256)
        ON CONFLICT (key) DO UPDATE SET seen_at = now(), settled_at = NULL
        -- A list may be older than a deletion, but not by so much.
        WHERE orphans.settled_at < now() - interval '1 hour'
        """,
        [one.key for one in found],
        [one.sha256 for one in found],
        [one.size_bytes for one in found],
    )


async def delete_known_orphans(pool: Pool, beginning: str) -> None:
    """Forget that objects were orphans whose bytes have a row by now, or that went long ago."""
    await pool.execute(
        """
        DELETE FROM orphans WHERE sha256 >= $1 AND sha256 < $1 || 'g'
        AND (EXISTS (SELECT FROM blobs WHERE blobs.sha256 = orphans.sha256)
             OR settled_at < now() - $2 * interval '1 day')
        """,
        beginning,
        _TOMBSTONE_DAYS,
    )


async def are_orphans_suspicious(pool: Pool, few: int) -> bool:
    """Tell whether there is more than one orphan to ten bytes that are known, and more than a few."""
    suspicious: bool = await pool.fetchval(
        """
        SELECT orphaned.number > $1 AND orphaned.number * 10 > (
            SELECT count(*) FROM (SELECT FROM blobs LIMIT orphaned.number * 10) AS counted)
        FROM (SELECT count(DISTINCT sha256) AS number FROM orphans WHERE settled_at IS NULL) AS orphaned
        """,
        few,
    )
    return suspicious


async def condemn_orphans(pool: Pool, limit: int) -> list[str]:
    """Choose orphans whose day is over and that still no row knows, and write down that they are about to be deleted.

    From now on nobody records that they are stored; `settle_orphans` says when they are gone. Where nobody says so,
    their deletions count as ended, or lost, after `SETTLED_MINUTES`.
    """
    rows = await pool.fetch(
        """
        UPDATE orphans SET settled_at = now() + $2 * interval '1 minute'
        WHERE key IN (
            SELECT key FROM orphans
            WHERE settled_at IS NULL AND seen_at < now() - $1 * interval '1 hour'
                  AND NOT EXISTS (SELECT FROM blobs WHERE blobs.sha256 = orphans.sha256)
            ORDER BY seen_at LIMIT $3 FOR UPDATE SKIP LOCKED
        )
        RETURNING key
        """,
        CONDEMNED_HOURS,
        SETTLED_MINUTES,
        limit,
    )
    return [row["key"] for row in rows]


async def settle_orphans(pool: Pool, keys: Sequence[str]) -> None:
    """Write down that orphans are gone; they can be stored anew at once."""
    await pool.execute(
        "UPDATE orphans SET settled_at = now() WHERE key = ANY ($1) AND settled_at IS NOT NULL", list(keys)
    )


async def count_differences(pool: Pool) -> tuple[int, int]:
    """Count the objects that are missing, and those that are orphans."""
    row = await pool.fetchrow(
        """
        SELECT (SELECT count(*) FROM missing_objects) AS missing,
               (SELECT count(*) FROM orphans WHERE settled_at IS NULL) AS orphans
        """
    )
    return (row["missing"], row["orphans"]) if row else (0, 0)
