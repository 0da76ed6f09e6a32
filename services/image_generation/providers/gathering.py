"""Copying the pictures of one request: no more than were asked for, and those that are whole where others are not."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeVar

from services.image_generation.providers.provider import MOST_SAMPLES, GeneratedPicture
from services.image_generation.providers.wire import whole_number
from services.image_generation.rules import SEED_LIMIT
from services.image_generation.rules.trouble import Denied, Trouble

T = TypeVar("T")

SAMPLES: Final = "samples"
"""Under this name it is kept how many pictures were asked for, beside the provider's name of the request."""


async def gathered(
    outputs: Sequence[T], resume: Mapping[str, str], copy: Callable[[T, int], Awaitable[GeneratedPicture | None]]
) -> tuple[GeneratedPicture, ...] | None:
    """Copy each output by its number, from 0; None where one is not there yet.

    Whatever a provider gives beyond what was asked for is let lie. What was paid for and is whole is not lost for what
    came with it: raises `Denied` (`output_unreadable`) only where no picture can be read.
    """
    pictures, unreadable = [], None
    for number, output in enumerate(outputs[: whole_number(resume.get(SAMPLES), None) or MOST_SAMPLES]):
        try:
            picture = await copy(output, number)
        except Denied as failure:
            if failure.trouble is not Trouble.BROKEN:
                raise
            unreadable = failure
            continue
        if picture is None:
            return None
        pictures.append(picture)
    if unreadable is not None and not pictures:
        raise unreadable
    return tuple(pictures)


def seed_of_sample(first: int | None, number: int) -> int | None:
    """Give the seed of a sample, by its number from 0; None where it is none that somebody could ask for."""
    return (first + number) % SEED_LIMIT if first is not None and 0 <= first < SEED_LIMIT else None
