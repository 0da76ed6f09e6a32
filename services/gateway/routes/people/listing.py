"""Pages of lists whose items are made of rows."""

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import Response
from pydantic import BaseModel

from services.gateway.routes.replies import page
from services.gateway.rules.places import write_place
from services.gateway.store.reading import Row


def place_behind(rows: Sequence[Row], limit: int, order: str, *columns: str) -> str | None:
    """Give the cursor of the next page; queries ask for one row more than a page has."""
    if len(rows) <= limit:
        return None
    return write_place(order, *(rows[limit - 1][column] for column in columns))


def shown_page(rows: Sequence[Row], limit: int, show: Callable[[Row], BaseModel], next_cursor: str | None) -> Response:
    return page([dumped(show(row)) for row in rows[:limit]], next_cursor)


def dumped(shown: BaseModel) -> dict[str, Any]:
    """Give a reply as JSON has it."""
    return shown.model_dump(mode="json")
