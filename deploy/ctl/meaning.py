"""What a command line means: things by their ids, or those that its options find."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeAlias
from uuid import UUID

import typer

Ids: TypeAlias = Annotated[list[UUID] | None, typer.Argument(help="Instead of options that find them.")]


def given(**options: Any) -> dict[str, Any]:
    """Keep the options that were given, ids as texts."""
    return {name: str(value) if isinstance(value, UUID) else value for name, value in options.items() if value}


def meant(
    ids: Sequence[UUID] | None, wanted: Mapping[str, Any], *, every: bool, also: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Give the part of a request that says what is meant; `also` goes with a filter and does not make one.

    Raises BadParameter unless exactly one of ids, a filter, and `every` is given: nothing is done to all by omission.
    """
    if [bool(ids), bool(wanted), every].count(True) != 1:
        raise typer.BadParameter("give ids, or options that find them, or --all: one of these")
    return {"ids": [str(one) for one in ids]} if ids else {"filter": {**wanted, **(also or {})}}
