"""The queues of the services, and the processes that listen on them."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response

from services.gateway.queues import Standing
from services.gateway.routes.callers import Caller, Calling, parts_of
from services.gateway.routes.documented import told
from services.gateway.routes.documented.shapes.shape import PageOf
from services.gateway.routes.documented.shapes.standing import QueuePage, WorkerStanding
from services.gateway.routes.models import Name
from services.gateway.routes.replies import API, Json, page
from services.gateway.rules.standing import (
    FORGOTTEN_SECONDS,
    GONE_SECONDS,
    lives,
    oldest_seconds,
    state_of,
    warning_of,
    work_of,
)
from services.gateway.store import pauses as pause_store
from services.gateway.store import workers as store
from services.gateway.store.reading import Row
from services.gateway.store.tenancy import as_tenant
from shared.topology import queue_of

_AWAY: Final = {"warning": "broker_away", "sentence": "The broker does not answer; nothing that was said is lost."}
_TOLD: Final = (
    *("service", "worker", "version", "kinds", "capacity", "running", "unacknowledged", "heard_per_second"),
    *("said_per_second", "unsaid", "memory_bytes", "started_at"),
)
routes = APIRouter(prefix=API, tags=["operators"])


@routes.get(
    "/queues",
    summary="The queue of each service: how deep, how fast, who listens",
    **told("list_queues", QueuePage, problems=("operator_only",)),
)
async def get_queues(request: Request, caller: Calling) -> Response:
    """Show for each service what waits in its queue and in its tables, and what to look after; for operators.

    Depth and consumers are asked of the broker. Rates, what is unacknowledged and ages are what the service's own
    processes have reported, every 10 s. A queue is empty most of the time, for a message is taken in before its work
    is done: what waits to be done is in `work`.
    """
    caller.operating()
    parts = parts_of(request)
    standings = await parts.queues.look()
    async with as_tenant(parts.pool, caller.memberships, operator=True) as connection:
        workers = await store.select_workers(connection, service=None, since_seconds=GONE_SECONDS)
        paused = {pause["kind"] for pause in await pause_store.select_pauses(connection)}
    items = [
        _queue(
            service,
            standings[service] if standings else None,
            [one for one in workers if one["service"] == service],
            paused,
        )
        for service in parts.queues.services
    ]
    return Json({"items": items, "next_cursor": None, "broker": standings is not None})


def _queue(service: str, standing: Standing | None, reported: list[Row], paused: set[str]) -> dict[str, Any]:
    workers = [one for one in reported if lives(one)]
    heard = round(sum(one["heard_per_second"] for one in workers), 3)
    return {
        "service": service,
        "queue": queue_of(service),
        **_depths(standing, workers, heard),
        "unacknowledged": sum(one["unacknowledged"] for one in workers),
        "rate_out_per_second": heard,
        "said_per_second": round(sum(one["said_per_second"] for one in workers), 3),
        "unsaid": max((one["unsaid"] for one in workers), default=0),
        "workers": len(workers),
        "work": [{**one, "paused": one["kind"] in paused} for one in work_of(workers)],
    }


def _depths(standing: Standing | None, workers: list[Row], heard: float) -> dict[str, Any]:
    if standing is None:
        unknown = ("ready", "dead", "consumers", "rate_in_per_second", "oldest_age_seconds")
        return {**dict.fromkeys(unknown), **_AWAY}
    depth, growth = standing.depth, standing.growth_per_second
    consumers = depth.consumers if depth else 0
    oldest = oldest_seconds(workers if consumers else [], standing.waiting_seconds, datetime.now(UTC))
    warning = warning_of(
        missing=depth is None, consumers=consumers, workers=len(workers), dead=standing.dead, oldest=oldest
    )
    return {
        "ready": depth.ready if depth else None,
        "dead": standing.dead,
        "consumers": consumers,
        "rate_in_per_second": None if growth is None else max(0.0, round(heard + growth, 3)),
        "oldest_age_seconds": oldest,
        "warning": None,
        "sentence": None,
        **warning,
    }


@routes.get(
    "/workers",
    summary="Each process of each service, and what it does",
    **told("list_workers", PageOf[WorkerStanding], problems=("operator_only",)),
)
async def get_workers(
    request: Request, caller: Calling, service: Annotated[Name | None, Query(description="of this one alone")] = None
) -> Response:
    """Show what every process says of itself, every 10 s, and who has gone within the last hour; for operators.

    Whoever was not heard of for 30 s is `gone`; whoever ended in order is `stopped`.
    """
    caller.operating()
    rows = await _workers(request, caller, service)
    return page([_worker(row) for row in rows], None)


async def _workers(request: Request, caller: Caller, service: str | None) -> list[Row]:
    async with as_tenant(parts_of(request).pool, caller.memberships, operator=True) as connection:
        return await store.select_workers(connection, service=service, since_seconds=FORGOTTEN_SECONDS)


def _worker(row: Row) -> dict[str, Any]:
    return {
        **{name: row[name] for name in _TOLD},
        "state": state_of(row),
        "last_heard_at": row["heard_at"],
        "silent_seconds": round(max(0.0, row["silent_seconds"]), 1),
    }
