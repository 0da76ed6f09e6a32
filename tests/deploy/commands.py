"""Programs as a person runs them, with what they said."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from deploy.local.settings import REPOSITORY


def run(
    *command: str,
    environment: Mapping[str, str] | None = None,
    directory: Path = REPOSITORY,
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - the tests' own lists, no shell
        command,
        cwd=directory,
        env=None if environment is None else dict(environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
