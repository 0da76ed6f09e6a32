"""How much of what a source names is written down: all that may be taken, and of what is only named no more than fits.

A site may name URLs without end, and each that is written down takes a line. Those that lead elsewhere, or that a crawl
leaves out, never take the room of a page or an image that it may still have.
"""

from collections.abc import Collection, Sequence
from typing import Final, Literal

from contracts.scraper import CrawlScope
from services.scraper.store.crawls import CrawlRow, Line

Budget = Literal["page", "list", "image"]

_URLS_A_PAGE: Final = 50


def fitting(
    lines: Sequence[Line], known: Collection[tuple[str, bytes]], crawl: CrawlRow, limits: CrawlScope
) -> list[Line]:
    """Give the lines that are written down, in their order.

    Args:
        lines: of one source, each once; of those that are only named the first go first.
        known: kind and key of those that have a line already, which takes no more room.
        crawl: as it stands.
        limits: of the crawl.

    """
    left, room = left_to_take(crawl, limits), room_of(crawl, limits)
    fit = []
    for line in lines:
        if (line.kind, line.key) in known:
            fit.append(line)
        elif line.outcome in {"waiting", "found"} and left[budget_of(line)] > 0:
            left[budget_of(line)] -= 1
            fit.append(line)
        elif room > 0:
            room -= 1
            fit.append(line)
    return fit


def room_of(crawl: CrawlRow, limits: CrawlScope) -> int:
    """Tell for how many URLs that are only named there is room, beside all that may still be taken."""
    urls_at_most = _URLS_A_PAGE * limits.max_pages + 2 * limits.max_images
    left = left_to_take(crawl, limits)
    return urls_at_most - crawl.urls_noted - max(0, left["page"]) - max(0, left["image"])


def left_to_take(crawl: CrawlRow, limits: CrawlScope) -> dict[Budget, int]:
    """Tell how many pages, lists and images may still be taken; as many lists as pages, which they only lead to."""
    pages = crawl.pages_taken - crawl.lists_taken
    return {
        "page": limits.max_pages - pages,
        "list": limits.max_pages - crawl.lists_taken,
        "image": limits.max_images - crawl.images_taken,
    }


def budget_of(line: Line) -> Budget:
    """Tell among what a line is counted."""
    if line.kind == "image":
        return "image"
    return "page" if line.kind == "page" else "list"
