"""Where somebody goes on in the feed, of which old parts are let go, and which may be put back to an earlier day."""

from typing import NamedTuple


class Extent(NamedTuple):
    """How far the feed goes.

    Attributes:
        first: the first sequence that is kept; 0 where nothing is.
        last: the last one that is kept and can be seen; 0 where there is none.
        given: the last one that was ever given, also to what is let go by now or cannot be seen yet.

    """

    first: int
    last: int
    given: int


class Start(NamedTuple):
    """Where somebody begins.

    Attributes:
        position: everything behind this sequence is told.
        gap: whether something behind the place where he left off is told no more.

    """

    position: int
    gap: bool = False


def start_behind(extent: Extent, position: int) -> Start:
    """Tell where to begin who has seen all up to a position; 0 is no position, but the wish for all that is kept.

    A sequence whose transaction failed belongs to nothing. Where only such may be missing a gap is told all the same.
    """
    if position > extent.given:  # put back: behind that place nothing would come for long
        return Start(extent.last, gap=True)
    if position == 0:
        return Start(0)
    if extent.first == 0:  # what was given last may be about to be seen
        return Start(position, gap=position < extent.given)
    return Start(max(position, extent.first - 1), gap=position < extent.first - 1)
