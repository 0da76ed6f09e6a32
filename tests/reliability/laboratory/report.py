"""An outcome as people read it: a table on the terminal, and a page that is kept."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from deploy.local.stack import Stack
from tests.journeys.end_state import books_of
from tests.reliability.laboratory.broker import told
from tests.reliability.laboratory.experiment import FAULTS_A_SECOND, JOBS_A_SECOND, WORKING_JOBS_A_SECOND, Outcome
from tests.reliability.laboratory.schedule import Kind

_BEGIN, _END = "<!-- chaos -->", "<!-- /chaos -->"
_SHOWN_AT_MOST = 40


def figures(outcome: Outcome) -> list[tuple[str, str, str]]:
    """Give each figure with what was measured and its bar."""
    faults, (middle, longest) = outcome.by_kind, outcome.recovery
    drained = "never" if outcome.drained_seconds is None else f"{outcome.drained_seconds:.1f} s"
    return [
        ("faults observed", f"{faults.total()}", f"at least {FAULTS_A_SECOND * outcome.seconds:.0f}"),
        ("kinds of faults", f"{len(faults)}", f"at least {outcome.kinds_at_least}"),
        ("jobs", f"{outcome.jobs}", f"at least {JOBS_A_SECOND * outcome.seconds:.0f}"),
        (
            "of these not mere probes",
            f"{outcome.working_jobs}",
            f"at least {WORKING_JOBS_A_SECOND * outcome.seconds:.0f}",
        ),
        ("of these handed in", f"{outcome.accepted}, {outcome.poison} of them poison", ""),
        ("never accepted", f"{len(outcome.refused)}", "0"),
        ("lost", f"{outcome.count('lost')}", "0"),
        ("double effects", f"{outcome.count('double')}", "0"),
        ("anything else that differs", f"{outcome.count('wrong')}", "0"),
        ("objects of attempts that died", f"{len(outcome.orphans)}", ""),
        ("drained after the last fault", drained, f"at most {outcome.drain_limit_seconds:.1f} s"),
        ("recovery, median and longest", f"{middle:.1f} s, {longest:.1f} s", ""),
    ]


def show(outcome: Outcome, console: Console) -> None:
    """Print the figures, the faults by kind, what was not observed, and what is below the bar."""
    table = Table(title=f"{outcome.seconds:.0f} s of faults, seed {outcome.seed}", title_justify="left")
    for column in ("figure", "measured", "bar"):
        table.add_column(column)
    for row in figures(outcome):
        table.add_row(*row)
    table.add_section()
    for kind in Kind:
        table.add_row(kind, str(outcome.by_kind[kind]), "")
    console.print(table)
    for fault in outcome.faults:
        if fault.missed:
            console.print(f"not observed: {fault.planned}: {fault.missed[:200]}", style="dim", markup=False)
    for sentence in [*outcome.too_slow(), *outcome.shortcomings()][:_SHOWN_AT_MOST]:
        console.print(f"below the bar: {sentence}", style="red", markup=False)


async def versions(servers: Stack) -> str:
    """Name what an experiment ran on."""
    async with books_of(servers) as books:
        postgres = await books.value("SHOW server_version")
    broker = (await told(servers, "{ok, V} = application:get_key(rabbit, vsn), list_to_atom(V)")).strip("'")
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{_processor()}, {os.cpu_count()} cores, {memory_gib:.0f} GiB; Linux {platform.release()}, Python "
        f"{platform.python_version()}, PostgreSQL {postgres}, RabbitMQ {broker}, all on one machine"
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def write(outcome: Outcome, machine: str, page: Path) -> None:
    """Put an outcome between the marks of a page; the rest of the page stays as it is."""
    text = page.read_text() if page.exists() else f"# What was measured\n\n{_BEGIN}\n{_END}\n"
    if _BEGIN not in text:
        text += f"\n{_BEGIN}\n{_END}\n"
    before, _, rest = text.partition(_BEGIN)
    page.write_text(f"{before}{_BEGIN}\n{_section(outcome, machine)}{_END}{rest.partition(_END)[2]}")


def _section(outcome: Outcome, machine: str) -> str:
    rows = [*figures(outcome), *((kind, str(outcome.by_kind[kind]), "") for kind in Kind)]
    lines = [
        "## Random faults under load",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}. {machine}.",
        "",
        "| figure | measured | bar |",
        "|---|---|---|",
        *(f"| {figure} | {measured} | {bar} |" for figure, measured, bar in rows),
        "",
        f"Again: `make chaos seconds={outcome.seconds:.0f} seed={outcome.seed}`.",
    ]
    return "".join(f"{line}\n" for line in lines)
