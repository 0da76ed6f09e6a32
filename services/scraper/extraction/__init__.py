"""A web page becomes the list of its images, and of those not taken with the reason. Pure: no I/O."""

from services.scraper.extraction.confined import bytes_of, page_of, read_page
from services.scraper.extraction.page import FoundImage, Page, SkippedImage
from services.scraper.extraction.reading import extract

__all__ = ["FoundImage", "Page", "SkippedImage", "bytes_of", "extract", "page_of", "read_page"]
