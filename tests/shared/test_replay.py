"""What was said is said again page by page, to the one queue that asks, and each message once."""

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from contracts.jobs import ReplayOutbox, WorkerReported
from contracts.scraper import ImageFound
from shared import hearing, relay
from shared.identifiers import uuid7
from shared.topology import queue_of
from shared.worker import Worker
from tests.living import House, lineage, until
from tests.shared.chores import all_said, bytes_in, check, is_in

PAGE = 7
FACTS = 31


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "_REPLAY_PAGE", PAGE)
    monkeypatch.setattr(relay, "_LOOK_FOR_REPLAYS_SECONDS", 0.05)


class Pages:
    """Counts the pages that are copied; may hold one up until the process ends."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, hold_after: int = 1000) -> None:
        self.copied = 0
        self.held = asyncio.Event()
        copy = relay._replay_page

        async def count(connection: Any, limit: int) -> bool:
            if self.copied >= hold_after:
                self.held.set()
                await asyncio.Event().wait()
            found = await copy(connection, limit)
            self.copied += found
            return found

        monkeypatch.setattr(relay, "_replay_page", count)


async def say_facts(house: House, scraper: Worker) -> Counter[UUID]:
    """Say facts, some in one transaction and so at one moment, and forget that they were heard."""
    said: Counter[UUID] = Counter()
    for many in (20, 1, FACTS - 21):
        async with scraper.bus.transaction() as tx:
            for number in range(many):
                said[
                    tx.say(ImageFound(**lineage(), fetch_job_id=uuid7(), url=f"http://a/{number}", found_in="img"))
                ] = 1
        await until(lambda: all_said(house, "scraper"))
    await bytes_in(house, "media")
    return said


async def ask(house: House, *, since: datetime, queue: str = "media") -> None:
    keys = ("scraper.image_found", "scraper.scrape_pages")
    await house.say(ReplayOutbox(addressee="scraper", queue=queue_of(queue), routing_keys=keys, since=since))


async def _replayed(house: House) -> bool:
    asked = await house.value("SELECT count(*) FROM scraper.inbox")
    left = await house.value("SELECT count(*) FROM scraper.replays")
    return bool(asked and not left and await all_said(house, "scraper"))


async def heard_by_media(house: House) -> Counter[UUID]:
    return Counter(UUID(orjson.loads(body)["id"]) for body in await bytes_in(house, "media"))


async def an_hour_ago(house: House) -> datetime:
    moment: datetime = await house.value("SELECT now() - interval '1 hour'")
    return moment


async def test_a_replay_goes_in_pages_and_repeats_each_message_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = Pages(monkeypatch)
    async with house.worker("scraper") as scraper:
        said = await say_facts(house, scraper)
        await bytes_in(house, "gateway")
        await ask(house, since=await an_hour_ago(house))
        await until(lambda: _replayed(house))
    assert await heard_by_media(house) == said
    assert pages.copied == FACTS // PAGE + 1
    told = {type(one) for one in await house.heard()}
    assert told <= {WorkerReported}, "it was said to a queue that had not asked"
    assert await house.value("SELECT count(*) FROM scraper.said") == FACTS, "a repetition is not kept a second time"


async def test_a_replay_that_is_interrupted_goes_on_where_it_was(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as held:
        pages = Pages(held, hold_after=2)
        async with house.worker("scraper") as scraper:
            said = await say_facts(house, scraper)
            await ask(house, since=await an_hour_ago(house))
            await asyncio.wait_for(pages.held.wait(), 20)
    assert await house.value("SELECT count(*) FROM scraper.replays") == 1
    pages = Pages(monkeypatch)
    async with house.worker("scraper"):
        await until(lambda: _replayed(house))
    assert await heard_by_media(house) == said
    assert pages.copied == FACTS // PAGE + 1 - 2


async def test_a_replay_repeats_nothing_from_before_its_moment(house: House) -> None:
    async with house.worker("scraper") as scraper:
        await say_facts(house, scraper)
        await ask(house, since=await house.value("SELECT max(said_at) + interval '1 us' FROM scraper.said"))
        await until(lambda: _replayed(house))
    assert not await heard_by_media(house)


async def test_a_message_from_the_future_does_not_hide_what_is_missed_later(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was heard counts as heard until now, however far ahead the sender's clock is."""
    monkeypatch.setattr(hearing, "_WATCH_SECONDS", 0.05)
    monkeypatch.setattr("shared.intake._REMEMBER_SECONDS", 0.0)
    async with house.worker("media") as worker:
        await until(lambda: _remembers(worker))
        before = await house.value("SELECT heard_until FROM media.bus_mark")
        early = check()
        document = orjson.loads(house.outbox.encode(early).body)
        document["time"] = (before + timedelta(days=365)).isoformat()
        body = orjson.dumps(document)
        await house.publisher.publish(early.routing_key, body, message_id=uuid7(), type_=early.wire_name)
        await until(lambda: is_in(house, "completed", early))
        until_then = await house.value("SELECT heard_until FROM media.bus_mark")
        assert before < until_then <= await house.value("SELECT now()")
        await house.say(late := check())
        await until(lambda: is_in(house, "completed", late))
        assert await house.value("SELECT heard_until FROM media.bus_mark") <= await house.value("SELECT now()")


async def _remembers(worker: Worker) -> bool:
    return worker.bus.intake.remembers_progress
