"""Workers without a process: each job is worked on under a real lease, and may die at any step and be taken over."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from contracts.image_generation import GenerateImage
from services.image_generation.handlers import generate_image
from services.image_generation.providers import Capabilities, Done, GenerationRequest, Pending, Provider, Submitted
from services.image_generation.studio import Studio
from shared import tasks
from shared.database import open_pool
from shared.jobs import Bench, Clock, Completion, Job
from shared.outbox import Outbox, Transaction
from shared.retry import judge
from shared.tasks import Lease
from tests.living import House


class Died(BaseException):
    """The process has ended here: nothing that follows is done."""


class Life:
    """Counts the steps of one attempt at a job, and ends at one of them; the first step is 1, 0 is none."""

    def __init__(self, dies_at: int = 0) -> None:
        self.steps = 0
        self._dies_at = dies_at

    def step(self) -> None:
        self.steps += 1
        if self.steps == self._dies_at:
            raise Died


class Mortal(Job[GenerateImage]):
    """A job whose process may die before, within and after each of its transactions."""

    life: Life

    @asynccontextmanager
    async def recording(self) -> AsyncIterator[Transaction]:
        self.life.step()
        async with super().recording() as tx:
            yield tx
            self.life.step()
        self.life.step()

    @asynccontextmanager
    async def without_lease(self) -> AsyncIterator[Transaction]:
        self.life.step()
        async with super().without_lease() as tx:
            yield tx
            self.life.step()
        self.life.step()

    @asynccontextmanager
    async def completing(self) -> AsyncIterator[Completion]:
        self.life.step()
        async with super().completing() as tx:
            yield tx
            self.life.step()
        self.life.step()


class Hands:
    """A provider that is asked by a process which may die before and after it."""

    def __init__(self, provider: Provider, life: Life) -> None:
        self._provider, self._life = provider, life

    @property
    def name(self) -> str:
        return self._provider.name

    @property
    def capabilities(self) -> Capabilities:
        return self._provider.capabilities

    async def submit(self, request: GenerationRequest) -> Submitted:
        self._life.step()
        submitted = await self._provider.submit(request)
        self._life.step()
        return submitted

    async def poll(self, submitted: Submitted) -> Pending | Done:
        self._life.step()
        answer = await self._provider.poll(submitted)
        self._life.step()
        return answer

    async def cancel(self, submitted: Submitted) -> None:
        await self._provider.cancel(submitted)


@dataclass
class Shelf:
    """An object store in memory."""

    life: Life
    objects: dict[str, bytes]

    async def put_once(self, key: str, body: bytes, *, content_type: str) -> bool:
        del content_type
        self.life.step()
        self.objects.setdefault(key, body)
        self.life.step()
        return True

    async def head(self, key: str) -> int | None:
        return len(self.objects[key]) if key in self.objects else None

    async def get(self, key: str) -> bytes:
        return self.objects[key]

    async def presign_get(self, key: str, *, expires_seconds: int, content_type: str) -> str:
        return f"https://objects.example/{key}?for={expires_seconds}&as={content_type}"


@dataclass(frozen=True)
class Outcome:
    """What became of a job; `known`: the provider's name of it was stored."""

    state: str
    code: str | None
    sentence: str | None
    known: bool
    provider: str | None
    attempts: int


@dataclass
class Shift:
    """Works on jobs as several processes do, with providers of the test's own.

    Attributes:
        dying: at which step a job dies, in the first of its lives that comes so far.
        died: the jobs to which that happened.
        steps: how many steps the first life of each job took.
        patient: a retry comes when it is due, and not at once.

    """

    house: House
    providers: Mapping[str, Provider]
    options: Mapping[str, Any] = field(default_factory=dict)
    dying: dict[UUID, int] = field(default_factory=dict)
    died: set[UUID] = field(default_factory=set)
    steps: dict[UUID, int] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    patient: bool = False
    shelf: type[Shelf] = Shelf

    async def work(self, commands: Sequence[GenerateImage], *, workers: int = 1) -> dict[UUID, Outcome]:
        """Work until every job has ended, or until none is due where the shift is patient."""
        async with AsyncExitStack() as stack:
            url = self.house.servers.database_url("image_generation")
            self._pool = await open_pool(url, size=min(workers, 12) + 1, application_name="shift")
            stack.push_async_callback(self._pool.close)
            kinds = frozenset({GenerateImage})
            self._bench = Bench(
                "image_generation", self._pool, Outbox("image_generation"), Clock(), "me", kinds, lambda *_: None
            )
            async with self._pool.acquire() as connection:
                await tasks.insert_tasks(
                    connection,
                    commands,
                    [None] * len(commands),
                    worker="me",
                    leased=0,
                    lease_seconds=60,
                    deadline_hours=1,
                    announced=[True] * len(commands),
                )
            async with asyncio.TaskGroup() as group:
                for _ in range(workers):
                    group.create_task(self._work())
        return await self.outcomes(commands)

    async def outcomes(self, commands: Sequence[GenerateImage]) -> dict[UUID, Outcome]:
        rows = await self.house.rows(
            """
            SELECT id, state, error_code AS code, error_sentence AS sentence, request_id IS NOT NULL AS known, provider,
                   attempt AS attempts
            FROM image_generation.tasks LEFT JOIN image_generation.generations ON job_id = id WHERE id = ANY ($1)
            """,
            [command.job_id for command in commands],
        )
        return {row["id"]: Outcome(**{name: row[name] for name in row.keys() if name != "id"}) for row in rows}  # noqa: SIM118 - a record

    async def _work(self) -> None:
        while rows := await tasks.claim_tasks(
            self._pool, worker="me", kinds=[GenerateImage.wire_name], limit=1, lease_seconds=60, suspects=False
        ):
            row = rows[0]
            lease = Lease(row["id"], row["lease_token"], row["lease_epoch"], row["attempt"] + 1, row["started_at"])
            await self._attempt(GenerateImage.model_validate(row["command"]), lease)

    async def _attempt(self, command: GenerateImage, lease: Lease) -> None:
        job = Mortal(command, lease, self._bench, None)
        job.life = Life(0 if job.id in self.died else self.dying.get(job.id, 0))
        studio = Studio(
            providers={name: Hands(provider, job.life) for name, provider in self.providers.items()},
            objects=self.shelf(job.life, self.objects),  # type: ignore[arg-type]  # as much of one as is needed
            **{"default": next(iter(self.providers)), "deadline_seconds": 20, **self.options},
        )
        try:
            await generate_image(job, studio)
        except Died:
            self.died.add(job.id)
            await self.take_over(job.id)
        except Exception as error:  # noqa: BLE001 - as the runner does
            settlement = job.failure(judge(error, job.attempt))
            if not self.patient:
                settlement = replace(settlement, retry_in_seconds=0)
            await tasks.settle_tasks(self._pool, [settlement])
        if lease.epoch == 1:
            self.steps[job.id] = job.life.steps

    async def take_over(self, job_id: UUID) -> None:
        """Let another process have the job, as happens when a lease runs out."""
        await self._pool.execute(
            """
            UPDATE tasks SET state = 'pending', lease_token = NULL, lease_until = NULL, worker = NULL, started_at = NULL
            WHERE id = $1 AND state = 'in_progress'
            """,
            job_id,
        )
