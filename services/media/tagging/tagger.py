"""What everybody who says what a picture shows can do."""

import asyncio
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final, Protocol

from contracts.media import Caption, Embedding, SeenObject, Tag
from shared.errors import Refused

PAID_AT_ONCE: Final = 4
"""How many questions are on their way to one who is paid."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one tagger says of one picture; the surest tags and objects come first."""

    tags: tuple[Tag, ...] = ()
    objects: tuple[SeenObject, ...] = ()
    caption: Caption | None = None
    embedding: Embedding | None = None


class Unanswered(Refused):
    """A paid question was sent and its answer lost: nobody knows whether it was paid for, so it is not sent again."""

    def __init__(self, whom: str) -> None:
        super().__init__(
            "outcome_unknown", f"{whom} was asked, but its answer was lost; asking again might be paid for twice."
        )


class Tagger(Protocol):
    """Says what a picture shows.

    `look` raises `Refused` for what will not succeed another time and `TryAgain` for what may; either means that
    nothing was paid for, but for `Unanswered`.
    """

    @property
    def origin(self) -> str:
        """Name what describes: another model, or other weights, have another one."""
        ...

    @property
    def kinds(self) -> frozenset[str]:
        """Name what it looks for: some of `tags`, `objects`, `caption`, `embedding`."""
        ...

    @property
    def costs_money(self) -> bool:
        """Tell whether each look is paid for."""
        ...

    async def look(self, picture: bytes) -> Seen:
        """Describe a WebP picture; what it shows may be anything."""
        ...


class Taggers:
    """Those that are set up here, by their origins."""

    def __init__(self, taggers: Iterable[Tagger] = ()) -> None:
        self._by_origin = {tagger.origin: tagger for tagger in taggers}
        self._paid = {origin: asyncio.Semaphore(PAID_AT_ONCE) for origin in self._by_origin}

    @property
    def kinds(self) -> frozenset[str]:
        """Name all that some of them looks for."""
        return frozenset[str]().union(*(tagger.kinds for tagger in self._by_origin.values()))

    def called(self, origin: str) -> Tagger:
        """Find one; raise Refused (`describer_unknown`) where it is not set up here, or not any more."""
        try:
            return self._by_origin[origin]
        except KeyError:
            raise Refused("describer_unknown", f"Nobody called {origin} describes images here.") from None

    def turn(self, tagger: Tagger) -> AbstractAsyncContextManager[None]:
        """Wait until somebody who is paid may be asked at once.

        That is waited for before it is written down that he is asked: who stops until then has asked nobody.
        """
        return self._paid[tagger.origin]

    def looking_for(self, kinds: Iterable[str]) -> list[Tagger]:
        """Choose those who look for some of these kinds; all of them where no kind is named."""
        wanted = frozenset(kinds)
        return [tagger for tagger in self._by_origin.values() if not wanted or wanted & tagger.kinds]
