"""Dead letters of every service: what is known of them, and what was asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.gateway.rules.cursors import Cursor
from services.gateway.store.pages import Conditions
from services.gateway.store.projection import STILL_WANTED
from services.gateway.store.reading import Row, fetch, fetch_one
from shared.database import Connection

_SHOWN: Final = """
    letter.id, letter.service, letter.project_id, letter.job_id, letter.message_id, letter.message_type, letter.topic,
    letter.code, letter.sentence, letter.size_bytes, letter.state, letter.asked_by, letter.created_at, letter.updated_at
"""
_FAILED: Final = """
    letter.id = ANY ($1) AND letter.job_id = job.id AND letter.message_type = job.kind AND job.state = 'failed'
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


async def select_letters(connection: Connection, wanted: LetterFilter, cursor: Cursor | None, limit: int) -> list[Row]:
    """Select a page of letters and one more, from the newest to the oldest."""
    conditions = wanted.conditions(limit + 1)
    conditions.after(cursor, alias="letter")
    return await fetch(
        connection,
        f"""
        SELECT {_SHOWN} FROM letters AS letter WHERE true {conditions}
        ORDER BY letter.created_at DESC, letter.id DESC LIMIT $1
        """,  # noqa: S608 - columns and conditions are texts of this file
        *conditions.arguments,
    )


async def select_meant_letters(connection: Connection, wanted: LetterFilter, limit: int, *, locked: bool) -> list[Row]:
    """Select what something shall become of, and one more, first what was left alone for longest.

    So whoever asks again and again gets past those that are dead again each time.
    """
    conditions = wanted.conditions(limit + 1)
    return await fetch(
        connection,
        f"""
        SELECT {_SHOWN} FROM letters AS letter WHERE true {conditions}
        ORDER BY letter.updated_at, letter.id LIMIT $1 {"FOR UPDATE" if locked else ""}
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
        SET project_id = excluded.project_id, job_id = excluded.job_id, message_id = excluded.message_id,
            message_type = excluded.message_type, topic = excluded.topic, code = excluded.code,
            sentence = excluded.sentence, size_bytes = excluded.size_bytes, excerpt = excluded.excerpt,
            created_at = excluded.created_at
        WHERE held.code = ''
        """,
        rows,
    )


async def upsert_settled_letters(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Note what became of letters, where that is news; also of those not told of yet. Each letter once.

    The moments are those at which transactions began, so they do not order ends: what was taken in remains so, and
    what was given up can only turn out to have been taken in.
    """
    await connection.execute(
        """
        INSERT INTO letters AS held (id, service, job_id, code, sentence, state, created_at, settled_at)
        SELECT id, service, job_id, '', '', state, settled_at, settled_at
        FROM jsonb_populate_recordset(NULL::letters, $1)
        ON CONFLICT (id) DO UPDATE
        SET state = excluded.state, settled_at = excluded.settled_at, updated_at = now()
        WHERE excluded.state = 'taken_in'
           OR held.state NOT IN ('taken_in', 'discarded')
              AND (held.settled_at IS NULL OR excluded.settled_at >= held.settled_at)
        """,
        rows,
    )


async def update_dead_lettered_jobs(connection: Connection, letter_ids: Sequence[UUID]) -> list[UUID]:
    """End waiting jobs whose commands no worker takes in, for nobody else would; return them.

    A command that was taken in once is with its worker, whatever its other letters say.
    """
    ended = await connection.fetch(
        """
        UPDATE jobs AS job
        SET state = 'failed', waiting_for = NULL, next_attempt_at = NULL, error_code = letter.code,
            error_sentence = letter.sentence, finished_at = now(), updated_at = now(), ended_by_letter = letter.id
        FROM letters AS letter
        WHERE letter.id = ANY ($1) AND letter.job_id = job.id AND letter.message_type = job.kind
          AND letter.state IN ('dead', 'discarded') AND job.state = 'pending'
          AND NOT EXISTS (SELECT FROM letters AS other
                          WHERE other.job_id = job.id AND other.message_type = job.kind AND other.state = 'taken_in')
        RETURNING job.id
        """,
        list(letter_ids),
    )
    return [row["id"] for row in ended]


async def update_revived_jobs(connection: Connection, letter_ids: Sequence[UUID]) -> dict[str, list[UUID]]:
    """Take back the end of jobs whose commands are on their way again or arrived after all; return them by service.

    Any letter of the command does, whichever of them ended the job.
    """
    rows = await connection.fetch(
        f"""
        UPDATE jobs AS job
        SET state = 'pending', waiting_for = 'worker', error_code = NULL, error_sentence = NULL, finished_at = NULL,
            updated_at = now(), ended_by_letter = NULL, unanswered_since = NULL, asks = 0,
            ask_at = now() + interval '10 s'
        FROM letters AS letter
        WHERE {_FAILED} AND letter.state IN ('redriving', 'taken_in', 'said_again') AND {STILL_WANTED}
        RETURNING job.id, job.service
        """,  # noqa: S608 - conditions of this house
        list(letter_ids),
    )
    revived: dict[str, list[UUID]] = {}
    for row in rows:
        revived.setdefault(row["service"], []).append(row["id"])
    return revived


async def select_unwanted_jobs(connection: Connection, letter_ids: Sequence[UUID]) -> list[Row]:
    """Give those failed jobs as `id, service` whose commands may be done by a worker, though nobody wants that now."""
    return await fetch(
        connection,
        f"""
        SELECT DISTINCT job.id, job.service FROM jobs AS job, letters AS letter
        WHERE {_FAILED} AND letter.state IN ('redriving', 'taken_in', 'said_again') AND NOT ({STILL_WANTED})
        """,  # noqa: S608 - conditions of this house
        list(letter_ids),
    )
