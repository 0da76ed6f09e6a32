"""What the laboratory looks with is itself looked at: it has to notice whatever it is there for."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from uuid import UUID, uuid4

import aio_pika
import pytest

from contracts.depth_map import MapDepth
from contracts.envelope import routing_key_of
from contracts.jobs import JobCompleted, JobProgressed, ReportJobs
from contracts.media import FetchMedia
from deploy.database import SERVICES
from shared.identifiers import uuid7
from shared.topology import queue_of
from tests.deploy.clients import objects
from tests.journeys.end_state import Books, books_of, held_messages, until_quiet, waiting_messages
from tests.living import House
from tests.reliability.laboratory.bucket import Contents, compared
from tests.reliability.laboratory.checker import Checker, Finding, judged, unsaid
from tests.reliability.laboratory.experiment import (
    ALL_SECONDS,
    WORKING_JOBS_A_SECOND,
    Outcome,
    Retry,
    drain_limit_seconds,
)
from tests.reliability.laboratory.faults import Inflicted
from tests.reliability.laboratory.listener import Listener
from tests.reliability.laboratory.promise import NO_HASH, Promise
from tests.reliability.laboratory.report import figures
from tests.reliability.laboratory.schedule import LEASE_SECONDS, Kind, Planned, plan

BODY = b"an original"
HASH = sha256(BODY).hexdigest()
UUID_IN_TEXT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

FETCH, MAP = FetchMedia.wire_name, MapDepth.wire_name
LOST = "state = 'failed', error_code = 'worker_lost'"
OF_THE_STORED, OF_THE_MAPPED, OF_THE_REJECTED = (f"WHERE id = '{{{job}}}'" for job in ("stored", "mapped", "rejected"))
AN_END_OF = "type IN ('job.completed', 'job.failed') AND job_id"
AGAIN = "INSERT INTO gateway.events (project_id, job_id, type, at, data) SELECT project_id, job_id, type, at, data"
SABOTAGE = (
    # What was accepted, and what follows from it.
    (f"DELETE FROM media.tasks {OF_THE_STORED}", "lost: job ... of media is not there"),
    (f"DELETE FROM depth_map.tasks {OF_THE_MAPPED}", f"lost: 0 instead of 1 jobs {MAP} follow from ..."),
    (
        f"UPDATE depth_map.tasks SET root_job_id = '{{rejected}}' {OF_THE_MAPPED}",
        f"double: 1 instead of 0 jobs {MAP} follow from ...",
    ),
    # How it ended.
    (
        f"UPDATE depth_map.tasks SET state = 'in_progress' {OF_THE_MAPPED}",
        f"lost: {MAP} ... is in_progress instead of completed",
    ),
    (
        f"UPDATE depth_map.tasks SET {LOST} {OF_THE_MAPPED}",
        f"wrong: {MAP} ... is failed: worker_lost instead of completed",
    ),
    (
        f"UPDATE depth_map.tasks SET state = 'cancelled' {OF_THE_MAPPED}",
        f"wrong: {MAP} ... is cancelled instead of completed",
    ),
    (
        f"UPDATE media.tasks SET {LOST} {OF_THE_STORED}",
        f"wrong: {FETCH} ... is failed: worker_lost instead of completed",
    ),
    (
        f"UPDATE media.tasks SET {LOST} {OF_THE_REJECTED}",
        f"wrong: {FETCH} ... is failed: worker_lost instead of failed: image_truncated",
    ),
    (
        f"UPDATE media.tasks SET state = 'completed', error_code = NULL {OF_THE_REJECTED}",
        f"wrong: {FETCH} ... is completed instead of failed: image_truncated",
    ),
    # What the gateway shows of it.
    (
        f"UPDATE gateway.jobs SET state = 'in_progress' {OF_THE_MAPPED}",
        "lost: job ... is completed, and shown as in_progress",
    ),
    (f"UPDATE gateway.jobs SET state = 'failed' {OF_THE_MAPPED}", "wrong: job ... is completed, and shown as failed"),
    (f"DELETE FROM gateway.jobs {OF_THE_MAPPED}", "lost: job ... is completed, and shown as None"),
    # What the project holds.
    ("DELETE FROM media.assets", f"wrong: media.assets: {NO_HASH} is None instead of 1"),
    ("DELETE FROM gateway.assets", f"wrong: gateway.assets: {NO_HASH} is None instead of 1"),
    (
        "UPDATE media.blobs SET asset_count = 2",
        f"wrong: blobs by their count of assets: {NO_HASH} is 2 instead of 1",
    ),
    ("DELETE FROM gateway.descriptions", "wrong: 0 images are described instead of 1"),
    ("DELETE FROM depth_map.depth_maps", "wrong: depth_map.depth_maps: ... is None instead of 1"),
    ("DELETE FROM gateway.maps", "wrong: gateway.maps: ... is None instead of 1"),
    # What clients are told.
    (
        "DELETE FROM gateway.events WHERE type = 'job.submitted' AND job_id = '{stored}'",
        "lost: clients were told 0 times instead of 1 of the beginning of job ...",
    ),
    (
        f"{AGAIN} FROM gateway.events WHERE type = 'job.submitted' AND job_id = '{{stored}}'",
        "double: clients were told 2 times instead of 1 of the beginning of job ...",
    ),
    (
        f"DELETE FROM gateway.events WHERE {AN_END_OF} = '{{mapped}}'",
        "lost: clients were told 0 times instead of 1 of the end of job ...",
    ),
    (
        f"{AGAIN} FROM gateway.events WHERE {AN_END_OF} = '{{mapped}}'",
        "double: clients were told 2 times instead of 1 of the end of job ...",
    ),
    (
        f"UPDATE gateway.events SET type = 'job.failed' WHERE {AN_END_OF} = '{{mapped}}'",
        "wrong: job ... is completed, and clients were told job.failed",
    ),
    (
        f"UPDATE gateway.jobs SET state = 'pending' {OF_THE_MAPPED}",
        "double: clients were told 1 times instead of 0 of the end of job ...",
    ),
    (
        "DELETE FROM gateway.events WHERE type = 'image.mapped'",
        "lost: clients were told 0 times instead of 1 of depth_map.depth_mapped of job ...",
    ),
    (
        f"{AGAIN} FROM gateway.events WHERE type = 'image.mapped'",
        "double: clients were told image.mapped of job ... 2 times",
    ),
)


@pytest.fixture
async def books(house: House) -> AsyncIterator[Books]:
    async with books_of(house.servers) as books:
        yield books


@pytest.fixture
async def original(house: House, books: Books) -> AsyncIterator[str]:
    """One object in an otherwise empty bucket, and the row that names it."""
    key, bucket = f"media/originals/{HASH[:2]}/{HASH}.jpg", house.servers.object_store.bucket
    sql = (
        "INSERT INTO media.blobs (sha256, size_bytes, original_key, facts) VALUES ($1, $2, $3, '{\"renditions\": []}')"
    )
    await books.rows(sql, HASH, len(BODY), key)
    async with objects(house.servers.object_store) as s3:
        for left in (await s3.list_objects_v2(Bucket=bucket)).get("Contents", []):
            await s3.delete_object(Bucket=bucket, Key=left["Key"])
        await s3.put_object(Bucket=bucket, Key=key, Body=BODY)
        yield key
        for left in (await s3.list_objects_v2(Bucket=bucket)).get("Contents", []):
            await s3.delete_object(Bucket=bucket, Key=left["Key"])


async def put(house: House, key: str, body: bytes) -> None:
    async with objects(house.servers.object_store) as s3:
        await s3.put_object(Bucket=house.servers.object_store.bucket, Key=key, Body=body)


async def test_a_bucket_that_holds_what_rows_name_differs_in_nothing(house: House, books: Books, original: str) -> None:
    assert await compared(house.servers, books) == Contents()
    assert original


async def test_an_object_that_is_missing_is_lost(house: House, books: Books, original: str) -> None:
    async with objects(house.servers.object_store) as s3:
        await s3.delete_object(Bucket=house.servers.object_store.bucket, Key=original)
    assert (await compared(house.servers, books)).findings == [Finding("lost", f"{original} is not in the bucket")]


async def test_an_object_that_has_changed_is_lost(house: House, books: Books, original: str) -> None:
    await put(house, original, b"something else")
    assert (await compared(house.servers, books)).findings == [Finding("lost", f"{original} is not what was stored")]


async def test_an_object_that_nothing_names_is_a_double_effect(house: House, books: Books, original: str) -> None:
    await put(house, key := f"training-data/maps/depth/{uuid4()}/{HASH}.png", BODY)
    expected = Finding("double", f"{key} lies in the bucket, and nothing names it")
    assert (await compared(house.servers, books)).findings == [expected]
    assert original


async def put_drawn(house: House, *objects: tuple[UUID, str]) -> list[str]:
    """Put pictures into the bucket, given by their jobs and the ends of their keys."""
    keys = [f"generated/{job}/{end}" for job, end in objects]
    for key in keys:
        await put(house, key, BODY)
    return keys


async def record_drawn(books: Books, job: UUID, *, leases: int) -> None:
    """Record the picture of a job that has had so many leases, and was drawn under the last one."""
    await books.rows(
        "INSERT INTO image_generation.tasks"
        " (id, kind, command, project_id, root_job_id, state, rank_at, deadline_at, lease_epoch)"
        " VALUES ($1, 'x', '{}', $1, $1, 'completed', now(), now(), $2)",
        *(job, leases),
    )
    await books.rows(
        "INSERT INTO image_generation.generations (job_id, project_id, provider, paid, object_key)"
        " VALUES ($1, $1, 'local', false, $2)",
        *(job, f"generated/{job}/{leases}/0.png"),
    )


async def test_what_an_attempt_has_drawn_that_died_is_told_from_what_was_drawn_twice(
    house: House, books: Books, original: str
) -> None:
    job, stranger = uuid4(), uuid4()
    await record_drawn(books, job, leases=3)
    first, _, theirs = await put_drawn(house, (job, "1/0.png"), (job, "3/0.png"), (stranger, "1/0.png"))
    contents = await compared(house.servers, books)
    assert contents.orphans == [first]
    assert contents.findings == [Finding("double", f"{theirs} lies in the bucket, and nothing names it")]
    assert original


@pytest.mark.parametrize("too_many", ["1/1.png", "2/1.png", "3/0.png"])
async def test_more_pictures_of_a_job_than_attempts_have_died_is_a_double_effect(
    house: House, books: Books, original: str, too_many: str
) -> None:
    job = uuid4()
    await record_drawn(books, job, leases=2)
    first, _, key = await put_drawn(house, (job, "1/0.png"), (job, "2/0.png"), (job, too_many))
    contents = await compared(house.servers, books)
    assert contents.orphans == [first]
    assert contents.findings == [Finding("double", f"{key} lies in the bucket, and nothing names it")]
    assert original


@pytest.fixture
async def promise(house: House, books: Books, tmp_path: Path) -> Promise:
    """A promise that was kept, in an otherwise empty house."""
    promise = Promise(books, Listener(house.servers), tmp_path / "ledger")
    await promise.keep()
    assert await Checker(books, promise.listener, promise.ledger).findings() == []
    return promise


async def told_of(promise: Promise) -> set[str]:
    """Give what the checker finds, without the identifiers in it."""
    findings = await Checker(promise.books, promise.listener, promise.ledger).findings()
    return {UUID_IN_TEXT.sub("...", f"{finding.kind}: {finding.sentence}") for finding in findings}


@pytest.mark.parametrize(("sabotage", "told"), SABOTAGE, ids=[told for _, told in SABOTAGE])
async def test_what_breaks_a_promise_is_noticed(promise: Promise, sabotage: str, told: str) -> None:
    await promise.books.rows(sabotage.format(**vars(promise)))
    assert told in await told_of(promise)


async def test_a_job_that_nobody_was_told_of_is_one_too_many(promise: Promise) -> None:
    lines = promise.ledger.read_text().splitlines(keepends=True)
    promise.ledger.write_text(lines[0])
    assert "double: job ... was begun, and nobody was told of it" in await told_of(promise)


async def test_a_revived_job_may_have_two_ends_of_which_one_was_taken_back(promise: Promise) -> None:
    await promise.books.rows("DELETE FROM gateway.events WHERE type = 'job.completed'")
    for job_id in (promise.stored, promise.mapped):
        for type_ in ("job.failed", "job.revived", "job.completed"):
            await promise.tell(type_, job_id)
    assert await told_of(promise) == set()


async def test_what_was_heard_outside_and_is_kept_by_nobody_is_noticed(promise: Promise) -> None:
    promise.listener.keys[uuid7()] = routing_key_of(JobProgressed)
    assert await told_of(promise) == set()

    promise.listener.keys[uuid7()] = routing_key_of(JobCompleted)
    assert await told_of(promise) == {"wrong: jobs.job_completed ... was heard outside, and nobody said it"}


@pytest.mark.parametrize("service", SERVICES)
async def test_what_a_service_has_said_and_nobody_outside_has_heard_is_lost(promise: Promise, service: str) -> None:
    said = f"INSERT INTO {service}.said (said_at, message_id, routing_key, body) VALUES ($1, $2, 'a.key', '')"
    await promise.books.rows(said, promise.listener.began_at - timedelta(seconds=1), uuid7())
    assert await told_of(promise) == set()

    await promise.books.rows(said, datetime.now(UTC), uuid7())
    assert await told_of(promise) == {f"lost: a.key ... of {service} was never heard outside"}


async def test_only_a_repetition_may_be_heard_by_nobody(books: Books) -> None:
    letter = (
        "INSERT INTO media.dead_letters (id, message_id, routing_key, body, code, sentence)"
        " VALUES (gen_random_uuid(), $1, 'a.key', '', 'unroutable', 'Nobody hears it.')"
    )
    said = uuid7()
    await books.rows("INSERT INTO media.said (message_id, routing_key, body) VALUES ($1, 'a.key', '')", said)
    await books.rows(letter, str(said))
    assert await unsaid(books) == []

    await books.rows(letter, str(uuid7()))
    assert [finding.kind for finding in await unsaid(books)] == ["wrong"]


async def test_what_was_delivered_and_not_acknowledged_yet_is_left_to_do(house: House) -> None:
    say = ReportJobs(addressee="media", job_ids=(uuid7(),))
    async with await aio_pika.connect(house.servers.rabbitmq_url) as connection:
        queue = await (await connection.channel()).get_queue(queue_of("media"))
        await until_quiet(house.servers, seconds=20)
        await house.say(say)
        delivery = await queue.get()
        assert await waiting_messages(house.servers) == {}
        assert await held_messages(house.servers) == {queue_of("media"): 1}
        with pytest.raises(AssertionError, match=queue_of("media")):
            await until_quiet(house.servers, seconds=1)
        await delivery.ack()
        await until_quiet(house.servers, seconds=20)


async def test_what_is_late_is_no_finding_and_what_was_done_twice_is_one_for_ever() -> None:
    late, gone, double = Finding("lost", "late"), Finding("wrong", "gone"), Finding("double", "seen once")
    looks = iter([[late, double], [late], []])

    async def look() -> list[Finding]:
        return next(looks)

    assert await judged(look, seconds=60) == [double]

    async def look_in_vain() -> list[Finding]:
        return [gone]

    assert await judged(look_in_vain, seconds=0.5) == [gone]


LAST_AT = datetime(2026, 1, 1, tzinfo=UTC)
WITHOUT_RETRY_SECONDS = LEASE_SECONDS + 5 + 10


def retry(at_seconds: float, pause_seconds: float) -> Retry:
    """Give a retry by when it was scheduled, from the last fault on, and how long it was to wait."""
    at = LAST_AT + timedelta(seconds=at_seconds)
    return Retry(at, at + timedelta(seconds=pause_seconds))


@pytest.mark.parametrize(
    ("retries", "longer_by_seconds"),
    [
        ([], 0),
        ([retry(-200, 90)], 0),
        ([retry(-20, 30)], 10),
        ([retry(LEASE_SECONDS + 5, 7)], 7),
        ([retry(LEASE_SECONDS + 5.1, 60)], 0),
        ([retry(-20, 30), retry(1, 12), retry(2, 4)], 12),
    ],
)
def test_only_a_pause_that_the_last_fault_may_have_caused_or_left_gives_time_to_drain(
    retries: list[Retry], longer_by_seconds: float
) -> None:
    assert drain_limit_seconds(retries, LAST_AT) == WITHOUT_RETRY_SECONDS + longer_by_seconds


def outcome(seconds: float, faults: list[Inflicted], *, probes: int = 0) -> Outcome:
    return Outcome(
        seed=1,
        seconds=seconds,
        faults=faults,
        accepted=10**6,
        jobs=10**6,
        probes=probes,
        poison=0,
        refused=(),
        findings=(),
        orphans=(),
        drained_seconds=1.0,
        lingering=None,
        drain_limit_seconds=2.0,
        recoveries=(),
    )


def observed(planned: Planned) -> Inflicted:
    return Inflicted(planned, datetime.now(UTC), datetime.now(UTC), seen="seen")


def test_one_service_that_was_never_killed_in_five_minutes_is_named() -> None:
    planned = [one for lane in plan(1, ALL_SECONDS).values() for one in lane]
    faults = [observed(one) for one in planned]
    assert outcome(ALL_SECONDS, faults).shortcomings() == []
    killed = Planned(0, Kind.SERVICE_KILLED, "media").what
    missed = [replace(one, seen=None, missed="nobody saw it") if one.planned.what == killed else one for one in faults]
    assert outcome(ALL_SECONDS, missed).shortcomings() == ["never observed: service killed: media"]


def test_probes_alone_are_no_load() -> None:
    faults = [observed(Planned(0, kind, "media")) for kind in Kind] * 4
    found = outcome(60, faults, probes=10**6 - 7)
    assert found.shortcomings() == [f"only 7 jobs that do something, not {60 * WORKING_JOBS_A_SECOND:.0f}"]
    assert ("of these not mere probes", "7", f"at least {60 * WORKING_JOBS_A_SECOND:.0f}") in figures(found)


def test_a_minute_without_some_kinds_of_faults_is_too_little() -> None:
    kinds = list(Kind)
    faults = [observed(Planned(0, kind, "media")) for kind in kinds]
    assert outcome(60, faults * 4).shortcomings() == []
    assert outcome(60, faults[4:] * 4).shortcomings() == ["only 44 faults of 11 kinds, not 20 of 12"]
