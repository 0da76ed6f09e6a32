"""What a round is done with."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson
from types_aiobotocore_s3 import S3Client

from contracts.envelope import Command
from services.gateway.cli.client import Gateway
from services.gateway.rules.people import personal_project_of
from tests.journeys.end_state import Books
from tests.reliability.crash_points.client import Client
from tests.reliability.crash_points.receiver import Receiver
from tests.reliability.crash_points.site import Site
from tests.reliability.crash_points.voice import Voice, same_id

USER: Final = "a-visitor"
OPERATOR: Final = "an-operator"
PROJECT: Final = personal_project_of(USER)
PATIENCE_SECONDS: Final = 120.0
_LOOK_SECONDS: Final = 0.1


@dataclass(frozen=True)
class Hands:
    """What a round is done with.

    Attributes:
        gateway: as a user sees it.
        operator: as an operator sees it.
        go_on: while it is not set, what runs is left running.

    """

    gateway: Client
    operator: Gateway
    voice: Voice
    books: Books
    site: Site
    receiver: Receiver
    s3: S3Client
    bucket: str
    go_on: asyncio.Event

    async def until(self, sql: str, *arguments: Any) -> Any:
        """Wait until a query gives something true; look seldom, for many wait at once and share the machine."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (found := await self.books.value(sql, *arguments)):
                await asyncio.sleep(_LOOK_SECONDS)
            return found

    async def runs(self, service: str, job_id: UUID) -> None:
        """Wait until a job is worked on."""
        await self.until(f"SELECT count(*) FROM {service}.tasks WHERE id = $1 AND state = 'in_progress'", job_id)

    async def lay_task(self, worker: str, command: Command, *, overdue: bool = False, **changed: str) -> None:
        """Lay a task into a worker's table: written by another version of its code, or one that waits too long."""
        document = command.model_dump(mode="json", exclude_none=True) | changed
        await self.books.rows(
            f"""
            INSERT INTO {worker}.tasks (id, kind, command, project_id, root_job_id, state, announced, rank_at, run_at,
                                        deadline_at)
            VALUES ($1, $2, $3, $4, $1, 'pending', true, now(), now() + CASE WHEN $5 THEN interval '1 h' ELSE '0' END,
                    now() + CASE WHEN $5 THEN interval '-1 h' ELSE '1 day' END)
            """,
            command.job_id,
            command.wire_name,
            orjson.dumps(document).decode(),
            PROJECT,
            overdue,
        )


Piece = Callable[[Hands], Awaitable[None]]


def lineage(name: str, *pipeline: str) -> dict[str, Any]:
    """Give the lineage of a job that another system makes."""
    job_id = same_id(name)
    return {
        "job_id": job_id,
        "root_job_id": job_id,
        "project_id": PROJECT,
        "submitted_by": USER,
        "pipeline": pipeline,
    }
