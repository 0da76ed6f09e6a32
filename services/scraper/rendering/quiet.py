"""When a page has become quiet: it is loaded, and awaits nothing that was let out for it."""

import asyncio
from typing import Final

QUIET_SECONDS: Final = 0.5
HANGING_SECONDS: Final = 6.0
"""After so long without an end a request is one that waits for news, or never ends: nobody waits for it."""


class Quiet:
    """Knows what a page still waits for.

    What was refused is nothing to wait for, and nothing has changed by it: pages try such things again and again. Nor
    is what the page itself was not told of, whose end it would not be told either, as of what a worker asks.

    Attributes:
        now: the clock of the loop, by which all times here are.

    """

    def __init__(self) -> None:
        self.now: Final = asyncio.get_running_loop().time
        self._is_loaded = False
        self._announced: set[str] = set()
        self._awaited: dict[str, tuple[float, float]] = {}
        self._changed_at = self.now()

    @property
    def changed_at(self) -> float:
        """When something has changed last."""
        return self._changed_at

    def is_quiet(self) -> bool:
        """Tell whether the page is loaded, waits for nothing, and that for a while."""
        now = self.now()
        waits = any(number in self._announced and now < until for number, (_, until) in self._awaited.items())
        return self._is_loaded and not waits and now - self._changed_at >= QUIET_SECONDS

    def announce(self, number: str) -> None:
        """Note that the page was told of a request."""
        self._announced.add(number)

    def wait_for(self, number: str, seconds: float = HANGING_SECONDS) -> None:
        """Wait for the end of a request, but no longer than so many seconds."""
        self._awaited[number] = self.now(), self.now() + seconds

    def forget(self, number: str) -> None:
        """Wait no more for what was refused."""
        self._awaited.pop(number, None)

    def end(self, number: str) -> None:
        """Note that a request has ended, well or not."""
        self._announced.discard(number)
        if self._awaited.pop(number, None) is not None:
            self.change()

    def change(self) -> None:
        """Note that something is different now."""
        self._changed_at = self.now()

    def begin(self, given_at: float) -> None:
        """Begin anew, with a document that was given then; what the one before it waited for is given up."""
        self._is_loaded = False
        self._awaited = {number: wait for number, wait in self._awaited.items() if wait[0] > given_at}
        self.change()

    def load(self) -> None:
        """Note that the document has all that it will be given."""
        if not self._is_loaded:
            self._is_loaded = True
            self.change()
