"""Dead letters are delivered once more or given up; and what became of them is said."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from contracts.envelope import from_binary_mode
from contracts.jobs import DeadLetterFilter, DeadLetterInstruction, DiscardDeadLetters, RedriveDeadLetters
from shared.database import Connection
from shared.dead_letters import UNROUTABLE, DeadLetter, letter_id_of, message_id_of, say_settled
from shared.handling import Heard
from shared.outbox import Outbox, Transaction
from shared.topology import queue_of

_NAMED_AT_ONCE = 1000
"""As many as an instruction may name."""

_REDRIVEN_AT_ONCE = 50
"""Whole bodies, of up to 256 KiB each, in one transaction."""

_MICROSECOND = timedelta(microseconds=1)

# Who was taken in after all was given up in vain.
_STATE = """
    CASE WHEN outcome = 'taken_in' THEN outcome
         WHEN discarded_at IS NOT NULL THEN 'discarded'
         WHEN outcome = 'said_again' THEN outcome
         WHEN redriven_at IS NOT NULL AND outcome IS NULL THEN 'redriving'
         ELSE 'dead' END
"""


class DeadLetters:
    """The reactions to instructions about one service's dead letters."""

    def __init__(self, service: str, outbox: Outbox) -> None:
        self._service = service
        self._outbox = outbox

    async def on_redrive_dead_letters(self, tx: Transaction, asked: Sequence[Heard[RedriveDeadLetters]]) -> None:
        """Deliver letters to the service's own queue again; what could not be said is said to everybody again.

        A few at a time: of the others the service reminds itself. How it ends is said once it is known, and at once
        of named letters that cannot be delivered.
        """
        for one in asked:
            await self._name_found(tx, one.message)
            named = one.message.dead_letter_ids
            self._instruct(tx, one.message, dead_letter_ids=named[_REDRIVEN_AT_ONCE:])
            await self._redrive_named(tx, set(named[:_REDRIVEN_AT_ONCE]), one.message.asked_by)

    async def on_discard_dead_letters(self, tx: Transaction, asked: Sequence[Heard[DiscardDeadLetters]]) -> None:
        """Give letters up, and say so."""
        for one in asked:
            await self._name_found(tx, one.message)
            named = set(one.message.dead_letter_ids)
            discarded = await _update_discarded(tx.connection, named, one.message.asked_by)
            self._say_settled(tx, discarded, "discarded")
            await self._say_standing(tx, named - {letter["id"] for letter in discarded})

    async def _name_found(self, tx: Transaction, asked: DeadLetterInstruction) -> None:
        """Have the service instruct itself about the letters that a filter finds, by their names.

        A filter that finds many goes on behind them, so that it does not find anew what has died again meanwhile.
        """
        if asked.filter is None or asked.filter == DeadLetterFilter():
            return
        found = await _select_found(tx.connection, asked.filter)
        for start in range(0, len(found), _NAMED_AT_ONCE):
            page = found[start : start + _NAMED_AT_ONCE]
            self._instruct(tx, asked, dead_letter_ids=tuple(letter["id"] for letter in page))
        if len(found) >= _NAMED_AT_ONCE:
            rest = {
                "received_after": found[-1]["received_at"] + _MICROSECOND,
                "received_before": asked.filter.received_before or found[-1]["now"],
            }
            self._instruct(tx, asked, filter=asked.filter.model_copy(update=rest))

    def _instruct(self, tx: Transaction, asked: DeadLetterInstruction, **about: Any) -> None:
        """Have the service instruct itself to do the same about other letters."""
        if any(about.values()):
            meant = {"dead_letter_ids": (), "filter": None, **about}
            tx.say(asked.model_copy(update={"addressee": self._service, **meant}))

    async def _redrive_named(self, tx: Transaction, named: set[UUID], asked_by: str) -> None:
        letters = await _select_redrivable(tx.connection, named)
        if letters:
            await _redrive(tx.connection, letters, queue_of(self._service), asked_by)
            tx.after_commit(self._outbox.wake.set)
        self._say_settled(tx, [letter for letter in letters if letter["code"] == UNROUTABLE], "said_again")
        await self._say_standing(tx, named - {letter["id"] for letter in letters})

    def _say_settled(self, tx: Transaction, letters: Iterable[Mapping[str, Any]], state: str) -> None:
        say_settled(tx, self._service, [{**letter, "state": state} for letter in letters])

    async def _say_standing(self, tx: Transaction, letter_ids: set[UUID]) -> None:
        if not letter_ids:
            return
        # Locked, so that nobody gives a letter another state before this one has been told.
        rows = await tx.connection.fetch(
            f"""
            SELECT id, job_id, message_type, routing_key, {_STATE} AS state, clock_timestamp() AS now
            FROM dead_letters WHERE id = ANY ($1) ORDER BY id FOR SHARE
            """,  # noqa: S608 - the expression is a text of this file
            list(letter_ids),
        )
        now: datetime = await tx.connection.fetchval("SELECT clock_timestamp()")
        nothing = {"job_id": None, "message_type": None, "routing_key": None, "state": "unknown", "now": now}
        unknown = letter_ids - {row["id"] for row in rows}
        say_settled(tx, self._service, [*map(dict, rows), *({"id": letter_id, **nothing} for letter_id in unknown)])


async def update_redriven(
    tx: Transaction, service: str, *, taken_in: Sequence[UUID], set_aside: Sequence[UUID]
) -> None:
    """Note what became of messages that were delivered once more, by their ids, and say so of their letters.

    A message that was taken in settles all its letters, whatever each of them died of; one that was set aside only
    those that were delivered, for another letter tells of the new reason.
    """
    rows = await tx.connection.fetch(
        """
        UPDATE dead_letters SET outcome = CASE WHEN redriven_as = ANY ($1) THEN 'taken_in' ELSE 'dead_again' END
        WHERE redriven_as = ANY ($1) AND outcome IS DISTINCT FROM 'taken_in'
           OR redriven_as = ANY ($2) AND redriven_at IS NOT NULL AND outcome IS NULL AND discarded_at IS NULL
        RETURNING id, job_id, message_type, routing_key, clock_timestamp() AS now,
                  CASE outcome WHEN 'taken_in' THEN outcome ELSE 'dead' END AS state
        """,
        list(taken_in),
        list(set_aside),
    )
    say_settled(tx, service, [dict(row) for row in rows])


async def redrive_once(tx: Transaction, queue: str, letter: DeadLetter) -> None:
    """Deliver a letter to the queue that it came from once more."""
    row = {
        "id": letter_id_of(letter),
        "job_id": None,
        "message_id": letter.delivery.message_id,
        "routing_key": letter.delivery.routing_key or "",
        "headers": letter.delivery.headers,
        "body": letter.delivery.body,
        "code": letter.code,
    }
    await _redrive(tx.connection, [row], queue, None)


async def redrive_lost(tx: Transaction, service: str) -> None:
    """Have delivered again what was being delivered once more when the queue was lost with all it held."""
    rows = await tx.connection.fetch(
        """
        SELECT coalesce(redriven_by, $1) AS asked_by, array_agg(id ORDER BY received_at, id) AS ids FROM dead_letters
        WHERE redriven_at IS NOT NULL AND outcome IS NULL AND discarded_at IS NULL GROUP BY 1
        """,
        service,
    )
    for row in rows:
        for start in range(0, len(row["ids"]), _NAMED_AT_ONCE):
            page = tuple(row["ids"][start : start + _NAMED_AT_ONCE])
            tx.say(RedriveDeadLetters(addressee=service, dead_letter_ids=page, asked_by=row["asked_by"]))


async def _select_found(connection: Connection, wanted: DeadLetterFilter) -> list[dict[str, Any]]:
    """Select the oldest dead letters that a filter finds, with all of the last moment; `id, received_at, now`."""
    rows = await connection.fetch(
        f"""
        SELECT id, received_at, now() AS now FROM dead_letters
        WHERE {_STATE} = 'dead' AND ($1::text IS NULL OR code = $1) AND ($2::text IS NULL OR message_type = $2)
          AND ($3::timestamptz IS NULL OR received_at >= $3) AND ($4::timestamptz IS NULL OR received_at < $4)
        ORDER BY received_at FETCH FIRST {_NAMED_AT_ONCE} ROWS WITH TIES
        """,  # noqa: S608 - the expression and the number are of this file
        wanted.code,
        wanted.message_type,
        wanted.received_after,
        wanted.received_before,
    )
    return [dict(row) for row in rows]


async def _select_redrivable(connection: Connection, letter_ids: Iterable[UUID]) -> list[dict[str, Any]]:
    """Lock letters that can be delivered again, also while their last delivery is under way; the oldest first.

    What is too large is so for ever.
    """
    rows = await connection.fetch(
        f"""
        SELECT id, received_at, job_id, message_id, message_type, routing_key, headers, body, code,
               clock_timestamp() AS now
        FROM dead_letters
        WHERE id = ANY ($1) AND {_STATE} IN ('dead', 'redriving') AND code <> 'message_too_large'
        ORDER BY id FOR UPDATE
        """,  # noqa: S608 - the expression is a text of this file
        list(letter_ids),
    )
    return sorted((dict(row) for row in rows), key=lambda letter: (letter["received_at"], letter["id"]))


async def _redrive(
    connection: Connection, letters: Sequence[Mapping[str, Any]], queue: str, redriven_by: str | None
) -> None:
    await connection.execute(
        """
        WITH given AS (
            SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::bytea[], $7::uuid[])
                WITH ORDINALITY AS g (id, message_id, routing_key, queue, body, job_id, place)
        ), redriven AS (
            UPDATE dead_letters d
            SET redriven_at = now(), redriven_by = $6,
                redriven_as = CASE WHEN g.queue IS NOT NULL THEN g.message_id END,
                outcome = CASE WHEN g.queue IS NULL THEN 'said_again' END
            FROM given g WHERE d.id = g.id
        )
        INSERT INTO outbox (message_id, routing_key, queue, job_id, body)
        SELECT message_id, routing_key, queue, job_id, body FROM given ORDER BY place
        """,
        [letter["id"] for letter in letters],
        [message_id_of(letter["message_id"], letter["body"]) for letter in letters],
        [letter["routing_key"] for letter in letters],
        [None if letter["code"] == UNROUTABLE else queue for letter in letters],
        [_structured(letter["headers"], letter["body"]) for letter in letters],
        redriven_by,
        [letter["job_id"] for letter in letters],
    )


async def _update_discarded(connection: Connection, letter_ids: Iterable[UUID], by: str) -> list[dict[str, Any]]:
    rows = await connection.fetch(
        f"""
        UPDATE dead_letters SET discarded_at = now(), discarded_by = $2
        WHERE id IN (SELECT id FROM dead_letters WHERE id = ANY ($1) AND {_STATE} IN ('dead', 'redriving')
                     ORDER BY id FOR UPDATE)
        RETURNING id, job_id, message_type, routing_key, clock_timestamp() AS now
        """,  # noqa: S608 - the expression is a text of this file
        list(letter_ids),
        by,
    )
    return [dict(row) for row in rows]


def _structured(headers: Mapping[str, Any], body: bytes) -> bytes:
    """Give a message that came in binary mode as one document: headers do not travel a second time."""
    try:
        document = from_binary_mode(headers, orjson.loads(body))
        return body if document is None else orjson.dumps(document, default=str)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return body
