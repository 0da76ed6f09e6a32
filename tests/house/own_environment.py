"""An environment that holds only what one service locked."""

import hashlib
import subprocess
import sys
from pathlib import Path

_UV = Path(sys.executable).with_name("uv")
_UNREACHABLE = ("Network", "network", "Failed to fetch", "error sending request", "dns error", "Could not connect")
_TIMEOUT_SECONDS = 600


class UnreachableError(Exception):
    """No package index can be reached and the cache does not hold everything."""


def python_of(lock: Path, folder: Path) -> Path:
    """Make or find the environment of a lock in `folder`; give its interpreter.

    Raises:
        UnreachableError: packages are missing and cannot be fetched.
        AssertionError: the lock cannot be installed.

    """
    place = folder / hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    python = place / "bin" / "python"
    complete = place / "complete"
    if not complete.is_file():
        _run(_UV, "venv", "--quiet", "--clear", "--python", sys.executable, place)
        _sync(lock, python)
        complete.touch()
    return python


def _sync(lock: Path, python: Path) -> None:
    command = (_UV, "pip", "sync", "--quiet", "--require-hashes", "--python", python, lock)
    if _run(*command, "--offline", check=False).returncode == 0:
        return
    done = _run(*command, check=False)
    if any(sign in done.stderr for sign in _UNREACHABLE):
        raise UnreachableError(done.stderr)
    assert done.returncode == 0, done.stderr


def failure_to_import(python: Path, module: str, root: Path) -> str | None:
    """Import a module of the house with this interpreter; give the last line of what went wrong."""
    done = _run(python, "-c", f"import {module}", cwd=root, check=False)
    return done.stderr.strip().splitlines()[-1] if done.returncode else None


def _run(*command: str | Path, cwd: Path | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  the commands are those above
        [str(part) for part in command],
        cwd=cwd,
        check=check,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_SECONDS,
    )
