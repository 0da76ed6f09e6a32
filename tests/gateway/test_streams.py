"""Whoever follows misses nothing, also when he falls off and comes back."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from contracts.jobs import JobCompleted, JobProgressed, JobStarted
from services.gateway.rules.feed import Extent
from services.gateway.rules.happenings import Happening
from services.gateway.store.projection import insert_events
from services.gateway.stream import Stream, Subscription
from tests.gateway.living import Client, Gateway, Voice, types_of
from tests.living import House, until

NOW = "2025-01-01T00:00:00Z"


async def _probe(client: Client) -> Voice:
    return Voice((await client.post("/probes", {"service": "media"})).body)


async def test_a_job_is_followed_from_its_beginning_to_its_end(ann: Client, gateway: Gateway) -> None:
    job = await _probe(ann)
    await _probe(ann)
    async with ann.events(f"/jobs/{job.job['id']}/events") as events:
        assert (await events.next())["type"] == "job.submitted"
        await gateway.hear(job.says(JobStarted, attempt=1, started_at=NOW, worker="w"))
        await gateway.hear(job.says(JobProgressed, progress=0.25, stage="reading"))
        await gateway.hear(job.says(JobCompleted, attempt=1, started_at=NOW))
        seen = await events.take(3)
    assert types_of(seen) == ["job.started", "job.progressed", "job.completed"]
    assert [event["job"]["progress"] for event in seen] == [None, 0.25, 1.0]
    assert {event["job"]["id"] for event in seen} == {job.job["id"]}
    sequences = [event["sequence"] for event in seen]
    assert sequences == sorted(set(sequences))


async def test_a_stream_is_resumed_behind_the_last_event_that_was_seen(ann: Client) -> None:
    jobs = [await _probe(ann) for _ in range(5)]
    async with ann.events(after=0) as events:
        first, second = await events.take(2)
    async with ann.events(after=second["sequence"]) as events:
        rest = await events.take(3)
        late = await _probe(ann)
        last = await events.next()
    ids = [event["job"]["id"] for event in (first, second, *rest, last)]
    assert ids == [job.job["id"] for job in (*jobs, late)]


async def test_without_a_place_to_resume_a_stream_begins_now(ann: Client) -> None:
    await _probe(ann)
    async with ann.events() as events:
        job = await _probe(ann)
        assert (await events.next())["job"]["id"] == job.job["id"]


@pytest.mark.parametrize("place", ["-1", "x", "1.5", "9" * 30, "1" * 5000, "\u0661"])
async def test_a_place_that_makes_no_sense_is_a_problem(ann: Client, place: str) -> None:
    reply = await ann.get("/events", params={"after": place})
    assert (reply.status, reply.body["code"]) == (400, "last_event_id_invalid")


async def test_many_followers_see_every_event_once_and_in_order(ann: Client, gateway: Gateway) -> None:
    async def follow(count: int) -> list[int]:
        async with ann.events(after=0) as events:
            return [event["sequence"] for event in await events.take(count)]

    followers = [asyncio.create_task(follow(40)) for _ in range(10)]
    for _ in range(4):
        await asyncio.gather(*(_probe(ann) for _ in range(10)))
    seen = await asyncio.gather(*followers)
    assert all(sequences == sorted(set(sequences)) for sequences in seen)
    assert len({tuple(sequences) for sequences in seen}) == 1

    async def nobody_follows() -> bool:
        return gateway.parts.stream.followers == 0

    await until(nobody_follows)


async def test_a_reader_never_passes_a_row_that_is_not_yet_visible(ann: Client, gateway: Gateway, house: House) -> None:
    """A writer that got its sequence first and commits last would be missed, if sequences were not taken in turn."""
    happening = Happening(ann.project_id, "job.first", Voice((await _probe(ann)).job).job["created_at"], {})
    pool = gateway.parts.bus.pool
    async with pool.acquire() as slow:
        transaction = slow.transaction()
        await transaction.start()
        await insert_events(slow, [happening])
        other = asyncio.create_task(_probe(ann))

        async def other_waits() -> bool:
            sql = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            return bool(await house.value(sql))

        await until(other_waits)
        before = await house.value("SELECT max(sequence) FROM gateway.events")
        await transaction.commit()
    await other
    first, second = await house.rows(
        "SELECT sequence, type FROM gateway.events WHERE sequence > $1 ORDER BY sequence", before
    )
    assert (first["type"], second["type"]) == ("job.first", "job.submitted")


class _Row:
    type = "job.submitted"
    job_id = None
    at = NOW

    def __init__(self, sequence: int) -> None:
        self.sequence = sequence
        self.data: dict[str, Any] = {}
        self.body: bytes | None = None


async def test_a_slow_client_is_let_go_and_holds_nobody_up() -> None:
    place = Subscription(lambda _row: True)
    for sequence in range(1, 2002):
        place.offer(_Row(sequence))
    assert place.closed
    assert len(await place.take(0)) == 1000


async def test_a_stream_that_nobody_follows_reads_nothing() -> None:
    reads = 0

    async def read(_after: int, _limit: int) -> list[_Row]:
        nonlocal reads
        reads += 1
        return []

    async def extent() -> Extent:
        return Extent(1, 7, 7)

    stream = Stream(read, extent)
    running = asyncio.create_task(stream.run())
    stream.wake()
    await asyncio.sleep(0)
    assert reads == 0
    async with stream.follow(lambda _row: True) as place:
        await place.take(0.05)
        assert reads > 0
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_token_that_expires_ends_its_stream(
    ann: Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    principal = replace(gateway.parts.tokens.principal(gateway.token("ann")), expires_at=0.0)
    monkeypatch.setattr(gateway.parts.tokens, "principal", lambda _token: principal)
    async with ann.events() as events:
        with pytest.raises(EOFError):
            await events.line_starting("data:")


async def test_a_membership_that_is_withdrawn_ends_its_stream(
    ann: Client, bob: Client, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.routes.journeys.HEARTBEAT_SECONDS", 0.05)
    await asyncio.gather(_probe(ann), _probe(bob))
    await house.admin.execute(
        "INSERT INTO gateway.members (project_id, user_id, role) VALUES ($1, 'bob', 'viewer')", ann.project_id
    )
    async with bob.events() as his, ann.events() as hers:
        await his.line_starting(": still here")
        await his.line_starting(": still here")
        await house.admin.execute(
            "DELETE FROM gateway.members WHERE project_id = $1 AND user_id = 'bob'", ann.project_id
        )
        with pytest.raises(EOFError):
            await his.line_starting("data:")
        await hers.line_starting(": still here")
