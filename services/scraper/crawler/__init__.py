"""Web pages are fetched the way their hosts ask for."""

from services.scraper.crawler.pages import PAGE_LIMIT_BYTES, Crawler, Extract, extract_in

__all__ = ["PAGE_LIMIT_BYTES", "Crawler", "Extract", "extract_in"]
