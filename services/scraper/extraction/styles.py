"""Background images in inline styles."""

import re
from typing import Final

_LIMIT_CHARACTERS: Final = 100_000
_URL: Final = (
    r"url\(\s*+(?:\"(?P<double>(?:[^\"\\]|\\.)*+)\"|'(?P<single>(?:[^'\\]|\\.)*+)'"
    r"|(?P<bare>(?:[^\"'()\\\s]|\\.)*+))\s*+\)"
)
_TOKEN: Final = re.compile(
    rf"(?P<comment>/\*.*?(?:\*/|\Z))|{_URL}"
    r"|(?P<string>\"(?:[^\"\\]|\\.)*+\"|'(?:[^'\\]|\\.)*+')|(?P<set>image-set\()|(?P<property>[\w-]+)\s*:|(?P<end>;)",
    re.IGNORECASE | re.DOTALL,
)
_ESCAPE: Final = re.compile(r"\\(?:([0-9a-fA-F]{1,6})\s?|\n|(.))", re.DOTALL)
_LAST_CHARACTER: Final = 0x10FFFF


def background_urls(style: str) -> list[str]:
    """List the URLs that the `background` and `background-image` declarations of a style attribute load."""
    urls = []
    drawing = in_set = False
    for token in _TOKEN.finditer(style[:_LIMIT_CHARACTERS]):
        if token["end"]:
            drawing = in_set = False
        elif token["property"]:
            drawing = token["property"].lower() in {"background", "background-image"}
        elif token["set"]:
            in_set = drawing
        elif drawing and token["string"]:
            urls += [token["string"][1:-1]] if in_set else []
        elif drawing and not token["comment"]:
            urls.append(token["double"] or token["single"] or token["bare"] or "")
    return [_unescaped(url) for url in urls if url]


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(_character, text)


def _character(match: re.Match[str]) -> str:
    if not match[1]:
        return match[2] or ""
    code = int(match[1], 16)
    return chr(code) if 0 < code <= _LAST_CHARACTER and not 0xD800 <= code < 0xE000 else "\ufffd"  # noqa: PLR2004 - surrogates
