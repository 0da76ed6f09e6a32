"""`make bench`: how many jobs a second go there and back, and how soon one starts; everything on one machine.

Figures are printed with their conditions. They are not asserted: what tests assert are counts.
"""

import asyncio
import os
import platform
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import aiohttp
import asyncpg
from rich.console import Console
from rich.table import Table

from deploy.local.stack import Stack

JOBS = 3000
IN_FLIGHT = 32
SLOW_JOBS = 100
SLOW_RATE_HERTZ = 20.0


@dataclass(frozen=True)
class Throughput:
    """What a burst of jobs gave."""

    jobs: int
    seconds: float
    statements: int
    commits: int

    @property
    def jobs_per_second(self) -> float:
        return self.jobs / self.seconds


@dataclass(frozen=True)
class Latency:
    """Milliseconds at a low rate."""

    post: list[float]
    started: list[float]
    visible: list[float]


class Gateway:
    """The client's side: posts jobs that do nothing, and looks when they are done."""

    def __init__(self, url: str, token: str) -> None:
        self._url = f"{url}/api/v1"
        self._headers = {"Authorization": f"Bearer {token}"}

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(limit=IN_FLIGHT * 2)
        self._session = aiohttp.ClientSession(headers=self._headers, connector=connector)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def post(self, service: str = "media") -> str:
        async with self._session.post(f"{self._url}/probes", json={"service": service}) as answer:
            answer.raise_for_status()
            return str((await answer.json())["id"])

    async def get(self, path: str) -> Any:
        async with self._session.get(f"{self._url}{path}") as answer:
            answer.raise_for_status()
            return await answer.json()

    async def anything_open(self) -> bool:
        for state in ("pending", "in_progress"):
            if (await self.get(f"/jobs?kind=jobs.check_worker.v1&state={state}&limit=1"))["items"]:
                return True
        return False


async def measure_throughput(gateway: Gateway, admin: "asyncpg.Connection[asyncpg.Record]", jobs: int) -> Throughput:
    """Post jobs with 32 in flight; the clock stops when all are visible as completed."""
    await admin.execute("SELECT pg_stat_statements_reset()")
    commits = await _commits(admin)
    numbers = iter(range(jobs))

    async def post_some() -> None:
        for _ in numbers:
            await gateway.post()

    begun = time.perf_counter()
    await asyncio.gather(*(post_some() for _ in range(IN_FLIGHT)))
    while await gateway.anything_open():
        await asyncio.sleep(0.01)
    seconds = time.perf_counter() - begun
    statements = await admin.fetchval(
        "SELECT sum(calls) FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid WHERE rolname <> current_user"
    )
    return Throughput(jobs, seconds, int(statements), await _commits(admin) - commits)


async def _commits(admin: "asyncpg.Connection[asyncpg.Record]") -> int:
    await admin.execute("SELECT pg_stat_force_next_flush()")
    return int(await admin.fetchval("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"))


async def measure_latency(
    gateway: Gateway, media: "asyncpg.Connection[asyncpg.Record]", jobs: int = SLOW_JOBS
) -> Latency:
    """Post jobs one by one at a low rate: how long the POST takes, until the job starts, until it is visible."""
    post, visible, offsets = [], [], {}
    for _ in range(jobs):
        begun = time.perf_counter()
        submitted_at = time.time()
        job_id = await gateway.post()
        post.append(time.perf_counter() - begun)
        offsets[job_id] = submitted_at
        while (await gateway.get(f"/jobs/{job_id}"))["state"] != "completed":
            await asyncio.sleep(0.001)
        visible.append(time.perf_counter() - begun)
        await asyncio.sleep(max(0.0, 1 / SLOW_RATE_HERTZ - (time.perf_counter() - begun)))
    rows = await media.fetch(
        "SELECT id::text, extract(epoch FROM started_at) AS at FROM tasks WHERE id = ANY ($1)", list(offsets)
    )
    started = [float(row["at"]) - offsets[row["id"]] for row in rows]
    return Latency(*([value * 1000 for value in values] for values in (post, started, visible)))


def percentiles(values: list[float]) -> str:
    """Give median and 95th percentile."""
    ordered = sorted(values)
    return f"{statistics.median(ordered):.1f} / {ordered[int(len(ordered) * 0.95) - 1]:.1f} ms"


async def main(jobs: int = JOBS) -> None:
    """Run everything and print it."""
    console = Console()
    with tempfile.TemporaryDirectory() as directory:
        async with Stack(Path(directory), services=("gateway", "media")) as stack:
            admin = await asyncpg.connect(stack.database_admin_url)
            media = await asyncpg.connect(stack.database_url("media"))
            await admin.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
            async with Gateway(stack.gateway_url, await stack.token()) as gateway:
                await measure_throughput(gateway, admin, 500)
                latency = await measure_latency(gateway, media)
                burst = await measure_throughput(gateway, admin, jobs)
            await media.close()
            await admin.close()
    table = Table(title="Jobs that do nothing, from request to visible completion", title_justify="left")
    table.add_column("figure")
    table.add_column("measured", justify="right")
    table.add_column("bar", justify="right")
    table.add_row(f"{burst.jobs} jobs, {IN_FLIGHT} in flight", f"{burst.jobs_per_second:.0f} jobs/s", "600")
    table.add_row("SQL statements per job, all services", f"{burst.statements / burst.jobs:.2f}", "3")
    table.add_row("transactions per job", f"{burst.commits / burst.jobs:.2f}", "")
    table.add_row("POST at a low rate, p50 / p95", percentiles(latency.post), "")
    table.add_row("submit to started, p50 / p95", percentiles(latency.started), "10 ms")
    table.add_row("submit to visible, p50 / p95", percentiles(latency.visible), "")
    console.print(table)
    console.print(
        f"{os.cpu_count()} cores, Python {platform.python_version()}; client, gateway, worker, PostgreSQL (fsync on) "
        "and RabbitMQ (quorum queues, confirmed) on one machine."
    )


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else JOBS))
