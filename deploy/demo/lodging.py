"""Where the demo lives: in the stack that already runs, or in one that it starts and takes down again."""

import asyncio
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

from deploy.database import SERVICES
from deploy.local.control import ask
from deploy.local.errors import CannotRun
from deploy.local.own_stack import own_stack
from deploy.local.settings import Settings
from deploy.local.stack import Ready
from deploy.local.state import StackState, running

_READY_SECONDS: Final = 180.0
_POLL_SECONDS: Final = 0.2


class Lodging:
    """A stack to live in; entering raises CannotRun where there is none to be had.

    Attributes:
        is_guest: somebody else's stack runs already, and will go on afterwards.
        gateway_url: known once entered.
        token: of the local user; known once entered.
        site: host and port at which the services may fetch a sample gallery; known once entered.

    """

    gateway_url: str
    token: str
    site: tuple[str, int]

    def __init__(self, settings: Settings, report: Callable[[Ready], None]) -> None:
        self._directory = settings.directory
        self._stack = None if running(self._directory) else own_stack(settings, SERVICES, report)

    @property
    def is_guest(self) -> bool:
        return self._stack is None

    async def __aenter__(self) -> Self:
        if self._stack is not None:
            await self._stack.start()
        try:
            await self._look_around()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stack is not None:
            await self._stack.stop()

    def hurry(self) -> None:
        """End our own stack without grace."""
        if self._stack is not None:
            self._stack.supervisor.hurry()

    async def _look_around(self) -> None:
        state = await self._ready_state()
        missing = [service for service in SERVICES if service not in state.parts]
        if missing:
            names = ", ".join(missing)
            sentence = f"The running stack has no {names}. `make down` ends it; then try again."
            raise CannotRun("services_missing", sentence)
        self.gateway_url = state.urls["gateway"]
        self.site = site_of(state)
        self.token = str(await ask(state, "token"))

    async def _ready_state(self) -> StackState:
        began = time.monotonic()
        while not (state := running(self._directory)) or not state.ready:
            if state is None:
                raise CannotRun("stack_gone", "The stack that was running has ended. Try again.")
            if time.monotonic() - began > _READY_SECONDS:
                sentence = f"The running stack is not ready after {_READY_SECONDS:.0f} s; `make doctor` says why."
                raise CannotRun("stack_not_ready", sentence)
            await asyncio.sleep(_POLL_SECONDS)
        return state


def parts_of(settings: Settings) -> int:
    """Count the programs that a stack of our own would start; none where one runs already."""
    if running(settings.directory):
        return 0
    servers = (
        1 - bool(settings.database_admin_url),
        2 * (1 - bool(settings.rabbitmq_url)),  # the broker and its port mapper
        1 - bool(settings.object_store),
    )
    return sum(servers) + len(SERVICES)


def site_of(state: StackState) -> tuple[str, int]:
    """Read where a stack lets its services fetch a sample gallery. Raises CannotRun `sample_site_missing`."""
    address = urlsplit(state.urls.get("sample_site", ""))
    if not address.hostname or not address.port:
        sentence = "The running stack allows no sample gallery, for it is older than that. `make down`, then try again."
        raise CannotRun("sample_site_missing", sentence)
    return address.hostname, address.port
