"""One event in a hundred is bad: it is set aside, or fails with its exact attempts, and the good ones go on as fast."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from uuid import UUID

import aio_pika
import orjson

from contracts.envelope import Command, routing_key_of
from contracts.jobs import CheckWorker
from contracts.media import FetchMedia
from shared.identifiers import uuid7
from shared.outbox import Outbox
from shared.retry import ATTEMPTS
from shared.topology import EVENTS
from tests.journeys.end_state import until_quiet
from tests.journeys.gallery import web_page_in_disguise
from tests.living import lineage, until
from tests.reliability.figures.fates import nothing_lost
from tests.reliability.figures.ground import BUSY, Ground, Needs
from tests.reliability.figures.lines import Line, at_most, exactly, simply

NEEDS = Needs()
SERVICE = "media"
_BAD_PERCENT = 1
_SLOWER_PERCENT_AT_MOST = 10.0
_AT_ONCE = 200
_PATIENCE_SECONDS = 300.0
_SEED = 1


@dataclass(frozen=True)
class Size:
    """How much is said.

    Attributes:
        events: in each run.
        pairs: of a run with bad events and one without.
        busy: of the bad ones, how many are tried again and again; that takes half a minute.

    """

    events: int
    pairs: int
    busy: int


FULL = Size(events=10_000, pairs=2, busy=10)
SHORT = Size(events=500, pairs=1, busy=1)


@dataclass
class Batch:
    """What is published in one run, and what has to become of it.

    Attributes:
        said: bodies with their routing keys, in their order.
        good: jobs that have to complete.
        letters: the codes of the dead letters that have to be there, by body.
        attempts: the jobs that have to fail, and how many attempts each has to use up.

    """

    said: list[tuple[str, bytes]] = field(default_factory=list)
    good: dict[UUID, str] = field(default_factory=dict)
    letters: dict[bytes, str] = field(default_factory=dict)
    attempts: dict[UUID, int] = field(default_factory=dict)

    def add_good(self) -> None:
        command = CheckWorker(**lineage(), service=SERVICE)
        self.good[command.job_id] = SERVICE
        self._add(command)

    def add_failing(self, url: str, attempts: int) -> None:
        command = FetchMedia(**lineage(), url=url)
        self.attempts[command.job_id] = attempts
        self._add(command)

    def add_unreadable(self, code: str) -> None:
        body = _unreadable(code)
        self.letters[body] = code
        self.said.append((routing_key_of(FetchMedia), body))

    def _add(self, command: Command) -> None:
        self.said.append((command.routing_key, Outbox("gateway").encode(command).body))


def _unreadable(code: str) -> bytes:
    """Write an event that nobody understands, each time another one."""
    number = str(uuid7())
    known = {
        "specversion": "1.0",
        "id": number,
        "source": "an outsider",
        "type": FetchMedia.wire_name,
        "time": "2999-01-01T00:00:00Z",
        "data": {"url": 7},
    }
    bodies = {
        "not_json": b"\xff\xd8 not json " + number.encode(),
        "not_cloudevents": orjson.dumps({"hello": number}),
        "message_unknown": orjson.dumps({**known, "type": "media.never_heard_of.v1"}),
        "message_invalid": orjson.dumps(known),
    }
    return bodies[code]


_CODES = ("not_json", "not_cloudevents", "message_unknown", "message_invalid")


async def measure(ground: Ground, size: Size) -> list[Line]:
    clean: list[Batch] = []
    poisoned: list[Batch] = []
    seconds = {False: 0.0, True: 0.0}
    for number in range(2 * size.pairs):
        bad = number % 4 in {1, 2}  # in turn second and first of a pair, so that neither kind gains by its place
        batch = await _batch(ground, size, bad=bad)
        (poisoned if bad else clean).append(batch)
        seconds[bad] += await _run(ground, batch)
    await until_quiet(ground.stack, seconds=_PATIENCE_SECONDS)
    rates = {bad: _good(batches) / seconds[bad] for bad, batches in ((False, clean), (True, poisoned))}
    slower_percent = 100 * (1 - rates[True] / rates[False])
    lines = [
        simply("good events a second where all are good", rates[False]),
        simply("good events a second beside bad ones", rates[True]),
        at_most("slower beside bad ones", slower_percent, _SLOWER_PERCENT_AT_MOST, "%"),
        *await _set_aside(ground, poisoned),
        *await _failed(ground, poisoned),
        exactly(
            "requests for each file that was busy, by how many files",
            dict(Counter(ground.site.busy.values())),
            {ATTEMPTS: size.busy * len(poisoned)},
        ),
        *await nothing_lost(ground.books, {job: SERVICE for batch in (*clean, *poisoned) for job in batch.good}),
    ]
    for service in (SERVICE, "gateway"):  # what the journeys after this one look at is clean again
        await ground.books.rows(f"DELETE FROM {service}.dead_letters")
    return lines


def _good(batches: Sequence[Batch]) -> int:
    return sum(len(batch.good) for batch in batches)


async def _batch(ground: Ground, size: Size, *, bad: bool) -> Batch:
    """Write the events of one run; bad ones are one in a hundred, half of them unreadable where none is busy."""
    batch = Batch()
    number = size.events * _BAD_PERCENT // 100 if bad else 0
    busy = size.busy if bad else 0
    unreadable = (number - busy + 1) // 2
    disguised = await ground.site.exhibit("disguised", 0, further=[web_page_in_disguise("page")])
    for _ in range(size.events - number):
        batch.add_good()
    for code in islice(cycle(_CODES), unreadable):
        batch.add_unreadable(code)
    for _ in range(number - busy - unreadable):
        batch.add_failing(disguised.url_of(disguised.pictures[0]), attempts=1)
    for _ in range(busy):
        batch.add_failing(f"{ground.site.address}/{BUSY}/{uuid7()}.png", attempts=ATTEMPTS)
    random.Random(_SEED).shuffle(batch.said)  # noqa: S311 - an order is no secret
    return batch


async def _run(ground: Ground, batch: Batch) -> float:
    """Publish while nobody hears, then let the service hear; return the seconds from its first good job to its last."""
    held = await ground.hold(SERVICE)
    async with await aio_pika.connect(ground.stack.rabbitmq_url) as connection:
        exchange = await (await connection.channel()).get_exchange(EVENTS, ensure=False)
        for start in range(0, len(batch.said), _AT_ONCE):
            page = batch.said[start : start + _AT_ONCE]
            await asyncio.gather(*(exchange.publish(aio_pika.Message(body), key) for key, body in page))
    await ground.start(held)
    jobs = list(batch.good)

    async def all_completed() -> bool:
        done = "SELECT count(*) FROM media.tasks WHERE id = ANY ($1) AND state = 'completed'"
        return bool(await ground.books.value(done, jobs) == len(jobs))

    await until(all_completed, seconds=_PATIENCE_SECONDS)
    seconds = await ground.books.value(
        "SELECT extract(epoch FROM max(finished_at) - min(created_at)) FROM media.tasks WHERE id = ANY ($1)", jobs
    )
    return float(seconds)


async def _set_aside(ground: Ground, batches: Sequence[Batch]) -> list[Line]:
    expected = {body: code for batch in batches for body, code in batch.letters.items()}
    rows = await ground.books.rows("SELECT body, code FROM media.dead_letters")
    right = sum(expected.get(row["body"]) == row["code"] for row in rows)
    return [
        exactly("unreadable events set aside, once and with their reason", right, len(expected)),
        exactly("dead letters beside them", len(rows) - right, 0),
    ]


async def _failed(ground: Ground, batches: Sequence[Batch]) -> list[Line]:
    expected = Counter(attempts for batch in batches for attempts in batch.attempts.values())
    jobs = [job_id for batch in batches for job_id in batch.attempts]
    rows = await ground.books.rows(
        "SELECT attempt, count(*) AS count FROM media.tasks WHERE id = ANY ($1) AND state = 'failed' GROUP BY 1", jobs
    )
    found = Counter({row["attempt"]: row["count"] for row in rows})
    return [
        exactly(f"events that cannot succeed, failed after attempt {attempts}", found[attempts], expected[attempts])
        for attempts in sorted({*found, *expected})
    ]
