"""Watching jobs until they have ended, with what follows from them."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext, suppress
from typing import Annotated, Any, Final, Self
from uuid import UUID

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from services.gateway.cli.asking import ask
from services.gateway.cli.client import EventStream, Gateway
from services.gateway.cli.telling import AsJson, end_unless, shown, tell_json, tell_table

_PATIENCE_SECONDS: Final = 120.0
"""A gateway that is being replaced is waited for."""
_LOOK_SECONDS: Final = 0.2
_POLL_SECONDS: Final = 5.0
_AT_ONCE: Final = 40
"""Each takes two connections, of a hundred that there are; the others are looked at when it is their turn."""
_COLUMNS: Final = {
    "job": "id",
    "kind": "kind",
    "state": "state",
    "followed by": "tree.total",
    "of these failed": "tree.failed",
    "why": "error.code",
    "": "error.sentence",
}

Seen = Callable[[dict[str, Any]], None]


def watch(ids: Annotated[list[UUID], typer.Argument(help="Jobs.")], *, as_json: AsJson = False) -> None:
    """Watch jobs, and what follows from them, until all have ended; status 1 where any of it has failed.

    It comes back by itself when the connection is lost.
    """
    watch_all(ids, as_json=as_json)


def watch_all(ids: Iterable[UUID | str], *, as_json: bool) -> None:
    """Show how jobs come on, then how they ended; end the program with a status that tells."""
    bars = None if as_json else Bars()
    with bars or nullcontext():
        seen = bars.show if bars else _ignore
        jobs = ask(lambda gateway: _followed(gateway, ids, seen), patience_seconds=_PATIENCE_SECONDS)
    if as_json:
        tell_json(jobs)
    else:
        tell_table(jobs, _COLUMNS)
    end_unless(all(job["state"] == "completed" and not job["tree"]["failed"] for job in jobs))


def _ignore(_job: dict[str, Any]) -> None:
    pass


async def _followed(gateway: Gateway, ids: Iterable[UUID | str], seen: Seen) -> Sequence[dict[str, Any]]:
    turns = asyncio.Semaphore(_AT_ONCE)

    async def follow(job_id: str) -> dict[str, Any]:
        async with turns:
            return await _follow(gateway, job_id, seen)

    return await asyncio.gather(*map(follow, dict.fromkeys(map(str, ids))))


async def _follow(gateway: Gateway, job_id: str, seen: Seen) -> dict[str, Any]:
    """Look at a job whenever something has happened to it, and now and then all the same."""
    happened = asyncio.Event()
    listening = asyncio.create_task(_listen(gateway.events(f"/jobs/{job_id}/events"), happened))
    try:
        while True:
            job = await gateway.get(f"/jobs/{job_id}", children_limit=0)
            seen(job)
            if job["tree"]["ended"]:
                return job
            with suppress(TimeoutError):
                async with asyncio.timeout(_POLL_SECONDS):
                    await happened.wait()
            happened.clear()
            await asyncio.sleep(_LOOK_SECONDS)
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def _listen(stream: EventStream, happened: asyncio.Event) -> None:
    async for _ in stream:
        happened.set()


class Bars:
    """A bar for each job, beside what is printed. Use it as a context manager."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[count]}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
            console=Console(stderr=True),
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_ended: object) -> None:
        self._progress.stop()

    def show(self, job: dict[str, Any]) -> None:
        """Show how a job stands; a length that is not known is not shown as nothing done."""
        if job["id"] not in self._tasks:
            name = f"{_short(job['kind'])} {job['id'][:8]}"
            self._tasks[job["id"]] = self._progress.add_task(name, count="", note="")
        done, total = share_of(job)
        tree = job["tree"]
        count = f"{tree['completed'] + tree['failed'] + tree['cancelled']}/{tree['total']}" if tree["total"] else ""
        note = job["stage"] or job["state"]
        self._progress.update(
            self._tasks[job["id"]], completed=done, total=total, count=count, note=_plain(shown(note))
        )


def share_of(job: dict[str, Any]) -> tuple[float, float | None]:
    """Give how much of a job and its tree is done, and of how much; None where that is not known."""
    tree = job["tree"]
    if tree["ended"]:
        return 1, 1
    if tree["total"]:
        return 1 + tree["completed"] + tree["failed"] + tree["cancelled"], 1 + tree["total"]
    return (job["progress"], 1) if job["progress"] else (0, None)


def _short(kind: str) -> str:
    return kind.split(".")[1] if kind.count(".") > 1 else kind


def _plain(text: Text) -> str:
    return text.plain.replace("[", "(")
