"""How the house stands: its queues, its processes, and how much is done for whom."""

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

import typer

from services.gateway.cli.asking import ask
from services.gateway.cli.telling import AsJson, end_unless, tell, tell_json, tell_table

_QUEUES: Final = {
    "service": "service",
    "ready": "ready",
    "unacked": "unacknowledged",
    "dead": "dead",
    "consumers": "consumers",
    "in/s": "rate_in_per_second",
    "out/s": "rate_out_per_second",
    "oldest s": "oldest_age_seconds",
    "warning": "warning",
    "": "sentence",
}
_WORK: Final = {
    "service": "service",
    "kind": "kind",
    "waiting": "waiting",
    "running": "running",
    "oldest": "oldest_waiting_at",
    "paused": "paused",
}
_WORKERS: Final = {
    "service": "service",
    "worker": "worker",
    "state": "state",
    "running": "running",
    "of": "capacity",
    "memory": "memory_bytes",
    "version": "version",
    "started": "started_at",
    "silent s": "silent_seconds",
}
_COUNTS: Final = {
    "completed": "jobs_completed",
    "failed": "jobs_failed",
    "cancelled": "jobs_cancelled",
    "images": "images_stored",
    "bytes": "bytes_stored",
    "generated": "images_generated",
    "seconds": "generation_seconds",
    "paid": "paid_calls",
    "cost µ$": "cost_micros",
}
_GROUPS: Final = {"day": "day", "project": "project_id", "user": "submitted_by", "kind": "kind"}
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"])]


def queues(*, as_json: AsJson = False) -> None:
    """Show the queues of all services; status 1 where one of them has to be looked after. For operators."""
    items = ask(lambda gateway: gateway.get("/queues"))["items"]
    if as_json:
        tell_json(items)
    else:
        tell_table(items, _QUEUES)
        work = [{**one, "service": item["service"]} for item in items for one in item["work"]]
        if work:
            tell("")
            tell_table(work, _WORK)
    end_unless(not any(item["warning"] for item in items))


def workers(
    *, service: Annotated[str | None, typer.Option(help="Of this one alone.")] = None, as_json: AsJson = False
) -> None:
    """Show the processes of all services. For operators."""
    items = ask(lambda gateway: gateway.get("/workers", service=service))["items"]
    if as_json:
        tell_json(items)
    elif items:
        tell_table(items, _WORKERS)
    else:
        tell("No process has reported within the last hour.")
    end_unless(items)


def usage(
    *,
    by: Annotated[list[str] | None, typer.Option(help="day, project, user or kind; repeat it. Default: day.")] = None,
    since: Day = None,
    until: Day = None,
    project: Annotated[UUID | None, typer.Option()] = None,
    user: Annotated[str | None, typer.Option()] = None,
    kind: Annotated[str | None, typer.Option()] = None,
    as_json: AsJson = False,
) -> None:
    """Show how much was done. For owners of projects, and for operators."""
    groups = by or ["day"]
    wanted = {"project_id": project, "user": user, "kind": kind, "since": _day(since), "until": _day(until)}
    answer = ask(lambda gateway: gateway.get("/analytics/usage", group_by=groups, **wanted))
    if as_json:
        tell_json(answer)
        return
    named = {name: column for name, column in _GROUPS.items() if name in groups}
    total: dict[str, Any] = {**answer["total"], next(iter(named.values())): "all"}
    tell_table([*answer["items"], total], {**named, **_COUNTS})
    if answer["more"]:
        typer.echo("There is more: narrow the days, or tell less apart.", err=True)


def _day(moment: datetime | None) -> str | None:
    return None if moment is None else moment.date().isoformat()
