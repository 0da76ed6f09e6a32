"""Going on with what was paid for and has not come."""

from typing import Final
from uuid import UUID

from services.image_generation.store.generations import Charge
from shared.database import Connection

_TOLD_THE_END: Final = ("outcome_unknown", "output_unreadable", "provider_refused")
"""How jobs end for which it makes no sense to ask once more about the same request."""


async def lock_name(connection: Connection, request_id: str) -> None:
    """Have whoever is told the same name wait until it can be seen for whom this transaction takes it down."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtext('image_generation.name'), hashtext($1))", request_id
    )


async def upsert_generation_taken_over(
    connection: Connection, job_id: UUID, project_id: UUID, before: UUID, request_id: str
) -> Charge | None:
    """Have a job go on with the request of another one, of which nobody knew the name, or a wrong one.

    Only one job ever does, and only what it costs counts from then on. A name by which the same provider draws for any
    other job is not taken down: what it leads to belongs to somebody else. Where the provider has told its name
    meanwhile, that one holds. Return None where it does not go on, or does so already.
    """
    await lock_name(connection, request_id)
    row = await connection.fetchrow(
        """
        WITH taken AS (
            UPDATE generations SET taken_over_by = $1, let_go_at = coalesce(let_go_at, now())
            WHERE job_id = $3 AND project_id = $2 AND paid AND generated_at IS NULL AND let_go_at IS NULL
              AND taken_over_by IS NULL AND (request_id IS NULL OR resume ?| '{track_id,told_late}')
            RETURNING *
        )
        INSERT INTO generations (job_id, project_id, submitted_by, provider, paid, price_micros, width_px, height_px,
                                 samples, payments, asked_at, request_id, resume, kept)
        SELECT $1, $2, submitted_by, provider, paid, price_micros, width_px, height_px, samples, 1, asked_at,
               CASE WHEN resume ? 'told_late' THEN request_id ELSE (SELECT $4 WHERE NOT EXISTS (
                   SELECT FROM generations AS other
                   WHERE other.provider = taken.provider AND other.request_id = $4 AND other.job_id <> $3)) END,
               CASE WHEN resume ? 'told_late' THEN resume - 'told_late'
                   ELSE jsonb_build_object('track_id', coalesce(resume ->> 'track_id', $3::text)) END,
               kept
        FROM taken
        ON CONFLICT (job_id) DO NOTHING
        RETURNING payments AS version, submitted_by, asked_at, provider, coalesce(samples, 1) AS samples, price_micros
        """,
        job_id,
        project_id,
        before,
        request_id,
    )
    return Charge(**row) if row else None


async def upsert_generation_retried(
    connection: Connection, job_id: UUID, project_id: UUID, before: UUID
) -> tuple[UUID, Charge] | None:
    """Have a job that does a failed one again go on with what was paid for there, or by one that was done again before.

    That is where the provider has said what it calls the request, and never what became of it, as far as is known, for
    tasks are forgotten before; also where it has said so too late for the job. What the job has asked for itself, and
    was let go, is no reason not to. Return whose request it is; None where there is none to go on with, or it goes on
    with one already.
    """
    row = await connection.fetchrow(
        """
        WITH RECURSIVE line AS (
            SELECT $3::uuid AS id
            UNION
            SELECT (task.command ->> 'retries')::uuid FROM line JOIN tasks AS task USING (id)
            WHERE task.command ? 'retries'
        ), taken AS (
            UPDATE generations SET taken_over_by = $1, let_go_at = now()
            WHERE job_id = (  -- of one alone, for each was paid for by itself
                SELECT job_id FROM generations JOIN line ON line.id = job_id LEFT JOIN tasks AS task ON task.id = job_id
                WHERE (task.id IS NULL
                       OR (task.state = 'failed' AND (task.error_code <> ALL ($4) OR resume ? 'told_late')))
                  AND generations.project_id = $2 AND paid AND generated_at IS NULL AND let_go_at IS NULL
                  AND taken_over_by IS NULL AND request_id IS NOT NULL AND job_id <> $1
                ORDER BY asked_at DESC, job_id LIMIT 1
                FOR UPDATE OF generations)
              AND NOT EXISTS (SELECT FROM generations AS own
                              WHERE own.job_id = $1 AND (own.let_go_at IS NULL OR own.taken_over_by IS NOT NULL))
            RETURNING *
        )
        INSERT INTO generations (job_id, project_id, submitted_by, provider, paid, price_micros, width_px, height_px,
                                 samples, payments, asked_at, request_id, resume, kept, failures)
        SELECT $1, $2, submitted_by, provider, paid, price_micros, width_px, height_px, samples, 1, asked_at,
               request_id, resume - 'told_late', kept, failures FROM taken
        ON CONFLICT (job_id) DO UPDATE  -- what it has let go itself, while nobody knew the name
        SET submitted_by = excluded.submitted_by, provider = excluded.provider, paid = excluded.paid,
            price_micros = excluded.price_micros, width_px = excluded.width_px, height_px = excluded.height_px,
            samples = excluded.samples, payments = generations.payments + 1, asked_at = excluded.asked_at,
            request_id = excluded.request_id, resume = excluded.resume, kept = excluded.kept,
            failures = generations.failures + excluded.failures, let_go_at = NULL, ended_at = NULL
        WHERE generations.let_go_at IS NOT NULL AND generations.taken_over_by IS NULL
        RETURNING payments AS version, submitted_by, asked_at, provider, coalesce(samples, 1) AS samples, price_micros,
                  (SELECT job_id FROM taken) AS before
        """,
        job_id,
        project_id,
        before,
        list(_TOLD_THE_END),
    )
    if row is None:
        return None
    told = dict(row)
    return told.pop("before"), Charge(**told)
