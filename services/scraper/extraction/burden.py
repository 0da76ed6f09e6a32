"""How much work a page makes for a parser, told before it is parsed.

Building the tree that the HTML standard asks for takes time that grows with the square of what is left open, and
a parser written in C cannot be interrupted. Measured on 2 cores: 32,000 open elements take 2 to 6 s. This is a
quick and kind answer for such pages; what deceives it is ended by the sandbox.
"""

import re
from itertools import islice
from typing import Final

from shared.errors import Refused

_OPEN_LIMIT: Final = 200_000_000
"""Sum, over all tags, of the elements open there: about two seconds of walking up the tree."""

_REOPENED_LIMIT: Final = 3_000_000
"""The same of formatting elements, which the standard makes anew in every block: an upper bound of those copies."""

_ATTRIBUTES_LIMIT: Final = 1000
"""Of one tag: each is compared with all before it."""

_ATTRIBUTES_SQUARED_LIMIT: Final = 500_000_000

_SPACE: Final = r"[\t\n\f\r ]"
_VALUE: Final = r"(?:\"[^\"]*+(?:\"|\Z)|'[^']*+(?:'|\Z)|[^\t\n\f\r >\"'][^\t\n\f\r >]*+)"
_ATTRIBUTE: Final = rf"(?:=[^\t\n\f\r />=]*+|[^\t\n\f\r />=]++)(?:{_SPACE}*+={_SPACE}*+{_VALUE}?)?"
_RAW_NAMES: Final = ("script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes")
# One match for each comment and each tag, and always one that ends, so that the whole takes one pass.
_MARKUP: Final = re.compile(
    r"<!--(?:-?>|.*?(?:--!?>|\Z))"
    rf"|<(?P<end>/?)(?P<name>[a-z][^\t\n\f\r />]*+)(?P<rest>(?>[\t\n\f\r /]++|{_ATTRIBUTE})*+)>?",
    re.IGNORECASE | re.DOTALL,
)
_ATTRIBUTES: Final = re.compile(_ATTRIBUTE, re.DOTALL)
_RAW_END: Final = {name: re.compile(rf"</{name}(?=[\t\n\f\r />])", re.IGNORECASE) for name in _RAW_NAMES}
_VOID: Final = frozenset(
    ("area", "base", "br", "col", "embed", "frame", "hr", "img", "input", "link", "meta", "param", "source", "wbr")
)
# In HTML these end where the next of their kind begins, and pages leave them open by the thousand.
_ENDS_BY_ITSELF: Final = frozenset(
    ("body", "dd", "dt", "head", "html", "li", "option", "p", "tbody", "td", "tfoot", "th", "thead", "tr")
)
# Every further tag of these adds its attributes to the one element that there is.
_SHARED: Final = frozenset(("body", "html"))
_FOREIGN: Final = frozenset(("math", "svg"))
_FORMATTING: Final = frozenset(
    ("a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u")
)


def refuse_if_too_heavy(text: str) -> None:
    """Raise Refused (`page_too_complex`) for a page that would keep a parser busy for long."""
    burden = _Burden()
    endless: set[str] = set()
    position = 0
    while match := _MARKUP.search(text, position):
        position = match.end()
        name = (match["name"] or "").lower()
        if not name:
            continue
        burden.count(name, match["rest"], ends=bool(match["end"]))
        if name in _RAW_END and not match["end"] and not burden.in_foreign and name not in endless:
            end = _RAW_END[name].search(text, position)
            position = end.start() if end else position
            endless |= set() if end else {name}


class _Burden:
    def __init__(self) -> None:
        self._open = self._foreign = self._formatting = 0
        self._open_sum = self._reopened_sum = self._attributes_squared_sum = self._shared_attributes = 0

    @property
    def in_foreign(self) -> bool:
        return self._foreign > 0

    def count(self, name: str, rest: str, *, ends: bool) -> None:
        if not ends:
            self._count_attributes(name, rest)
        if name not in _VOID and (self.in_foreign or name not in _ENDS_BY_ITSELF):
            self._count_element(name, ends=ends, closed=rest.endswith("/") and self.in_foreign)
        self._open_sum += self._open
        self._reopened_sum += self._formatting
        if self._open_sum > _OPEN_LIMIT or self._reopened_sum > _REOPENED_LIMIT:
            raise _too_complex("its elements are nested too deeply")

    def _count_attributes(self, name: str, rest: str) -> None:
        shared = name in _SHARED
        if not shared and len(rest) < 2 * 32:  # too short for more attributes than any element has
            return
        attributes = sum(1 for _ in islice(_ATTRIBUTES.finditer(rest), _ATTRIBUTES_LIMIT + 1))
        self._attributes_squared_sum += attributes**2
        self._shared_attributes += attributes if shared else 0
        most = max(attributes, self._shared_attributes)
        if most > _ATTRIBUTES_LIMIT or self._attributes_squared_sum > _ATTRIBUTES_SQUARED_LIMIT:
            raise _too_complex("its elements have too many attributes")

    def _count_element(self, name: str, *, ends: bool, closed: bool) -> None:
        if closed:
            return
        step = -1 if ends else 1
        self._open = max(0, self._open + step)
        if name in _FOREIGN:
            self._foreign = max(0, self._foreign + step)
        if name in _FORMATTING:
            self._formatting = max(0, self._formatting + step)


def _too_complex(reason: str) -> Refused:
    return Refused("page_too_complex", f"The page is not read, for {reason}.")
