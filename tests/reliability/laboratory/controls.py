"""Short experiments, each made for one guarantee: where it holds nothing is lost and nothing happens twice."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from contracts.envelope import EVERYBODY, routing_key_of
from contracts.jobs import ReplayOutbox
from contracts.media import MediaStored
from deploy.database import SERVICES, WORKERS
from deploy.local.ports import LOOPBACK
from deploy.local.servers import RABBITMQ
from deploy.local.stack import Stack
from shared.topology import queue_of
from tests.deploy.clients import database
from tests.journeys.end_state import Books, books_of, held_messages
from tests.journeys.gallery import Exhibition
from tests.living import until
from tests.reliability.laboratory.broker import BrokerRefused, delete_queue, purge_queue
from tests.reliability.laboratory.checker import Checker, Finding, judged
from tests.reliability.laboratory.experiment import users_of
from tests.reliability.laboratory.faults import CREATED_ANEW, inflict
from tests.reliability.laboratory.listener import QUEUE, Listener
from tests.reliability.laboratory.load import Users
from tests.reliability.laboratory.mutated import launcher_of
from tests.reliability.laboratory.premises import Premises, log_of
from tests.reliability.laboratory.proxies import BLACK_HOLE, FAIR, Wire
from tests.reliability.laboratory.schedule import Kind, Planned

PICTURES = 3
_WAIT_SECONDS = 180.0
_LOOK_SECONDS = 0.2
_STILL_LOOKS = 2
"""What moves on during one look may be missed by it."""
_INSERT_WAITS = """
    SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%INSERT INTO jobs%')
"""


@dataclass(frozen=True)
class Trial:
    """What a control has at hand.

    Attributes:
        suspect: the stack in which that service runs whose guarantee is tried.

    """

    premises: Premises
    suspect: Stack
    users: Users
    books: Books
    checker: Checker

    async def exhibit(self, pictures: int = PICTURES) -> Exhibition:
        return await self.premises.gallery.exhibit(f"control-{uuid4().hex[:8]}", pictures)

    async def until(self, condition: str, *arguments: object) -> None:
        """Wait until a query about the painter's project gives true; it is the first argument."""
        project_id = self.users.painter.project_id
        await until(lambda: self.books.value(f"SELECT {condition}", project_id, *arguments), seconds=_WAIT_SECONDS)

    async def settled(self) -> list[Finding]:
        """Wait until nothing moves any more; return what is not as promised, and stays so.

        Where the gateway waits for news of a job in vain, time goes on faster for it, so that it asks at once. What it
        has not learnt by that it never will.
        """
        waited_for: set[UUID] | None = None
        async with asyncio.timeout(_WAIT_SECONDS):
            while True:
                await self._until_still()
                open_now = await self._open("gateway.jobs")
                if not open_now or open_now == waited_for:
                    break
                waited_for = open_now
                await self.fall_silent()
                await until(self._has_asked, seconds=_WAIT_SECONDS)
        return await judged(self.checker.findings)

    async def doubled(self) -> list[Finding]:
        """Wait until something has been done twice; return that, for of all else nobody can tell while things move."""
        return await until(self._doubles, seconds=_WAIT_SECONDS)

    async def _doubles(self) -> list[Finding]:
        return [finding for finding in await self.checker.findings() if finding.kind == "double"]

    async def fall_silent(self) -> None:
        """Let the gateway believe that it has heard nothing of its jobs for long."""
        await self.books.rows(
            "UPDATE gateway.jobs SET updated_at = updated_at - interval '10 min', ask_at = now()"
            " WHERE project_id = ANY ($1) AND finished_at IS NULL",
            self.checker.projects,
        )

    async def _has_asked(self) -> bool:
        due = (
            "SELECT count(*) FROM gateway.jobs WHERE project_id = ANY ($1) AND finished_at IS NULL AND ask_at <= now()"
        )
        return not await self.books.value(due, self.checker.projects)

    async def _until_still(self) -> None:
        """Wait until nobody has anything to do, to say or to hear."""
        looks = 0
        while looks < _STILL_LOOKS:
            await asyncio.sleep(_LOOK_SECONDS)
            is_still = await self.is_silent() and not any([await self._open(f"{worker}.tasks") for worker in WORKERS])
            looks = looks + 1 if is_still else 0

    async def _open(self, place: str) -> set[UUID]:
        rows = await self.books.rows(
            f"SELECT id FROM {place} WHERE project_id = ANY ($1) AND state IN ('pending', 'in_progress')",
            self.checker.projects,
        )
        return {row["id"] for row in rows}

    async def is_silent(self) -> bool:
        """Tell whether nothing is to be said or heard anywhere."""
        for service in SERVICES:
            waiting = f"SELECT EXISTS (SELECT FROM {service}.outbox) OR EXISTS (SELECT FROM {service}.replays)"
            if await self.books.value(waiting):
                return False
        try:
            return not await held_messages(self.premises.servers)
        except (BrokerRefused, TimeoutError):
            return False


async def _lose_what_is_on_its_way(trial: Trial) -> None:
    """Cut the line to the broker when what was said is on its way, and has not arrived."""
    wire = trial.premises.wires["scraper", RABBITMQ]
    exhibition = await trial.exhibit()
    exhibition.page_door.close_after(0)
    await trial.users.scrape(exhibition)
    # Its beginning has been said, so that what is said next goes out together.
    await trial.until("EXISTS (SELECT FROM gateway.jobs WHERE project_id = $1 AND state = 'in_progress')")
    await trial.until("$1::uuid IS NOT NULL AND NOT EXISTS (SELECT FROM scraper.outbox)")
    wire.turn(BLACK_HOLE)
    exhibition.page_door.open()
    await trial.until("EXISTS (SELECT FROM scraper.tasks WHERE project_id = $1 AND state = 'completed')")
    await trial.until("$1::uuid IS NOT NULL AND NOT EXISTS (SELECT FROM scraper.outbox FOR UPDATE SKIP LOCKED)")
    await until(lambda: _has_touched(wire), seconds=_WAIT_SECONDS)
    wire.reset()
    wire.turn(FAIR)


async def _hear_again(trial: Trial) -> None:
    """Have everything said once more that the gateway has heard already."""
    await trial.users.scrape(await trial.exhibit())
    await trial.settled()
    before = log_of(trial.suspect, "gateway").count(CREATED_ANEW)
    await delete_queue(trial.premises.servers, queue_of("gateway"))
    await until(lambda: _has_asked_again(trial, before), seconds=_WAIT_SECONDS)
    await until(lambda: _all_was_said_again(trial), seconds=_WAIT_SECONDS)


async def _has_asked_again(trial: Trial, before: int) -> bool:
    return log_of(trial.suspect, "gateway").count(CREATED_ANEW) > before


async def _all_was_said_again(trial: Trial) -> bool:
    """Tell whether each worker has heard the request, which is the newest, and has nothing more to say."""
    routing_key = f"{routing_key_of(ReplayOutbox)}.{EVERYBODY}"
    unsaid = "SELECT EXISTS (SELECT FROM gateway.outbox WHERE routing_key = $1 AND queue IS NULL)"
    if await trial.books.value(unsaid, routing_key):
        return False
    newest = "SELECT message_id FROM gateway.said WHERE routing_key = $1 ORDER BY said_at DESC LIMIT 1"
    request_id = await trial.books.value(newest, routing_key)
    heard = [
        await trial.books.value(f"SELECT EXISTS (SELECT FROM {worker}.inbox WHERE message_id = $1)", request_id)
        and not await trial.books.value(f"SELECT EXISTS (SELECT FROM {worker}.replays)")
        for worker in WORKERS
    ]
    return all(heard)


async def _wake_after_the_lease(trial: Trial) -> None:
    """Freeze a worker with work in its hands, have another one do that work, and let the first one go on."""
    supervisor, exhibition = trial.suspect.supervisor, await trial.exhibit()
    exhibition.picture_door.close_after(0)
    await trial.users.scrape(exhibition)
    mine = "FROM media.tasks WHERE project_id = $1"
    await trial.until(f"count(*) = $2 {mine} AND state = 'in_progress'", PICTURES)
    supervisor.pause("media")
    exhibition.picture_door.open()
    await trial.premises.services.supervisor.start_again("media")
    await trial.until(f"count(*) = $2 {mine} AND state = 'completed'", PICTURES)
    supervisor.resume("media")
    await until(lambda: _has_woken(trial), seconds=_WAIT_SECONDS)


async def _has_woken(trial: Trial) -> bool:
    """Tell whether the frozen worker has learnt that it was too late, or has done everything a second time."""
    stored = await trial.books.value(
        "SELECT count(*) FROM media.said JOIN media.tasks ON tasks.id = job_id"
        " WHERE project_id = $1 AND routing_key = $2",
        trial.users.painter.project_id,
        routing_key_of(MediaStored),
    )
    return stored > PICTURES or log_of(trial.suspect, "media").count("lease_lost") >= PICTURES


async def _lose_the_disk(trial: Trial) -> None:
    """Erase the broker with everything that was said on it, and heard by nobody."""
    exhibition = await trial.exhibit()
    exhibition.page_door.close_after(0)
    await trial.users.scrape(exhibition)
    await asyncio.wait_for(exhibition.page_door.waited_at.wait(), _WAIT_SECONDS)
    async with trial.premises.without("gateway", "media"):
        exhibition.page_door.open()
        await trial.until("EXISTS (SELECT FROM scraper.tasks WHERE project_id = $1 AND state = 'completed')")
        await trial.until("$1::uuid IS NOT NULL AND NOT EXISTS (SELECT FROM scraper.outbox)")
        await _inflicted(trial, Planned(0, Kind.BROKER_ERASED, RABBITMQ))


async def _lose_what_waits(trial: Trial) -> None:
    """Have what was said vanish where it waits: in the gateway's queue, which stays, and with an outsider's queue.

    The gateway notices that a job is silent and asks about it; the outsider, that its queue is gone, and asks for all.
    """
    exhibition = await trial.exhibit(pictures=0)
    exhibition.page_door.close_after(0)
    await trial.users.scrape(exhibition)
    await asyncio.wait_for(exhibition.page_door.waited_at.wait(), _WAIT_SECONDS)
    async with trial.premises.without("gateway"), trial.checker.listener.away():
        exhibition.page_door.open()
        await trial.until("EXISTS (SELECT FROM scraper.tasks WHERE project_id = $1 AND state = 'completed')")
        await trial.until("$1::uuid IS NOT NULL AND NOT EXISTS (SELECT FROM scraper.outbox)")
        await purge_queue(trial.premises.servers, queue_of("gateway"))
        await delete_queue(trial.premises.servers, QUEUE)
        await trial.fall_silent()


async def _inflicted(trial: Trial, planned: Planned) -> None:
    fault = await inflict(trial.premises, planned)
    assert fault.seen, f"{planned}: {fault.missed}"


async def _lose_the_answer(trial: Trial) -> None:
    """Cut the line to a client when its job is accepted, and its answer has not arrived; it asks again."""
    client, there = trial.users.prober.gateway, urlsplit(trial.suspect.gateway_url)
    assert there.hostname is not None
    assert there.port is not None
    async with Wire(there.hostname, there.port) as wire, database(trial.premises.servers.database_admin_url) as lock:
        client.url = f"http://{LOOPBACK}:{wire.port}"
        async with lock.transaction():
            await lock.execute("LOCK TABLE gateway.jobs IN SHARE MODE")
            handing_in = asyncio.create_task(trial.users.probe("scraper"))
            await until(lambda: trial.books.value(_INSERT_WAITS), seconds=_WAIT_SECONDS)
            wire.turn(BLACK_HOLE)
        written = "SELECT EXISTS (SELECT FROM gateway.jobs WHERE project_id = $1)"
        await until(lambda: trial.books.value(written, trial.users.prober.project_id), seconds=_WAIT_SECONDS)
        await until(lambda: _has_touched(wire), seconds=_WAIT_SECONDS)
        wire.reset()
        wire.turn(FAIR)
        await handing_in


@dataclass(frozen=True)
class Control:
    """A guarantee, the service in which it is tried, and what puts it to the test.

    Attributes:
        breaks: what happens where the guarantee is broken, and only that: something is lost, or is done twice.
        told: words that tell of it.
        beside: a second process of the service is needed, which stands in for the first one.
        restless: where it is broken, the house never comes to rest.

    """

    guarantee: str
    service: str
    put_to_the_test: Callable[[Trial], Awaitable[None]]
    breaks: Literal["lost", "double"]
    told: str
    beside: bool = False
    restless: bool = False

    def __str__(self) -> str:
        return self.guarantee


CONTROLS = (
    Control("outbox", "scraper", _lose_what_is_on_its_way, "lost", "follow from"),
    Control("inbox", "gateway", _hear_again, "double", "clients were told image", restless=True),
    Control("fencing", "media", _wake_after_the_lease, "double", "media said", beside=True),
    Control("replay", "scraper", _lose_the_disk, "lost", "follow from"),
    Control("replay_to_queues", "scraper", _lose_what_waits, "lost", "was never heard outside"),
    Control("repetition_of_jobs", "scraper", _lose_what_waits, "lost", "of scraper.page_scraped"),
    Control("idempotency", "gateway", _lose_the_answer, "double", "nobody was told of it"),
)
"""Replay has two halves: to a queue that was created anew, and of a job that is asked about. Inside the house each of
them heals what the other one leaves out, so that something is lost there only without both. Alone the first one matters
to outsiders, for whom nobody asks; and the second one where messages vanish from a queue that stays."""


async def findings_of(premises: Premises, control: Control, *, broken: bool) -> list[Finding]:
    """Put a guarantee to the test, as it is or broken; tell what was lost and what happened twice."""
    path = premises.directory / f"ledger-{control}-{'broken' if broken else 'sound'}.jsonl"
    launcher = launcher_of(control.guarantee, control.service) if broken else None
    async with (
        _suspect(premises, control, launcher) as suspect,
        Listener(premises.servers) as listener,
        users_of(suspect if control.service == "gateway" else premises.services, path) as users,
        books_of(premises.servers) as books,
    ):
        trial = Trial(premises, suspect, users, books, Checker(books, listener, path))
        await until(trial.is_silent, seconds=_WAIT_SECONDS)  # what a start gives rise to is over
        await control.put_to_the_test(trial)
        return await (trial.doubled() if broken and control.restless else trial.settled())


@asynccontextmanager
async def _suspect(premises: Premises, control: Control, launcher: tuple[str, ...] | None) -> AsyncIterator[Stack]:
    """Run the suspect, so that sound and broken differ in the launcher alone."""
    if control.beside:
        async with premises.without(control.service), premises.stand_in(control.service, launcher) as suspect:
            yield suspect
    elif launcher is not None:
        async with premises.launching(control.service, launcher):
            yield premises.services
    else:
        yield premises.services


async def _has_touched(wire: Wire) -> bool:
    return wire.touched > 0
