"""What the laboratory looks with is itself looked at: it has to notice whatever it is there for."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from contracts.envelope import routing_key_of
from contracts.jobs import JobCompleted, JobProgressed
from shared.identifiers import uuid7
from tests.deploy.clients import objects
from tests.journeys.end_state import Books, books_of
from tests.living import House
from tests.reliability.laboratory.bucket import Contents, compared
from tests.reliability.laboratory.checker import Checker, Finding, unsaid
from tests.reliability.laboratory.experiment import ALL_SECONDS, Outcome
from tests.reliability.laboratory.faults import Inflicted
from tests.reliability.laboratory.listener import Listener
from tests.reliability.laboratory.schedule import Kind, Planned, plan

BODY = b"an original"
HASH = sha256(BODY).hexdigest()


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


async def test_what_was_heard_outside_and_is_kept_by_nobody_is_noticed(
    house: House, books: Books, tmp_path: Path
) -> None:
    (ledger := tmp_path / "ledger").touch()
    listener = Listener(house.servers)
    checker = Checker(books, listener, ledger)
    kept, progress, stray = uuid7(), uuid7(), uuid7()
    said = "INSERT INTO media.said (message_id, routing_key, body) VALUES ($1, $2, '')"
    await books.rows(said, kept, routing_key_of(JobCompleted))
    listener.keys |= {kept: routing_key_of(JobCompleted), progress: routing_key_of(JobProgressed)}
    assert await checker.findings() == []

    listener.keys[stray] = routing_key_of(JobCompleted)
    assert [finding.kind for finding in await checker.findings()] == ["wrong"]


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


def outcome(seconds: float, faults: list[Inflicted]) -> Outcome:
    return Outcome(
        seed=1,
        seconds=seconds,
        faults=faults,
        accepted=10**6,
        jobs=10**6,
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

    missed = [
        Inflicted(fault.planned, fault.began_at, fault.ended_at, missed="nobody saw it")
        if (fault.planned.kind, fault.planned.target) == (Kind.SERVICE_KILLED, "media")
        else fault
        for fault in faults
    ]
    assert outcome(ALL_SECONDS, missed).shortcomings() == ["never observed: service killed: media"]


def test_a_minute_without_some_kinds_of_faults_is_too_little() -> None:
    kinds = list(Kind)
    faults = [observed(Planned(0, kind, "media")) for kind in kinds]
    assert outcome(60, faults * 4).shortcomings() == []
    assert outcome(60, faults[4:] * 4).shortcomings() == ["only 44 faults of 11 kinds, not 20 of 12"]
