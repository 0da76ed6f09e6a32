"""Names and sizes of folders and files."""

from collections.abc import Iterator
from pathlib import Path

from tests.house.sources import FLOORS, files_of

TOP_LEVEL = frozenset(
    {
        *("services", "shared", "deploy", "contracts", "tests", ".ci"),
        *("Makefile", "compose.yaml", "README.md", "pyproject.toml", "requirements.lock", ".env.example"),
        *("LICENSE", ".gitignore"),
    }
)
BANNED_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "core", "misc", "base", "types"})
LONGEST_FILE_LINES = 400
_WRITTEN_BY_HAND = (".py", ".sql", ".js", ".mjs", ".css")


def strays_at_the_top(root: Path) -> list[str]:
    """Find folders and files at the top that the plan does not know."""
    kept = {path.parts[0] for path in files_of(root)}
    return [f"{name} has no place at the top level" for name in sorted(kept - TOP_LEVEL)]


def banned_names(root: Path) -> list[str]:
    """Find rooms whose name says nothing of what is in them."""
    return [f"{path}: {name} says nothing of what lives there" for path, name in _named(root) if name in BANNED_NAMES]


def _named(root: Path) -> Iterator[tuple[Path, str]]:
    for path in files_of(root):
        if path.parts[0] in {*FLOORS, "tests"}:
            yield from ((path, name.lower()) for name in path.with_suffix("").parts)


def overlong_files(root: Path) -> list[str]:
    """Find files of more lines than a person holds in mind."""
    counted = ((path, len((root / path).read_text().splitlines())) for path in files_of(root, *_WRITTEN_BY_HAND))
    return [
        f"{path} has {lines} lines, more than {LONGEST_FILE_LINES}: make it a folder of the same name"
        for path, lines in counted
        if lines > LONGEST_FILE_LINES
    ]
