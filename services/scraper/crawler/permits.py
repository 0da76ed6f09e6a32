"""Which images of a source robots may have, as the robots.txt of each origin says that they lie at."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Final

from services.scraper.crawler.robots import Robots
from services.scraper.extraction import FoundImage, SkippedImage
from services.scraper.rules import image_subject, parsed
from shared.addresses import Url
from shared.errors import Failure, Refused, TryAgain, printable

UNTOLD: Final = "robots_unavailable"
"""The code of an image of which it cannot be told now whether robots may have it."""

ORIGINS_LIMIT: Final = 200
"""Of one source, so that no page has us ask the whole world for robots.txt."""

PATIENCE_SECONDS: Final = 30.0
"""Whoever has not told its rules by then is asked later, apart from the page."""

_AT_ONCE: Final = 8
_JUDGING_SECONDS: Final = 5.0  # of processor time: rules with wildcards are tried one by one
_SENTENCE_URL_CHARACTERS: Final = 200
_TOO_MANY: Final = Refused("too_many_origins", "Its source names images at more sites than are asked for one source.")

_Answer = Mapping[str, Refused | None] | Failure
"""Why each place of an origin, by its URL as a source spells it, is closed; or why the origin tells nothing."""


@dataclass(frozen=True, slots=True)
class Untold:
    """An image that has to wait.

    Attributes:
        image: without the candidates that are closed.
        origin: the one that has to tell its rules first.

    """

    image: FoundImage
    origin: str
    failure: TryAgain


@dataclass(frozen=True, slots=True)
class Permitted:
    """What becomes of images.

    Attributes:
        images: those that may be had, with no candidate that may not be.
        closed: those that may not be, and files in whose place a smaller candidate is taken.
        untold: those whose origin cannot tell now.

    """

    images: tuple[FoundImage, ...] = ()
    closed: tuple[SkippedImage, ...] = ()
    untold: tuple[Untold, ...] = ()


class Permits:
    """Asks the robots.txt of each origin once for all images of a source.

    Args:
        robots: knows the rules.
        patience_seconds: for so long all origins of one source are waited for.

    """

    def __init__(self, robots: Robots, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._robots = robots
        self._patience_seconds = patience_seconds

    async def sort(self, images: Sequence[FoundImage], *, waits: bool = True) -> Permitted:
        """Tell which images may be had.

        Where the largest candidate of an image is closed, the next that is open takes its place. Where nobody can tell
        of the largest that is not closed, the image is `untold`; where it `waits` no longer, the next that is open
        takes the place of that, too. What is no web address is nobody's to close.

        Raises no Failure: why an origin tells nothing is told of its images.
        """
        if not images:
            return Permitted()
        places = await asyncio.to_thread(_places, images)
        answers = await self._answers(_by_origin(images, places))
        return await asyncio.to_thread(_sorted, images, places, answers, waits=waits)

    async def _answers(self, origins: Mapping[str, Mapping[str, Url]]) -> dict[str, _Answer]:
        """Ask the first origins, and judge their places at once, so that few have their rules in memory at a time."""
        answers: dict[str, _Answer] = {}
        turns = asyncio.Semaphore(_AT_ONCE)
        judging = _Judging()

        async def ask(origin: str, places: Mapping[str, Url]) -> None:
            async with turns:
                try:
                    is_open = await self._robots.judge(next(iter(places.values())))
                except Failure as failure:
                    answers[origin] = failure
                else:
                    answers[origin] = await asyncio.to_thread(judging.judged, origin, places, is_open)

        asked = dict(islice(origins.items(), ORIGINS_LIMIT))
        try:
            async with asyncio.timeout(self._patience_seconds) as patience, asyncio.TaskGroup() as group:
                for origin, places in asked.items():
                    group.create_task(ask(origin, places))
        except TimeoutError:
            if not patience.expired():
                raise
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed
        return {origin: answers.get(origin) or _slow(origin) for origin in asked}


class _Judging:
    """Judges places for no longer than a hostile robots.txt may take."""

    def __init__(self) -> None:
        self._left_seconds = _JUDGING_SECONDS

    def judged(
        self, origin: str, places: Mapping[str, Url], is_open: Callable[[Url], bool]
    ) -> dict[str, Refused | None]:
        """Say of each place of an origin why it is closed, or None."""
        begin = time.thread_time()
        until = begin + self._left_seconds
        closed = Refused("robots_disallowed", f"The robots.txt of {origin} does not allow us to take this image.")
        sentence = f"The robots.txt of {origin} has more rules than are tried for all images of a source."
        untried = Refused("robots_too_complex", sentence)
        judged = {
            url: untried if time.thread_time() > until else None if is_open(place) else closed
            for url, place in places.items()
        }
        self._left_seconds -= time.thread_time() - begin
        return judged


def _candidates(image: FoundImage) -> tuple[str, ...]:
    return (image.url, *image.alternatives)


def _places(images: Iterable[FoundImage]) -> dict[str, Url]:
    """Read the URLs of all candidates; those that are no web addresses are left out."""
    places: dict[str, Url] = {}
    for url in dict.fromkeys(url for image in images for url in _candidates(image)):
        try:
            places[url] = parsed(url)
        except Refused:
            continue
    return places


def _by_origin(images: Sequence[FoundImage], places: Mapping[str, Url]) -> dict[str, dict[str, Url]]:
    """Give the places of each origin, by URL; those of the largest candidates first."""
    firsts = (image.url for image in images)
    others = (url for image in images for url in image.alternatives)
    origins: dict[str, dict[str, Url]] = {}
    for url in chain(firsts, others):
        if url in places:
            origins.setdefault(places[url].origin, {})[url] = places[url]
    return origins


class _Sorting:
    """Judges candidates by what their origins have said."""

    def __init__(self, places: Mapping[str, Url], answers: Mapping[str, _Answer]) -> None:
        self._places = places
        self._answers = answers

    def failure_of(self, url: str) -> Failure | None:
        """Say why a candidate may not be had, for good or for now; None where it may be."""
        place = self._places.get(url)
        if place is None:
            return None
        answer = self._answers.get(place.origin, _TOO_MANY)
        return answer if isinstance(answer, Failure) else answer[url]

    def origin_of(self, url: str) -> str:
        return self._places[url].origin


def _sorted(
    images: Sequence[FoundImage], places: Mapping[str, Url], answers: Mapping[str, _Answer], *, waits: bool
) -> Permitted:
    sorting = _Sorting(places, answers)
    permitted: list[FoundImage] = []
    closed: list[SkippedImage] = []
    untold: list[Untold] = []
    taken = {_subject(image.url) for image in images if sorting.failure_of(image.url) is None}
    for image in images:
        left = [url for url in _candidates(image) if not isinstance(sorting.failure_of(url), Refused)]
        open_ = [url for url in left if sorting.failure_of(url) is None]
        if open_ and not waits:
            left = open_
        refusal = sorting.failure_of(image.url)
        if isinstance(refusal, Refused):
            closed.append(_closed(image.url, refusal, left))
        if not left:
            continue
        failure = sorting.failure_of(left[0])
        if isinstance(failure, TryAgain):
            untold.append(Untold(_cut_down(image, left), sorting.origin_of(left[0]), failure))
            continue
        if left[0] != image.url and _subject(left[0]) in taken:
            continue  # another image of the source is that very file
        taken.add(_subject(left[0]))
        permitted.append(_cut_down(image, open_))
    return Permitted(tuple(permitted), tuple(closed), tuple(untold))


def _subject(url: str) -> str:
    try:
        return image_subject(url)
    except Refused:
        return url


def _cut_down(image: FoundImage, left: Sequence[str]) -> FoundImage:
    """Give an image with fewer candidates; what was said of the size of the largest is not true of another."""
    first, *others = left
    if first == image.url:
        return replace(image, alternatives=tuple(others))
    return replace(image, url=first, alternatives=tuple(others), width_px=None, height_px=None)


def _closed(url: str, refusal: Refused, left: Sequence[str]) -> SkippedImage:
    sentence = refusal.sentence
    if left:
        sentence += f" Another candidate of the picture takes its place: {left[0][:_SENTENCE_URL_CHARACTERS]}"
    return SkippedImage(url, refusal.code, printable(sentence))


def _slow(origin: str) -> TryAgain:
    return TryAgain(UNTOLD, f"{origin} has not told in time whether robots may have its images.")
