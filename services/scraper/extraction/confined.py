"""Extraction as the sandbox calls it: a parser for strangers' pages belongs where it can do no harm."""

from typing import Any

from pydantic import TypeAdapter

from services.scraper.extraction.page import Page
from services.scraper.extraction.reading import extract

_PAGE = TypeAdapter(Page)


def read_page(payload: bytes, options: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """Read a page; the options are those of `extract`, the one blob is for `page_of`. Raises as `extract`."""
    return {}, [bytes_of(extract(payload, **options))]


def bytes_of(page: Page) -> bytes:
    """Write a page as `page_of` reads it."""
    return _PAGE.dump_json(page)


def page_of(blobs: list[bytes]) -> Page:
    """Check and take what `read_page` told; raises ValueError where it told no page."""
    (blob,) = blobs
    return _PAGE.validate_json(blob)
