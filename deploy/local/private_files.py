"""Files that only their owner may read, replaced whole or not at all."""

import json
import os
from pathlib import Path
from typing import Any

DIRECTORY_MODE = 0o711
"""Others may pass through a stack's folder (a server of another user lives in it) but not look around."""


def private_directory(path: Path, mode: int = 0o700) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(mode)
    return path


def write_private(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace a file atomically; no one else can read it, not even for an instant."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
    fresh.replace(path)


def write_private_json(path: Path, value: object) -> None:
    write_private(path, json.dumps(value, indent=2) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read an object from a file, or nothing where there is no file yet."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return {}
    value: dict[str, Any] = json.loads(text)
    return value
