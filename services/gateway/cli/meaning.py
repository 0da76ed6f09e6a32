"""What a command line means: things by their ids, or those that its options find."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeAlias
from uuid import UUID

import typer

Ids: TypeAlias = Annotated[list[UUID] | None, typer.Argument(help="Instead of options that find them.")]
_SPELLINGS: Final = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z"]
_CLOCK: Final = "by the clock of this machine where it has no offset"
After: TypeAlias = Annotated[datetime | None, typer.Option(formats=_SPELLINGS, help=f"Since this moment, {_CLOCK}.")]
Before: TypeAlias = Annotated[datetime | None, typer.Option(formats=_SPELLINGS, help=f"Before this moment, {_CLOCK}.")]


def given(**options: Any) -> dict[str, Any]:
    """Keep the options that were given, ids and moments as texts. An empty text was given: the gateway refuses it.

    Raises BadParameter for a moment that is none by the clock of the world.
    """
    return {name: _spelled(value) for name, value in options.items() if value is not None and value is not False}


def _spelled(value: Any) -> Any:
    if isinstance(value, datetime):
        try:
            return value.astimezone(UTC).isoformat()
        except (OverflowError, ValueError, OSError) as error:
            raise typer.BadParameter(f"{value.isoformat()} is not within the years 1 to 9999") from error
    return str(value) if isinstance(value, UUID) else value


def meant(
    ids: Sequence[UUID] | None, wanted: Mapping[str, Any], *, every: bool, also: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Give the part of a request that says what is meant; `also` goes with a filter and does not make one.

    Raises BadParameter unless exactly one of ids, a filter, and `every` is given: nothing is done to all by omission.
    """
    if [bool(ids), bool(wanted), every].count(True) != 1:
        raise typer.BadParameter("give ids, or options that find them, or --all: one of these")
    return {"ids": [str(one) for one in ids]} if ids else {"filter": {**wanted, **(also or {})}}
