"""Media's SQL: blobs, the assets that refer to them, and how both go."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.database import Connection, Pool

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
    """Find what is known of bytes that are stored already; None where they are not, or may be going.

    Bytes that are condemned get another day, since somebody is about to store them again. The update waits for
    whoever collects them at this moment: afterwards they are either spared or really gone.
    """
    row = await pool.fetchrow(
        """
        WITH spared AS (
            UPDATE blobs SET condemned_at = now() WHERE sha256 = $1 AND condemned_at IS NOT NULL
        )
        SELECT sha256, size_bytes, original_key, facts FROM blobs WHERE sha256 = $1 AND condemned_at IS NULL
        """,
        sha256,
    )
    return dict(row) if row else None


async def upsert_blob(
    connection: Connection, sha256: str, *, size_bytes: int, original_key: str, facts: dict[str, Any]
) -> None:
    """Record bytes and what decoding found in them, and lock the row for the rest of the transaction."""
    await connection.execute(
        """
        INSERT INTO blobs (sha256, size_bytes, original_key, facts) VALUES ($1, $2, $3, $4)
        ON CONFLICT (sha256) DO UPDATE SET condemned_at = NULL, facts = excluded.facts
        """,
        sha256,
        size_bytes,
        original_key,
        facts,
    )


async def upsert_asset(
    connection: Connection, asset_id: UUID, project_id: UUID, sha256: str, source_url: str | None
) -> Asset:
    """Give a project an asset, once; an asset that was deleted comes back as a newer version of itself."""
    row = await connection.fetchrow(
        """
        WITH before AS (
            -- As it was before this statement; the blob's row is locked already, so nobody else is here.
            SELECT deleted_at FROM assets WHERE id = $1
        ), stored AS (
            INSERT INTO assets (id, project_id, sha256, source_url) VALUES ($1, $2, $3, $4)
            ON CONFLICT (id) DO UPDATE
            SET subject_version = assets.subject_version + (assets.deleted_at IS NOT NULL)::int, deleted_at = NULL,
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
    """Find where the bytes of an asset and its renditions lie; None where the project has no such asset."""
    row = await pool.fetchrow(
        """
        SELECT blobs.sha256, blobs.original_key, blobs.facts -> 'renditions' AS renditions
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
        ORDER BY condemned_at LIMIT $2 FOR UPDATE SKIP LOCKED
        """,
        CONDEMNED_HOURS,
        limit,
    )
    return [dict(row) for row in rows]


async def delete_blob(connection: Connection, sha256: str) -> None:
    """Forget bytes that are gone; the tombstones of their assets stay, so that versions go on from there."""
    await connection.execute("DELETE FROM blobs WHERE sha256 = $1", sha256)
