"""Lists that the gateway gives in pages."""

from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeAlias

import typer

from services.gateway.cli.asking import ask
from services.gateway.cli.client import Gateway

_PAGE: Final = 200
"""As many as the gateway gives at once."""

Limit: TypeAlias = Annotated[int, typer.Option(min=1, help="At most so many.")]
WholeList: TypeAlias = Annotated[bool, typer.Option("--all", help="However many there are.")]


@dataclass(frozen=True, slots=True)
class Listing:
    """What was asked for, and whether there is more of it."""

    items: list[dict[str, Any]]
    more: bool


def listed(path: str, *, limit: int, every: bool, **wanted: Any) -> Listing:
    """Ask for a list, page after page; raises GatewayProblem and GatewayAway."""
    listing: Listing = ask(lambda gateway: _listed(gateway, path, None if every else limit, wanted))
    return listing


async def _listed(gateway: Gateway, path: str, limit: int | None, wanted: dict[str, Any]) -> Listing:
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    while limit is None or len(items) < limit:
        size = _PAGE if limit is None else min(_PAGE, limit - len(items))
        page = await gateway.get(path, **wanted, limit=size, cursor=cursor)
        items += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    return Listing(items, more=cursor is not None)
