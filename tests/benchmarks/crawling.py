"""How long a crawl of two thousand pages takes whose services are killed five times, and what is done twice."""

import asyncio
import os
import platform
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from deploy.local.stack import Stack
from tests.living import House
from tests.scraper.killing import crawl_and_kill
from tests.scraper.large_site import LargeSite

PAGES: Final = 2000
KILLS: Final = 5
SERVICES: Final = ("scraper", "media")
_PATIENCE_SECONDS: Final = 3600.0


@dataclass(frozen=True)
class Figures:
    """What a crawl gave.

    Attributes:
        asked_twice: pages that were answered more than once.
        missing: images of the site that were not found.
        twice: images that were said to be found more than once.
        trespasses: how often it was asked for what robots.txt closes.
        given_up: why pages were not read that might have been, each with its code.
        stored: images of the library.
        unstored: images of the site of which the library has none.
        stored_twice: images that the library has more than once.
        failed: why images were not stored, each with its code.
        shown_again: downloads that began anew, since who had them died.

    """

    seconds: float
    pages: int
    images: int
    asked_twice: int
    missing: int
    twice: int
    trespasses: int
    given_up: tuple[str, ...]
    stored: int
    unstored: int
    stored_twice: int
    failed: tuple[str, ...]
    shown_again: int


async def measure(house: House, pages: int, kills: int) -> Figures:
    """Crawl a site of so many pages, with ten pictures on each and one on all."""
    async with LargeSite(pages).opened() as site:
        begun = time.perf_counter()
        await crawl_and_kill(house, site, kills=kills, services=SERVICES, patience_seconds=_PATIENCE_SECONDS)
        seconds = time.perf_counter() - begun
        said = await house.rows(
            "SELECT convert_from(body, 'UTF8')::jsonb -> 'data' ->> 'url' AS url FROM scraper.said"
            " WHERE routing_key = 'scraper.image_found'"
        )
        found = [row["url"] for row in said]
        unread = await house.rows(
            "SELECT code FROM scraper.crawl_urls"
            " WHERE kind = 'page' AND outcome <> 'read' AND url NOT LIKE '%/closed/%'"
        )
        stored = [row["source_url"] for row in await house.rows("SELECT source_url FROM media.assets")]
        failed = await house.rows("SELECT error_code FROM media.tasks WHERE state <> 'completed'")
        return Figures(
            seconds=seconds,
            pages=len(site.answered),
            images=len(set(found)),
            asked_twice=sum(times > 1 for times in site.answered.values()),
            missing=len(site.image_urls - set(found)),
            twice=len(found) - len(set(found)),
            trespasses=site.trespasses,
            given_up=tuple(str(row["code"]) for row in unread),
            stored=len(set(stored)),
            unstored=len(site.image_urls - set(stored)),
            stored_twice=len(stored) - len(set(stored)),
            failed=tuple(str(row["error_code"]) for row in failed),
            shown_again=sum(times - 1 for times in site.shown.values()),
        )


async def main(pages: int = PAGES, kills: int = KILLS) -> None:
    """Run it and print it."""
    with tempfile.TemporaryDirectory() as directory:
        async with Stack(Path(directory), services=()) as stack:
            await stack.prepare_database()
            async with House(stack) as house:
                figures = await measure(house, pages, kills)
    table = Table(title=f"A crawl of {pages} pages, killed {kills} times", title_justify="left")
    table.add_column("figure")
    table.add_column("measured", justify="right")
    table.add_column("bar", justify="right")
    table.add_row("pages read", str(figures.pages), str(pages))
    table.add_row("pages fetched twice", str(figures.asked_twice), "0")
    table.add_row("pages given up", ", ".join(figures.given_up) or "0", "0")
    table.add_row("images found", str(figures.images), str(10 * pages + 1))
    table.add_row("images missing", str(figures.missing), "0")
    table.add_row("images found twice", str(figures.twice), "0")
    table.add_row("images stored", str(figures.stored), str(10 * pages + 1))
    table.add_row("images not stored", ", ".join(figures.failed) or str(figures.unstored), "0")
    table.add_row("images stored twice", str(figures.stored_twice), "0")
    table.add_row("downloads begun anew after a death", str(figures.shown_again), "")
    table.add_row("asked for what robots.txt closes", str(figures.trespasses), "0")
    table.add_row("seconds, with deaths and new beginnings", f"{figures.seconds:.0f}", "")
    console = Console()
    console.print(table)
    console.print(
        f"{os.cpu_count()} cores, Python {platform.python_version()}; site, scraper, media, object store, PostgreSQL "
        "(fsync on) and RabbitMQ on one machine; no pause between requests."
    )


if __name__ == "__main__":
    asyncio.run(main(*(int(number) for number in sys.argv[1:3])))
