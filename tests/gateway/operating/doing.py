"""What is said and done where operators look."""

from datetime import UTC, datetime
from typing import Any

from contracts.jobs import JobCancelled, WorkerReported
from contracts.media import FetchMedia
from tests.gateway.living import Client, Voice

FETCH = FetchMedia.wire_name


def report(worker: str = "host/1/a", service: str = "media", **facts: Any) -> WorkerReported:
    """Say that a process is there."""
    now = datetime.now(UTC)
    told = {"version": "1", "started_at": now, "at": now, "state": "working", "capacity": 4, **facts}
    return WorkerReported(service=service, worker=worker, **told)


async def fetching(client: Client, number: int = 0) -> Voice:
    return Voice((await client.post("/media/store", {"url": f"https://example.org/{number}.jpg"})).body)


def ended(job: Voice, news: Any, **facts: Any) -> Any:
    started = {} if news is JobCancelled else {"attempt": 1, "started_at": datetime.now(UTC)}
    return job.says(news, **started, **facts)
