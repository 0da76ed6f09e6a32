"""What an answer asks of robots by its X-Robots-Tag header, and the name by which it may mean us."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

AGAINST_TRAINING: Final = ("noimageai", "noai")
"""Rules for what shall not be used to train models, the narrower one first."""

_VALUED_RULES: Final = frozenset({"max-image-preview", "max-snippet", "max-video-preview", "unavailable_after"})


def product_token(user_agent: str) -> str:
    """Take out of a User-Agent header the name that sites may use for us (RFC 9309 §2.2.1)."""
    match = re.match(r"[a-zA-Z_-]+", user_agent)
    if not match:
        raise ValueError("A user agent begins with the name of its product.")
    return match[0]


def header_directives(values: Iterable[str], token: str) -> frozenset[str]:
    """Read X-Robots-Tag headers: the rules for all robots and those for us, in lower case."""
    found = set()
    for value in values:
        agent = ""
        for part in value.lower().split(","):
            name, colon, rest = part.strip().partition(":")
            if colon and name.strip() not in _VALUED_RULES:
                agent, part = name.strip(), rest  # noqa: PLW2901 - what is left of it
            if agent in {"", "*", token.lower()}:
                found.add(part.strip())
    return frozenset(found)


def directives_in(headers: Mapping[str, str], token: str) -> frozenset[str]:
    """Read the X-Robots-Tag headers of an answer, as `header_directives` does."""
    return header_directives((value for name, value in headers.items() if name.lower() == "x-robots-tag"), token)
