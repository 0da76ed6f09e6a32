"""What the figures are measured with is itself measured: it has to notice whatever it is there for."""

import math
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from contracts.envelope import routing_key_of
from contracts.jobs import CheckWorker, JobCompleted, JobProgressed
from shared.identifiers import uuid7
from shared.object_keys import generated_key
from shared.topology import queue_of
from tests.deploy.clients import objects
from tests.journeys.end_state import Books, books_of
from tests.living import House, lineage
from tests.reliability.figures import backlog, frozen, soak, tripled
from tests.reliability.figures.canonical import differing, dump, told_again
from tests.reliability.figures.fates import nothing_lost
from tests.reliability.figures.freezes import Freeze
from tests.reliability.figures.hearers import Heard, heard_of
from tests.reliability.figures.lines import Line, below
from tests.reliability.figures.processes import Holding, growth_percent, more_at_the_end, open_in, step_percent
from tests.reliability.figures.results import written
from tests.reliability.figures.witnessed import END, RECORD, RENEWAL, START

LOOKS = 300
ON_THEIR_WAY = 30
OWN = Path("/proc/self")


def course(*rss_mib: Callable[[int], float]) -> list[Holding]:
    """Give the course of processes of which each has so much memory in each second."""
    return [
        Holding(float(second), {pid: of(second) for pid, of in enumerate(rss_mib)}, 10, 5) for second in range(LOOKS)
    ]


def test_memory_that_grows_slowly_is_noticed() -> None:
    grown = course(lambda second: 100 + second / 100)

    assert growth_percent(grown) == pytest.approx(3, rel=0.05)


def test_a_small_process_that_grows_beside_a_big_one_is_noticed() -> None:
    grown = course(lambda _: 10_000, lambda second: 100 + second / 100)

    assert growth_percent(grown) == pytest.approx(3, rel=0.05)


@pytest.mark.parametrize("measured", [growth_percent, step_percent])
@pytest.mark.parametrize("looks", [0, 1])
def test_memory_that_was_hardly_looked_at_clears_no_bar(looks: int, measured: Callable[[list[Holding]], float]) -> None:
    assert not below("grows by", measured(course(lambda _: 100)[:looks]), 1).met


@pytest.mark.parametrize("measured", [growth_percent, step_percent])
def test_memory_that_is_taken_and_given_back_is_not_growth(measured: Callable[[list[Holding]], float]) -> None:
    assert measured(course(lambda second: 100 + 80 * (second % 10 == 0))) == 0


def step(second: int) -> float:
    """Half as much again, from 72 % of the course on."""
    return 150 if second >= 0.72 * LOOKS else 100


def test_memory_that_is_kept_at_one_stroke_is_noticed() -> None:
    stepped = course(lambda _: 10_000, step)

    assert growth_percent(stepped) == 0
    assert step_percent(stepped) == pytest.approx(50)


@pytest.mark.parametrize("lines_of", [backlog.memory, soak.memory])
def test_no_figure_takes_memory_for_flat_that_is_kept_at_one_stroke(
    lines_of: Callable[[str, list[Holding]], Sequence[Line]],
) -> None:
    assert all(line.met for line in lines_of("media", course(lambda _: 100)))
    assert not all(line.met for line in lines_of("media", course(step)))


def test_one_connection_that_is_left_open_now_and_then_is_noticed() -> None:
    assert more_at_the_end([10 + second // 30 for second in range(LOOKS)]) == 7
    assert more_at_the_end([10 + second % 3 for second in range(LOOKS)]) == 0


def test_a_connection_is_a_clients_for_as_long_as_he_holds_it() -> None:
    before = open_in(OWN)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        accepted, _ = server.accept()
        with accepted:
            assert open_in(OWN) == (before.descriptors + 2, before.sockets + 2, before.clients + 1)
            client.close()
            assert open_in(OWN) == (before.descriptors + 2, before.sockets + 2, before.clients)


def test_older_figures_and_what_others_wrote_are_kept() -> None:
    first = written(
        "# Results\n\n<!-- chaos -->\nbad\n<!-- /chaos -->\n", {"soak": [Line("memory", "1 %", "<= 1 %", True)]}
    )
    second = written(first, {"frozen": [Line("refused", "3", "4", False)]})
    third = written(second, {"soak": [Line("memory", "2 %", "<= 1 %", False)]})

    assert third.startswith("# Results\n\n<!-- chaos -->\nbad\n<!-- /chaos -->\n")
    assert third.count("<!-- figures -->") == 1
    assert "| frozen | refused | 3 | 4 | **below** |" in third
    assert "| soak | memory | 2 % | <= 1 % | **below** |" in third
    assert "1 % | <= 1 % | met" not in third


@pytest.fixture
async def books(house: House) -> AsyncIterator[Books]:
    async with books_of(house.servers) as books:
        yield books


@pytest.fixture
async def done(books: Books) -> UUID:
    """A job that was done and is known to be, as far as the tables say."""
    command = CheckWorker(**lineage(), service="media")
    await books.rows(
        "INSERT INTO media.tasks (id, kind, command, project_id, root_job_id, state, rank_at, deadline_at)"
        " VALUES ($1, $2, '{}', $3, $1, 'completed', now(), now())",
        command.job_id,
        command.wire_name,
        command.project_id,
    )
    await books.rows(
        "INSERT INTO gateway.jobs (id, project_id, submitted_by, kind, service, state, root_id)"
        " VALUES ($1, $2, 'me', $3, 'media', 'completed', $1)",
        command.job_id,
        command.project_id,
        command.wire_name,
    )
    await say_completed(books, command.job_id)
    await tell_clients(books, command.job_id)
    await store(books, command.job_id)
    return command.job_id


async def say_completed(books: Books, job_id: UUID) -> None:
    await books.rows(
        "INSERT INTO media.said (message_id, routing_key, job_id, body) VALUES ($1, $2, $3, '')",
        uuid7(),
        routing_key_of(JobCompleted),
        job_id,
    )


async def tell_clients(books: Books, job_id: UUID, what: str = "image.generated", *, days_ago: int = 0) -> None:
    await books.rows(
        "INSERT INTO gateway.events (project_id, job_id, type, at, data)"
        " VALUES ($2, $1, $3, current_date - $4::int, jsonb_build_object('job_id', $1::uuid))",
        job_id,
        lineage()["project_id"],
        what,
        days_ago,
    )


async def store(books: Books, job_id: UUID) -> None:
    access = books.stack.object_store
    async with objects(access) as s3:
        await s3.put_object(Bucket=access.bucket, Key=generated_key(job_id, 1, 0), Body=b"a picture")


async def below_bar(books: Books, *jobs: UUID) -> set[str]:
    lines = await nothing_lost(books, dict.fromkeys(jobs, "media"), lineage()["project_id"])
    return {line.what for line in lines if not line.met}


async def test_jobs_that_are_done_are_not_lost(books: Books, done: UUID) -> None:
    assert await below_bar(books, done) == set()


async def test_a_job_that_nobody_knows_is_noticed(books: Books, done: UUID) -> None:
    assert await below_bar(books, done, uuid7()) == {"accepted jobs", "lost", "never ended"}


async def test_a_job_that_nobody_was_promised_is_noticed(books: Books, done: UUID) -> None:
    assert await below_bar(books) == {"jobs that nobody was promised"}
    assert done


async def test_a_job_that_was_done_twice_is_noticed(books: Books, done: UUID) -> None:
    await say_completed(books, done)

    assert await below_bar(books, done) == {"completed twice"}


SABOTAGE = {
    "a row too much": "INSERT INTO media.tombstones (job_id, cancelled_by) VALUES ($1, 'me')",
    "a row missing": "DELETE FROM media.tasks WHERE id = $1",
    "another state": "UPDATE gateway.jobs SET state = 'failed' WHERE id = $1",
    "an id in the wrong place": "UPDATE gateway.jobs SET parent_id = gen_random_uuid() WHERE id = $1",
    "something that clients are told again": (
        "INSERT INTO gateway.events (project_id, job_id, type, at, data)"
        " SELECT project_id, job_id, type, at, data FROM gateway.events WHERE job_id = $1"
    ),
    "something that clients are not told": "DELETE FROM gateway.events WHERE job_id = $1",
}


@pytest.mark.parametrize("sabotage", SABOTAGE.values(), ids=SABOTAGE)
async def test_what_differs_between_two_projects_is_noticed(books: Books, done: UUID, sabotage: str) -> None:
    project = lineage()["project_id"]
    before = await dump(books, project)
    assert before.total() == 5
    await books.rows(sabotage, done)

    assert differing(before, await dump(books, project)) != []


async def test_an_object_too_much_is_noticed(books: Books, done: UUID) -> None:
    project = lineage()["project_id"]
    before = await dump(books, project)
    access = books.stack.object_store
    async with objects(access) as s3:
        await s3.put_object(Bucket=access.bucket, Key=generated_key(done, 2, 0), Body=b"another picture")

    assert differing(before, await dump(books, project)) != []


@pytest.mark.parametrize(
    ("what", "days_ago", "noticed"),
    [("image.generated", 1, True), ("job.accepted", 0, True), ("job.accepted", 1, False)],
)
async def test_what_clients_are_told_twice_is_noticed(
    books: Books, done: UUID, what: str, days_ago: int, *, noticed: bool
) -> None:
    """Of a job that still waits they may be told so again."""
    project = lineage()["project_id"]
    await tell_clients(books, done, "job.accepted")
    assert await told_again(books, project) == []
    await tell_clients(books, done, what, days_ago=days_ago)

    assert await told_again(books, project) == ([f"{what} of {done}, 2 times"] if noticed else [])


async def test_only_ids_and_times_differ_between_two_projects_that_are_the_same(books: Books, done: UUID) -> None:
    before = await dump(books, lineage()["project_id"])
    for table, column in (("media.tasks", "root_job_id"), ("gateway.jobs", "root_id")):
        await books.rows(
            f"UPDATE {table} SET id = $2, {column} = $2 WHERE id = $1", done, other := UUID(int=done.int + 1)
        )
    await books.rows("UPDATE media.said SET job_id = $1", other)
    await books.rows("DELETE FROM gateway.events")
    await tell_clients(books, other)
    await store(books, other)
    await books.rows("UPDATE gateway.jobs SET created_at = now() + interval '1 hour'")

    assert differing(before, await dump(books, lineage()["project_id"])) == []


def heard(deliveries: int, absorbed: int, *, commands: int = 0) -> Heard:
    return Heard(Counter({JobCompleted.wire_name: deliveries, CheckWorker.wire_name: commands}), absorbed)


def test_everything_heard_three_times_and_taken_once_clears_the_bar() -> None:
    assert all(line.met for line in tripled.hearing({"media": heard(30, 20, commands=6)}, {"media": 12}))


@pytest.mark.parametrize(
    ("of_one", "known"),
    [(heard(20, 10), 10), (heard(30, 20, commands=4), 12), (heard(30, 0), 10), (heard(30, 10), 20)],
    ids=["heard twice", "commands heard twice", "nothing absorbed", "taken twice"],
)
def test_a_service_that_hears_less_often_or_takes_in_more_often_is_noticed(of_one: Heard, known: int) -> None:
    lines = tripled.hearing({"scraper": heard(30, 20), "media": of_one}, {"scraper": 10, "media": known})

    assert not all(line.met for line in lines)


async def test_what_is_on_its_way_when_the_shuffling_ends_is_delivered_as_often_as_the_rest(house: House) -> None:
    async with tripled.tripled(house.servers, spread_seconds=0.5):
        for _ in range(ON_THEIR_WAY):
            await house.say(_event())

    assert await _deliveries(house, "gateway") == ON_THEIR_WAY * tripled.TIMES


async def test_after_the_shuffling_everything_is_delivered_once(house: House) -> None:
    async with tripled.tripled(house.servers, spread_seconds=0):
        pass
    await house.say(_event())

    assert await _deliveries(house, "gateway") == 1


def _event() -> JobProgressed:
    of_the_job = lineage() | {"kind": CheckWorker.wire_name, "service": "media"}
    return JobProgressed(**of_the_job, lease_epoch=1, sequence=1, at=datetime.now(UTC))


async def _deliveries(house: House, service: str) -> int:
    """Take everything that waits in a service's queue; tell how often something was delivered."""
    async with house.post.channel() as channel:
        queue = await channel.get_queue(queue_of(service), ensure=False)
        deliveries = 0
        while (delivery := await queue.get(no_ack=True, fail=False)) is not None:
            deliveries += delivery.type == JobProgressed.wire_name
        return deliveries


def test_what_processes_tell_of_their_hearing_is_added_up() -> None:
    told = (
        "# TYPE diorama_messages_heard_total counter\n"
        'diorama_messages_heard_total{type="jobs.job_completed.v1"} 3.0\n'
        "# TYPE diorama_messages_duplicate_total counter\n"
        "diorama_messages_duplicate_total 2.0\n"
    )

    assert heard_of([told, told]) == heard(6, 4)


HELD = 6
WRITES = Counter({(END, False): HELD, (START, False): 2 * HELD, (RECORD, False): HELD, (RENEWAL, False): 2 * HELD})
FROZEN = Freeze(
    held=HELD,
    held_back=True,
    open_transactions=0,
    taken_seconds=16,
    begun_seconds=17,
    rerun_seconds=90,
    stuck=0,
    charged=0,
    writes=WRITES,
)


def frozen_lines(freeze: Freeze) -> list[Line]:
    """Give the lines of a figure in which somebody who draws was frozen as well, and tried nothing."""
    return frozen.lines([freeze], [replace(FROZEN, writes=Counter())], frozen.SHORT, lease_seconds=15)


def test_a_freeze_of_which_nothing_came_clears_the_bar() -> None:
    assert all(line.met for line in frozen_lines(FROZEN))


@pytest.mark.parametrize("kind", [END, RECORD, START, RENEWAL])
@pytest.mark.parametrize("writes", [{True: 1, False: 2 * HELD}, {}], ids=["written", "not tried"])
def test_a_write_that_was_not_refused_is_noticed(kind: str, writes: dict[bool, int]) -> None:
    others = {key: count for key, count in WRITES.items() if key[0] != kind}
    found = Counter(others | {(kind, written): count for written, count in writes.items()})

    assert len([line for line in frozen_lines(replace(FROZEN, writes=found)) if not line.met]) == 1


@pytest.mark.parametrize(
    "late",
    [{"begun_seconds": 20.5}, {"begun_seconds": math.inf}, {"taken_seconds": 20.5}],
    ids=["begun", "never", "taken"],
)
def test_a_takeover_that_is_late_is_noticed(late: dict[str, Any]) -> None:
    assert len([line for line in frozen_lines(replace(FROZEN, **late)) if not line.met]) == 1


async def test_a_worker_that_does_nothing_is_noticed(books: Books, done: UUID) -> None:
    began_at = datetime.now(UTC) - timedelta(hours=1)
    await books.rows("UPDATE media.tasks SET started_at = now() WHERE id = $1", done)
    work = await soak.work_since(books, began_at)

    assert work == Counter({("media", CheckWorker.wire_name): 1})
    assert not soak.busy(work, seconds=60).met
    assert soak.busy(dict.fromkeys(soak.WORK, 1), seconds=60).met
