"""Text and numbers as strangers write them."""

import re
from typing import Any, Final

TEXT_LIMIT_CHARACTERS: Final = 2000
"""What a contract carries of any text."""

_LARGEST_SIDE_PX: Final = 1_000_000
# Neither the broker's JSON nor PostgreSQL takes lone surrogates or the zero character.
_UNPRINTABLE: Final = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_WHOLE_NUMBER: Final = re.compile(r"\s*(\d{1,9})(?:\.\d*)?\s*(?:px)?\s*", re.ASCII)


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
