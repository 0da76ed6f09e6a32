"""`make up`, `make down` and what lies between, as a person types them."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.deploy.commands import run

Typed = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def typed(tmp_path: Path) -> Iterator[Typed]:
    environment = {**os.environ, "DIORAMA_STATE": str(tmp_path), "STACK": "typed", "RABBITMQ_URL": "amqp://elsewhere"}

    def typing(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return run(sys.executable, "-m", "deploy.local", *arguments, environment=environment)

    yield typing
    typing("down")


def test_a_stack_is_started_shown_broken_mended_and_ended(typed: Typed) -> None:
    up = typed("up", "--detach", "--servers-only")
    assert up.returncode == 0, up.stdout + up.stderr
    assert {line.split()[0] for line in up.stdout.splitlines()} == {"postgres", "object_store"}
    assert typed("status").returncode == 0

    again = typed("up", "--servers-only")
    assert again.returncode == 1
    assert "already run" in again.stdout

    assert typed("fault", "hold", "postgres").returncode == 0
    held = typed("status")
    assert held.returncode == 1
    assert ["postgres", "down"] in [line.split()[:2] for line in held.stdout.splitlines()]
    assert typed("fault", "start", "postgres").returncode == 0
    assert typed("status").returncode == 0

    assert typed("down").returncode == 0
    assert typed("status").returncode == 1
    assert typed("down").stdout == "No stack is running.\n"


def test_a_setting_that_makes_no_sense_is_told_in_a_sentence() -> None:
    environment = {**os.environ, "STACK": "../elsewhere"}
    refused = run(sys.executable, "-m", "deploy.local", "status", environment=environment)
    assert refused.returncode == 1
    assert "STACK" in refused.stderr
    assert "Traceback" not in refused.stderr
