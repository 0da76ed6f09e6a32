"""Background images in declarations of CSS."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from services.scraper.extraction.srcset import Source

_LIMIT: Final = 20
"""Layers of one background; nobody paints more."""

# As in CSS, a string that is not closed ends with the style.
_DOUBLE: Final = r"(?:[^\"\\]|\\.)*+\\?(?:\"|\Z)"
_SINGLE: Final = r"(?:[^'\\]|\\.)*+\\?(?:'|\Z)"
_BARE: Final = r"(?:[^\"'()\\\s]|\\(?:[0-9a-f]{1,6}\s?|.))*+"
_TOKEN: Final = re.compile(
    r"(?P<comment>/\*.*?(?:\*/|\Z))"
    rf"|(?P<url>url\()\s*+(?:\"(?P<double>{_DOUBLE})|'(?P<single>{_SINGLE})|(?P<bare>{_BARE})(?=\s*+(?:\)|\Z)))"
    rf"|(?P<string>\"{_DOUBLE}|'{_SINGLE})"
    r"|type\([^)]*+\)?|(?P<set>image-set\()|(?P<open>\()|(?P<close>\))|(?<![\w.-])(?P<density>[\d.]{1,10})(?:x|dppx)\b"
    r"|(?<![\w-])(?P<property>[\w-]++)\s*+:|(?P<end>;)",
    re.IGNORECASE | re.DOTALL,
)
_IMPORTANT: Final = re.compile(r"!\s*important\s*\Z", re.IGNORECASE)
# Written for browsers that are gone, or not to be known without a browser.
_NOT_UNDERSTOOD: Final = re.compile(r"-(?:moz|ms|o)-|\b(?:var|env)\(", re.IGNORECASE)
_PROPERTIES: Final = frozenset(("background", "background-image"))
_ESCAPE: Final = re.compile(r"\\(?:([0-9a-fA-F]{1,6})\s?|\n|(.))", re.DOTALL)
_LAST_CHARACTER: Final = 0x10FFFF


@dataclass(frozen=True, slots=True)
class Background:
    """What a declaration paints: its layers that are files, each with the candidates of which a browser takes one."""

    layers: tuple[tuple[Source, ...], ...]
    important: bool = False


def background_of(style: str) -> Background | None:
    """Read the one declaration of a background that holds, as in CSS the last important one, else the last."""
    found = None
    for background in _declared(style):
        if found is None or background.important or not found.important:
            found = background
    return found


def _declared(style: str) -> Iterator[Background]:
    """Yield each declaration of `background` and `background-image` that a browser of today understands."""
    value: _Value | None = None
    for token in _TOKEN.finditer(style):
        if token["end"]:
            yield from value.background(token.start()) if value else ()
            value = None
        elif token["property"]:
            value = _Value(style, token.end()) if token["property"].lower() in _PROPERTIES else value
        elif value:
            value.see(token)
    yield from value.background(len(style)) if value else ()


class _Value:
    """The value of one declaration, read token by token."""

    def __init__(self, style: str, begin: int) -> None:
        self._style, self._begin = style, begin
        self._layers: list[list[Source]] = []
        self._depth = 0
        self._set_depth: int | None = None

    def see(self, token: re.Match[str]) -> None:
        if token["set"]:
            self._layers.append([])
            self._set_depth = self._depth
        if token["set"] or token["open"]:
            self._depth += 1
        elif token["close"]:
            self._depth -= 1
            if self._set_depth is not None and self._depth <= self._set_depth:
                self._set_depth = None
        elif token["density"] and self._set_depth is not None and self._layers[-1]:
            self._layers[-1][-1] = replace(self._layers[-1][-1], density=_number(token["density"]))
        else:
            self._see_url(token)

    def _see_url(self, token: re.Match[str]) -> None:
        if token["url"]:
            self._depth += 1
        url = _url(token, in_set=self._set_depth is not None)
        if url and self._set_depth is not None and len(self._layers[-1]) < _LIMIT:
            self._layers[-1].append(Source(url))
        elif url and self._set_depth is None and len(self._layers) < _LIMIT:
            self._layers.append([Source(url)])

    def background(self, end: int) -> Iterator[Background]:
        """Yield what is declared, where browsers understand it."""
        value = self._style[self._begin : end]
        layers = tuple(tuple(layer) for layer in self._layers if layer)
        if layers or (value.strip() and not _NOT_UNDERSTOOD.search(value)):
            yield Background(layers, bool(_IMPORTANT.search(value)))


def _url(token: re.Match[str], *, in_set: bool) -> str:
    if token["string"]:
        return _unescaped(token["string"][1:].removesuffix(token["string"][0])) if in_set else ""
    quote = '"' if token["double"] else "'"
    return _unescaped((token["double"] or token["single"] or token["bare"] or "").removesuffix(quote))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(_character, text)


def _character(match: re.Match[str]) -> str:
    if not match[1]:
        return match[2] or ""
    code = int(match[1], 16)
    return chr(code) if 0 < code <= _LAST_CHARACTER and not 0xD800 <= code < 0xE000 else "\ufffd"  # noqa: PLR2004 - surrogates
