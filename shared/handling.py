"""The two tables of a service's `handlers.py`: what it reacts to, and what it works on."""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from contracts.envelope import Command, Message

M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Heard(Generic[M]):
    """A message as it was heard."""

    message: M
    id: UUID
    time: datetime
    source: str
    traceparent: str | None


Reaction = Callable[..., Awaitable[None]]
"""`async def on_media_stored(tx, facts, **crafts)`: a batch in one transaction; must not do anything slow."""

Work = Callable[..., Awaitable[dict[str, Any] | None]]
"""`async def map_depth(job, **crafts)`: runs under a lease, outside any transaction."""


@dataclass(frozen=True, slots=True)
class Selective:
    """A reaction to some messages of a kind; the others are acknowledged and leave no trace here.

    Attributes:
        reaction: to those.
        heeds: tells them from the others by nothing but what they say.

    """

    reaction: Reaction
    heeds: Callable[[Any], bool]

    def __call__(self, *given: Any, **crafts: Any) -> Awaitable[None]:
        """React to messages that are heeded."""
        return self.reaction(*given, **crafts)


Reactions = Mapping[type[Message], Reaction]
Works = Mapping[type[Command], Work]

_GIVEN = 2  # a reaction is given a transaction and its facts


class HandlerError(Exception):
    """A handler asks for something that the service does not provide; found at start."""


def bind_reaction(reaction: Reaction, crafts: Mapping[str, Any]) -> Callable[[Any, Sequence[Any]], Awaitable[None]]:
    """Tie a reaction to the crafts that its parameters name; raise HandlerError where one is missing."""
    if isinstance(reaction, Selective):
        return Selective(bind_reaction(reaction.reaction, crafts), reaction.heeds)
    given = _crafts_for(reaction, crafts, skip=_GIVEN)
    return lambda tx, facts: reaction(tx, facts, **given)


def bind_work(work: Work, crafts: Mapping[str, Any]) -> Callable[[Any], Awaitable[dict[str, Any] | None]]:
    """Tie work to the crafts that its parameters name; raise HandlerError where one is missing."""
    given = _crafts_for(work, crafts, skip=1)
    return lambda job: work(job, **given)


def _crafts_for(handler: Callable[..., Any], crafts: Mapping[str, Any], *, skip: int) -> dict[str, Any]:
    names = list(inspect.signature(handler).parameters)[skip:]
    if missing := [name for name in names if name not in crafts]:
        raise HandlerError(f"{handler.__qualname__} asks for {', '.join(missing)}, which app.py does not provide")
    return {name: crafts[name] for name in names}
