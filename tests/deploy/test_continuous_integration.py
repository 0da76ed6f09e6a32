"""The check that nobody is skipped quietly, and the pieces that a bare machine begins with."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.settings import REPOSITORY
from tests.deploy.commands import run

REPORT = """<testsuites><testsuite>
<testcase classname="tests.a" name="test_runs" />
{cases}
</testsuite></testsuites>"""
SKIPPED = '<testcase classname="tests.a" name="test_waits"><skipped message="{reason}" /></testcase>'


def judged(folder: Path, report: str | None) -> "subprocess.CompletedProcess[str]":
    file = folder / "report.xml"
    if report is not None:
        file.write_text(report)
    return run(sys.executable, ".ci/skips.py", str(file), ".ci/allowed-skips")


def test_a_skip_with_an_allowed_reason_is_shown_and_passes(tmp_path: Path) -> None:
    reason = "the corpus of attacks lies outside the repository"
    done = judged(tmp_path, REPORT.format(cases=SKIPPED.format(reason=reason)))
    assert done.returncode == 0
    assert done.stdout == f"skipped: tests.a.test_waits: {reason}\n"


def test_a_skip_with_any_other_reason_fails_and_is_named(tmp_path: Path) -> None:
    done = judged(tmp_path, REPORT.format(cases=SKIPPED.format(reason="no broker here")))
    assert done.returncode == 1
    assert "SKIPPED WITHOUT LEAVE: tests.a.test_waits: no broker here" in done.stdout


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ("('tests/a.py', 14, 'Skipped: torch, which trains the depth network, is not installed')", 0),
        ("('tests/a.py', 14, 'Skipped: no broker here')", 1),
        ("torch, which trains the depth network, is not installed", 1),
        ("", 1),
    ],
)
def test_a_module_that_is_skipped_whole_is_judged_by_its_own_reason(tmp_path: Path, told: str, status: int) -> None:
    case = f'<testcase name="tests.a"><skipped message="collection skipped">{told}</skipped></testcase>'
    assert judged(tmp_path, REPORT.format(cases=case)).returncode == status


@pytest.mark.parametrize("report", [None, "<testsuites><testsuite /></testsuites>"])
def test_a_run_without_any_test_fails(tmp_path: Path, report: str | None) -> None:
    assert judged(tmp_path, report).returncode == 1


@pytest.mark.parametrize("script", [".ci/run", "deploy/bootstrap"])
def test_the_scripts_can_be_run_and_their_shells_understand_them(script: str) -> None:
    path = REPOSITORY / script
    shell = path.read_text().splitlines()[0].split("/")[-1].split()[-1]
    assert os.access(path, os.X_OK)
    assert run(shell, "-n", str(path)).returncode == 0


def test_make_explains_every_target_that_a_person_types() -> None:
    shown = run("make", "help").stdout
    for target in ("demo", "up", "down", "doctor", "check", "test", "lint", "lock", "contracts", "bench", "clean"):
        assert f"  make {target} " in shown


def test_no_lock_holds_an_address() -> None:
    locks = [REPOSITORY / "requirements.lock", *REPOSITORY.glob("services/*/requirements.lock")]
    assert len(locks) == 6
    for lock in locks:
        text = lock.read_text()
        assert "--hash=sha256:" in text
        assert not [line for line in text.splitlines() if "://" in line or "--index" in line or "--find-links" in line]
