"""Text and numbers as strangers write them."""

import re
from datetime import date, datetime, time
from email.utils import parsedate_to_datetime
from typing import Any, Final

TEXT_LIMIT_CHARACTERS: Final = 2000
"""What a contract carries of any text."""

_LARGEST_SIDE_PX: Final = 1_000_000
# Neither the broker's JSON nor PostgreSQL takes lone surrogates or the zero character.
_UNPRINTABLE: Final = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_WHOLE_NUMBER: Final = re.compile(r"\s*(\d{1,9})(?:\.\d*)?\s*(?:px)?\s*", re.ASCII)

_MOMENT_LIMIT_CHARACTERS: Final = 60
_MOMENT: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?) ?(Z|[+-]\d{2}(?::?\d{2})?)?)?", re.ASCII
)

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_IN_WORDS: Final = re.compile(
    rf"(?:[a-z]{{6,9}},? )?(?:(?P<day>\d{{1,2}})(?:st|nd|rd|th)? )?(?P<month>{'|'.join(_MONTHS)})[a-z]{{0,6}}\.?"
    r"(?: (?P<day_after>\d{1,2})(?:st|nd|rd|th)?)?,? (?P<year>\d{4})"
    r"(?:,? ?(?:at )?\(?(?P<hour>\d{1,2}):(?P<minute>\d{2})(?: ?(?P<half>[ap])\.?m\.?)?\)?)?",
    re.ASCII | re.IGNORECASE,
)


def tidy(text: object) -> str | None:
    """Collapse white space and drop what cannot be printed; None where no text is left."""
    if not isinstance(text, str):
        return None
    # A stranger's megabytes are cut before they are looked at.
    words = _UNPRINTABLE.sub("", text[: 8 * TEXT_LIMIT_CHARACTERS]).split()
    return " ".join(words)[:TEXT_LIMIT_CHARACTERS].rstrip() or None


def longest(*texts: str | None) -> str | None:
    """Of several texts about one thing, take the one that says most."""
    return max((text for text in texts if text), key=len, default=None)


def pixels(value: Any) -> int | None:
    """Read a side of a picture, `1200`, `"1200"` or `"1200px"`; None for percentages and nonsense."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    match = _WHOLE_NUMBER.fullmatch(str(value)) if isinstance(value, str | int) else None
    number = int(match[1]) if match else None
    return number if number is not None and number <= _LARGEST_SIDE_PX else None


def moment(value: object) -> str | None:
    """Spell a day or a moment as ISO 8601 does, from that or from the dates of mail; None where it is neither.

    Keeps how exact it is said: `2017-07-04`, `2017-07-04T10:52:50`, `2017-07-04T10:52:50+01:00`.
    """
    text = (tidy(value) or "")[:_MOMENT_LIMIT_CHARACTERS]
    match = _MOMENT.fullmatch(text)
    try:
        if match and not match[2]:
            return date.fromisoformat(match[1]).isoformat()
        if match:
            return datetime.fromisoformat(f"{match[1]}T{match[2]}{match[3] or ''}").isoformat()
        return parsedate_to_datetime(text).isoformat()
    except (ValueError, TypeError, LookupError, ArithmeticError):
        return None


def moment_in_words(text: object) -> str | None:
    """Spell a day as ISO 8601 does, with its time where it has one, from the English that pages show to people.

    `Wednesday, October 11th 2017 (12:00 pm)`, `11 Oct 2017`; None for everything else.
    """
    match = _IN_WORDS.fullmatch((tidy(text) or "")[:_MOMENT_LIMIT_CHARACTERS])
    if not match or bool(match["day"]) == bool(match["day_after"]):
        return None
    month = _MONTHS.index(match["month"].lower()) + 1
    try:
        day = date(int(match["year"]), month, int(match["day"] or match["day_after"]))
        return _at_time(day, match["hour"], match["minute"], match["half"]) if match["hour"] else day.isoformat()
    except ValueError:
        return None


def _at_time(day: date, hour: str, minute: str, half: str | None) -> str:
    hours = int(hour) % 12 + 12 * (half.lower() == "p") if half else int(hour)
    return datetime.combine(day, time(hours, int(minute))).isoformat()
