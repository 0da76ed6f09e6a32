"""Progress is told as often as somebody can see it, and is the first that is left out; nothing else ever is."""

import re
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.jobs import JobCompleted, JobProgressed, JobStarted
from services.gateway.rules import event_types
from services.gateway.rules.event_types import EVENT_TYPES, PROGRESS
from services.gateway.rules.pacing import Allowance, Throttle
from services.gateway.stream import Subscription
from tests.gateway.living import Client, Gateway, Voice
from tests.house.sources import HOUSE

NOW = "2025-01-01T00:00:00Z"


@dataclass
class Told:
    sequence: int
    type: str
    job_id: str
    body: bytes | None = None


ARRIVALS = st.lists(
    st.tuples(
        st.floats(min_value=0, max_value=0.7),
        st.lists(st.tuples(st.sampled_from([PROGRESS, PROGRESS, "job.completed"]), st.sampled_from("abc")), max_size=4),
    ),
    max_size=30,
)


@given(ARRIVALS)
def test_progress_is_never_told_too_often_or_out_of_order_and_nothing_else_is_left_out(arrivals: Any) -> None:
    throttle, now, sequence = Throttle(0.5), 100.0, 0
    given_: list[Told] = []
    passed: list[tuple[float, Told]] = []
    for pause, batch in arrivals:
        arrival = now + pause
        while (due := throttle.due_in(now)) is not None and now + due + 1e-9 < arrival:
            now += due + 1e-9
            passed += [(now, one) for one in throttle.sift([], now)]
        now = arrival
        told = [Told(sequence := sequence + 1, type_, job) for type_, job in batch]
        given_ += told
        passed += [(now, one) for one in throttle.sift(told, now)]
    passed += [(now + 1, one) for one in throttle.sift([], now + 1)]
    sequences = [one.sequence for _, one in passed]
    assert sequences == sorted(set(sequences))
    assert [one for _, one in passed if one.type != PROGRESS] == [one for one in given_ if one.type != PROGRESS]
    for job in "abc":
        times = [at for at, one in passed if one.type == PROGRESS and one.job_id == job]
        assert all(later - sooner >= 0.5 - 1e-6 for sooner, later in pairwise(times))
    if given_ and given_[-1].type == PROGRESS:
        assert sequences[-1] == given_[-1].sequence, "the last word is told, however soon it came"


def test_a_slow_client_keeps_only_the_newest_progress_of_each_job_and_is_not_let_go_for_it() -> None:
    place = Subscription(lambda _: True)
    for sequence in range(5000):
        place.offer(Told(sequence, PROGRESS, f"job-{sequence % 3}"))
    for sequence in range(5000, 6000):
        place.offer(Told(sequence, "job.completed", "other"))
    assert not place.closed
    place.offer(Told(6000, "job.completed", "other"))
    assert place.overflowed


async def test_progress_of_very_many_jobs_does_not_fill_a_place_either() -> None:
    place = Subscription(lambda _: True)
    for sequence in range(5000):
        place.offer(Told(sequence, PROGRESS, f"job-{sequence}"))
    assert not place.closed
    assert [one.sequence for one in await place.take(0)] == list(range(4000, 5000))


async def _progress_told(ann: Client, gateway: Gateway) -> tuple[int, float]:
    """Give how often a client is told of a job whose worker tells of its progress without restraint, and the seconds
    from the first word of it to the last."""
    job = Voice((await ann.post("/probes", {"service": "media"})).body)
    async with ann.events(f"/jobs/{job.job['id']}/events") as events:
        await gateway.hear(job.says(JobStarted, attempt=1, started_at=NOW, worker="w"))
        await events.until_type("job.started")
        begun = time.monotonic()
        for number in range(20):
            await gateway.hear(job.says(JobProgressed, progress=number / 20))
        told = []
        while not told or told[-1]["job"]["progress"] < 0.95:
            told.append(await events.next())
        seconds = time.monotonic() - begun
        await gateway.hear(job.says(JobCompleted, attempt=1, started_at=NOW))
        assert (await events.next())["type"] == "job.completed"
    return len(told), seconds


async def test_a_client_is_told_of_progress_twice_a_second_and_of_the_last_in_any_case(
    ann: Client, gateway: Gateway
) -> None:
    count, seconds = await _progress_told(ann, gateway)
    assert count <= 2 + 2 * seconds


async def test_without_the_throttle_it_would_be_told_of_each(
    ann: Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Throttle, "sift", lambda _self, new, _now: list(new))
    count, _ = await _progress_told(ann, gateway)
    assert count > 6


async def test_only_what_was_asked_for_is_told(ann: Client, gateway: Gateway) -> None:
    job = Voice((await ann.post("/probes", {"service": "media"})).body)
    async with ann.events("/events?types=job.started&types=job.completed&after=0") as events:
        await gateway.hear(job.says(JobStarted, attempt=1, started_at=NOW, worker="w"))
        await gateway.hear(job.says(JobProgressed, progress=0.5))
        await gateway.hear(job.says(JobCompleted, attempt=1, started_at=NOW))
        assert [event["type"] for event in await events.take(2)] == ["job.started", "job.completed"]
    async with ann.events("/events?types=job.*&after=0") as events:
        assert [event["type"] for event in await events.take(2)] == ["job.submitted", "job.started"]
    reply = await ann.get("/events?types=job.exploded")
    assert (reply.status, reply.body["code"]) == (422, "validation_failed")


def test_every_event_that_is_told_anywhere_is_known_to_those_who_ask_for_some() -> None:
    gateway = HOUSE / "services" / "gateway"
    # The command line tells nothing: it names the fields of replies.
    sources = set(gateway.rglob("*.py")) - set((gateway / "cli").rglob("*.py")) - {Path(event_types.__file__)}
    told = {word for path in sources for word in _event_names(path.read_text())}
    assert told == EVENT_TYPES.keys()


def _event_names(text: str) -> set[str]:
    text = re.sub(r'\b(?:note|entry)\([^"]*"[a-z_.]+"', "", text)  # what is noted is what was asked for
    families = "|".join({type_.partition(".")[0] for type_ in EVENT_TYPES})
    return set(re.findall(rf'"((?:{families})\.[a-z_]+)"', text))


def test_an_allowance_is_for_bursts_and_not_for_floods() -> None:
    allowance = Allowance(at_once=3, each_second=1)
    assert [allowance.take(10.0) for _ in range(4)] == [True, True, True, False]
    assert [allowance.take(12.5) for _ in range(3)] == [True, True, False]
