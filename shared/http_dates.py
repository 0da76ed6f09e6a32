"""Moments as HTTP and mail write them (RFC 9110 §5.6.7), by whoever wrote them."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def read_http_date(text: str) -> datetime | None:
    """Give the moment that a header names, with its zone; None where it names none.

    A moment without a zone is in GMT, as all dates of HTTP are.
    """
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # the second for a year or a zone that no machine's number can hold
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC)
