"""`deploy/bootstrap` does what is needed, once, and says so only then."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.settings import REPOSITORY
from tests.deploy.commands import run

LOCK = "example==1.0 \\\n    --hash=sha256:0000\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with an environment whose `uv` only writes down what it is asked for."""
    (tmp_path / "deploy").mkdir()
    shutil.copy(REPOSITORY / "deploy" / "bootstrap", tmp_path / "deploy" / "bootstrap")
    (tmp_path / "requirements.lock").write_text(LOCK)
    binaries = tmp_path / ".venv" / "bin"
    binaries.mkdir(parents=True)
    (binaries / "python").symlink_to(sys.executable)
    uv = binaries / "uv"
    uv.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/asked\n[ ! -e {tmp_path}/broken ]\n')
    uv.chmod(0o755)
    return tmp_path


def bootstrapped(checkout: Path) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": os.environ["PATH"], "RABBITMQ_URL": "amqp://elsewhere"}
    return run(str(checkout / "deploy" / "bootstrap"), environment=environment)


def asked(checkout: Path) -> list[str]:
    record = checkout / "asked"
    return record.read_text().splitlines() if record.exists() else []


def test_a_new_lock_is_installed_by_its_hashes_and_only_once(checkout: Path) -> None:
    first = bootstrapped(checkout)
    assert first.returncode == 0, first.stderr
    assert asked(checkout) == ["pip sync --quiet --require-hashes --compile-bytecode requirements.lock"]
    second = bootstrapped(checkout)
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    assert len(asked(checkout)) == 1


def test_a_changed_lock_is_installed_again(checkout: Path) -> None:
    bootstrapped(checkout)
    (checkout / "requirements.lock").write_text(LOCK.replace("1.0", "1.1"))
    assert bootstrapped(checkout).returncode == 0
    assert len(asked(checkout)) == 2


def test_an_installation_that_failed_is_told_and_tried_again(checkout: Path) -> None:
    (checkout / "broken").touch()
    failed = bootstrapped(checkout)
    assert failed.returncode == 1
    assert "could not be installed" in failed.stderr
    (checkout / "broken").unlink()
    assert bootstrapped(checkout).returncode == 0
    assert len(asked(checkout)) == 2


def test_the_stamp_is_of_the_lock_and_of_the_script(checkout: Path) -> None:
    bootstrapped(checkout)
    content = (checkout / "requirements.lock").read_bytes() + (checkout / "deploy" / "bootstrap").read_bytes()
    stamp = (checkout / ".venv" / "prepared-for").read_text()
    assert stamp.split()[0] == hashlib.sha256(content).hexdigest()
