"""The srcset attribute, parsed as the HTML standard puts it (§4.8.4.3.8), state by state and without haste."""

import re

from services.scraper.extraction.srcset import Source

SPACE = "\t\n\f\r "


def by_the_letter(text: str) -> list[Source]:
    """Read the image candidates of an attribute."""
    return [source for source in _Letters(text).sources() if source]


class _Letters:
    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0

    def sources(self) -> list[Source | None]:
        found: list[Source | None] = []
        self._collect(SPACE + ",")
        while self._position < len(self._text):
            url = self._collect_but(SPACE)
            descriptors = [] if url.endswith(",") else self._descriptors()
            found.append(_judged(url.rstrip(","), descriptors))
            self._collect(SPACE + ",")
        return found

    def _collect(self, characters: str) -> None:
        while self._position < len(self._text) and self._text[self._position] in characters:
            self._position += 1

    def _collect_but(self, characters: str) -> str:
        begin = self._position
        while self._position < len(self._text) and self._text[self._position] not in characters:
            self._position += 1
        return self._text[begin : self._position]

    def _descriptors(self) -> list[str]:
        descriptors, in_parens = [""], False
        while self._position < len(self._text):
            character = self._text[self._position]
            self._position += 1
            if in_parens:
                in_parens = character != ")"
            elif character == ",":
                break
            elif character in SPACE:
                descriptors.append("")
                continue
            else:
                in_parens = character == "("
            descriptors[-1] += character
        return [descriptor for descriptor in descriptors if descriptor]


def _judged(url: str, descriptors: list[str]) -> Source | None:
    width: int | None = None
    height: int | None = None
    density: float | None = None
    for descriptor in descriptors:
        number, unit = descriptor[:-1], descriptor[-1]
        whole = re.fullmatch("[0-9]+", number)
        if whole and unit == "w" and width is None and density is None and int(number):
            width = int(number)
        elif whole and unit == "h" and height is None and density is None and int(number):
            height = int(number)
        elif unit == "x" and _is_float(number) and (width, height, density) == (None, None, None):
            density = float(number)
        else:
            return None
    wrong = (height and not width) or (density is not None and (density < 0 or density == float("inf")))
    return None if wrong else Source(url, width, density)


def _is_float(number: str) -> bool:
    return bool(re.fullmatch(r"-?([0-9]+|[0-9]*[.][0-9]+)([eE][-+]?[0-9]+)?", number))
