"""Tags: one spelling for each, and how many an image may have."""

import unicodedata
from collections.abc import Iterable
from typing import Final

TAGS_LIMIT: Final = 50
TAG_CHARACTERS: Final = 80


def normalised(tag: str) -> str:
    """Give the one spelling of a tag: trimmed, case-folded, composed (NFC); raises ValueError where it is none."""
    composed = unicodedata.normalize("NFC", unicodedata.normalize("NFC", tag).casefold())
    spelt = " ".join(composed.split())
    if not spelt:
        raise ValueError("a tag has at least one character")
    if len(spelt) > TAG_CHARACTERS:
        raise ValueError(f"a tag has at most {TAG_CHARACTERS} characters")
    if "," in spelt or any(unicodedata.category(character) in {"Cc", "Cs"} for character in spelt):
        raise ValueError("a tag holds no comma and no control character")
    return spelt


def distinct(tags: Iterable[str]) -> tuple[str, ...]:
    """Give each tag once, in order; raises ValueError where they are too many."""
    once = tuple(dict.fromkeys(tags))
    if len(once) > TAGS_LIMIT:
        raise ValueError(f"an image has at most {TAGS_LIMIT} tags")
    return once
