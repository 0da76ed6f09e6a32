"""`make figures`: how the house bears what goes wrong, each figure beside its bar.

Exits with 1 where one is below its bar.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tests.reliability.figures.catalogue import FIGURES, Figure
from tests.reliability.figures.ground import ground
from tests.reliability.figures.lines import Line
from tests.reliability.figures.results import RESULTS, conditions, written

_console = Console(soft_wrap=True)


async def measure(figure: Figure, *, short: bool) -> list[Line]:
    """Measure one figure on a stack of its own; one that breaks off is below its bar, and the others go on."""
    try:
        with tempfile.TemporaryDirectory(prefix="figure-") as directory:
            async with ground(Path(directory), figure.needs) as it:
                return await (figure.short if short else figure.full)(it)
    except Exception as error:  # noqa: BLE001 - whatever it was, it is told here and in the table
        _console.print_exception()
        return [Line("broke off", type(error).__name__, "ends", met=False)]


def show(figure: Figure, lines: Sequence[Line], seconds: float) -> None:
    table = Table(title=f"{figure.title} ({seconds:.0f} s)", title_justify="left", min_width=80)
    table.add_column("")
    table.add_column("measured", justify="right")
    table.add_column("bar", justify="right")
    table.add_column("")
    for line in lines:
        table.add_row(line.what, line.measured, line.bar, "" if not line.bar else "met" if line.met else "BELOW")
    _console.print(table)


async def run(names: Sequence[str], *, short: bool, write: bool) -> bool:
    """Measure, show and, if wished, write down; tell whether every bar was met."""
    measured: dict[str, list[Line]] = {}
    for name in names:
        begun = time.monotonic()
        measured[name] = await measure(FIGURES[name], short=short)
        show(FIGURES[name], measured[name], time.monotonic() - begun)
        if write:  # at once, so that what was measured is kept if a later one breaks off
            RESULTS.write_text(written(RESULTS.read_text() if RESULTS.exists() else "", {name: measured[name]}))
    _console.print(conditions())
    return all(line.met for lines in measured.values() for line in lines)


def main(
    names: Annotated[list[str] | None, typer.Argument(help=f"which: {', '.join(FIGURES)}; default: all")] = None,
    *,
    short: Annotated[bool, typer.Option("--short", help="only as much as the tests do")] = False,
    write: Annotated[bool, typer.Option("--write", help=f"keep them in {RESULTS.name}")] = False,
) -> None:
    """Measure how the house bears what goes wrong."""
    if unknown := [name for name in names or () if name not in FIGURES]:
        raise typer.BadParameter(f"there is no figure {unknown[0]!r}; there are {', '.join(FIGURES)}")
    if short and write:
        raise typer.BadParameter("what is measured in short is not worth keeping")
    sys.exit(not asyncio.run(run(names or list(FIGURES), short=short, write=write)))


if __name__ == "__main__":
    command = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    command.command()(main)
    command()
