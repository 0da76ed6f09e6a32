"""Web pages are fetched the way their hosts ask for."""

from services.scraper.crawler.pages import (
    NO_VALIDATORS,
    PAGE_LIMIT_BYTES,
    Books,
    Crawler,
    Extract,
    Visit,
    extract_in,
    version_of,
)
from services.scraper.crawler.permits import UNTOLD, Permits, Permitted, Untold
from services.scraper.crawler.robots import Told
from services.scraper.crawler.validators import Validators

__all__ = [
    "NO_VALIDATORS",
    "PAGE_LIMIT_BYTES",
    "UNTOLD",
    "Books",
    "Crawler",
    "Extract",
    "Permits",
    "Permitted",
    "Told",
    "Untold",
    "Validators",
    "Visit",
    "extract_in",
    "version_of",
]
