"""`python -m deploy.doctor`: one PASS, WARN or FAIL line for each part; exit status 1 where one failed."""

import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from deploy.doctor.addresses import find_addresses
from deploy.doctor.findings import Finding, Verdict, examine
from deploy.doctor.rounds import waves
from deploy.doctor.settings import Settings
from shared.errors import Failure
from shared.settings import load
from shared.telemetry import configure_logging

_PART_COLUMNS: Final = 24
_NO_STACK: Final = Finding(
    "stack",
    Verdict.FAIL,
    "No stack runs here, and the environment names none.",
    "`make up` starts one. Another is named by GATEWAY_URL, GATEWAY_TOKEN, DATABASE_ADMIN_URL, RABBITMQ_URL and "
    "S3_ENDPOINT_URL with its keys.",
)

console = Console(highlight=False)


def main() -> None:
    """Examine everything, tell it, and exit."""
    configure_logging("doctor", "critical")  # what is wrong is told in lines
    try:
        findings = asyncio.run(_round())
    except Failure as failure:
        findings = [Finding("stack", Verdict.FAIL, failure.sentence)]
        _tell(findings[0])
    _sum_up(findings)
    sys.exit(any(finding.verdict is Verdict.FAIL for finding in findings))


async def _round() -> list[Finding]:
    """Examine wave after wave, and tell each part in its turn."""
    addresses = await find_addresses(load(Settings))
    if addresses is None:
        _tell(_NO_STACK)
        return [_NO_STACK]
    findings = []
    for wave in waves(addresses):
        for task in [asyncio.create_task(examine(examination)) for examination in wave]:
            findings.append(await task)
            _tell(findings[-1])
    return findings


def _tell(finding: Finding) -> None:
    """Print one line; on a terminal what is long goes on under itself."""
    verdict = Text(finding.verdict.name, style=f"bold {finding.verdict.value}")
    said = Text(finding.sentence, style="" if finding.verdict is not Verdict.PASS else "dim")
    if finding.verdict is not Verdict.PASS and finding.todo:
        said = Text.assemble(finding.sentence.removesuffix("."), ". ", (finding.todo, "bold"))
    if not console.is_terminal:
        console.print(
            f"{finding.verdict.name}  {finding.part:<{_PART_COLUMNS}}  {said.plain}", soft_wrap=True, markup=False
        )
        return
    line = Table.grid(padding=(0, 2, 0, 0))
    line.add_column(width=len(Verdict.PASS.name))
    line.add_column(width=_PART_COLUMNS)
    line.add_column(overflow="fold")
    line.add_row(verdict, finding.part, said)
    console.print(line)


def _sum_up(findings: Sequence[Finding]) -> None:
    counts = Counter(finding.verdict for finding in findings)
    told = {Verdict.PASS: "well", Verdict.WARN: "to look at", Verdict.FAIL: "failed"}
    summary = ", ".join(f"{counts[verdict]} {word}" for verdict, word in told.items() if counts[verdict])
    console.print(f"\n{summary}")


if __name__ == "__main__":
    main()
