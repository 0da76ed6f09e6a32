"""What pictures may have cost: the budget that is shown is the one that image generation keeps."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from contracts.image_generation import GenerateImage
from services.gateway.rules.retrying import OUTCOME_UNKNOWN
from services.gateway.store.pages import Conditions
from services.gateway.store.reading import Row, fetch, fetch_one
from shared.database import Connection

_MOST_RESERVED: Final = 10_000
_NEWER: Final = "excluded.subject_version > held.subject_version"
_ASKED: Final = ("provider", "samples", "cost_micros", "asked_at", "submitted_by")
"""What may be otherwise each time that a job asks."""

STANDS: Final = """
    NOT payment.waived AND NOT EXISTS (SELECT FROM payments AS heir WHERE heir.instead_of = payment.task_id)
"""
"""That a `payment` counts: it was not waived, and no other job goes on with what was paid for."""


@dataclass(frozen=True, slots=True)
class Spending:
    """What was spent, and what may have been, in millionths of a US dollar."""

    spent_micros: int
    reserved_micros: int


async def upsert_payments(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Note what is told of payments, where it is newer than what is known; of each job once.

    With whose request a job goes on holds for good, whenever that is heard.
    """
    asked_anew = ", ".join(
        f"{name} = CASE WHEN {_NEWER} AND NOT excluded.waived THEN excluded.{name} ELSE held.{name} END"
        for name in _ASKED
    )
    await connection.execute(
        f"""
        INSERT INTO payments AS held (task_id, project_id, submitted_by, subject_version, provider, samples,
                                      cost_micros, asked_at, waived, instead_of)
        SELECT task_id, project_id, submitted_by, subject_version, provider, coalesce(samples, 1),
               cost_micros, asked_at, waived, instead_of
        FROM jsonb_populate_recordset(NULL::payments, $1)
        ORDER BY task_id
        ON CONFLICT (task_id) DO UPDATE
        SET subject_version = greatest(held.subject_version, excluded.subject_version),
            waived = CASE WHEN {_NEWER} THEN excluded.waived ELSE held.waived END,
            {asked_anew}, instead_of = coalesce(held.instead_of, excluded.instead_of), uncounted = true
        WHERE {_NEWER} OR (held.instead_of IS NULL AND excluded.instead_of IS NOT NULL)
        """,  # noqa: S608 - columns and conditions of this file
        rows,
    )


async def select_spending(connection: Connection, day: date, user: str | None) -> Spending:
    """Sum up what was asked for since a day (UTC) began; None: by everybody.

    What is still drawn, and what nobody knows the end of, is reserved; all else that was not waived is spent, whether
    a picture came of it or not. Pictures count whose cost nobody told before they were drawn.
    """
    conditions = Conditions(day, OUTCOME_UNKNOWN)
    conditions.add("payment.submitted_by = {}", user)
    told = await fetch_one(
        connection,
        f"""
        SELECT coalesce(sum(price) FILTER (WHERE NOT open), 0)::bigint AS spent_micros,
               coalesce(sum(price) FILTER (WHERE open), 0)::bigint AS reserved_micros
        FROM (SELECT payment.cost_micros * payment.samples AS price,
                     coalesce(job.state IN ('pending', 'in_progress')
                              OR (job.state = 'failed' AND job.error_code = $2), true) AS open
              FROM payments AS payment LEFT JOIN jobs AS job ON job.id = payment.task_id
              WHERE payment.asked_at >= $1::date::timestamp AT TIME ZONE 'UTC' AND {STANDS} {conditions}) AS asked
        """,  # noqa: S608 - conditions of this file
        *conditions.arguments,
    )
    conditions = Conditions(day)
    conditions.add("job.submitted_by = {}", user)
    untold = await fetch_one(
        connection,
        f"""
        SELECT coalesce(sum(picture.cost_micros), 0)::bigint AS spent_micros
        FROM pictures AS picture LEFT JOIN jobs AS job ON job.id = picture.task_id
        WHERE picture.generated_at >= $1::date::timestamp AT TIME ZONE 'UTC' AND picture.cost_micros > 0
          AND NOT EXISTS (SELECT FROM payments WHERE payments.task_id = picture.task_id) {conditions}
        """,  # noqa: S608 - conditions of this file
        *conditions.arguments,
    )
    if told is None or untold is None:  # an aggregate always gives its row
        raise LookupError("nothing is known of what was spent")
    return Spending(told["spent_micros"] + untold["spent_micros"], told["reserved_micros"])


async def select_reserved(connection: Connection, day: date, user: str | None) -> list[Row]:
    """Select what was asked for on a day (UTC) and may be paid for, of which nothing else was told yet.

    That is what is drawn, and what nobody knows the end of. What another job goes on with counts with that one.
    """
    conditions = Conditions(GenerateImage.wire_name, day, OUTCOME_UNKNOWN, _MOST_RESERVED)
    conditions.add("submitted_by = {}", user)
    return await fetch(
        connection,
        f"""
        SELECT request FROM jobs
        WHERE kind = $1 AND created_at >= $2::date::timestamp AT TIME ZONE 'UTC' AND request IS NOT NULL
          AND (state = 'in_progress' OR (state = 'failed' AND error_code = $3))
          AND NOT EXISTS (SELECT FROM payments WHERE payments.task_id = jobs.id OR payments.instead_of = jobs.id)
          AND NOT EXISTS (SELECT FROM jobs AS heir
                          WHERE heir.id = jobs.superseded_by AND heir.request ? 'resumes'
                            AND (heir.state IN ('in_progress', 'completed') OR heir.error_code = $3)) {conditions}
        LIMIT $4
        """,  # noqa: S608 - conditions of this file
        *conditions.arguments,
    )
