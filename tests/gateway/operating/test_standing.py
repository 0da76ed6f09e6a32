"""Operators see the queues, who listens on them, and every process, also of those that have gone."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from contracts.jobs import CheckWorker, JobCompleted, PauseWork, WaitingWork
from contracts.media import FetchMedia
from services.gateway.queues import Queues
from services.gateway.store.expiry import WORKERS, delete_expired
from shared.broker import Depth
from shared.topology import dead_queue_of, queue_of
from tests.gateway.living import Client, Gateway
from tests.gateway.operating.doing import FETCH, ended, fetching, report
from tests.living import House, until


async def workers(oz: Client, **asked: str) -> dict[str, dict[str, Any]]:
    """Give the processes that are shown, apart from the gateway of the test itself."""
    reply = await oz.get("/workers", params=asked)
    assert reply.status == 200, reply.body
    return {one["worker"]: one for one in reply.body["items"] if one["service"] != "gateway"}


async def queue(oz: Client, service: str = "media") -> dict[str, Any]:
    reply = await oz.get("/queues")
    assert reply.status == 200, reply.body
    [found] = [one for one in reply.body["items"] if one["service"] == service]
    return dict(found)


async def test_a_worker_and_a_gateway_tell_what_they_do_and_where_they_went(oz: Client, house: House) -> None:
    """The whole way, with a real worker."""
    held, let_go = asyncio.Event(), asyncio.Event()

    async def hold(_job: Any) -> None:
        held.set()
        await let_go.wait()

    async def listens() -> bool:
        return bool((await queue(oz))["workers"])

    async def is_well() -> Any:
        shown = await queue(oz)
        return shown["consumers"] == 1 and shown["warning"] is None and shown

    async def is_left() -> Any:
        shown = await queue(oz)
        return shown["consumers"] == 0 and shown

    before = await queue(oz)
    assert (before["consumers"], before["workers"], before["warning"]) == (0, 0, "no_consumer")
    async with house.worker("media", works={FetchMedia: hold}, concurrency=3) as worker:
        await until(listens)
        job = await fetching(oz)
        await asyncio.wait_for(held.wait(), 10)
        await worker.bus.reporting._say("working")

        async def busy() -> Any:
            return [one for one in (await workers(oz)).values() if one["running"] == 1]

        [shown] = await until(busy)
        assert (shown["service"], shown["state"], shown["capacity"]) == ("media", "working", 3)
        assert shown["memory_bytes"] > 10**7
        assert shown["kinds"] == sorted([CheckWorker.wire_name, FETCH])
        assert shown["worker"] == await house.value("SELECT worker FROM media.tasks WHERE id = $1", UUID(job.job["id"]))
        now = await until(is_well)
        assert (now["workers"], now["ready"], now["sentence"]) == (1, 0, None)
        assert [(one["kind"], one["running"], one["paused"]) for one in now["work"]] == [(FETCH, 1, False)]
        let_go.set()

    async def left() -> Any:
        return (await workers(oz))[shown["worker"]]["state"] == "stopped"

    await until(left)
    after = await until(is_left)
    assert (after["workers"], after["warning"]) == (0, "no_consumer")

    async def gateway_reported() -> Any:
        return [one for one in (await oz.get("/workers")).body["items"] if one["service"] == "gateway"]

    assert [one["kinds"] for one in await until(gateway_reported)] == [[]]
    assert await house.value("SELECT count(*) FROM media.said WHERE routing_key LIKE '%worker_reported%'") == 0
    assert (await oz.get("/dead-letters")).body["items"] == [], "whoever hears it understands it"


@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_process_whose_clock_is_wrong_is_there_all_the_same(
    oz: Client, house: House, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    class Wrong(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]  # a datetime of its parent
            return datetime.now(tz) + timedelta(hours=hours)

    monkeypatch.setattr("shared.reporting.datetime", Wrong)
    monkeypatch.setattr("shared.jobs.datetime", Wrong)

    async def said_twice() -> Any:
        await worker.bus.reporting._say("working")
        rows = await house.rows("SELECT at - heard_at AS late, worker FROM gateway.workers WHERE service = 'media'")
        return [row["worker"] for row in rows if abs(row["late"]) < timedelta(minutes=1)]

    async with house.worker("media", works={FetchMedia: lambda _job: None}) as worker:
        [name] = await until(said_twice)
        assert (await workers(oz))[name]["state"] == "working"


async def test_whoever_falls_silent_is_gone_and_is_forgotten_later(oz: Client, gateway: Gateway, house: House) -> None:
    now = datetime.now(UTC)
    await gateway.hear(
        report("here", running=2),
        report("silent", at=now - timedelta(seconds=31)),
        report("stopped", at=now - timedelta(minutes=5), state="stopped"),
        report("long ago", at=now - timedelta(minutes=61)),
        report("of the future", at=now + timedelta(days=1)),
        report("elsewhere", "scraper"),
    )
    states = {name: one["state"] for name, one in (await workers(oz, service="media")).items()}
    assert states == {"here": "working", "silent": "gone", "stopped": "stopped", "of the future": "working"}
    assert (await queue(oz))["workers"] == 2
    await delete_expired(gateway.parts.bus.pool, WORKERS, timedelta(hours=1))
    assert await house.value("SELECT count(*) FROM gateway.workers WHERE worker = 'long ago'") == 0
    assert len(await workers(oz)) == 5


async def test_of_two_reports_the_later_one_counts_however_they_come(oz: Client, gateway: Gateway) -> None:
    now = datetime.now(UTC)
    newer, older = report(running=2), report(running=1, at=now - timedelta(seconds=10))
    await gateway.hear(newer, older)
    await gateway.hear(older)
    assert (await workers(oz))["host/1/a"]["running"] == 2


async def test_a_queue_shows_what_its_processes_have_said(oz: Client, gateway: Gateway) -> None:
    since = datetime.now(UTC) - timedelta(seconds=90)
    waiting = (WaitingWork(kind=FETCH, waiting=7, running=1, oldest_waiting_at=since),)
    await gateway.hear(
        report("one", unacknowledged=3, heard_per_second=1.5, oldest_unacknowledged_at=since, unsaid=4),
        report("two", unacknowledged=2, heard_per_second=1, work=waiting),
    )
    await oz.post("/work" + "/pause", {"kind": FETCH, "seconds": 60})
    shown = await queue(oz)
    assert (shown["unacknowledged"], shown["rate_out_per_second"], shown["unsaid"]) == (5, 2.5, 4)
    [work] = shown["work"]
    assert (work["kind"], work["waiting"], work["paused"]) == (FETCH, 7, True)
    assert datetime.fromisoformat(work["oldest_waiting_at"]) == since


async def test_what_waits_unheard_is_counted_and_grows_old(oz: Client, house: House, gateway: Gateway) -> None:
    for number in range(3):
        await house.say(PauseWork(addressee="media", kind=str(number), owner="o", expires_at=datetime.now(UTC)))

    async def waits() -> Any:
        shown = await queue(oz)
        return shown["ready"] == 3 and (shown["oldest_age_seconds"] or 0) > 1 and shown

    shown = await until(waits)
    assert (shown["warning"], shown["consumers"]) == ("no_consumer", 0)
    assert (await queue(oz, "scraper"))["oldest_age_seconds"] is None
    assert (await oz.get("/queues")).body["broker"] is True
    assert await gateway.parts.bus.publisher.depths(["nobodys", queue_of("media")]) == {
        "nobodys": None,
        queue_of("media"): Depth(3, 0),
    }
    gateway.parts.queues._measure = _away
    gateway.parts.queues._looks.clear()
    away = await queue(oz)
    assert (away["ready"], away["warning"]) == (None, "broker_away")


async def _away(_queues: Any) -> Any:
    raise ConnectionError


async def test_a_report_is_heard_without_being_remembered(oz: Client, house: House) -> None:
    """Neither an outbox nor an inbox holds what is said every few seconds by every process."""
    said = report("outside")
    for _ in range(2):
        await house.say(said)

    async def shown() -> bool:
        return "outside" in await workers(oz)

    await until(shown)
    assert await house.value("SELECT count(*) FROM gateway.inbox") == 0
    await house.say(ended(await fetching(oz), JobCompleted))
    await until(lambda: house.value("SELECT count(*) = 1 FROM gateway.inbox"))


async def test_a_queue_that_is_missing_and_one_that_grows_are_told_apart() -> None:
    ready = 0

    async def measure(names: Any) -> dict[str, Depth | None]:
        return {name: None if name == queue_of("b") else Depth(ready, 1) for name in names}

    queues = Queues(measure, ["a", "b"])
    first = await queues.look()
    assert first is not None
    assert (first["a"].growth_per_second, first["b"].depth) == (None, None)
    queues._looks[-1].at -= 20
    ready = 40
    grown = await queues.look()
    assert grown is not None
    assert grown["a"].growth_per_second == pytest.approx(2, rel=0.2)
    assert dead_queue_of("a") in queues._looks[-1].depths
    for _ in range(20):  # somebody looks all the time
        queues._looks[-1].at -= 1.5
        assert (await queues.look() or {})["a"].growth_per_second is not None
    assert len(queues._looks) == 3


async def test_only_operators_see_queues_and_processes(ann: Client, oz: Client, gateway: Gateway) -> None:
    for path in ("/queues", "/workers"):
        assert ((await ann.get(path)).status, (await oz.get(path)).status) == (403, 200)
    await gateway.hear(report())
    async with gateway.parts.pool.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM workers") == 0, "the second wall"
