"""What could not be taken in: kept with its reason, and told of."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

import orjson
from aio_pika.abc import AbstractIncomingMessage

from contracts.envelope import routing_key_of
from contracts.jobs import DeadLettersSettled, MessageDeadLettered, SettledLetter
from shared import metrics
from shared.errors import printable
from shared.handling import Heard
from shared.outbox import Transaction

UNROUTABLE = "unroutable"
_STRANGERS = UUID("7b1f3f0e-52a4-5c55-9b39-0c6f1a7be001")
_EXCERPT_CHARACTERS = 2000
_REPORTS = frozenset((routing_key_of(MessageDeadLettered), routing_key_of(DeadLettersSettled)))


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A delivery that cannot be read or taken in, and why."""

    delivery: AbstractIncomingMessage
    code: str
    sentence: str
    heard: Heard[Any] | None = None


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
        comes_as=id_of(delivery),
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
        await _insert(tx, letter, {}, row["body"], comes_as=None)


async def _insert(
    tx: Transaction, letter: MessageDeadLettered, headers: Mapping[Any, Any], body: bytes, *, comes_as: UUID | None
) -> bool:
    """Keep a letter; `comes_as` is the id by which a further delivery of its message is recognised."""
    row = await tx.connection.fetchrow(
        """
        INSERT INTO dead_letters AS held (
            id, message_id, message_type, job_id, routing_key, headers, body, code, sentence, redriven_as)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (id) DO UPDATE SET outcome = 'dead_again', sentence = excluded.sentence
        WHERE held.redriven_at IS NOT NULL AND held.discarded_at IS NULL
          AND coalesce(held.outcome, 'said_again') = 'said_again'
        RETURNING id, job_id, message_type, routing_key, received_at, 'dead' AS state, clock_timestamp() AS now,
                  xmax = 0 AS is_first
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
        comes_as,
    )
    if row is None:
        return False
    if not row["is_first"]:
        say_settled(tx, letter.service, [dict(row)])
        return False
    if not _is_report(dict(row)):
        tx.say(letter.model_copy(update={"received_at": row["received_at"]}))
    tx.after_commit(metrics.DEAD_LETTERS.labels(letter.code).inc)
    return True


def say_settled(tx: Transaction, service: str, letters: Sequence[Mapping[str, Any]]) -> None:
    """Say how letters stand, given as `id, job_id, message_type, routing_key, state, now`.

    `now` is when the letter was locked, so that of two words about it the later one is true.
    """
    told = [letter for letter in letters if not _is_report(letter)]
    if told:
        settled = [
            SettledLetter(dead_letter_id=letter["id"], state=letter["state"], job_id=letter["job_id"])
            for letter in told
        ]
        tx.say(DeadLettersSettled(service=service, letters=tuple(settled), at=max(letter["now"] for letter in told)))


def _is_report(letter: Mapping[str, Any]) -> bool:
    """Tell whether a letter holds a report about letters: of those nothing is reported, or there would be no end."""
    type_ = letter["message_type"] or ""
    return bool(_REPORTS & {letter["routing_key"], type_, type_.rpartition(".")[0]})


def id_of(delivery: AbstractIncomingMessage) -> UUID:
    """Give the id under which a delivery was published, or one derived from its body where it has none of ours."""
    return message_id_of(delivery.message_id, delivery.body)


def message_id_of(given: str | None, body: bytes) -> UUID:
    """Give a message's id as `id_of` does."""
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
    """Give the type of a message, where its body is one; what was redriven may be anything."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    type_ = document.get("type") if isinstance(document, dict) else None
    return _printable(type_) if isinstance(type_, str) else None
