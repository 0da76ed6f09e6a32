"""What could not be taken in: kept with its reason, delivered once more or given up; what became of it is said."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID, uuid5

import orjson
from aio_pika.abc import AbstractIncomingMessage

from contracts.envelope import from_binary_mode, routing_key_of
from contracts.jobs import (
    DeadLetterFilter,
    DeadLetterInstruction,
    DeadLettersSettled,
    DiscardDeadLetters,
    MessageDeadLettered,
    RedriveDeadLetters,
    SettledLetter,
)
from shared import metrics
from shared.database import Connection
from shared.errors import printable
from shared.handling import Heard
from shared.outbox import Outbox, Transaction
from shared.topology import queue_of

UNROUTABLE = "unroutable"
_STRANGERS = UUID("7b1f3f0e-52a4-5c55-9b39-0c6f1a7be001")
_PAGE = 500
_EXCERPT_CHARACTERS = 2000
_REPORTS = frozenset((routing_key_of(MessageDeadLettered), routing_key_of(DeadLettersSettled)))

_STATE = """
    CASE WHEN discarded_at IS NOT NULL THEN 'discarded'
         WHEN outcome IN ('taken_in', 'said_again') THEN outcome
         WHEN redriven_at IS NOT NULL AND outcome IS NULL THEN 'redriving'
         ELSE 'dead' END
"""
# What the filter finds is dead; a letter that is named is also delivered again while its last delivery is under way.
_MEANT = f"""
    SELECT id FROM dead_letters
    WHERE redriven_at IS DISTINCT FROM now() AND (
        id = ANY ($1) AND {_STATE} IN ('dead', 'redriving')
        OR $2 AND {_STATE} = 'dead' AND ($3::text IS NULL OR code = $3) AND ($4::text IS NULL OR message_type = $4)
           AND ($5::timestamptz IS NULL OR received_at >= $5) AND ($6::timestamptz IS NULL OR received_at < $6))
    ORDER BY id LIMIT $7 FOR UPDATE SKIP LOCKED
"""  # noqa: S608 - the expression is a text of this file


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A delivery that cannot be read or taken in, and why."""

    delivery: AbstractIncomingMessage
    code: str
    sentence: str
    heard: Heard[Any] | None = None


class DeadLetters:
    """The reactions to instructions about one service's dead letters."""

    def __init__(self, service: str, outbox: Outbox) -> None:
        self._service = service
        self._outbox = outbox

    async def on_redrive_dead_letters(self, tx: Transaction, asked: Sequence[Heard[RedriveDeadLetters]]) -> None:
        """Deliver letters to the service's own queue again; what could not be said is said to everybody again.

        How it ends is said once it is known, and at once of named letters that cannot be delivered.
        """
        for one in asked:
            redriven: set[UUID] = set()
            while page := await _select_redrivable(tx.connection, one.message):
                await _redrive(tx.connection, page, queue_of(self._service), one.message.asked_by)
                redriven |= {letter["id"] for letter in page}
                self._say_settled(tx, [letter for letter in page if letter["code"] == UNROUTABLE], "said_again")
            await self._say_standing(tx, set(one.message.dead_letter_ids) - redriven)
            tx.after_commit(self._outbox.wake.set)

    async def on_discard_dead_letters(self, tx: Transaction, asked: Sequence[Heard[DiscardDeadLetters]]) -> None:
        """Give letters up, and say so."""
        for one in asked:
            discarded: set[UUID] = set()
            while page := await _update_discarded(tx.connection, one.message):
                discarded |= {letter["id"] for letter in page}
                self._say_settled(tx, page, "discarded")
            await self._say_standing(tx, set(one.message.dead_letter_ids) - discarded)

    def _say_settled(self, tx: Transaction, letters: Iterable[Any], state: str) -> None:
        say_settled(tx, self._service, [{**letter, "state": state} for letter in letters])

    async def _say_standing(self, tx: Transaction, letter_ids: set[UUID]) -> None:
        if not letter_ids:
            return
        rows = await tx.connection.fetch(
            f"SELECT id, job_id, {_STATE} AS state, now() AS now FROM dead_letters WHERE id = ANY ($1)",  # noqa: S608 - a text of this file
            list(letter_ids),
        )
        now: datetime = await tx.connection.fetchval("SELECT now()")
        unknown = letter_ids - {row["id"] for row in rows}
        standing: list[Mapping[str, Any]] = [dict(row) for row in rows]
        standing += [{"id": letter_id, "job_id": None, "state": "unknown", "now": now} for letter_id in unknown]
        say_settled(tx, self._service, standing)


def say_settled(tx: Transaction, service: str, letters: Sequence[Mapping[str, Any]]) -> None:
    """Say how letters stand, given as `id, job_id, state, now`."""
    if letters:
        settled = [
            SettledLetter(dead_letter_id=letter["id"], state=letter["state"], job_id=letter["job_id"])
            for letter in letters
        ]
        tx.say(DeadLettersSettled(service=service, letters=tuple(settled), at=letters[0]["now"]))


async def insert_dead_letter(tx: Transaction, service: str, letter: DeadLetter, *, redriven: bool = False) -> bool:
    """Keep what could not be taken in, with the reason, and say so; once for each message and reason.

    `redriven`: the caller delivers it once more by itself. Returns whether it is the first letter of this message and
    reason; for one that was delivered again and has come back, it is said that it is dead again.
    """
    heard, delivery = letter.heard, letter.delivery
    message = heard.message if heard else None
    return await _insert(
        tx,
        MessageDeadLettered(
            service=service,
            dead_letter_id=letter_id_of(letter),
            message_type=message.wire_name if message else _printable(delivery.type),
            job_id=getattr(message, "job_id", None),
            code=letter.code,
            sentence=printable(letter.sentence),
            project_id=getattr(message, "project_id", None),
            message_id=_printable(delivery.message_id),
            topic=_printable(delivery.routing_key) or "",
            size_bytes=len(delivery.body),
            excerpt=_excerpt_of(delivery.body),
            redriven=redriven,
        ),
        {_printable(key): _printable(str(value)) for key, value in delivery.headers.items()},
        delivery.body,
    )


async def insert_unroutable(tx: Transaction, service: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Keep what nobody hears, given as rows of the outbox, and say so."""
    for row in rows:
        letter = MessageDeadLettered(
            service=service,
            dead_letter_id=uuid5(row["message_id"], UNROUTABLE),
            message_type=_type_in(row["body"]),
            job_id=row["job_id"],
            code=UNROUTABLE,
            sentence="No queue is bound to this message, so nobody would hear it.",
            message_id=str(row["message_id"]),
            topic=row["routing_key"],
            size_bytes=len(row["body"]),
            excerpt=_excerpt_of(row["body"]),
        )
        # Of a report about dead letters nothing is reported, or there would be no end of it.
        await _insert(tx, letter, {}, row["body"], silently=row["routing_key"] in _REPORTS)


async def _insert(
    tx: Transaction, letter: MessageDeadLettered, headers: Mapping[Any, Any], body: bytes, *, silently: bool = False
) -> bool:
    row = await tx.connection.fetchrow(
        """
        INSERT INTO dead_letters AS held (
            id, message_id, message_type, job_id, routing_key, headers, body, code, sentence)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (id) DO UPDATE SET outcome = 'dead_again', sentence = excluded.sentence
        WHERE held.redriven_at IS NOT NULL AND held.discarded_at IS NULL
          AND coalesce(held.outcome, 'said_again') = 'said_again'
        RETURNING id, job_id, received_at, 'dead' AS state, now() AS now, xmax = 0 AS is_first
        """,
        letter.dead_letter_id,
        letter.message_id,
        letter.message_type,
        letter.job_id,
        letter.topic,
        headers,
        body,
        letter.code,
        letter.sentence,
    )
    if row is None:
        return False
    if not row["is_first"]:
        say_settled(tx, letter.service, [dict(row)])
        return False
    if not silently:
        tx.say(letter.model_copy(update={"received_at": row["received_at"]}))
    tx.after_commit(metrics.DEAD_LETTERS.labels(letter.code).inc)
    return True


async def update_redriven(
    tx: Transaction, service: str, *, taken_in: Sequence[UUID], set_aside: Sequence[UUID]
) -> None:
    """Note what became of letters that were delivered once more, by the ids of their messages, and say so."""
    rows = await tx.connection.fetch(
        """
        UPDATE dead_letters SET outcome = CASE WHEN redriven_as = ANY ($1) THEN 'taken_in' ELSE 'dead_again' END
        WHERE redriven_as = ANY ($1 || $2::uuid[]) AND outcome IS NULL AND discarded_at IS NULL
        RETURNING id, job_id, now() AS now, CASE outcome WHEN 'taken_in' THEN outcome ELSE 'dead' END AS state
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


async def _select_redrivable(connection: Connection, asked: DeadLetterInstruction) -> list[dict[str, Any]]:
    rows = await connection.fetch(
        f"""
        SELECT id, job_id, message_id, routing_key, headers, body, code, now() AS now FROM dead_letters
        WHERE id IN ({_MEANT}) ORDER BY received_at, id
        """,  # noqa: S608 - the condition is a text of this file
        *_conditions(asked),
    )
    return [dict(row) for row in rows]


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
            SET redriven_at = now(), redriven_as = g.message_id, redriven_by = $6,
                outcome = CASE WHEN g.queue IS NULL THEN 'said_again' END
            FROM given g WHERE d.id = g.id
        )
        INSERT INTO outbox (message_id, routing_key, queue, job_id, body)
        SELECT message_id, routing_key, queue, job_id, body FROM given ORDER BY place
        """,
        [letter["id"] for letter in letters],
        [_message_id(letter["message_id"], letter["body"]) for letter in letters],
        [letter["routing_key"] for letter in letters],
        [None if letter["code"] == UNROUTABLE else queue for letter in letters],
        [_structured(letter["headers"], letter["body"]) for letter in letters],
        redriven_by,
        [letter["job_id"] for letter in letters],
    )


async def _update_discarded(connection: Connection, asked: DeadLetterInstruction) -> list[dict[str, Any]]:
    rows = await connection.fetch(
        f"""
        UPDATE dead_letters SET discarded_at = now(), discarded_by = $8
        WHERE id IN ({_MEANT})
        RETURNING id, job_id, now() AS now
        """,  # noqa: S608 - the condition is a text of this file
        *_conditions(asked),
        asked.asked_by,
    )
    return [dict(row) for row in rows]


_Conditions: TypeAlias = tuple[list[UUID], bool, str | None, str | None, datetime | None, datetime | None, int]


def _conditions(asked: DeadLetterInstruction) -> _Conditions:
    ids, wanted = list(asked.dead_letter_ids), asked.filter
    if wanted is None or wanted == DeadLetterFilter():
        return ids, False, None, None, None, None, _PAGE
    return ids, True, wanted.code, wanted.message_type, wanted.received_after, wanted.received_before, _PAGE


def _structured(headers: Mapping[str, Any], body: bytes) -> bytes:
    """Give a message that came in binary mode as one document: headers do not travel a second time."""
    try:
        document = from_binary_mode(headers, orjson.loads(body))
        return body if document is None else orjson.dumps(document, default=str)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return body


def id_of(delivery: AbstractIncomingMessage) -> UUID:
    """Give the id under which a delivery was published, or one derived from its body where it has none of ours."""
    return _message_id(delivery.message_id, delivery.body)


def _message_id(given: str | None, body: bytes) -> UUID:
    try:
        return UUID(given or "")
    except ValueError:
        return uuid5(_STRANGERS, hashlib.sha256(body).hexdigest())


def letter_id_of(letter: DeadLetter) -> UUID:
    """Give a dead letter's id: the same for the same message and reason, however often it is delivered."""
    return uuid5(id_of(letter.delivery), letter.code)


def _printable(text: str | None) -> str | None:
    return None if text is None else printable(text, 1000)


def _excerpt_of(body: bytes) -> str:
    return printable(body[: 4 * _EXCERPT_CHARACTERS].decode(errors="replace"), _EXCERPT_CHARACTERS)


def _type_in(body: bytes) -> str | None:
    """Give the type of a message of our own."""
    type_ = orjson.loads(body).get("type")
    return type_ if isinstance(type_, str) else None
