"""Pages of what projects hold."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from services.gateway.rules.cursors import Cursor


class Conditions:
    """Conditions of a WHERE clause, and the arguments that they refer to. Their text is ours, never a client's."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments: list[Any] = list(arguments)
        self._texts: list[str] = []

    def add(self, text: str, value: Any) -> None:
        """Add a condition that names its value `{}`; nothing is added where there is no value."""
        if value is not None:
            self.arguments.append(value)
            self._texts.append(text.format(f"${len(self.arguments)}"))

    def after(self, cursor: Cursor | None, *, alias: str) -> None:
        """Begin behind a cursor."""
        if cursor is not None:
            self.arguments += [cursor.at, cursor.id]
            count = len(self.arguments)
            self._texts.append(f"({alias}.created_at, {alias}.id) < (${count - 1}, ${count})")

    def behind(self, columns: str, place: Sequence[Any] | None, *, descending: bool = False) -> None:
        """Begin behind a place, given by the values of as many columns; from the start where there is none."""
        if place is not None:
            first = len(self.arguments) + 1
            self.arguments += place
            numbers = ", ".join(f"${number}" for number in range(first, first + len(place)))
            self._texts.append(f"{columns} {'<' if descending else '>'} ({numbers})")

    def __str__(self) -> str:
        return "".join(f" AND {text}" for text in self._texts)


def next_cursor(rows: Sequence[Any], limit: int) -> str | None:
    """Give the cursor of the next page; queries ask for one row more than a page has."""
    if len(rows) <= limit:
        return None
    last = rows[limit - 1]
    return Cursor(last["created_at"], UUID(str(last["id"]))).encode()
