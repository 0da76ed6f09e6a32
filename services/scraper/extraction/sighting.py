"""One place of a page where a picture was seen."""

import re
from dataclasses import dataclass, field
from typing import Final

from services.scraper.rules import Candidate

# Names under which sites keep the picture that stands in for one not yet loaded.
_STAND_IN: Final = re.compile(
    r"(?:^|[/_.-])(?:1x1|blank|clear|empty|lazy|lazyload|loading|pixel|placeholder|spacer|transparent|trans)"
    r"(?:[_.-]?(?:1x1|trans|bg|img|image|gif|pixel))?\.(?:gif|png|svg|jpe?g|webp)(?:[?#]|$)",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Sighting:
    """A picture as one element or one record shows it.

    Attributes:
        candidates: of this one picture, URLs as written, in the order of a browser's choice.
        lazy: its true source is kept in an attribute that a script reads.
        tracks: it is too small to be seen.
        sign: it stands for the site, as an icon does, and is no picture of the page.
        heading: the one that the picture stands under.
        published_at: when the picture was, as ISO 8601.
        width_px: of the place that it fills, in CSS pixels, where the markup tells it.
        height_px: likewise.

    """

    candidates: list[Candidate] = field(default_factory=list)
    title: str | None = None
    alt: str | None = None
    caption: str | None = None
    credit: str | None = None
    licence: str | None = None
    description: str | None = None
    heading: str | None = None
    published_at: str | None = None
    lazy: bool = False
    tracks: bool = False
    sign: bool = False
    width_px: int | None = None
    height_px: int | None = None


def is_stand_in(url: str) -> bool:
    """Tell by its name a picture that is only there until the real one is loaded."""
    return bool(_STAND_IN.search(url))
