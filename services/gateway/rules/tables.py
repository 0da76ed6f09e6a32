"""Tables that people open with a spreadsheet."""

from typing import Any, Final

_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r")


def safe_cell(value: Any) -> str:
    """Write a value so that no spreadsheet takes it for a formula: strangers have chosen it."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULAS) else text
