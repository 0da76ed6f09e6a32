"""Walks a house and parses its modules. Every check of these tests is a function of a root, so that it can be tried."""

import ast
import os
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[2]
FLOORS = ("contracts", "shared", "services", "deploy")


def files_of(root: Path, *suffixes: str) -> Iterator[Path]:
    """Give every file that git would keep, relative to `root`, in order; all suffixes where none is named."""
    ignored = [*_ignored_names(root), ".git"]
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not _matches(name, ignored))
        for name in sorted(names):
            path = Path(folder, name)
            if not _matches(name, ignored) and (not suffixes or path.suffix in suffixes):
                yield path.relative_to(root)


def modules_of(root: Path, *floors: str) -> Iterator[tuple[Path, ast.Module]]:
    """Give every module of these floors with its syntax tree; of all of them where none is named."""
    for path in files_of(root, ".py"):
        if path.parts[0] in (floors or FLOORS):
            yield path, ast.parse((root / path).read_text(), str(path))


def texts_of(root: Path) -> Iterator[tuple[Path, str]]:
    """Give every file that is text."""
    for path in files_of(root):
        try:
            yield path, (root / path).read_text()
        except UnicodeDecodeError:
            continue


def room_of(path: Path) -> str | None:
    """Name the room of a service that a module belongs to: `store` for `services/media/store/assets.py`."""
    parts = path.with_suffix("").parts
    return parts[2] if parts[0] == "services" and len(parts) > 2 else None


def _ignored_names(root: Path) -> list[str]:
    file = root / ".gitignore"
    lines = file.read_text().splitlines() if file.is_file() else []
    return [line.strip().strip("/") for line in lines if line.strip() and not line.startswith("#")]


def _matches(name: str, patterns: list[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)
