"""Many sightings become the images of a page: each picture once, its largest file first."""

import re
from dataclasses import dataclass, field, replace
from typing import Final

from services.scraper.extraction.page import FoundImage, SkippedImage
from services.scraper.extraction.sighting import Sighting, is_stand_in
from services.scraper.extraction.words import longest
from services.scraper.rules import ANY_PLACE, Candidate, canonical_url, largest_first, refuse_longer_than_is_carried
from shared.addresses import Url, join
from shared.errors import Refused

ALTERNATIVES_LIMIT: Final = 20
IMAGES_LIMIT: Final = 5000
CANDIDATES_LIMIT: Final = 20_000

_CANDIDATES_OF_ONE_LIMIT: Final = 100
_LABEL_LIMIT_CHARACTERS: Final = 300
_DATA_LABEL_CHARACTERS: Final = 60
_SCHEME: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*(?=:)")
# What only lives in a running browser; no page means a file by it.
_NO_FILE: Final = frozenset({"about", "blob", "filesystem", "javascript"})
_TEMPLATE: Final = re.compile(r"\{\{|\$\{|<%|%7B%7B", re.IGNORECASE)
_SVG: Final = re.compile(r"\.svgz?$", re.IGNORECASE)


class _NotHere(Exception):
    """There is no file behind a URL, and nobody would expect one."""


@dataclass(slots=True)
class _Picture:
    sightings: list[Sighting]
    candidates: list[Candidate]
    keys: set[str] = field(default_factory=set)


class Gathering:
    """Collects the pictures of one page.

    Args:
        location: the URL of the page itself.
        base: what relative URLs are resolved against.
        encoding: of their queries, as `decode` tells it.

    """

    def __init__(self, location: Url, base: Url, encoding: str) -> None:
        self._location = str(location)
        self._base = base
        self._encoding = encoding
        self._pictures: dict[int, _Picture] = {}
        self._by_key: dict[str, int] = {}
        self._skipped: dict[tuple[str, str], SkippedImage] = {}
        self._signs: dict[str, str] = {}
        self._count = self._candidates_seen = 0

    def add(self, sighting: Sighting) -> None:
        self._candidates_seen += min(len(sighting.candidates), _CANDIDATES_OF_ONE_LIMIT)
        if self._count >= IMAGES_LIMIT or self._candidates_seen > CANDIDATES_LIMIT:
            self._skip(self._location, "too_many_images", "The page has more images than are taken of one page.")
            return
        candidates, refusals = self._judged(sighting)
        if candidates and sighting.tracks:
            self._skip(candidates[0].url, "tracking_pixel", "The image is too small to be seen.")
        elif candidates and sighting.sign:
            self._signs.setdefault(_key(candidates[0]), candidates[0].url)
        elif candidates:
            self._count += 1
            self._merge(sighting, candidates)
        else:
            for candidate, refusal in refusals[:1]:
                self._skip(candidate.url, refusal.code, refusal.sentence)

    def tell_of_styles(self) -> None:
        """Note that not all of the page's styles were looked at."""
        self._skip(self._location, "too_many_styles", "The page has more style rules than are searched for images.")

    def images(self) -> tuple[FoundImage, ...]:
        return tuple(_found(picture, place) for place, picture in enumerate(self._pictures.values()))

    def skipped(self) -> tuple[SkippedImage, ...]:
        for key, url in self._signs.items():
            if key not in self._by_key:  # shown as a picture too, it was taken as one
                self._skip(url, "icon", "The image is the sign of the site (an icon), not a picture of the page.")
        return tuple(self._skipped.values())

    def _judged(self, sighting: Sighting) -> tuple[list[Candidate], list[tuple[Candidate, Refused]]]:
        accepted, refusals = [], []
        for candidate in sighting.candidates[:_CANDIDATES_OF_ONE_LIMIT]:
            try:
                accepted.append(replace(candidate, url=self._resolved(candidate)))
            except Refused as refusal:
                refusals.append((candidate, refusal))
            except _NotHere:
                continue
        return accepted, refusals

    def _resolved(self, candidate: Candidate) -> str:
        text = candidate.url.strip()
        _refuse_what_is_no_url(text)
        url = join(self._base, text, ANY_PLACE, query_encoding=self._encoding)
        if str(url) == self._location:
            raise _NotHere
        refuse_longer_than_is_carried(str(url))
        if _SVG.search(url.path) or (candidate.content_type or "").startswith("image/svg"):
            raise Refused("svg_not_rasterised", "The image is a vector drawing (SVG), which is not rasterised.")
        if is_stand_in(url.path):
            raise Refused("placeholder", "The image only stands in until another one is loaded.")
        return str(url)

    def _merge(self, sighting: Sighting, candidates: list[Candidate]) -> None:
        keys = _keys(candidates)
        places = sorted({self._by_key[key] for key in keys if key in self._by_key})
        first = places[0] if places else self._count
        picture = self._pictures.setdefault(first, _Picture([], []))
        for other in [self._pictures.pop(place) for place in places[1:]]:
            _absorb(picture, other)
        _absorb(picture, _Picture([sighting], candidates, keys))
        self._by_key.update(dict.fromkeys(picture.keys if places[1:] else keys, first))

    def _skip(self, url: str, code: str, sentence: str) -> None:
        label = _label(url)
        self._skipped.setdefault((label, code), SkippedImage(label, code, sentence))


def _refuse_what_is_no_url(text: str) -> None:
    match = _SCHEME.match(text)
    scheme = match[0].lower() if match else None
    if not text or text.startswith("#") or scheme in _NO_FILE:
        raise _NotHere
    if scheme == "data":
        raise Refused("data_url", "The image is written into the page itself and has no URL to fetch it from.")
    if _TEMPLATE.search(text):
        raise Refused("url_template", "The URL has gaps that a script of the page would fill.")


def _keys(candidates: list[Candidate]) -> set[str]:
    """Tell by which URLs a picture is known again, whatever scheme they are given with.

    Not by the `src` of an image with better candidates: that is often one file for many, such as a grey box.
    """
    best = largest_first(candidates)[0]
    alike = (candidate for candidate in candidates if candidate.found_in == best.found_in and not candidate.placeholder)
    return {_key(candidate) for candidate in (best, *alike)}


def _key(candidate: Candidate) -> str:
    return canonical_url(candidate.url).partition(":")[2]


def _absorb(picture: _Picture, other: _Picture) -> None:
    picture.sightings += other.sightings
    picture.candidates += other.candidates
    picture.keys |= other.keys


def _label(url: str) -> str:
    limit = _DATA_LABEL_CHARACTERS if url.lstrip()[:5].lower() == "data:" else _LABEL_LIMIT_CHARACTERS
    url = url[: limit + 1].encode("utf-8", "replace").decode("utf-8").replace("\x00", "")
    return url if len(url) <= limit else url[: limit - 1] + "…"


def _found(picture: _Picture, position: int) -> FoundImage:
    best, *others = largest_first(picture.candidates)
    seen = {_key(best): best.url}
    for other in others:
        if not other.placeholder:
            seen.setdefault(_key(other), other.url)
    width_px, height_px = _hinted_size(picture, best)
    seen_in = picture.sightings
    return FoundImage(
        url=best.url,
        alternatives=tuple(seen.values())[1 : 1 + ALTERNATIVES_LIMIT],
        found_in=best.found_in,
        position=position,
        title=longest(*(sighting.title for sighting in seen_in)),
        alt=longest(*(sighting.alt for sighting in seen_in)),
        caption=longest(*(sighting.caption for sighting in seen_in)),
        credit=longest(*(sighting.credit for sighting in seen_in)),
        licence=longest(*(sighting.licence for sighting in seen_in)),
        width_px=width_px,
        height_px=height_px,
        description=longest(*(sighting.description for sighting in seen_in)),
        heading=next((sighting.heading for sighting in seen_in if sighting.heading), None),
        published_at=next((sighting.published_at for sighting in seen_in if sighting.published_at), None),
    )


def _hinted_size(picture: _Picture, best: Candidate) -> tuple[int | None, int | None]:
    for candidate in picture.candidates:
        if candidate.url == best.url and candidate.width_px:
            return candidate.width_px, candidate.height_px
    for sighting in picture.sightings:
        if sighting.width_px:
            return sighting.width_px, sighting.height_px
    return None, None
