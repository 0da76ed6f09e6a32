"""Reading the images of chapters and scenes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from contracts.image_generation import ProvidersReported
from services.gateway.store.images import VISIBLE
from services.gateway.store.pages import Conditions
from services.gateway.store.reading import Row, fetch, fetch_one
from shared.database import Connection

_GENERATION: Final = f"""
    scene.record_id, scene.project_id, scene.task_id, scene.chapter_id, scene.scene_number, scene.script_id,
    scene.image_type, scene.status, scene.retry_count, scene.progress, scene.model_used, scene.provider,
    scene.generation_time_seconds, scene.last_attempted_at, scene.error_code, scene.error_sentence, scene.created_at,
    scene.updated_at,
    CASE WHEN {VISIBLE} THEN scene.object_key END AS object_key,
    CASE WHEN {VISIBLE} THEN scene.asset_id END AS asset_id,
    CASE WHEN {VISIBLE} THEN asset.clean_copy ->> 'key' END AS copy_key
    FROM image_generations AS scene LEFT JOIN assets AS asset ON asset.id = scene.asset_id
"""  # a picture that is not in the library yet has no asset, and is shown


async def select_generation(
    connection: Connection, projects: list[UUID], chapter_id: str, scene_number: int
) -> Row | None:
    """Select the record of a scene; of several projects that which was changed last."""
    return await fetch_one(
        connection,
        f"""
        SELECT {_GENERATION}
        WHERE scene.project_id = ANY ($1) AND scene.chapter_id = $2 AND scene.scene_number = $3
        ORDER BY scene.updated_at DESC LIMIT 1
        """,
        projects,
        chapter_id,
        scene_number,
    )


async def select_generations(
    connection: Connection, projects: list[UUID], chapter_id: str, place: tuple[object, ...] | None, limit: int
) -> list[Row]:
    """Select a page of the records of a chapter and one more, in the order of the scenes."""
    conditions = Conditions(projects, chapter_id, limit + 1)
    conditions.behind("(scene.scene_number, scene.record_id)", place)
    return await fetch(
        connection,
        f"""
        SELECT {_GENERATION}
        WHERE scene.project_id = ANY ($1) AND scene.chapter_id = $2 {conditions}
        ORDER BY scene.scene_number, scene.record_id LIMIT $3
        """,
        *conditions.arguments,
    )


@dataclass(frozen=True, slots=True)
class Prospect:
    """What is known before a picture is asked for.

    Attributes:
        offers: who draws; None where nothing was heard of them yet.
        seconds: how long it usually takes; None where nothing was drawn yet.
        look: what the chapter says of its pictures.
        description: under which the scene is registered.
        take: how often the scene was drawn before, as far as its task has ended.

    """

    offers: ProvidersReported | None
    seconds: float | None
    look: Mapping[str, Any]
    description: str
    take: int


async def select_prospect(
    connection: Connection,
    place: tuple[UUID, str, int | None] | None,
    provider: str | None,
    aspect_ratio: str | None,
    samples: int,
) -> Prospect:
    """Look who draws, how the chapter looks, and how long the last twenty took that this transaction may see.

    Where at least three of that shape and number were drawn by the provider, or by the default, these alone are
    counted. `place` is project, chapter and scene; None: the picture belongs nowhere.
    """
    project_id, chapter_id, number = place or (None, None, None)
    row = await connection.fetchrow(
        """
        WITH known AS (
            SELECT report FROM image_offers ORDER BY said_at DESC LIMIT 1
        ), home AS (
            SELECT coalesce((SELECT look FROM chapters WHERE project_id = $4 AND id = $5), '{}') AS look
        ), meant AS (
            SELECT coalesce($1, look ->> 'provider', (SELECT report ->> 'default' FROM known)) AS provider,
                   coalesce($2, look ->> 'aspect_ratio', '1:1') AS aspect_ratio
            FROM home
        ), visible AS (  -- each by its index, for the policy alone would have the pictures of everybody looked at
            SELECT unnest(named_projects()) AS id
        )
        SELECT (SELECT report FROM known) AS report, home.look, coalesce(scene.description, '') AS description,
               CASE WHEN drawn.status IN ('pending', 'in_progress') THEN drawn.retry_count
                    ELSE coalesce(drawn.retry_count + 1, 0) END AS take,
               coalesce(
                   (SELECT CASE WHEN count(*) >= 3 THEN percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) END FROM (
                       SELECT drawn.seconds FROM visible CROSS JOIN LATERAL (
                           SELECT generation_seconds AS seconds, generated_at FROM pictures
                           WHERE (project_id, provider, aspect_ratio, samples)
                               = (visible.id, meant.provider, meant.aspect_ratio, $3) AND sample = 0
                           ORDER BY generated_at DESC LIMIT 20) AS drawn
                       ORDER BY drawn.generated_at DESC LIMIT 20) AS alike),
                   (SELECT avg(seconds) FROM (
                       SELECT drawn.seconds FROM visible CROSS JOIN LATERAL (
                           SELECT generation_seconds AS seconds, generated_at FROM pictures
                           WHERE project_id = visible.id AND sample = 0
                           ORDER BY generated_at DESC LIMIT 20) AS drawn
                       ORDER BY drawn.generated_at DESC LIMIT 20) AS latest)
               ) AS seconds
        FROM home CROSS JOIN meant
        LEFT JOIN scenes AS scene ON (scene.project_id, scene.chapter_id, scene.number) = ($4, $5, $6)
        LEFT JOIN image_generations AS drawn
            ON (drawn.project_id, drawn.chapter_id, drawn.scene_number) = ($4, $5, $6)
        """,
        provider,
        aspect_ratio,
        samples,
        project_id,
        chapter_id,
        number,
    )
    if row is None:  # a select of one value always gives a row
        raise LookupError("nothing is known before")
    offers = None if row["report"] is None else ProvidersReported.model_validate(row["report"])
    return Prospect(offers, row["seconds"], row["look"], row["description"], row["take"])


async def select_scenes_to_draw(
    connection: Connection, project_id: UUID, chapter_id: str, numbers: list[int] | None, limit: int
) -> list[Row]:
    """Select scenes of a chapter in their order, with how often each was drawn; None are all that are registered.

    Also those that are named and not registered. `limit` counts the scenes that are registered.
    """
    return await fetch(
        connection,
        """
        SELECT meant.number, meant.description, drawn.task_id, drawn.record_id,
               coalesce(drawn.retry_count, -1) AS retry_count,
               coalesce(drawn.status IN ('pending', 'in_progress'), false) AS under_way
        FROM (
            SELECT number, description, position FROM scenes
            WHERE project_id = $1 AND chapter_id = $2 AND ($3::integer[] IS NULL OR number = ANY ($3))
            UNION ALL
            SELECT named, '', named FROM unnest($3::integer[]) AS named
            WHERE NOT EXISTS (SELECT FROM scenes WHERE project_id = $1 AND chapter_id = $2 AND number = named)
        ) AS meant
        LEFT JOIN image_generations AS drawn
            ON (drawn.project_id, drawn.chapter_id, drawn.scene_number) = ($1, $2, meant.number)
        ORDER BY meant.position, meant.number LIMIT $4
        """,
        project_id,
        chapter_id,
        numbers,
        limit,
    )


async def select_drawn_recipes(
    connection: Connection, project_id: UUID, chapter_id: str, recipes: Mapping[int, str]
) -> dict[int, int]:
    """Find by which recipes scenes were drawn before: give the version of each, the newest that is not deleted."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT ON (scene.scene_number) scene.scene_number, picture.number
        FROM unnest($3::integer[], $4::text[]) AS asked (number, recipe)
        JOIN image_generations AS scene
            ON (scene.project_id, scene.chapter_id, scene.scene_number) = ($1, $2, asked.number)
        JOIN drawings AS drawn ON drawn.record_id = scene.record_id AND drawn.recipe = asked.recipe
        JOIN pictures AS picture ON picture.task_id = drawn.task_id AND picture.record_id = scene.record_id
        LEFT JOIN assets AS image ON image.id = picture.asset_id
        WHERE image.deleted_at IS NULL
        ORDER BY scene.scene_number, drawn.created_at DESC, picture.sample
        """,
        project_id,
        chapter_id,
        list(recipes),
        list(recipes.values()),
    )
    return {row["scene_number"]: row["number"] for row in rows}
