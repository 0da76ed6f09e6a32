"""`make bench of=importing`: photographs brought in by us, by img2dataset and by Scrapy, in one run from one server.

The product is the same for all: each photograph downloaded, decoded, made into one JPEG of 256 px, and stored as a
file. Processor time is what all processes of a contestant took, so that the figure says what one core does; what it
takes to start is taken out by measuring a short and a long run. A machine whose speed changes between these two makes a
round say too much or too little, so all rounds count together, and the best one of nobody does. Beside it stands what
media does beyond that.
The tables go to the terminal and to IMPORTING.md beside this folder.
"""

import asyncio
import os
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from rich.console import Console
from rich.table import Table

from deploy.local.settings import REPOSITORY
from tests.benchmarks.importing import pipeline
from tests.benchmarks.importing.measuring import Cost, measure
from tests.benchmarks.importing.server import photographs, serving
from tests.house.own_environment import python_of

SHORT: Final = 100
LONG: Final = 1100
ROUNDS: Final = 5
RESULTS: Final = Path(__file__).parents[1] / "IMPORTING.md"
_HERE: Final = Path(__file__).parent
_ENVIRONMENTS: Final = REPOSITORY / ".local" / "benchmarks"


@dataclass(frozen=True)
class Contestant:
    """Somebody who brings photographs in, given a port, a count and a folder."""

    name: str
    command: Sequence[str | Path]
    environment: Mapping[str, str]


def contestants() -> list[Contestant]:
    """Prepare an environment for each, by the hashes of its lock."""
    ours = Contestant(
        "Diorama", (sys.executable, "-m", "tests.benchmarks.importing.ours"), {"PYTHONPATH": str(REPOSITORY)}
    )
    rivals = (
        Contestant(
            name,
            (python_of(_HERE / "rivals" / f"{name}.lock", _ENVIRONMENTS), _HERE / "rivals" / f"with_{name}.py"),
            {"NO_ALBUMENTATIONS_UPDATE": "1", "WANDB_MODE": "disabled"},
        )
        for name in ("img2dataset", "scrapy")
    )
    return [ours, *rivals]


def bring(contestant: Contestant, port: int, count: int) -> Cost:
    """Have somebody bring so many photographs in.

    Raises:
        RuntimeError: it failed, or not all lie there afterwards.

    """
    with TemporaryDirectory() as directory:
        folder = Path(directory)
        cost = measure((*contestant.command, str(port), str(count), directory), folder, contestant.environment)
        stored = sum(1 for path in folder.rglob("*.jp*g") if path.stat().st_size)
        if stored != count:
            raise RuntimeError(f"{contestant.name} stored {stored} of {count} photographs")
        return cost


def compare(port: int, everybody: Sequence[Contestant]) -> Table:
    """Have all of them take turns, and tell what they needed in all rounds together."""
    taken: dict[str, list[float]] = {one.name: [] for one in everybody}
    peaks = dict.fromkeys(taken, 0)
    seconds: dict[str, list[float]] = {one.name: [] for one in everybody}
    for _ in range(ROUNDS):
        for one in everybody:
            short, long = bring(one, port, SHORT), bring(one, port, LONG)
            taken[one.name].append(long.processor_seconds - short.processor_seconds)
            seconds[one.name].append(long.seconds)
            peaks[one.name] = max(peaks[one.name], long.peak_bytes)
    rates = {name: ROUNDS * (LONG - SHORT) / sum(rounds) for name, rounds in taken.items()}
    table = Table(title="Photographs brought in: one JPEG of 256 px each, stored as files", title_justify="left")
    for column in ("who", "images per second and core", "each round", "ours to theirs", f"{LONG} in", "peak memory"):
        table.add_column(column, justify="left" if column == "who" else "right")
    for name, rate in rates.items():
        rounds = ", ".join(f"{(LONG - SHORT) / each:.0f}" for each in taken[name])
        ratio = f"{rates['Diorama'] / rate:.2f}"
        wall = f"{sum(seconds[name]) / ROUNDS:.1f} s"
        table.add_row(name, f"{rate:.0f}", rounds, ratio, wall, f"{peaks[name] / 2**20:.0f} MiB")
    return table


async def tell_pipeline(port: int, count: int) -> Table:
    """Tell what media does beyond the product that all are compared by."""
    taken, processor = await pipeline.whole(port, count)
    table = Table(title="What media does with each of the same photographs", title_justify="left")
    table.add_column("step")
    table.add_column("processor time", justify="right")
    pictures = photographs()
    for step, milliseconds in pipeline.steps(pictures).items():
        table.add_row(step, f"{milliseconds:.1f} ms")
    table.add_row("all, with download, rows, events and object store", f"{processor / count * 1000:.1f} ms")
    table.add_row("images per second, one service on this machine", f"{count / taken:.0f}")
    ours, pillow = await pipeline.renditions(pictures)
    table.add_row("both renditions from the file, ours", f"{ours:.1f} ms")
    table.add_row("both renditions from the file, Pillow with draft()", f"{pillow:.1f} ms")
    table.add_row("Pillow to ours", f"{pillow / ours:.2f}")
    return table


def as_markdown(table: Table) -> str:
    """Write a table down, with its title."""
    sides = ("---:" if column.justify == "right" else "---" for column in table.columns)
    cells = zip(*(column.cells for column in table.columns), strict=True)
    rows: list[Iterable[object]] = [(column.header for column in table.columns), sides, *cells]
    return "\n".join((f"{table.title}:\n", *(f"| {' | '.join(map(str, row))} |" for row in rows)))


def main() -> None:
    """Run it, print it and write it down."""
    console = Console()
    everybody = contestants()
    with serving() as port:
        tables = (compare(port, everybody), asyncio.run(tell_pipeline(port, 300)))
    conditions = (
        f"{os.cpu_count()} cores, Python {platform.python_version()}; photographs of 1024 x 768 px, some 240 kB each, "
        "from a server of its own whose cost is not counted; 16 requests at a time, two processes where there "
        f"can be, JPEG quality 75; means of {ROUNDS} rounds that take turns."
    )
    console.print(*tables, conditions, sep="\n")
    head = "# How photographs are brought in\n\n`make bench of=importing` writes this anew."
    RESULTS.write_text("\n\n".join((head, *map(as_markdown, tables), conditions)) + "\n")


if __name__ == "__main__":
    main()
