"""How much of what a source names is written down: all that may be taken, and of what is only named no more than fits.

A site may name URLs without end, and each that is written down takes a line. Those that lead elsewhere, or that a crawl
leaves out, never take the room of a page or an image that it may still have.
"""

from collections.abc import Collection, Sequence
from typing import Final

from contracts.scraper import CrawlScope
from services.scraper.store.crawls import CrawlRow, Line

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
    left = {"page": limits.max_pages - crawl.pages_taken, "image": limits.max_images - crawl.images_taken}
    room = room_of(crawl, limits)
    fit = []
    for line in lines:
        if (line.kind, line.key) in known:
            fit.append(line)
        elif line.outcome in {"waiting", "found"} and left[_budget_of(line)] > 0:
            left[_budget_of(line)] -= 1
            fit.append(line)
        elif room > 0:
            room -= 1
            fit.append(line)
    return fit


def room_of(crawl: CrawlRow, limits: CrawlScope) -> int:
    """Tell for how many URLs that are only named there is room, beside all that may still be taken."""
    urls_at_most = _URLS_A_PAGE * limits.max_pages + 2 * limits.max_images
    pages, images = limits.max_pages - crawl.pages_taken, limits.max_images - crawl.images_taken
    return urls_at_most - crawl.urls_noted - max(0, pages) - max(0, images)


def _budget_of(line: Line) -> str:
    return "image" if line.kind == "image" else "page"
