"""What a figure is measured on: a whole stack, a site beside it, and what an administrator sees."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from deploy.database import WORKERS
from deploy.local.stack import Stack
from deploy.local.state import read_state
from tests.journeys.end_state import Books, books_of
from tests.journeys.gallery import Gallery

BUSY = "busy"
"""Whatever lies in this folder of the site is answered with 503."""


QUICK = {worker: {"LEASE_SECONDS": "10", "HEARTBEAT_SECONDS": "1", "GRACE_SECONDS": "9"} for worker in WORKERS}
"""An environment in which losses are noticed sooner than in production, for tests."""


@dataclass(frozen=True)
class Needs:
    """How the stack of a figure differs from that of everybody.

    Attributes:
        processes: of a service, where not one.
        environment: variables of one service.
        launchers: what Python is given to start one service.

    """

    processes: Mapping[str, int] = field(default_factory=dict)
    environment: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    launchers: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Ground:
    stack: Stack
    site: "Site"
    books: Books

    def parts_of(self, service: str) -> list[str]:
        """Name the processes of a service."""
        names = [child.program.name for child in self.stack.supervisor]
        return [name for name in names if name.partition("-")[0] == service]

    async def hold(self, service: str) -> list[str]:
        """End the processes of a service in order and keep them down; return which, for `start`."""
        parts = [part for part in self.parts_of(service) if not self.stack.supervisor.child(part).held]
        await asyncio.gather(*map(self.stack.supervisor.hold, parts))
        return parts

    async def start(self, parts: Iterable[str]) -> None:
        """Let parts run again, and return when all answer."""
        await asyncio.gather(*map(self.stack.supervisor.start_again, parts))

    def seconds_of(self, service: str, variable: str, default: float) -> float:
        """Read a setting of a service that its stack may have changed."""
        return float(self.stack.environment_of(service).get(variable, default))


class Site(Gallery):
    """A gallery with a folder that is always busy.

    Attributes:
        busy: how often each file was asked for that is busy.

    """

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.busy: Counter[str] = Counter()

    async def _file(self, request: web.Request) -> web.Response:
        if request.match_info["exhibition"] == BUSY:
            self.busy[request.match_info["file"]] += 1
            raise web.HTTPServiceUnavailable
        return await super()._file(request)


@asynccontextmanager
async def ground(directory: Path, needs: Needs) -> AsyncIterator[Ground]:
    """Start a stack with what a figure needs, and keep it while the context is open."""
    stack = Stack(
        directory,
        processes=needs.processes,
        service_environment=needs.environment,
        launchers=needs.launchers,
    )
    async with stack:
        state = read_state(stack.directory)
        assert state is not None, "a stack that runs has told how"
        site = Site(state.urls["sample_site"])
        async with site.opened(), books_of(stack) as books:
            yield Ground(stack, site, books)
