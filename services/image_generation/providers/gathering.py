"""Copying the pictures of one request: no more than were asked for, and those that are whole where others are not."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from services.image_generation.providers.provider import MOST_SAMPLES, GeneratedPicture, Submitted
from services.image_generation.providers.wire import whole_number
from services.image_generation.rules import SEED_LIMIT
from services.image_generation.rules.trouble import Denied, Trouble

T = TypeVar("T")

SAMPLES: Final = "samples"
"""Under this name it is kept how many pictures were asked for, beside the provider's name of the request."""


_MISSING_SECONDS: Final = 120.0
_REMEMBERED: Final = 1000


class Patience:
    """Remembers, in this process, since when each request has pictures of which some are not there yet."""

    def __init__(self) -> None:
        self._since: OrderedDict[str, float] = OrderedDict()

    def is_over(self, submitted: Submitted) -> bool:
        """Tell whether what is missing was waited for long enough, from the first time that this is asked."""
        now = time.monotonic()
        since = self._since.setdefault(submitted.request_id, now)
        if len(self._since) > _REMEMBERED:
            self._since.popitem(last=False)
        return now - since >= _MISSING_SECONDS


async def gathered(
    outputs: Sequence[T],
    submitted: Submitted,
    copy: Callable[[T, int], Awaitable[GeneratedPicture | None]],
    patience: Patience,
) -> tuple[GeneratedPicture, ...] | None:
    """Copy each output by its number, from 0; None where one is not there yet.

    Whatever a provider gives beyond what was asked for is let lie. What was paid for and is whole is not lost for what
    came with it, or never does: raises `Denied` (`output_unreadable`) only where no picture can be read.
    """
    pictures, unreadable = [], None
    for number, output in enumerate(outputs[: whole_number(submitted.resume.get(SAMPLES), None) or MOST_SAMPLES]):
        try:
            picture = await copy(output, number)
        except Denied as failure:
            if failure.trouble is not Trouble.BROKEN:
                raise
            unreadable = failure
            continue
        if picture is not None:
            pictures.append(picture)
        elif not patience.is_over(submitted):
            return None
    if unreadable is not None and not pictures:
        raise unreadable
    return tuple(pictures) or None


def seed_of_sample(first: int | None, number: int) -> int | None:
    """Give the seed of a sample, by its number from 0; None where it is none that somebody could ask for."""
    return (first + number) % SEED_LIMIT if first is not None and 0 <= first < SEED_LIMIT else None
