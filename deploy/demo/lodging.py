"""Where the demo lives: in the stack that already runs, or in one that it starts and takes down again."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from deploy.database import SERVICES
from deploy.local.control import ask
from deploy.local.errors import CannotRun
from deploy.local.own_stack import own_stack
from deploy.local.settings import Settings
from deploy.local.stack import Ready, Stack
from deploy.local.state import StackState, running

_READY_SECONDS: Final = 180.0
_POLL_SECONDS: Final = 0.2


@dataclass(frozen=True, kw_only=True)
class Lodging:
    """What the demo needs of a running stack.

    Attributes:
        site: where the sample gallery may be served: host and port.
        stack: the demo's own; None where it is a guest.

    """

    gateway_url: str
    token: str = field(repr=False)
    site: tuple[str, int]
    stack: Stack | None = None


@asynccontextmanager
async def lodging(settings: Settings, report: Callable[[Ready], None]) -> AsyncIterator[Lodging]:
    """Move into the running stack, or start one and take it down in order at the end. Raises CannotRun."""
    state = running(settings.directory)
    if state is not None:
        yield await _as_guest(settings, state)
        return
    async with own_stack(settings, SERVICES, report) as stack:
        begun = running(settings.directory)
        if begun is None:
            raise CannotRun("stack_gone", "The stack ended as soon as it had started.")
        yield Lodging(gateway_url=stack.gateway_url, token=await stack.token(), site=_site_of(begun), stack=stack)


async def _as_guest(settings: Settings, state: StackState) -> Lodging:
    state = await _until_ready(settings, state)
    missing = [service for service in SERVICES if service not in state.parts]
    if missing:
        names = ", ".join(missing)
        raise CannotRun("services_missing", f"The running stack has no {names}. `make down` ends it; then try again.")
    token = str(await ask(state, "token"))
    return Lodging(gateway_url=state.urls["gateway"], token=token, site=_site_of(state))


async def _until_ready(settings: Settings, state: StackState) -> StackState:
    began = time.monotonic()
    while not state.ready:
        if time.monotonic() - began > _READY_SECONDS:
            raise CannotRun("stack_not_ready", f"The running stack is not ready after {_READY_SECONDS:.0f} s.")
        await asyncio.sleep(_POLL_SECONDS)
        found = running(settings.directory)
        if found is None:
            raise CannotRun("stack_gone", "The stack that was starting has ended; `make demo` starts another.")
        state = found
    return state


def _site_of(state: StackState) -> tuple[str, int]:
    address = urlsplit(state.urls.get("sample_site", ""))
    if not address.hostname or not address.port:
        sentence = "The running stack allows no sample gallery, for it is older than that. `make down`, then try again."
        raise CannotRun("sample_site_missing", sentence)
    return address.hostname, address.port
