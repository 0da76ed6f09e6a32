"""The section of `tests/reliability/RESULTS.md` that the figures keep: one row for each line, and its conditions."""

import os
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.reliability.figures.catalogue import FIGURES
from tests.reliability.figures.lines import Line

RESULTS = Path(__file__).parents[1] / "RESULTS.md"
COMMAND = "make figures write=1"

_SECTION = re.compile(r"<!-- figures -->\n(?P<inside>.*?)<!-- /figures -->\n", re.DOTALL)
_HEAD = "| figure | | measured | bar | |\n|---|---|---:|---:|---|\n"
_GIBIBYTE = 1024**3


def written(text: str, measured: Mapping[str, Sequence[Line]]) -> str:
    """Give the text of the file with these figures in it; what else it holds stays, also older figures."""
    found = _SECTION.search(text)
    rows = _rows_in(found["inside"] if found else "")
    rows |= {name: [_row(name, line) for line in lines] for name, lines in measured.items()}
    section = f"<!-- figures -->\n{_told(rows)}<!-- /figures -->\n"
    if found is None:
        return f"{text.rstrip()}\n\n{section}".lstrip()
    return text[: found.start()] + section + text[found.end() :]


def conditions() -> str:
    """Tell what the figures were measured on, and when."""
    memory_gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / _GIBIBYTE
    return (
        f"{os.cpu_count()} cores, {memory_gib:.0f} GiB, {platform.system()} {platform.release()},"
        f" Python {platform.python_version()}; clients, services, PostgreSQL (fsync on), RabbitMQ (quorum queues,"
        f" confirmed) and object store on one machine; {datetime.now(UTC):%Y-%m-%d}."
    )


def _rows_in(inside: str) -> dict[str, list[str]]:
    rows: dict[str, list[str]] = {}
    for row in inside.splitlines():
        name = row.removeprefix("| ").partition(" |")[0]
        if name in FIGURES:
            rows.setdefault(name, []).append(row)
    return rows


def _row(name: str, line: Line) -> str:
    verdict = "" if not line.bar else "met" if line.met else "**below**"
    return f"| {' | '.join(_cells(name, line.what, line.measured, line.bar, verdict))} |"


def _cells(*cells: str) -> Iterable[str]:
    return (cell.replace("|", "\\|").replace("\n", " ") for cell in cells)


def _told(rows: Mapping[str, Sequence[str]]) -> str:
    table = "".join(f"{row}\n" for name in FIGURES for row in rows.get(name, ()))
    return f"## Figures\n\nRepeat them with `{COMMAND}`. {conditions()}\n\n{_HEAD}{table}"
