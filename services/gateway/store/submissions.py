"""Writing what clients submit: jobs, scenes and the answers that an Idempotency-Key brings back."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.gateway.rules.scenes import LARGEST_NUMBER
from services.gateway.store.audit import AuditEntry
from shared.database import Connection


class AnsweredElsewhereError(Exception):
    """Another gateway has answered an Idempotency-Key since we looked."""


class ProjectGoneError(Exception):
    """Projects were deleted since we looked; `projects` are their ids."""

    def __init__(self, projects: set[UUID]) -> None:
        super().__init__(f"{len(projects)} projects are gone")
        self.projects = projects


@dataclass(slots=True)
class SceneWanted:
    """An image that a scene shall have; the fields are columns of `image_generations`.

    Attributes:
        drawing: tells one image from another, see `rules.scenes.drawing_of`.
        recipe: the same, whichever of a family of seeds it grows from.
        from_task_id: the job of the version that it goes back to.

    """

    record_id: UUID
    project_id: UUID
    task_id: UUID
    chapter_id: str
    scene_number: int
    script_id: str | None
    image_type: str
    scene_description: str
    style: str
    aspect_ratio: str
    user_tier: str | None
    created_at: datetime
    drawing: str
    recipe: str
    from_task_id: UUID | None = None
    from_sample: int | None = None

    @property
    def place(self) -> tuple[UUID, str, int]:
        """What there is only one record of."""
        return (self.project_id, self.chapter_id, self.scene_number)


@dataclass(frozen=True, slots=True)
class SceneHeld:
    """The record of a scene as it is now, and what its task draws."""

    record_id: UUID
    task_id: UUID
    retry_count: int
    drawing: str


@dataclass(slots=True)
class Remembered:
    """What a POST with an Idempotency-Key was answered."""

    project_id: UUID
    key: str
    fingerprint: str
    answer: dict[str, Any]


async def select_answers(
    connection: Connection, keys: Iterable[tuple[UUID, str]]
) -> dict[tuple[UUID, str], Remembered]:
    projects, texts = zip(*keys, strict=True)
    rows = await connection.fetch(
        """
        SELECT project_id, key, fingerprint, answer FROM idempotency_keys
        JOIN unnest($1::uuid[], $2::text[]) AS asked (project_id, key) USING (project_id, key)
        """,
        projects,
        texts,
    )
    return {(row["project_id"], row["key"]): Remembered(**row) for row in rows}


async def insert_answers(connection: Connection, answers: Sequence[Remembered]) -> None:
    """Insert answers; raises AnsweredElsewhereError where another gateway has answered one of the keys meanwhile."""
    inserted = await connection.fetch(
        """
        INSERT INTO idempotency_keys (project_id, key, fingerprint, answer)
        SELECT project_id, key, fingerprint, answer FROM jsonb_populate_recordset(NULL::idempotency_keys, $1)
        ON CONFLICT DO NOTHING
        RETURNING key
        """,
        answers,
    )
    if len(inserted) < len(answers):
        raise AnsweredElsewhereError


async def upsert_scenes(
    connection: Connection, wanted: Sequence[SceneWanted], registrations: Sequence[AuditEntry]
) -> None:
    """Begin drawing these scenes, each at most once; a scene that is being drawn stays as it is.

    Meanwhile each shows what it has shown before.

    Chapters and scenes that are not registered are, where their project is there. `registrations` tell who registers
    each chapter; those are noted of which that is true.
    """
    await connection.execute(
        """
        WITH wanted AS (
            SELECT * FROM jsonb_populate_recordset(NULL::image_generations, $1)
        ), living AS (
            SELECT id FROM projects WHERE id IN (SELECT project_id FROM wanted) FOR KEY SHARE
        ), registered AS (
            INSERT INTO chapters (project_id, id, script_id, position)
            SELECT project_id, chapter_id, max(script_id), (
                SELECT least(coalesce(max(position), -1) + 1, $2) FROM chapters WHERE project_id = wanted.project_id)
            FROM wanted WHERE project_id IN (SELECT id FROM living)
            GROUP BY project_id, chapter_id
            ON CONFLICT DO NOTHING
            RETURNING project_id, id
        ), placed AS (
            INSERT INTO scenes (project_id, chapter_id, number, position)
            SELECT project_id, chapter_id, scene_number, scene_number
            FROM wanted WHERE project_id IN (SELECT id FROM living)
            ON CONFLICT DO NOTHING
        ), drawn AS (
            INSERT INTO image_generations AS held (
                record_id, project_id, task_id, chapter_id, scene_number, script_id, image_type, status,
                scene_description, style, aspect_ratio, drawing, user_tier, created_at, updated_at)
            SELECT record_id, project_id, task_id, chapter_id, scene_number, script_id, image_type, 'pending',
                   scene_description, style, aspect_ratio, drawing, user_tier, created_at, created_at
            FROM wanted
            ON CONFLICT (project_id, chapter_id, scene_number) DO UPDATE
            SET task_id = excluded.task_id, retry_count = held.retry_count + 1, status = 'pending', progress = NULL,
                script_id = excluded.script_id, scene_description = excluded.scene_description, style = excluded.style,
                aspect_ratio = excluded.aspect_ratio, drawing = excluded.drawing, user_tier = excluded.user_tier,
                last_attempted_at = NULL, error_code = NULL, error_sentence = NULL, updated_at = excluded.updated_at
            WHERE held.status IN ('completed', 'failed', 'cancelled')
            RETURNING record_id, task_id
        ), noted AS (
            INSERT INTO drawings (task_id, project_id, record_id, from_task_id, from_sample, drawing, recipe,
                                  created_at)
            SELECT task_id, project_id, drawn.record_id, from_task_id, from_sample, drawing, recipe, created_at
            FROM jsonb_populate_recordset(NULL::drawings, $1) JOIN drawn USING (task_id)
        )
        INSERT INTO audit_entries (id, project_id, actor, action, subject_kind, subject_id, details, trace_id)
        SELECT entry.id, project_id, actor, action, subject_kind, subject_id, details, trace_id
        FROM jsonb_populate_recordset(NULL::audit_entries, $3) AS entry
        WHERE (project_id, subject_id) IN (SELECT project_id, id FROM registered)
        """,
        wanted,
        LARGEST_NUMBER,
        registrations,
    )


async def select_scenes(
    connection: Connection, places: Iterable[tuple[UUID, str, int]]
) -> dict[tuple[UUID, str, int], SceneHeld]:
    projects, chapters, numbers = zip(*places, strict=True)
    rows = await connection.fetch(
        """
        SELECT project_id, chapter_id, scene_number, record_id, task_id, retry_count, drawing
        FROM image_generations
        JOIN unnest($1::uuid[], $2::text[], $3::integer[]) AS asked (project_id, chapter_id, scene_number)
        USING (project_id, chapter_id, scene_number)
        """,
        projects,
        chapters,
        numbers,
    )
    return {
        (row["project_id"], row["chapter_id"], row["scene_number"]): SceneHeld(
            row["record_id"], row["task_id"], row["retry_count"], row["drawing"]
        )
        for row in rows
    }


async def insert_scene_media(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    await connection.execute(
        """
        INSERT INTO scene_media (job_id, project_id, scene_id, url)
        SELECT job_id, project_id, scene_id, url FROM jsonb_populate_recordset(NULL::scene_media, $1)
        """,
        rows,
    )


async def insert_drawing(connection: Connection, row: dict[str, Any]) -> None:
    """Note what a picture that belongs to no scene goes back to."""
    await connection.execute(
        """
        INSERT INTO drawings (task_id, project_id, of_scene, from_task_id, from_sample, drawing, recipe)
        SELECT task_id, project_id, false, from_task_id, from_sample, drawing, recipe
        FROM jsonb_populate_record(NULL::drawings, $1)
        """,
        row,
    )
