"""Background images in inline styles."""

import re
from typing import Final

_LIMIT: Final = 20
"""Layers of one background; nobody paints more."""

# As in CSS, a string that is not closed ends with the style.
_DOUBLE: Final = r"(?:[^\"\\]|\\.)*+\\?(?:\"|\Z)"
_SINGLE: Final = r"(?:[^'\\]|\\.)*+\\?(?:'|\Z)"
_BARE: Final = r"(?:[^\"'()\\\s]|\\(?:[0-9a-f]{1,6}\s?|.))*+"
_TOKEN: Final = re.compile(
    r"(?P<comment>/\*.*?(?:\*/|\Z))"
    rf"|url\(\s*+(?:\"(?P<double>{_DOUBLE})|'(?P<single>{_SINGLE})|(?P<bare>{_BARE})(?=\s*+(?:\)|\Z)))"
    rf"|(?P<string>\"{_DOUBLE}|'{_SINGLE})"
    r"|(?P<set>image-set\()|(?<![\w-])(?P<property>[\w-]++)\s*+:|(?P<end>;)",
    re.IGNORECASE | re.DOTALL,
)
_ESCAPE: Final = re.compile(r"\\(?:([0-9a-fA-F]{1,6})\s?|\n|(.))", re.DOTALL)
_LAST_CHARACTER: Final = 0x10FFFF


def background_urls(style: str) -> list[str]:
    """List the URLs that the `background` and `background-image` declarations of a style attribute load."""
    urls: list[str] = []
    drawing = in_set = False
    for token in _TOKEN.finditer(style):
        if token["end"]:
            drawing = in_set = False
        elif token["property"]:
            drawing = token["property"].lower() in {"background", "background-image"}
        elif token["set"]:
            in_set = drawing
        elif drawing and not token["comment"] and (url := _url(token, in_set=in_set)):
            urls.append(url)
        if len(urls) == _LIMIT:
            break
    return urls


def _url(token: re.Match[str], *, in_set: bool) -> str:
    if token["string"]:
        return _unescaped(token["string"][1:].removesuffix(token["string"][0])) if in_set else ""
    quote = '"' if token["double"] else "'"
    return _unescaped((token["double"] or token["single"] or token["bare"] or "").removesuffix(quote))


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(_character, text)


def _character(match: re.Match[str]) -> str:
    if not match[1]:
        return match[2] or ""
    code = int(match[1], 16)
    return chr(code) if 0 < code <= _LAST_CHARACTER and not 0xD800 <= code < 0xE000 else "\ufffd"  # noqa: PLR2004 - surrogates
