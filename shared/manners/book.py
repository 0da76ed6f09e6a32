"""Where all who ask a host write down together what they know of it."""

from collections.abc import Callable
from typing import Protocol, TypeAlias, TypeVar

T = TypeVar("T")
Known = TypeVar("Known")
Decide: TypeAlias = Callable[[Known, float], tuple[Known, T]]


class Book(Protocol[Known]):
    """Each service keeps its own; what is written of a host is at least `Host`."""

    async def change(self, name: str, decide: Decide[Known, T]) -> T:
        """Replace what is known of a host by what a pure decision makes of it, as if nobody else did so meanwhile.

        Args:
            name: of the host.
            decide: gets what is known and the time, in seconds; gives what shall be known and an answer. Asked again
                where somebody else was faster.

        """
        ...
