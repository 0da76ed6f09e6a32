"""How much work a page makes for a parser, told before it is parsed.

Building the tree that the HTML standard asks for takes time that grows with the square of what is left open, and
a parser that is written in C cannot be interrupted. Measured on 2 cores: 32,000 open elements take 2 to 6 s.
"""

import re
from typing import Final

from shared.errors import Refused

_OPEN_LIMIT: Final = 200_000_000
"""Sum, over all tags, of the elements open there: about two seconds of walking up the tree."""

_REOPENED_LIMIT: Final = 3_000_000
"""The same of formatting elements, which the standard makes anew in every block: an upper bound of those copies."""

_ATTRIBUTES_LIMIT: Final = 1000
"""Of one tag: each is compared with all before it."""

_ATTRIBUTES_SQUARED_LIMIT: Final = 500_000_000

# One match for each comment, raw text or tag, and always one that ends, so that the whole takes one pass.
_MARKUP: Final = re.compile(
    r"<!--(?:-?>|.*?(?:--!?>|\Z))"
    r"|<(?P<raw>script|style|textarea|title|xmp|iframe|noembed|noframes)(?=[\s/>])"
    r"|<(?P<end>/?)(?P<name>[a-z][^\s/>]{0,40})(?P<rest>(?>[^>\"']+|\"[^\"]*(?:\"|\Z)|'[^']*(?:'|\Z))*+)",
    re.IGNORECASE | re.DOTALL,
)
_ATTRIBUTE: Final = re.compile(r"[^\s=\"'/>]+(?:\s*=\s*(?:\"[^\"]*\"?|'[^']*'?|[^\s>\"']*))?")
_RAW_END: Final = {
    name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE)
    for name in ("script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes")
}
_VOID: Final = frozenset(
    "area base br col embed frame hr img image input link meta param source track wbr".split()  # noqa: SIM905 - one line reads better
)
# In HTML these end where the next of their kind begins, and pages leave them open by the thousand.
_ENDS_BY_ITSELF: Final = frozenset("body colgroup dd dt head html li option p tbody td tfoot th thead tr".split())  # noqa: SIM905 - as above
_FOREIGN: Final = frozenset({"math", "svg"})
_FORMATTING: Final = frozenset("a b big code em font i nobr s small strike strong tt u".split())  # noqa: SIM905 - as above


def refuse_if_too_heavy(text: str) -> None:
    """Raise Refused (`page_too_complex`) for a page that would keep a parser busy for long."""
    burden = _Burden()
    position = 0
    while match := _MARKUP.search(text, position):
        position = match.end()
        raw = match["raw"]
        if raw and not burden.in_foreign:
            end = _RAW_END[raw.lower()].search(text, position)
            position = end.end() if end else position
        elif name := raw or match["name"]:
            burden.count(name.lower(), match["rest"] or "", ends=bool(match["end"]))


class _Burden:
    def __init__(self) -> None:
        self._open = self._foreign = self._formatting = 0
        self._open_sum = self._reopened_sum = self._attributes_squared_sum = 0

    @property
    def in_foreign(self) -> bool:
        return self._foreign > 0

    def count(self, name: str, rest: str, *, ends: bool) -> None:
        if not ends:
            self._count_attributes(rest)
        if name not in _VOID and (self.in_foreign or name not in _ENDS_BY_ITSELF):
            self._count_element(name, ends=ends, closed=rest.endswith("/") and self.in_foreign)
        self._open_sum += self._open
        self._reopened_sum += self._formatting
        if self._open_sum > _OPEN_LIMIT or self._reopened_sum > _REOPENED_LIMIT:
            raise _too_complex("its elements are nested too deeply")

    def _count_attributes(self, rest: str) -> None:
        # An attribute takes two characters at least: its letter and the space before it.
        if len(rest) < 2 * 32:
            return
        attributes = sum(1 for _ in _ATTRIBUTE.finditer(rest))
        self._attributes_squared_sum += attributes**2
        if attributes > _ATTRIBUTES_LIMIT or self._attributes_squared_sum > _ATTRIBUTES_SQUARED_LIMIT:
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
