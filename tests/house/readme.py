"""The README's table of who hears and says what."""

import re
from collections.abc import Iterable

from contracts.envelope import Message
from deploy.contracts.tables import Tables, own_words

HEADER = "| service | hears | says |"
Row = tuple[frozenset[str], frozenset[str]]


def rows_in(readme: str) -> dict[str, Row]:
    """Read the table: service to the class names that it hears and says; raise ValueError where there is none."""
    lines = [line.strip() for line in readme.splitlines()]
    if HEADER not in lines:
        raise ValueError(f"the README has no table with the header {HEADER}")
    rows = {}
    for line in lines[lines.index(HEADER) + 2 :]:
        if not line.startswith("|"):
            break
        service, hears, says = (cell.strip() for cell in line.strip("|").split("|"))
        rows[service.strip("`*")] = (_names(hears), _names(says))
    return rows


def rows_of(tables: Tables) -> dict[str, Row]:
    """Give what the table must say. What `shared` hears and says for everybody is told below the table, once."""
    return {
        service: (_class_names([*reactions, *work]), _class_names(own_words(tables)[service]))
        for service, (reactions, work) in tables.items()
    }


def written(rows: dict[str, Row]) -> str:
    """Write the table, for whoever has to mend the README."""
    cells = [
        (service, *(", ".join(f"`{name}`" for name in sorted(names)) for names in row)) for service, row in rows.items()
    ]
    return "\n".join([HEADER, "|---|---|---|", *(f"| {' | '.join(row)} |" for row in cells)])


def _class_names(messages: Iterable[type[Message]]) -> frozenset[str]:
    return frozenset(message.__name__ for message in messages)


def _names(cell: str) -> frozenset[str]:
    return frozenset(re.findall(r"`(\w+)`", cell))
