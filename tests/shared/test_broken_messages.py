"""What cannot be read or taken in is set aside with its reason, and nothing else is disturbed."""

from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from contracts.jobs import CheckWorker, MessageDeadLettered
from contracts.scraper import ImageFound
from shared.errors import Refused
from shared.handling import Heard
from shared.identifiers import uuid7
from shared.outbox import Transaction
from tests.living import House, lineage, until

BROKEN = {
    "not_json": b"\xff\xfe not json",
    "not_cloudevents": orjson.dumps({"hello": "world"}),
    "message_unknown": orjson.dumps(
        {
            "specversion": "1.0",
            "id": str(uuid7()),
            "source": "test",
            "type": "media.never_heard_of.v1",
            "time": "2026-01-01T00:00:00Z",
            "data": {},
        }
    ),
    "message_too_large": b'"' + b"x" * 300_000 + b'"',
}


async def done(house: House, job_id: Any) -> bool:
    return await house.value("SELECT state FROM media.tasks WHERE id = $1", job_id) == "completed"


@pytest.mark.parametrize("code", BROKEN)
async def test_a_broken_message_becomes_a_dead_letter_with_its_reason(house: House, code: str) -> None:
    neighbour = CheckWorker(**lineage(), service="media")
    async with house.worker("media"):
        await house.publisher.publish("jobs.check_worker.media", BROKEN[code], message_id=uuid7(), type_="whatever")
        await house.say(neighbour)
        await until(lambda: done(house, neighbour.job_id))
        letters = await until(lambda: house.rows("SELECT code, sentence, body FROM media.dead_letters"))
    assert [letter["code"] for letter in letters] == [code]
    assert letters[0]["sentence"]
    assert letters[0]["body"] == BROKEN[code]
    assert [one.code for one in await house.heard() if isinstance(one, MessageDeadLettered)] == [code]


def found(url: str) -> ImageFound:
    return ImageFound(**lineage(), fetch_job_id=uuid7(), url=url, found_in="img")


async def test_one_bad_message_in_a_batch_does_not_take_its_neighbours_with_it(house: House) -> None:
    async def note(tx: Transaction, facts: Sequence[Heard[ImageFound]]) -> None:
        for fact in facts:
            if "bad" in fact.message.url:
                raise Refused("url_is_bad", "We do not like it.")
            if "worse" in fact.message.url:
                raise ZeroDivisionError
            await tx.connection.execute(
                "INSERT INTO tombstones (job_id, cancelled_by) VALUES ($1, $2)", uuid7(), fact.message.url
            )

    async def taken() -> bool:
        rows = await house.rows("SELECT cancelled_by FROM media.tombstones")
        return {row["cancelled_by"] for row in rows} == {f"http://a/{number}" for number in range(50)}

    for number in range(50):
        await house.say(found(f"http://a/{number}"))
        if number == 20:
            await house.say(found("http://a/bad"))
            await house.say(found("http://a/worse"))
    async with house.worker("media", hears={ImageFound: note}):
        await until(taken)
        await until(lambda: _two_letters(house))
    codes = await house.rows("SELECT code FROM media.dead_letters ORDER BY code")
    assert [row["code"] for row in codes] == ["handler_failed", "url_is_bad"]


async def _two_letters(house: House) -> bool:
    return await house.value("SELECT count(*) FROM media.dead_letters") == 2


async def test_a_fact_that_comes_twice_is_reacted_to_once(house: House) -> None:
    async def note(tx: Transaction, facts: Sequence[Heard[ImageFound]]) -> None:
        for fact in facts:
            await tx.connection.execute(
                "INSERT INTO tombstones (job_id, cancelled_by) VALUES ($1, $2)", uuid7(), fact.message.url
            )

    message_id = uuid7()
    async with house.worker("media", hears={ImageFound: note}):
        for _ in range(3):
            await house.say(found("http://a/1"), message_id=message_id)
        await house.say(found("http://a/2"))
        await until(lambda: house.value("SELECT true FROM media.tombstones WHERE cancelled_by = 'http://a/2'"))
    assert await house.value("SELECT count(*) FROM media.tombstones WHERE cancelled_by = 'http://a/1'") == 1
