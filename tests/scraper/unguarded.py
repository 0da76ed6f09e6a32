"""The parser as it is without the count of its work, for the sandbox to run."""

from typing import Any

from selectolax.lexbor import LexborHTMLParser


def parse_unguarded(payload: bytes, options: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    LexborHTMLParser(payload, **options)
    return {}, []
