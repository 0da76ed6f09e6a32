"""Media's SQL: blobs, the assets that refer to them, and how both go."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.database import Connection, Pool
from shared.errors import TryAgain

CONDEMNED_HOURS = 24
"""How long bytes stay after nobody refers to them any more; storing them again saves them."""


@dataclass(frozen=True, slots=True)
class Asset:
    """An asset after it was stored."""

    id: UUID
    subject_version: int
    described_version: int
    already_stored: bool


async def select_blob(pool: Pool, sha256: str) -> dict[str, Any] | None:
    """Find what is known of bytes that are stored already; None where they are not, are missing, or may be going.

    Bytes that are condemned get another day, since somebody is about to store them again. The update waits for
    whoever collects them at this moment: afterwards they are either spared or really gone. Orphans get another day,
    too; raises TryAgain (`bytes_going`) while the deletion of one may be on its way.
    """
    row = await pool.fetchrow(
        """
        WITH spared AS (
            UPDATE blobs SET condemned_at = now() WHERE sha256 = $1 AND condemned_at IS NOT NULL
        ), adopted AS (
            UPDATE orphans SET seen_at = now(), settled_at = CASE WHEN settled_at > now() THEN settled_at END
            WHERE sha256 = $1
            RETURNING settled_at IS NOT NULL AS going
        )
        SELECT (SELECT bool_or(going) FROM adopted) AS going, sha256, size_bytes, original_key, facts
        FROM (SELECT) AS always LEFT JOIN blobs ON sha256 = $1 AND condemned_at IS NULL
             AND NOT EXISTS (SELECT FROM missing_objects AS missing WHERE missing.sha256 = blobs.sha256)
        """,
        sha256,
    )
    known = dict(row) if row else {}
    if known.pop("going", None):
        raise TryAgain(
            "bytes_going",
            "The same bytes are being deleted, since nobody had them; they are stored anew when that has ended.",
            retry_after_seconds=15,
            rate_limited=True,
        )
    return known if known.get("sha256") else None


async def upsert_blob(
    connection: Connection, sha256: str, *, size_bytes: int, original_key: str, facts: dict[str, Any]
) -> None:
    """Record bytes and what decoding found in them, and lock the row for the rest of the transaction.

    Raises TryAgain (`bytes_gone`) where they were deleted after they had been stored and before this: the process was
    held up for a day in between, and they were taken for an orphan or were nobody's any more.
    """
    stand: bool = await connection.fetchval(
        """
        WITH adopted AS (
            DELETE FROM orphans WHERE sha256 = $1 RETURNING settled_at
        ), found_again AS (
            DELETE FROM missing_objects WHERE sha256 = $1
        )
        INSERT INTO blobs (sha256, size_bytes, original_key, facts) VALUES ($1, $2, $3, $4)
        ON CONFLICT (sha256) DO UPDATE
        SET condemned_at = NULL, original_key = excluded.original_key, facts = excluded.facts
        RETURNING NOT EXISTS (SELECT FROM adopted WHERE settled_at IS NOT NULL)
        """,
        sha256,
        size_bytes,
        original_key,
        facts,
    )
    if not stand:
        raise TryAgain(
            "bytes_gone",
            "The bytes were deleted before anybody was told of them; they are stored anew.",
            retry_after_seconds=0,
            rate_limited=True,
        )


async def upsert_asset(
    connection: Connection, asset_id: UUID, project_id: UUID, sha256: str, source_url: str | None
) -> Asset:
    """Give a project an asset, once; an asset that was deleted comes back as a newer version of itself.

    Whoever stores it says with this transaction what is handed out of it.
    """
    row = await connection.fetchrow(
        """
        WITH before AS (
            -- As it was before this statement; the blob's row is locked already, so nobody else is here.
            SELECT deleted_at FROM assets WHERE id = $1
        ), stored AS (
            INSERT INTO assets (id, project_id, sha256, source_url, copy_due_at) VALUES ($1, $2, $3, $4, 'infinity')
            ON CONFLICT (id) DO UPDATE
            SET subject_version = assets.subject_version + (assets.deleted_at IS NOT NULL)::int, deleted_at = NULL,
                copy_due_at = 'infinity',
                described_version = greatest(assets.described_version, assets.subject_version)
                                    + (assets.deleted_at IS NOT NULL)::int
            RETURNING subject_version, described_version
        ), counted AS (
            UPDATE blobs SET asset_count = asset_count + 1
            WHERE sha256 = $3 AND NOT EXISTS (SELECT FROM before WHERE deleted_at IS NULL)
        )
        SELECT subject_version, described_version,
               EXISTS (SELECT FROM before WHERE deleted_at IS NULL) AS already_stored
        FROM stored
        """,
        asset_id,
        project_id,
        sha256,
        source_url,
    )
    if row is None:  # an upsert always gives its row
        raise LookupError(f"asset {asset_id} was not stored")
    return Asset(asset_id, row["subject_version"], row["described_version"], row["already_stored"])


async def select_original(pool: Pool, asset_id: UUID, project_id: UUID) -> dict[str, Any] | None:
    """Find where the bytes and renditions of an asset lie, and its size; None where the project has no such asset."""
    row = await pool.fetchrow(
        """
        SELECT blobs.sha256, blobs.original_key, blobs.facts -> 'renditions' AS renditions,
               (blobs.facts ->> 'width_px')::integer AS width_px, (blobs.facts ->> 'height_px')::integer AS height_px
        FROM assets JOIN blobs USING (sha256)
        WHERE assets.id = $1 AND assets.project_id = $2 AND assets.deleted_at IS NULL
        """,
        asset_id,
        project_id,
    )
    return dict(row) if row else None


async def update_blob_seen(pool: Pool, sha256: str, seen: dict[str, Any]) -> None:
    """Remember of bytes what was seen in them now, for whoever stores them next."""
    await pool.execute("UPDATE blobs SET facts = facts || $2 WHERE sha256 = $1", sha256, seen)


async def update_asset_described(connection: Connection, asset_id: UUID, project_id: UUID) -> int | None:
    """Count another description of an asset; return its version, or None where the asset was deleted."""
    version: int | None = await connection.fetchval(
        """
        UPDATE assets SET described_version = greatest(described_version, subject_version) + 1
        WHERE id = $1 AND project_id = $2 AND deleted_at IS NULL
        RETURNING described_version
        """,
        asset_id,
        project_id,
    )
    return version


async def insert_paid_look(connection: Connection, job_id: UUID, origin: str) -> bool:
    """Write down that somebody who is paid is about to be asked; tell whether nobody was before."""
    done: str = await connection.execute(
        "INSERT INTO paid_looks (job_id, origin) VALUES ($1, $2) ON CONFLICT DO NOTHING", job_id, origin
    )
    return done == "INSERT 0 1"


async def delete_paid_look(connection: Connection, job_id: UUID) -> None:
    """Forget that somebody was asked, since the answer is known, or that there was none to pay for."""
    await connection.execute("DELETE FROM paid_looks WHERE job_id = $1", job_id)


async def update_asset_deleted(connection: Connection, asset_id: UUID, project_id: UUID) -> int | None:
    """Turn an asset into its tombstone; return the version of the deletion, or None where there is no such asset."""
    version: int | None = await connection.fetchval(
        """
        WITH deleted AS (
            UPDATE assets SET deleted_at = now(), subject_version = subject_version + 1
            WHERE id = $1 AND project_id = $2 AND deleted_at IS NULL
            RETURNING sha256, subject_version
        ), counted AS (
            UPDATE blobs b
            SET asset_count = asset_count - 1, condemned_at = CASE WHEN asset_count = 1 THEN now() END
            FROM deleted d WHERE b.sha256 = d.sha256
        )
        SELECT subject_version FROM deleted
        """,
        asset_id,
        project_id,
    )
    return version


async def keep_locks(connection: Connection) -> None:
    """Keep the locks of this transaction however long it waits for something else, such as the object store."""
    await connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")


async def select_condemned(connection: Connection, limit: int) -> list[dict[str, Any]]:
    """Lock blobs whose time is over; they cannot be saved while the transaction is open."""
    rows = await connection.fetch(
        """
        SELECT sha256, original_key, facts FROM blobs
        WHERE condemned_at < now() - $1 * interval '1 hour' AND asset_count = 0
              AND NOT EXISTS (SELECT FROM assets WHERE assets.sha256 = blobs.sha256 AND assets.deleted_at IS NULL)
        ORDER BY condemned_at LIMIT $2 FOR UPDATE SKIP LOCKED
        """,
        CONDEMNED_HOURS,
        limit,
    )
    return [dict(row) for row in rows]


async def delete_blob(connection: Connection, sha256: str) -> None:
    """Forget bytes that are gone; the tombstones of their assets stay, so that versions go on from there.

    That they are gone is remembered for a while, for whoever believes that they are there.
    """
    await connection.execute(
        """
        WITH gone AS (
            DELETE FROM blobs WHERE sha256 = $1 RETURNING original_key, sha256, size_bytes
        )
        INSERT INTO orphans (key, sha256, size_bytes, settled_at) SELECT gone.*, now() FROM gone
        ON CONFLICT (key) DO UPDATE SET settled_at = now()
        """,
        sha256,
    )
