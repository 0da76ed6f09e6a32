"""Show every skipped test of a report with its reason; fail when a reason is not on the written list.

Usage: skips.py REPORT_IN_JUNIT_XML LIST_OF_ALLOWED_REASONS
"""
# ruff: noqa: INP001 - a script in a hidden folder, which nobody imports

import ast
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET


class Skip(NamedTuple):
    test: str
    reason: str


def skips(report: ET.Element) -> Iterator[Skip]:
    for case in report.iter("testcase"):
        for skipped in case.iter("skipped"):
            yield Skip(f"{case.get('classname')}.{case.get('name')}", reason(skipped))


def reason(skipped: ET.Element) -> str:
    """Return why a test, or a whole module (whose reason pytest writes as the last of a tuple's texts), was skipped."""
    message = skipped.get("message", "")
    if message != "collection skipped":
        return message
    try:
        return str(ast.literal_eval(skipped.text or "")[-1]).removeprefix("Skipped: ")
    except (SyntaxError, ValueError, TypeError, IndexError):
        return message


def allowed_reasons(path: Path) -> list[str]:
    lines = (line.strip() for line in path.read_text().splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def main(report_path: Path, allowed_path: Path) -> int:
    """Return the exit status: 0 when tests ran and every skip is allowed."""
    if not report_path.exists():
        say("The tests left no report, so nothing is known about skipped ones.")
        return 1
    report = ET.parse(report_path).getroot()  # noqa: S314 - pytest has just written it
    if report.find(".//testcase") is None:
        say("The report holds no test at all.")
        return 1
    patterns = allowed_reasons(allowed_path)
    refused = 0
    for skip in skips(report):
        allowed = any(fnmatchcase(skip.reason, pattern) for pattern in patterns)
        refused += not allowed
        say(f"{'skipped' if allowed else 'SKIPPED WITHOUT LEAVE'}: {skip.test}: {skip.reason}")
    return int(refused > 0)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
