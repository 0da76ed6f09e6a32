"""Tags: one spelling for each, and how many an image may have."""

import unicodedata
from collections.abc import Iterable
from typing import Final

TAGS_LIMIT: Final = 50
TAG_CHARACTERS: Final = 80
_SPACES: Final = r"\u0009-\u000d\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_NEVER: Final = r",\u0000-\u0008\u000e-\u001b\u007f-\u0084\u0086-\u009f"
TAG_PATTERN: Final = f"^[^{_NEVER}]*[^{_NEVER}{_SPACES}][^{_NEVER}]*$"
"""What may become a tag, as a regular expression of a JSON Schema; how long it is then, none can say."""


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
