"""Editing rows: the columns that a client changes, and the version that each edit counts up."""

from collections.abc import Mapping
from typing import Any


class Changes:
    """The SET clause of an edit, and its arguments. Names of columns are ours, never a client's."""

    def __init__(self, changes: Mapping[str, Any], columns: frozenset[str], *arguments: Any) -> None:
        strange = changes.keys() - columns
        if strange:
            raise ValueError(f"{sorted(strange)} cannot be edited")
        self.arguments = [*arguments, *changes.values()]
        texts = [f"{column} = ${number}" for number, column in enumerate(changes, len(arguments) + 1)]
        self._text = ", ".join([*texts, "version = version + 1", "updated_at = now()"])

    def __str__(self) -> str:
        return self._text
