"""Finding images that are the same picture."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from services.gateway.store.pages import Conditions
from services.gateway.store.reading import Row, fetch
from shared.database import Connection


async def select_same_bytes(
    connection: Connection, projects: Sequence[UUID], place: Sequence[Any] | None, limit: int
) -> list[Row]:
    """Select a page of bytes that several of the projects hold, and one more: `id`, their SHA-256, and `members`."""
    conditions = Conditions(list(projects), limit + 1)
    conditions.behind("(sha256)", place)
    return await fetch(
        connection,
        f"""
        WITH same AS MATERIALIZED (
            SELECT sha256 FROM assets WHERE project_id = ANY ($1) AND deleted_at IS NULL {conditions}
            GROUP BY sha256 HAVING count(*) > 1
        )
        SELECT asset.sha256 AS id, array_agg(asset.id ORDER BY asset.created_at, asset.id) AS members
        FROM same JOIN assets AS asset ON asset.sha256 = same.sha256
        JOIN asset_search AS shown ON shown.asset_id = asset.id
        WHERE asset.project_id = ANY ($1) AND asset.deleted_at IS NULL
        GROUP BY asset.sha256 HAVING count(*) > 1 ORDER BY asset.sha256 LIMIT $2
        """,  # noqa: S608 - the conditions are texts of this file
        *conditions.arguments,
    )


async def select_groups(
    connection: Connection, projects: Sequence[UUID], tier: str, place: Sequence[Any] | None, limit: int
) -> list[Row]:
    """Select a page of groups and one more, by their first images from the newest: `id`, `group_at` and `members`.

    A group of the tier `resized` is one picture, and any other all that looks alike.
    """
    first, at = ("picture_id", "picture_at") if tier == "resized" else ("group_id", "group_at")
    conditions = Conditions(list(projects), limit + 1)
    conditions.behind(f"({at}, {first})", place, descending=True)
    return await fetch(
        connection,
        f"""
        SELECT {first} AS id, {at} AS group_at,
               array_agg(asset_id ORDER BY asset_id <> {first}, at, asset_id) AS members
        FROM near_duplicates
        WHERE project_id = ANY ($1) {conditions}
        GROUP BY {first}, {at} HAVING count(*) > 1
        ORDER BY {at} DESC, {first} DESC LIMIT $2
        """,  # noqa: S608 - the conditions are texts of this file
        *conditions.arguments,
    )


async def select_pairs(connection: Connection, pairs: Sequence[tuple[UUID, UUID]]) -> list[Row]:
    """Compare the images of each pair: `similarity` of their vectors, and in how many `bits` their hashes differ."""
    return await fetch(
        connection,
        """
        SELECT one, other, similarity, bits, tier_of(similarity, bits) AS tier
        FROM unnest($1::uuid[], $2::uuid[]) AS pair (one, other)
        CROSS JOIN LATERAL (
            SELECT similarity_of(one, other) AS similarity, bit_count(hash_of(one) # hash_of(other))::integer AS bits
            OFFSET 0
        ) AS measured
        """,
        [one for one, _ in pairs],
        [other for _, other in pairs],
    )
