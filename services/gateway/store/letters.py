"""Dead letters of every service: what is known of them, and what was asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.gateway.rules.cursors import Cursor
from services.gateway.store.pages import Conditions
from services.gateway.store.reading import Row, fetch, fetch_one
from shared.database import Connection

_SHOWN: Final = """
    letter.id, letter.service, letter.project_id, letter.job_id, letter.message_id, letter.message_type, letter.topic,
    letter.code, letter.sentence, letter.size_bytes, letter.state, letter.asked_by, letter.created_at, letter.updated_at
"""


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """Which dead letters are meant; None asks for all.

    Attributes:
        projects: of which projects; None for operators, who see also what belongs to none.

    """

    projects: list[UUID] | None
    ids: list[UUID] | None = None
    states: list[str] | None = None
    service: str | None = None
    code: str | None = None
    message_type: str | None = None
    job_id: UUID | None = None
    received_after: datetime | None = None
    received_before: datetime | None = None

    def conditions(self, *arguments: object) -> Conditions:
        """Write the filter as conditions on `letter`."""
        conditions = Conditions(*arguments)
        conditions.add("letter.project_id = ANY ({})", self.projects)
        conditions.add("letter.id = ANY ({})", self.ids)
        conditions.add("letter.state = ANY ({})", self.states)
        conditions.add("letter.service = {}", self.service)
        conditions.add("letter.code = {}", self.code)
        conditions.add("letter.message_type = {}", self.message_type)
        conditions.add("letter.job_id = {}", self.job_id)
        conditions.add("letter.created_at >= {}", self.received_after)
        conditions.add("letter.created_at < {}", self.received_before)
        return conditions


async def select_letters(
    connection: Connection, wanted: LetterFilter, cursor: Cursor | None, limit: int, *, locked: bool = False
) -> list[Row]:
    """Select a page of letters and one more, from the newest to the oldest; locked, where they will be changed."""
    conditions = wanted.conditions(limit + 1)
    conditions.after(cursor, alias="letter")
    return await fetch(
        connection,
        f"""
        SELECT {_SHOWN} FROM letters AS letter WHERE true {conditions}
        ORDER BY letter.created_at DESC, letter.id DESC LIMIT $1 {"FOR UPDATE" if locked else ""}
        """,  # noqa: S608 - columns and conditions are texts of this file
        *conditions.arguments,
    )


async def select_letter(connection: Connection, projects: list[UUID] | None, letter_id: UUID) -> Row | None:
    """Select a letter with how its body begins."""
    return await fetch_one(
        connection,
        f"""
        SELECT {_SHOWN}, letter.excerpt FROM letters AS letter
        WHERE letter.id = $1 AND ($2::uuid[] IS NULL OR letter.project_id = ANY ($2))
        """,  # noqa: S608 - columns of this file
        letter_id,
        projects,
    )


async def update_asked_letters(connection: Connection, ids: list[UUID], state: str, asked_by: str) -> None:
    """Note what shall become of letters, and who wished it."""
    await connection.execute(
        "UPDATE letters SET state = $2, asked_by = $3, updated_at = now() WHERE id = ANY ($1)", ids, state, asked_by
    )


async def upsert_letters(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Note letters that were told of; of one whose fate was told before, only what it is. Each letter once."""
    await connection.execute(
        """
        INSERT INTO letters AS held (id, service, project_id, job_id, message_id, message_type, topic, code, sentence,
                                     size_bytes, excerpt, state, created_at)
        SELECT id, service, project_id, job_id, message_id, message_type, topic, code, sentence, size_bytes, excerpt,
               state, created_at
        FROM jsonb_populate_recordset(NULL::letters, $1)
        ON CONFLICT (id) DO UPDATE
        SET project_id = excluded.project_id, message_id = excluded.message_id, message_type = excluded.message_type,
            topic = excluded.topic, code = excluded.code, sentence = excluded.sentence,
            size_bytes = excluded.size_bytes, excerpt = excluded.excerpt, created_at = excluded.created_at
        WHERE held.code = ''
        """,
        rows,
    )


async def upsert_settled_letters(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Note what became of letters, where that is news; also of those not told of yet. Each letter once."""
    await connection.execute(
        """
        INSERT INTO letters AS held (id, service, job_id, code, sentence, state, created_at, settled_at)
        SELECT id, service, job_id, '', '', state, settled_at, settled_at
        FROM jsonb_populate_recordset(NULL::letters, $1)
        ON CONFLICT (id) DO UPDATE
        SET state = excluded.state, settled_at = excluded.settled_at, updated_at = now()
        WHERE held.settled_at IS NULL OR excluded.settled_at >= held.settled_at
        """,
        rows,
    )


async def select_reasons(connection: Connection, ids: Sequence[UUID]) -> list[Row]:
    """Give the letters of jobs as `id, job_id, kind, error_code, error_sentence`."""
    return await fetch(
        connection,
        """
        SELECT id, job_id, message_type AS kind, code AS error_code, sentence AS error_sentence
        FROM letters WHERE id = ANY ($1) AND job_id IS NOT NULL AND code <> ''
        """,
        list(ids),
    )


async def update_dead_lettered_jobs(connection: Connection, rows: Sequence[dict[str, Any]]) -> list[UUID]:
    """End the jobs whose commands no worker can take in, for nobody else would; return those that were waiting."""
    ended = await connection.fetch(
        """
        UPDATE jobs
        SET state = 'failed', waiting_for = NULL, next_attempt_at = NULL, error_code = letter.error_code,
            error_sentence = letter.error_sentence, finished_at = now(), updated_at = now(),
            ended_by_letter = letter.id
        FROM jsonb_to_recordset($1) AS letter (id uuid, job_id uuid, kind text, error_code text, error_sentence text)
        WHERE jobs.id = letter.job_id AND jobs.kind = letter.kind AND jobs.state = 'pending'
        RETURNING jobs.id
        """,
        list(rows),
    )
    return [row["id"] for row in ended]


async def update_revived_jobs(connection: Connection, letter_ids: Sequence[UUID]) -> dict[str, list[UUID]]:
    """Take back the end of jobs whose letters were taken in after all; return them by service."""
    rows = await connection.fetch(
        """
        UPDATE jobs
        SET state = 'pending', waiting_for = 'worker', error_code = NULL, error_sentence = NULL, finished_at = NULL,
            updated_at = now(), ended_by_letter = NULL, asks = 0, ask_at = now() + interval '10 s'
        WHERE ended_by_letter = ANY ($1) AND state = 'failed'
        RETURNING id, service
        """,
        list(letter_ids),
    )
    revived: dict[str, list[UUID]] = {}
    for row in rows:
        revived.setdefault(row["service"], []).append(row["id"])
    return revived
