"""What people say of images, and which images they want to be gone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.gateway.rules.tags import TAGS_LIMIT
from services.gateway.store.images import VISIBLE, ImageFilter
from services.gateway.store.pages import Conditions
from services.gateway.store.reading import Row, fetch
from shared.database import Connection

_CAN_BE_TAGGED: Final = f"known.given < known.asked AND known.held + known.asked - known.given <= {TAGS_LIMIT}"


@dataclass(frozen=True, slots=True)
class Edit:
    """What people say of an image now; None leaves a field as it came."""

    asset_id: UUID
    project_id: UUID
    title: str | None
    alt: str | None
    caption: str | None
    edited_by: str


async def upsert_edit(connection: Connection, edit: Edit) -> int:
    """Write what is said of an image now; return the version that this makes it."""
    version: int = await connection.fetchval(
        """
        INSERT INTO image_edits AS held (asset_id, project_id, title, alt, caption, edited_by)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (asset_id) DO UPDATE
        SET version = held.version + 1, title = excluded.title, alt = excluded.alt, caption = excluded.caption,
            edited_by = excluded.edited_by, edited_at = now()
        RETURNING version
        """,
        edit.asset_id,
        edit.project_id,
        edit.title,
        edit.alt,
        edit.caption,
        edit.edited_by,
    )
    return version


async def upsert_versions(connection: Connection, images: Mapping[UUID, UUID], edited_by: str) -> dict[UUID, int]:
    """Count another edit of these images, which are given with their projects; return their new versions."""
    rows = await connection.fetch(
        """
        INSERT INTO image_edits AS held (asset_id, project_id, edited_by)
        SELECT asset_id, project_id, $3 FROM unnest($1::uuid[], $2::uuid[]) AS image (asset_id, project_id)
        ON CONFLICT (asset_id) DO UPDATE
        SET version = held.version + 1, edited_by = excluded.edited_by, edited_at = now()
        RETURNING asset_id, version
        """,
        list(images),
        list(images.values()),
        edited_by,
    )
    return {row["asset_id"]: row["version"] for row in rows}


async def insert_tags(connection: Connection, images: Mapping[UUID, UUID], tags: Sequence[str]) -> None:
    """Give all these tags to all these images, which are given with their projects."""
    await connection.execute(
        """
        INSERT INTO image_tags (asset_id, project_id, tag)
        SELECT asset_id, project_id, tag
        FROM unnest($1::uuid[], $2::uuid[]) AS image (asset_id, project_id) CROSS JOIN unnest($3::text[]) AS tag
        ON CONFLICT DO NOTHING
        """,
        list(images),
        list(images.values()),
        list(tags),
    )


async def delete_tags(connection: Connection, ids: Sequence[UUID], tags: Sequence[str]) -> None:
    """Take these tags from these images."""
    await connection.execute(
        "DELETE FROM image_tags WHERE asset_id = ANY ($1) AND tag = ANY ($2)", list(ids), list(tags)
    )


async def delete_other_tags(connection: Connection, asset_id: UUID, tags: Sequence[str]) -> None:
    """Take from an image all tags but these."""
    await connection.execute("DELETE FROM image_tags WHERE asset_id = $1 AND tag <> ALL ($2)", asset_id, list(tags))


async def insert_uploaded_tags(connection: Connection, stored: Mapping[UUID, UUID]) -> None:
    """Give images the tags that came with their uploads; jobs with the images that they stored.

    Who has edited an image since has the last word.
    """
    await connection.execute(
        """
        INSERT INTO image_tags (asset_id, project_id, tag)
        SELECT stored.asset_id, upload.project_id, tag
        FROM unnest($1::uuid[], $2::uuid[]) AS stored (job_id, asset_id)
        JOIN uploads AS upload ON upload.job_id = stored.job_id CROSS JOIN unnest(upload.tags) AS tag
        WHERE NOT EXISTS (SELECT FROM image_edits WHERE image_edits.asset_id = stored.asset_id)
        ON CONFLICT DO NOTHING
        """,
        list(stored),
        list(stored.values()),
    )


async def insert_imported_tags(connection: Connection, project_id: UUID, tags: Mapping[UUID, Sequence[str]]) -> None:
    """Keep the tags of rows of an import until the jobs that fetch their images have stored them."""
    if not tags:
        return
    rows = [{"job_id": job_id, "project_id": project_id, "tags": list(given)} for job_id, given in tags.items()]
    await connection.execute(
        """
        INSERT INTO imported_tags (job_id, project_id, tags)
        SELECT job_id, project_id, tags FROM jsonb_populate_recordset(NULL::imported_tags, $1)
        ON CONFLICT DO NOTHING
        """,
        rows,
    )


async def delete_edits_of_deleted(connection: Connection, ids: Sequence[UUID]) -> None:
    """Forget what people said of those of these images that are gone."""
    gone = "(SELECT id FROM assets WHERE id = ANY ($1) AND deleted_at IS NOT NULL)"
    await connection.execute(f"DELETE FROM image_edits WHERE asset_id IN {gone}", list(ids))  # noqa: S608 - see above
    await connection.execute(f"DELETE FROM image_tags WHERE asset_id IN {gone}", list(ids))  # noqa: S608 - see above


async def delete_edits_of_stored_again(connection: Connection, versions: Mapping[UUID, int]) -> None:
    """Forget what people said of those of these images that were gone meanwhile, which has not been heard of yet.

    Versions are those that are heard of now: each deletion counts one, and so does each return.
    """
    await connection.execute(
        """
        WITH back AS (
            SELECT assets.id FROM unnest($1::uuid[], $2::integer[]) AS heard (id, version) JOIN assets USING (id)
            WHERE heard.version > assets.stored_version + 1 AND assets.deleted_at IS NULL
        ), edits AS (
            DELETE FROM image_edits WHERE asset_id IN (SELECT id FROM back)
        )
        DELETE FROM image_tags WHERE asset_id IN (SELECT id FROM back)
        """,
        list(versions),
        list(versions.values()),
    )


async def update_deleting(connection: Connection, jobs: Mapping[UUID, UUID]) -> None:
    """Show images no more which jobs shall delete; images with their jobs."""
    await connection.execute(
        """
        UPDATE assets SET deleting_job_id = wish.job_id, deleting_version = stored_version
        FROM unnest($1::uuid[], $2::uuid[]) AS wish (asset_id, job_id) WHERE assets.id = wish.asset_id
        """,
        list(jobs),
        list(jobs.values()),
    )


async def select_named(
    connection: Connection, projects: Sequence[UUID], ids: Sequence[UUID], tags: Sequence[str]
) -> list[Row]:
    """Select images by their ids, as `select_taggable` does, whether or not anything would change."""
    conditions = ImageFilter(ids=list(ids)).conditions(projects, len(ids), list(tags))
    return await _select(connection, conditions, "true")


async def select_taggable(
    connection: Connection, projects: Sequence[UUID], wanted: ImageFilter, tags: Sequence[str], limit: int
) -> list[Row]:
    """Select what a filter finds that lacks some of these tags and has room for them, from the oldest to the newest.

    `held` counts an image's tags, and `given` those of these that it has.
    """
    return await _select(connection, wanted.conditions(projects, limit, list(tags)), _CAN_BE_TAGGED)


async def select_tagged(
    connection: Connection, projects: Sequence[UUID], wanted: ImageFilter, tags: Sequence[str], limit: int
) -> list[Row]:
    """Select what a filter finds that has some of these tags, as `select_taggable` does."""
    return await _select(connection, wanted.conditions(projects, limit, list(tags)), "known.given > 0")


async def select_deletable(
    connection: Connection, projects: Sequence[UUID], wanted: ImageFilter, limit: int
) -> list[Row]:
    """Select what a filter finds, as `select_taggable` does."""
    return await _select(connection, wanted.conditions(projects, limit, []), "true")


async def _select(connection: Connection, conditions: Conditions, condition: str) -> list[Row]:
    return await fetch(
        connection,
        f"""
        SELECT asset.id, asset.project_id, known.held, known.given FROM assets AS asset
        CROSS JOIN LATERAL (
            SELECT count(*) AS held, count(*) FILTER (WHERE tag = ANY ($3)) AS given, cardinality($3::text[]) AS asked
            FROM image_tags WHERE asset_id = asset.id
        ) AS known
        WHERE asset.project_id = ANY ($1) AND {VISIBLE} AND {condition} {conditions}
        ORDER BY asset.created_at, asset.id LIMIT $2
        """,  # noqa: S608 - the conditions are texts of this house
        *conditions.arguments,
    )


async def select_tag_counts(
    connection: Connection, projects: Sequence[UUID], prefix: str | None, after: str | None, limit: int
) -> list[Row]:
    """Select a page of tags and one more in their order, with how many images have each."""
    conditions = Conditions(projects, limit + 1)
    conditions.add("starts_with(tagged.tag, {})", prefix)
    conditions.add("tagged.tag > {}", after)
    return await fetch(
        connection,
        f"""
        SELECT tagged.tag, count(*) AS images
        FROM image_tags AS tagged JOIN assets AS asset ON asset.id = tagged.asset_id
        WHERE tagged.project_id = ANY ($1) AND {VISIBLE} {conditions}
        GROUP BY tagged.tag ORDER BY tagged.tag LIMIT $2
        """,  # noqa: S608 - the conditions are texts of this house
        *conditions.arguments,
    )
