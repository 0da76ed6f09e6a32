"""What people write into a search box, as a question that PostgreSQL's text search understands."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

_TERM: Final = re.compile(r'(?P<minus>-?)(?:"(?P<phrase>[^"]*)"?|(?P<word>[^\s"]+))')
_OR: Final = "OR"
_BEGINNING: Final = ":*"


class Query(NamedTuple):
    """A question in the syntax of `to_tsquery`.

    Attributes:
        text: the question; empty where nothing that was written can be searched for, and so nothing is found.
        says_what: it names something that shall be there, and not only what shall not.
        has_beginning: one of its words is only the beginning of words.

    """

    text: str
    says_what: bool
    has_beginning: bool = False


def parse_query(written: str) -> Query | None:
    """Read what somebody wrote; None where it is blank. No text is wrong.

    All words are wanted. `"a phrase"` is found as it stands, `-word` shall be absent, `OR` between two words wants one
    of them, and `word*` is the beginning of a word.
    """
    if not written.strip():
        return None
    alternatives: list[list[str]] = []
    says_what = has_beginning = joins = False
    for operand, is_wanted in _operands(written):
        if operand == _OR:
            joins = bool(alternatives)
            continue
        if joins:
            alternatives[-1].append(operand)
        else:
            alternatives.append([operand])
        says_what, joins = says_what or is_wanted, False
        has_beginning = has_beginning or operand.endswith(_BEGINNING)
    return Query(" & ".join(f"({' | '.join(some)})" for some in alternatives), says_what, has_beginning)


def _operands(written: str) -> Iterator[tuple[str, bool]]:
    """Give each operand as `to_tsquery` reads it, and whether it shall be there; `OR` stands for itself."""
    for term in _TERM.finditer(written):
        text = term["phrase"] if term["word"] is None else term["word"]
        if text == _OR and term["word"] and not term["minus"]:
            yield _OR, False
        elif any(character.isalnum() for character in text):
            is_prefix = term["word"] is not None and text.endswith("*")
            quoted = "'{}'".format(text.replace("\\", "\\\\").replace("'", "''"))
            yield f"{'!' if term['minus'] else ''}{quoted}{_BEGINNING if is_prefix else ''}", not term["minus"]
