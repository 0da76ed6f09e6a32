"""Reading images, their maps and the scenes that they belong to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from services.gateway.rules.cursors import Cursor
from services.gateway.store.pages import Conditions
from services.gateway.store.reading import Row, fetch, fetch_one
from shared.database import Connection
from shared.object_keys import clean_copy_key_of

_PLACE_ID: Final = "coalesce(source.asset_id, '00000000-0000-0000-0000-000000000000')"
_DETAILS: Final = """
    asset.id, asset.project_id, asset.sha256, asset.size_bytes, asset.content_type, asset.width_px, asset.height_px,
    asset.stored_version, asset.renditions, asset.clean_copy, asset.video, asset.thumbhash, asset.source_url,
    asset.context, asset.pipeline, asset.job_id, asset.root_job_id, asset.created_at, asset.updated_at,
    described.origin AS described_by, described.palette, described.perceptual_hash, coalesce(told.seen, '[]') AS seen,
    storing.state AS storing_state, storing.error_code AS storing_code, storing.error_sentence AS storing_sentence,
    mapping.id AS mapping_job_id, mapping.state AS mapping_state, mapping.error_code AS mapping_code,
    mapping.error_sentence AS mapping_sentence,
    map.recipe, map.depth, map.edges, map.preview, map.coloured, map.normals,
    coalesce(edit.version, 1) AS version, edit.title AS edited_title, edit.alt AS edited_alt,
    edit.caption AS edited_caption, edit.edited_by, edit.edited_at, coalesce(tagged.tags, '{}') AS tags,
    deleting.id AS deleting_job_id, deleting.state AS deleting_state, deleting.error_code AS deleting_code,
    deleting.error_sentence AS deleting_sentence, scraped.page
"""
_AROUND: Final = """
    LEFT JOIN jobs AS storing ON storing.id = asset.job_id
    LEFT JOIN LATERAL (
        SELECT id, state, error_code, error_sentence FROM jobs
        WHERE asset_id = asset.id ORDER BY created_at DESC LIMIT 1
    ) AS mapping ON true
    LEFT JOIN LATERAL (
        SELECT origin, palette, perceptual_hash FROM descriptions
        WHERE asset_id = asset.id ORDER BY palette <> '[]' DESC, at DESC LIMIT 1
    ) AS described ON true
    LEFT JOIN LATERAL (
        SELECT jsonb_agg(jsonb_build_object('origin', origin, 'tags', tags, 'objects', objects, 'caption', caption)
                         ORDER BY origin) AS seen
        FROM descriptions
        WHERE asset_id = asset.id AND (tags <> '[]' OR objects <> '[]' OR jsonb_typeof(caption) = 'object')
    ) AS told ON true
    LEFT JOIN LATERAL (
        SELECT recipe, depth, edges, preview, coloured, normals FROM maps
        WHERE asset_id = asset.id ORDER BY at DESC LIMIT 1
    ) AS map ON true
    LEFT JOIN image_edits AS edit ON edit.asset_id = asset.id
    LEFT JOIN LATERAL (
        SELECT array_agg(tag ORDER BY tag) AS tags FROM image_tags WHERE asset_id = asset.id
    ) AS tagged ON true
    LEFT JOIN jobs AS deleting ON deleting.id = asset.deleting_job_id
    LEFT JOIN LATERAL (
        SELECT jsonb_build_object(
            'job_id', seen.job_id, 'url', seen.url, 'title', seen.title, 'description', seen.description,
            'author', seen.author, 'licence', seen.licence, 'published_at', seen.published_at,
            'modified_at', seen.modified_at, 'site_name', seen.site_name, 'language', seen.language,
            'canonical_url', seen.canonical_url) AS page
        FROM asset_sources AS source JOIN scraped_pages AS seen ON seen.job_id = source.parent_job_id
        WHERE source.asset_id = asset.id AND source.job_id = asset.job_id
          -- A page that was read elsewhere than it was asked for is known where its job has read no other.
          AND (seen.url = asset.context ->> 'page_url' OR NOT EXISTS (
              SELECT FROM scraped_pages AS other
              WHERE other.job_id = seen.job_id AND other.seen_number <> seen.seen_number))
        LIMIT 1
    ) AS scraped ON true
"""
VISIBLE: Final = """(
    asset.deleted_at IS NULL AND (asset.deleting_job_id IS NULL OR EXISTS (
        SELECT FROM jobs WHERE jobs.id = asset.deleting_job_id AND jobs.state IN ('failed', 'cancelled')))
)"""
"""Whether `asset` is shown: from the moment at which somebody deletes it until that has failed, it is not."""
DRAWN_FOR_CHAPTER: Final = "asset.id IN (SELECT asset_id FROM image_generations WHERE chapter_id = {})"
"""Whether `asset` is shown in a scene of a chapter, as a condition."""


@dataclass(frozen=True, slots=True)
class ImageFilter:
    """Which images a client asks for; None asks for all."""

    job_id: UUID | None = None
    ids: list[UUID] | None = None
    mapped: bool | None = None
    described: bool | None = None
    map_state: str | None = None
    newest_map_state: str | None = None
    map_failed: bool | None = None
    without_recipe: str | None = None
    chapter_id: str | None = None
    content_type: str | None = None
    video: bool | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    customer_id: UUID | None = None
    tag: Sequence[str] | None = None

    def conditions(self, *arguments: object) -> Conditions:
        """Write the filter as conditions on `asset`.

        `job_id` names a job or the root of a tree; `map_failed` tells whether a job that was to draw maps has failed.
        """
        conditions = Conditions(*arguments)
        conditions.add("asset.id = ANY ({})", self.ids)
        conditions.add(
            "asset.id IN (SELECT asset_id FROM asset_sources WHERE job_id = {0}"
            " UNION ALL SELECT asset_id FROM asset_sources WHERE root_job_id = {0})",
            self.job_id,
        )
        conditions.add("EXISTS (SELECT 1 FROM maps WHERE maps.asset_id = asset.id) = {}", self.mapped)
        conditions.add("EXISTS (SELECT 1 FROM descriptions WHERE asset_id = asset.id) = {}", self.described)
        conditions.add(
            "EXISTS (SELECT 1 FROM maps WHERE maps.asset_id = asset.id AND maps.review_state = {})", self.map_state
        )
        conditions.add(
            "(SELECT review_state FROM maps WHERE maps.asset_id = asset.id ORDER BY at DESC LIMIT 1) = {}",
            self.newest_map_state,
        )
        conditions.add(
            "EXISTS (SELECT FROM jobs WHERE jobs.asset_id = asset.id AND jobs.state = 'failed') = {}", self.map_failed
        )
        conditions.add(
            "NOT EXISTS (SELECT 1 FROM maps WHERE maps.asset_id = asset.id AND maps.recipe = {})", self.without_recipe
        )
        conditions.add(DRAWN_FOR_CHAPTER, self.chapter_id)
        conditions.add("asset.content_type = {}", self.content_type)
        if self.video is not None:  # written so that the index of videos answers it
            conditions.add("asset.video IS NOT NULL AND {}" if self.video else "asset.video IS NULL AND {}", True)
        conditions.add("asset.created_at >= {}", self.created_after)
        conditions.add("asset.created_at < {}", self.created_before)
        conditions.add("asset.id IN (SELECT image_id FROM customer_images WHERE customer_id = {})", self.customer_id)
        for tag in self.tag or ():
            conditions.add("asset.id IN (SELECT asset_id FROM image_tags WHERE tag = {})", tag)
        return conditions


async def select_images(
    connection: Connection, projects: list[UUID], wanted: ImageFilter, cursor: Cursor | None, limit: int
) -> list[Row]:
    """Select a page of images and one more, from the newest to the oldest."""
    conditions = wanted.conditions(projects, limit + 1)
    conditions.after(cursor, alias="asset")
    return await fetch(
        connection,
        f"""
        SELECT {_DETAILS} FROM (
            SELECT page.* FROM unnest($1::uuid[]) AS project
            CROSS JOIN LATERAL (
                SELECT asset.* FROM assets AS asset
                WHERE asset.project_id = project AND {VISIBLE} {conditions}
                ORDER BY asset.created_at DESC, asset.id DESC LIMIT $2
            ) AS page
            ORDER BY page.created_at DESC, page.id DESC LIMIT $2
        ) AS asset {_AROUND}
        ORDER BY asset.created_at DESC, asset.id DESC
        """,  # noqa: S608 - columns and conditions are texts of this file
        *conditions.arguments,
    )


async def select_image(connection: Connection, projects: list[UUID], image_id: UUID) -> Row | None:
    return await fetch_one(
        connection,
        f"""
        SELECT {_DETAILS} FROM assets AS asset {_AROUND}
        WHERE asset.id = $1 AND asset.project_id = ANY ($2) AND {VISIBLE}
        """,  # noqa: S608 - columns of this file
        image_id,
        projects,
    )


async def select_picture(connection: Connection, project_id: UUID, image_id: UUID) -> Row | None:
    """Select what sizes of an image are drawn of."""
    return await fetch_one(
        connection,
        f"""
        SELECT asset.sha256, asset.stored_version, asset.width_px, asset.height_px FROM assets AS asset
        WHERE asset.id = $1 AND asset.project_id = $2 AND {VISIBLE}
        """,  # noqa: S608 - a condition of this file
        image_id,
        project_id,
    )


async def select_images_by_id(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, Row]:
    """Select images that were found, by their ids; those that are shown no more are missing."""
    rows = await fetch(
        connection,
        f"SELECT {_DETAILS} FROM assets AS asset {_AROUND} WHERE asset.id = ANY ($1) AND {VISIBLE}",  # noqa: S608 - see above
        list(ids),
    )
    return {row["id"]: row for row in rows}


async def select_originals(connection: Connection, projects: list[UUID], wanted: ImageFilter, limit: int) -> list[Row]:
    """Select what maps are drawn of, from the oldest to the newest."""
    conditions = wanted.conditions(projects, limit)
    return await fetch(
        connection,
        f"""
        SELECT asset.id, asset.project_id, asset.original_key, asset.sha256 FROM assets AS asset
        WHERE asset.project_id = ANY ($1) AND {VISIBLE} {conditions}
        ORDER BY asset.created_at, asset.id LIMIT $2
        """,  # noqa: S608 - the conditions are texts of this file
        *conditions.arguments,
    )


_SHOWN: Final = """
    coalesce(asset.clean_copy ->> 'key', (
        SELECT one ->> 'key' FROM jsonb_array_elements(asset.renditions) AS one
        WHERE one ->> 'name' ~ '^[0-9]+$' ORDER BY (one ->> 'width_px')::integer DESC LIMIT 1))
"""


async def select_examples(connection: Connection, project_id: UUID, ids: Sequence[UUID]) -> dict[UUID, str]:
    """Give the keys of what strangers may be shown of these images: no original, which may tell where it was taken.

    That is the clean copy, and of a video, or as long as there is no copy, the largest of the pictures made of it.
    """
    rows = await fetch(
        connection,
        f"""
        SELECT asset.id, {_SHOWN} AS key
        FROM assets AS asset WHERE asset.project_id = $1 AND asset.id = ANY ($2) AND {VISIBLE}
        """,  # noqa: S608 - a condition of this file
        project_id,
        list(ids),
    )
    return {row["id"]: row["key"] for row in rows if row["key"] is not None}


async def select_shown_anew(connection: Connection, project_id: UUID, keys: Sequence[str]) -> tuple[str, ...]:
    """Give what strangers may be shown in place of what requests name that may be older than the clean copies.

    Of an original that is no image of the project any more that is a clean copy, which may have gone as well.
    """
    clean = {key: copy for key in keys if (copy := clean_copy_key_of(key)) is not None}
    if not clean:
        return tuple(keys)
    rows = await fetch(
        connection,
        f"""
        SELECT asset.original_key, {_SHOWN} AS key
        FROM assets AS asset WHERE asset.project_id = $1 AND asset.original_key = ANY ($2) AND {VISIBLE}
        """,  # noqa: S608 - conditions of this file
        project_id,
        list(clean),
    )
    shown = clean | {row["original_key"]: row["key"] for row in rows if row["key"] is not None}
    return tuple(shown.get(key, key) for key in keys)


async def select_scene_media(
    connection: Connection, projects: list[UUID], scene_id: str, place: tuple[object, ...] | None, limit: int
) -> list[Row]:
    """Select a page of the media of a scene and one more, the oldest first, with the state of each one's job.

    A job that has led to several images is there once for each, also once they are deleted. `place_id` tells those
    apart, for a place in the list.
    """
    conditions = Conditions(projects, scene_id, limit + 1)
    # What lies behind a place cannot be told by the index alone, but where to begin to look can.
    conditions.add("media.created_at >= {}", place and place[0])
    conditions.behind(f"(media.created_at, media.job_id, {_PLACE_ID})", place)
    return await fetch(
        connection,
        f"""
        SELECT media.job_id, media.url, media.created_at, job.state, job.error_code, job.error_sentence,
               CASE WHEN {VISIBLE} THEN asset.id END AS asset_id, {_PLACE_ID} AS place_id
        FROM scene_media AS media
        JOIN jobs AS job ON job.id = media.job_id
        LEFT JOIN asset_sources AS source ON source.job_id = media.job_id
        LEFT JOIN assets AS asset ON asset.id = source.asset_id
        WHERE media.project_id = ANY ($1) AND media.scene_id = $2 {conditions}
        ORDER BY media.created_at, media.job_id, place_id LIMIT $3
        """,  # noqa: S608 - columns and conditions are texts of this file
        *conditions.arguments,
    )
