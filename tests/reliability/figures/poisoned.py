"""`python -m tests.reliability.figures.poisoned`: the scraper, which dies of one page on the spot."""

import os
import runpy
import signal
from typing import Any

from contracts.scraper import ScrapePages
from services.scraper import handlers
from shared.jobs import Job

POISON = "poison"


async def scrape_or_die(job: Job[ScrapePages], crawler: Any, books: Any) -> None:
    """Kill the process where the page is poison, as an out-of-memory killer or a crash in a C library would."""
    if POISON in job.command.urls[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    await handlers.scrape_pages(job, crawler, books)


if __name__ == "__main__":
    handlers.WORK = {**handlers.WORK, ScrapePages: scrape_or_die}
    runpy.run_module("services.scraper", run_name="__main__")
