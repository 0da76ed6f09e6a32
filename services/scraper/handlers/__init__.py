"""What the scraper hears: commands to scrape, crawl and import, and what media made of the images that were found."""

from contracts.jobs import JobCancelled, JobFailed
from contracts.media import MediaRejected, MediaStored
from contracts.scraper import (
    AskRobots,
    ContinueCrawl,
    CrawlSite,
    ImportManifest,
    ReadManifest,
    RetryCrawl,
    ScheduleCrawl,
    ScrapePages,
)
from services.scraper.handlers.accounts import may_be_found_here, on_media
from services.scraper.handlers.crawls import continue_crawl, crawl_site
from services.scraper.handlers.ended import keep_accounts
from services.scraper.handlers.manifests import read_manifest
from services.scraper.handlers.pages import import_manifest, scrape_pages
from services.scraper.handlers.permits import ask_robots
from services.scraper.handlers.schedules import keep_schedules, retry_crawl, schedule_crawl
from shared.handling import Reactions, Selective, Works

__all__ = [
    "REACTIONS",
    "WORK",
    "ask_robots",
    "continue_crawl",
    "crawl_site",
    "import_manifest",
    "keep_accounts",
    "keep_schedules",
    "on_media",
    "read_manifest",
    "retry_crawl",
    "schedule_crawl",
    "scrape_pages",
]

_ON_MEDIA = Selective(on_media, may_be_found_here)

REACTIONS: Reactions = dict.fromkeys((MediaStored, MediaRejected, JobFailed, JobCancelled), _ON_MEDIA)
WORK: Works = {
    ScrapePages: scrape_pages,
    ImportManifest: import_manifest,
    CrawlSite: crawl_site,
    ContinueCrawl: continue_crawl,
    RetryCrawl: retry_crawl,
    ScheduleCrawl: schedule_crawl,
    AskRobots: ask_robots,
    ReadManifest: read_manifest,
}
