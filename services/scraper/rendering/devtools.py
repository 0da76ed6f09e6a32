"""The DevTools protocol over a pair of pipes: JSON messages that end with a NUL."""

import asyncio
import json
from collections.abc import Callable
from itertools import count
from typing import Any, Final

from shared.errors import Refused, TryAgain
from shared.process_groups import Tell

MESSAGE_LIMIT_BYTES: Final = 32 * 1024 * 1024
HEARD_LIMIT_BYTES: Final = 128 * 1024 * 1024
"""All messages together: a page can make its browser tell of much, and reading that is our work."""

Hear = Callable[[str | None, str, dict[str, Any]], None]
"""Hears an event: the session that it belongs to, its name and its parameters."""


class BrowserEnded(TryAgain):
    """Nobody obeys any more (`renderer_failed`); whoever keeps the browser may know why."""


class ProtocolError(Exception):
    """The browser says that a command cannot be obeyed, as where its page is gone meanwhile."""


class Devtools:
    """Tells a browser what to do, and hears what happens in it.

    Attributes:
        hear: is told every event; it must not wait.

    """

    def __init__(self, said: asyncio.StreamReader, tell: Tell) -> None:
        self.hear: Hear = lambda _session, _event, _told: None
        self._said = said
        self._tell = tell
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._has_ended = False
        self._heard_bytes = 0

    async def send(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Have a command obeyed and give what it answers.

        Raises:
            ProtocolError: where it cannot be obeyed.
            BrowserEnded: where the browser has ended.

        """
        if self._has_ended:
            raise _ended()
        number = next(self._numbers)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        try:
            await self._tell(json.dumps(message).encode() + b"\0")
            return await self._waiting[number]
        finally:
            self._waiting.pop(number, None)

    async def listen(self) -> None:
        """Hear the browser until it has ended; raises Refused (`page_too_heavy`) for what is too long to be heard."""
        try:
            while True:
                message = await self._said.readuntil(b"\0")
                self._heard_bytes += len(message)
                if self._heard_bytes > HEARD_LIMIT_BYTES:
                    raise _too_much()
                self._take(json.loads(message[:-1]))
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        except asyncio.LimitOverrunError as error:
            raise _too_much() from error
        finally:
            self._has_ended = True
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(_ended())

    def _take(self, told: dict[str, Any]) -> None:
        if "method" in told:
            self.hear(told.get("sessionId"), told["method"], told.get("params", {}))
            return
        answer = self._waiting.get(told.get("id", 0))
        if answer is None or answer.done():
            return
        if "error" in told:
            answer.set_exception(ProtocolError(str(told["error"].get("message"))))
        else:
            answer.set_result(told.get("result", {}))


def _too_much() -> Refused:
    return Refused("page_too_heavy", "What the scripts of this page do is too much to be heard of.")


def _ended() -> BrowserEnded:
    return BrowserEnded("renderer_failed", "The browser that showed this page has ended unexpectedly.")
