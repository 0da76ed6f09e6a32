"""The most that a job of each kind may cost. Counts, not times: they are the same on every machine."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from contracts.depth_map import MapDepth
from contracts.envelope import Command
from contracts.image_generation import GenerateImage
from contracts.jobs import CheckWorker
from contracts.media import AcceptUpload, FetchMedia
from contracts.scraper import ScrapePages
from deploy.local.stack import Stack
from shared.identifiers import uuid7
from shared.outbox import Outbox
from tests.deploy.clients import objects
from tests.journeys.end_state import Books, books_of
from tests.journeys.gallery import Door, Gallery, draw
from tests.journeys.metering import Act, Cost, Meter, Plan, without_progress
from tests.journeys.outsiders import publish
from tests.journeys.visitors import Visitor
from tests.living import until

IMAGES = 12

BUDGET: dict[type[Command], Cost] = {
    CheckWorker: Cost(statements=15, commits=6, publishes=2),
    ScrapePages: Cost(statements=40, commits=10, publishes=IMAGES + 5),
    FetchMedia: Cost(statements=31, commits=9, publishes=5),
    AcceptUpload: Cost(statements=26, commits=7, publishes=4),
    GenerateImage: Cost(statements=44, commits=11, publishes=5),
    MapDepth: Cost(statements=25, commits=8, publishes=4),
}
"""From the request to the last row, in all services together; the job's children are not counted.

What is said of a job's end is heard as one batch, of `GenerateImage` and `MapDepth` all that is said of it.
"""

FOLLOWED_BY_MEDIA = (ScrapePages, GenerateImage)
"""What media makes of these is no part of their own cost, so it is down meanwhile."""

_POLL_SECONDS = 0.005

LOAD_JOBS = 500
LOAD_IN_FLIGHT = 32
LOAD_STATEMENTS_PER_JOB, LOAD_COMMITS_PER_JOB = 1.2, 0.4
"""BEGIN and COMMIT are not counted as statements; with them it is about two."""


class Trial:
    """Jobs one by one, in a house in which nothing else goes on."""

    def __init__(self, stack: Stack, books: Books, meter: Meter, visitor: Visitor, gallery: Gallery) -> None:
        self.stack = stack
        self.books = books
        self.meter = meter
        self.visitor = visitor
        self.gallery = gallery
        self.job_id = UUID(int=0)
        self._number = 0

    async def cost(self, kind: type[Command]) -> Cost:
        plans: dict[type[Command], Plan] = {
            CheckWorker: self.probe,
            ScrapePages: self._scrape,
            FetchMedia: self._fetch,
            MapDepth: self._map,
            GenerateImage: self._generate,
            AcceptUpload: self._accept,
        }
        return await self.meter.cost(plans[kind], self.done, started=kind is not CheckWorker, allowed=BUDGET[kind])

    async def done(self) -> bool:
        return await self._state() == "completed"

    async def _state(self) -> str | None:
        rows = await self.books.rows("SELECT state FROM gateway.jobs WHERE id = $1", self.job_id)
        return rows[0]["state"] if rows else None

    def _posting(self, path: str, body: Mapping[str, Any]) -> Act:
        async def post() -> None:
            self.job_id = UUID((await self.visitor.gateway.post(path, body))["id"])

        return post

    def _posting_behind(self, service: str, door: Door, path: str, body: Mapping[str, Any]) -> Act:
        """The door opens when the job has said that it started, so that it says so on every machine."""
        door.close_after(0)
        post = self._posting(path, body)

        async def post_and_open() -> None:
            await post()
            while await self._state() != "in_progress":
                await asyncio.sleep(_POLL_SECONDS)
            async with self._heard_at_once(service):
                door.open()

        return post_and_open

    def _posting_to(self, service: str, path: str, body: Mapping[str, Any], read: Callable[[Any], str]) -> Act:
        """The service takes the job when all of it can be heard at once."""

        async def post() -> None:
            async with self._paused(service):
                self.job_id = UUID(read(await self.visitor.gateway.post(path, body)))
                await until(lambda: self.books.value("SELECT NOT EXISTS (SELECT FROM gateway.outbox)"))
                self.stack.supervisor.pause("gateway")
            async with self._heard_at_once(service):
                pass

        return post

    @asynccontextmanager
    async def _heard_at_once(self, service: str) -> AsyncIterator[None]:
        """Have the gateway hear what a service says until it is done as one batch.

        A busy machine hears it in two, or in five: that is no matter of the job, and here none of chance.
        """

        async def has_said_all() -> bool:
            completed = f"EXISTS (SELECT FROM {service}.tasks WHERE id = $1 AND state = 'completed')"
            said = f"NOT EXISTS (SELECT FROM {service}.outbox)"
            return bool(await self.books.value(f"SELECT {completed} AND {said}", self.job_id))

        async with self._paused("gateway"):
            yield
            await until(has_said_all, every_seconds=_POLL_SECONDS)

    @asynccontextmanager
    async def _paused(self, service: str) -> AsyncIterator[None]:
        self.stack.supervisor.pause(service)
        try:
            yield
        finally:
            self.stack.supervisor.resume(service)

    def _next_name(self) -> str:
        self._number += 1
        return f"budget-{self._number}-{uuid7()}"

    async def probe(self) -> Act:
        return self._posting("/probes", {"service": "media"})

    async def _scrape(self) -> Act:
        exhibition = await self.gallery.exhibit(self._next_name(), IMAGES)
        return self._posting_behind(
            "scraper", exhibition.page_door, "/scrapes", {"url": exhibition.url, "pipeline": []}
        )

    async def _fetch(self) -> Act:
        exhibition = await self.gallery.exhibit(self._next_name(), 1)
        asked = {"url": exhibition.url_of(exhibition.pictures[0]), "pipeline": ["describe"]}
        return self._posting_behind("media", exhibition.picture_door, "/media/store", asked)

    async def _map(self) -> Act:
        image_id = await self.books.value(
            "SELECT id FROM gateway.assets WHERE project_id = $1 ORDER BY size_bytes DESC LIMIT 1",
            self.visitor.project_id,
        )
        await self.books.rows("DELETE FROM depth_map.depth_maps WHERE asset_id = $1", image_id)

        return self._posting_to("depth_map", "/maps", {"image_id": str(image_id)}, lambda told: told["items"][0]["id"])

    async def _generate(self) -> Act:
        scene = {"scene_description": "a red house", "pipeline": []}
        path = f"/chapters/{self._next_name()}/images/scenes/1"
        return self._posting_to("image_generation", path, scene, lambda told: told["task_id"])

    async def _accept(self) -> Act:
        """A command from outside, of a job that the gateway has never heard of."""
        key, job_id = f"uploads/{uuid7()}", uuid7()
        async with objects(self.stack.object_store) as s3:
            body = draw(self._next_name(), 1, scale=3).body
            await s3.put_object(Bucket=self.stack.object_store.bucket, Key=key, Body=body)
        lineage = {"job_id": job_id, "root_job_id": job_id, "project_id": self.visitor.project_id}
        saying = Outbox("outsider").encode(AcceptUpload(**lineage, submitted_by="an outsider", object_key=key))

        async def say() -> None:
            self.job_id = job_id
            await publish(self.stack, saying.routing_key, saying.body)

        return say


@pytest.fixture
async def trial(stack: Stack, gallery: Gallery, visitor: Visitor) -> AsyncIterator[Trial]:
    async with books_of(stack) as books, without_progress(stack):
        yield Trial(stack, books, await Meter(stack, books).prepare(), visitor, gallery)


async def test_a_job_of_each_kind_costs_no_more_than_its_budget(stack: Stack, trial: Trial) -> None:
    costs = {kind: await trial.cost(kind) for kind in BUDGET if kind not in FOLLOWED_BY_MEDIA}
    await stack.supervisor.hold("media")
    try:
        costs |= {kind: await trial.cost(kind) for kind in FOLLOWED_BY_MEDIA}
    finally:
        await stack.supervisor.start_again("media")

    assert {kind.wire_name: cost for kind, cost in costs.items() if cost.exceeds(BUDGET[kind])} == {}


@pytest.mark.parametrize(
    ("waste", "more"),
    [
        ("SELECT count(*) FROM tombstones", Cost(statements=1, commits=0, publishes=0)),
        ("UPDATE bus_mark SET token = token", Cost(statements=1, commits=1, publishes=0)),
        ("SELECT pg_current_xact_id()", Cost(statements=1, commits=1, publishes=0)),
    ],
    ids=["a statement", "a statement that writes", "a commit that writes no row"],
)
async def test_one_more_is_noticed(stack: Stack, trial: Trial, waste: str, more: Cost) -> None:
    media = await asyncpg.connect(stack.database_url("media"))

    async def wasteful_probe() -> Act:
        probe = await trial.probe()

        async def probe_and_waste() -> None:
            await probe()
            await media.execute(waste)

        return probe_and_waste

    frugal = await trial.cost(CheckWorker)
    wasteful = await trial.meter.cost(wasteful_probe, trial.done, started=False, allowed=frugal + more)
    await media.close()

    assert wasteful == frugal + more
    assert wasteful.exceeds(frugal)


async def test_under_load_jobs_share_their_statements_and_commits(trial: Trial) -> None:
    supervisor, books = trial.stack.supervisor, trial.books

    async def probe_in_parallel() -> None:
        numbers = iter(range(LOAD_JOBS))

        async def probe() -> None:
            for _ in numbers:
                await trial.visitor.gateway.post("/probes", {"service": "media"})

        # All is there before the first of it is taken, the jobs by media and the news by the gateway: whether a busy
        # machine takes them one by one is no matter of chance then.
        supervisor.pause("media")
        try:
            await asyncio.gather(*(probe() for _ in range(LOAD_IN_FLIGHT)))
            await until(lambda: books.value("SELECT NOT EXISTS (SELECT FROM gateway.outbox)"))
            supervisor.pause("gateway")
        finally:
            supervisor.resume("media")
        try:
            await until(all_are_worked_on)
        finally:
            supervisor.resume("gateway")

    async def all_are_worked_on() -> bool:
        completed = "SELECT count(*) FROM media.tasks WHERE project_id = $1 AND state = 'completed'"
        is_all_said = await books.value("SELECT NOT EXISTS (SELECT FROM media.outbox)")
        return bool(is_all_said and await books.value(completed, trial.visitor.project_id) == LOAD_JOBS)

    async def all_done() -> bool:
        completed = "SELECT count(*) FROM gateway.jobs WHERE project_id = $1 AND state = 'completed'"
        return bool(await books.value(completed, trial.visitor.project_id) == LOAD_JOBS)

    cost = await trial.meter.total(probe_in_parallel, all_done)

    assert cost.publishes == 2 * LOAD_JOBS
    assert cost.statements / LOAD_JOBS < LOAD_STATEMENTS_PER_JOB
    assert cost.commits / LOAD_JOBS < LOAD_COMMITS_PER_JOB
