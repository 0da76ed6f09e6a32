"""The most that a job of each kind may cost. Counts, not times: they are the same on every machine."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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
from tests.journeys.end_state import Books, books_of, until_quiet
from tests.journeys.gallery import Exhibition, Gallery, draw
from tests.journeys.metering import Cost, Meter, without_progress
from tests.journeys.outsiders import publish
from tests.journeys.visitors import Visitor

IMAGES = 12

BUDGET: dict[type[Command], Cost] = {
    CheckWorker: Cost(statements=15, commits=6, publishes=2),
    ScrapePages: Cost(statements=40, commits=10, publishes=IMAGES + 5),
    FetchMedia: Cost(statements=32, commits=10, publishes=5),
    AcceptUpload: Cost(statements=26, commits=8, publishes=4),
    GenerateImage: Cost(statements=44, commits=12, publishes=5),
    MapDepth: Cost(statements=30, commits=10, publishes=4),
}
"""From the request to the last row, in all services together; the job's children are not counted."""

LOAD_JOBS = 500
LOAD_IN_FLIGHT = 32
LOAD_STATEMENTS_PER_JOB, LOAD_COMMITS_PER_JOB = 2.0, 1.0
"""BEGIN and COMMIT are not counted as statements; with them it is less than three."""


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
        ways = {
            CheckWorker: self._probe,
            ScrapePages: self._scrape,
            FetchMedia: self._fetch,
            MapDepth: self._map,
            GenerateImage: self._generate,
            AcceptUpload: self._accept,
        }
        return await self.meter.cost(ways[kind], self._done, started=kind is not CheckWorker)

    async def _done(self) -> bool:
        return await self._state() == "completed"

    async def _state(self) -> str | None:
        rows = await self.books.rows("SELECT state FROM gateway.jobs WHERE id = $1", self.job_id)
        return rows[0]["state"] if rows else None

    async def _post(self, path: str, body: dict[str, object], name: str = "id") -> None:
        self.job_id = UUID((await self.visitor.gateway.post(path, body))[name])

    def _next_name(self) -> str:
        self._number += 1
        return f"budget-{self._number}-{uuid7()}"

    async def _probe(self) -> None:
        await self._post("/probes", {"service": "media"})

    async def _scrape(self) -> None:
        exhibition = await self.gallery.exhibit(self._next_name(), IMAGES)
        exhibition.page_door.close_after(0)
        await self._post("/scrapes", {"url": exhibition.url, "pipeline": []})
        await self._started()
        exhibition.page_door.open()

    async def _fetch(self) -> None:
        exhibition = await self.gallery.exhibit(self._next_name(), 1)
        exhibition.picture_door.close_after(0)
        await self._post("/media/store", {"url": exhibition.url_of(exhibition.pictures[0]), "pipeline": ["describe"]})
        await self._started()
        exhibition.picture_door.open()

    async def _started(self) -> None:
        while await self._state() != "in_progress":  # noqa: ASYNC110 - only the database knows
            await asyncio.sleep(0.005)

    async def _map(self) -> None:
        image_id = await self.books.value(
            "SELECT id FROM gateway.assets WHERE project_id = $1 ORDER BY size_bytes DESC LIMIT 1",
            self.visitor.project_id,
        )
        await self.books.rows("DELETE FROM depth_map.depth_maps WHERE asset_id = $1", image_id)
        [job] = (await self.visitor.gateway.post("/maps", {"image_id": str(image_id)}))["items"]
        self.job_id = UUID(job["id"])

    async def _generate(self) -> None:
        scene = {"scene_description": "a red house", "pipeline": []}
        await self._post(f"/chapters/{self._next_name()}/images/scenes/1", scene, "task_id")

    async def _accept(self) -> None:
        key, self.job_id = f"uploads/{uuid7()}", uuid7()
        picture = draw(self._next_name(), 1, scale=3)
        async with objects(self.stack.object_store) as s3:
            await s3.put_object(Bucket=self.stack.object_store.bucket, Key=key, Body=picture.body)
        command = AcceptUpload(
            job_id=self.job_id,
            root_job_id=self.job_id,
            project_id=self.visitor.project_id,
            submitted_by="an outsider",
            object_key=key,
        )
        saying = Outbox("outsider").encode(command)
        await publish(self.stack, saying.routing_key, saying.body)


@pytest.fixture
async def trial(stack: Stack, gallery: Gallery, visitor: Visitor) -> AsyncIterator[Trial]:
    async with books_of(stack) as books, without_progress(stack):
        yield Trial(stack, books, await Meter(stack, books).prepare(), visitor, gallery)


async def test_a_job_of_each_kind_costs_no_more_than_its_budget(stack: Stack, trial: Trial) -> None:
    costs = {kind: await trial.cost(kind) for kind in (CheckWorker, FetchMedia, AcceptUpload, MapDepth)}
    await stack.supervisor.hold("media")  # what these make of it is no part of their own cost
    costs |= {kind: await trial.cost(kind) for kind in (ScrapePages, GenerateImage)}
    await stack.supervisor.start_again("media")

    assert {kind: cost for kind, cost in costs.items() if cost.exceeds(BUDGET[kind])} == {}


async def test_one_statement_more_is_noticed(stack: Stack, trial: Trial) -> None:
    async def probe_and_ask() -> None:
        await trial._probe()
        await media.fetchval("SELECT count(*) FROM tombstones")

    media = await asyncpg.connect(stack.database_url("media"))
    before = await trial.cost(CheckWorker)
    after = await trial.meter.cost(probe_and_ask, trial._done, started=False)
    await media.close()

    assert after == Cost(before.statements + 1, before.commits, before.publishes)


async def test_under_load_jobs_share_their_statements_and_commits(trial: Trial) -> None:
    async def probe_in_parallel() -> None:
        numbers = iter(range(LOAD_JOBS))

        async def probe() -> None:
            for _ in numbers:
                await trial.visitor.gateway.post("/probes", {"service": "media"})

        await asyncio.gather(*(probe() for _ in range(LOAD_IN_FLIGHT)))

    async def all_done() -> bool:
        completed = "SELECT count(*) FROM gateway.jobs WHERE project_id = $1 AND state = 'completed'"
        return await trial.books.value(completed, trial.visitor.project_id) == LOAD_JOBS

    cost = await trial.meter.total(probe_in_parallel, all_done)

    assert cost.publishes == 2 * LOAD_JOBS
    assert cost.statements / LOAD_JOBS < LOAD_STATEMENTS_PER_JOB
    assert cost.commits / LOAD_JOBS < LOAD_COMMITS_PER_JOB
