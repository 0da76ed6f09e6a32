"""Telling what the gateway answered: as a table for people, or as JSON for programs."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Final, TypeAlias

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.gateway.cli.paging import Listing

FAILED_OR_NONE: Final = 1
NOT_UNDERSTOOD: Final = 2
CANNOT_REACH: Final = 3
REFUSED: Final = 4
_PIPED_WIDTH_CHARACTERS: Final = 240

AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print what the gateway answered, for programs.")]
DryRun: TypeAlias = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]
console = Console(highlight=False, width=None if sys.stdout.isatty() else _PIPED_WIDTH_CHARACTERS)


def tell_json(answer: Any) -> None:
    """Print JSON and nothing else, with all beyond ASCII escaped: it may hold what strangers wrote."""
    print(json.dumps(answer, indent=2, ensure_ascii=True))  # noqa: T201 - for other programs to read


def tell_table(rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str]) -> None:
    """Print rows; `columns` are their keys, a path with dots where they lie deeper, by the headings above them."""
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(shown(_at(row, path)) for path in columns.values()))
    console.print(table)


def tell_list(listing: Listing, columns: Mapping[str, str], *, none: str, as_json: bool) -> None:
    """Print a list, or a sentence where it is empty; that there is more is told beside it, for whoever reads both."""
    if as_json:
        tell_json(listing.items)
    elif listing.items:
        tell_table(listing.items, columns)
    else:
        tell(none)
    if listing.more:
        typer.echo("There are more: --limit shows so many, --all shows them all.", err=True)
    end_unless(listing.items)


def tell_fields(record: Mapping[str, Any], paths: Sequence[str]) -> None:
    """Print what is known of one thing, a line for each field that it has."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for path in paths:
        value = _at(record, path)
        if value not in (None, "", [], {}):
            table.add_row(Text(path.replace("_", " "), style="bold"), shown(value))
    console.print(table)


def tell(sentence: str, style: str = "") -> None:
    """Print a sentence."""
    console.print(shown(sentence), style=style, soft_wrap=True)


def shown(value: Any) -> Text:
    """Give a value as text that can do nothing to a terminal: strangers may have written it."""
    if value is None:
        return Text("")
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return Text("".join(character if character.isprintable() else "·" for character in text))


def end_unless(found: object, status: int = FAILED_OR_NONE) -> None:
    """End with the status that says that nothing was found, or another one, where nothing was."""
    if not found:
        raise typer.Exit(status)


def _at(record: Mapping[str, Any], path: str) -> Any:
    value: Any = record
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
