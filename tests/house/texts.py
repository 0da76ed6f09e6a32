"""What no tracked text may hold, and what a lock must hold."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tests.house.sources import files_of, texts_of

_MACHINE_PATH = re.compile(r"(?<![\w.:/@~-])/(?:work|root|home|Users)/[\w.-]+")
_REGISTRY = re.compile(
    r"\b(?:pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|yarnpkg\.com|crates\.io|proxy\.golang\.org|anaconda\.org"
    r"|rubygems\.org)\b"
)
_REQUIREMENT = re.compile(r"^(?P<name>[A-Za-z0-9][\w.-]*)(?P<rest>.*)$")
_ADDRESS = re.compile(r"https?://|--(?:extra-)?index-url|--find-links|\s@\s|file:|(?<![\w.])/[\w.-]+/")


def machine_paths(root: Path) -> list[str]:
    """Find absolute paths of somebody's machine."""
    return _found(root, _MACHINE_PATH, "is a path of one machine")


def registry_hosts(root: Path) -> list[str]:
    """Find addresses of package registries: where packages come from is the machine's own affair."""
    return _found(root, _REGISTRY, "is a package registry")


def _found(root: Path, pattern: re.Pattern[str], complaint: str) -> list[str]:
    return [
        f"{path}:{number} {match[0]} {complaint}"
        for path, text in texts_of(root)
        for number, line in enumerate(text.splitlines(), start=1)
        for match in pattern.finditer(line)
    ]


def foreign_locks(root: Path) -> list[str]:
    """Find lock files of kinds that this house does not use."""
    foreign = {"uv.lock", "poetry.lock", "Pipfile.lock", "pdm.lock", "package-lock.json", "yarn.lock"}
    return [f"{path}: locks here are requirements.lock" for path in files_of(root) if path.name in foreign]


def missing_locks(root: Path) -> list[str]:
    """Find services without a lock of their own."""
    owners = [root, *sorted(init.parent for init in (root / "services").glob("*/__init__.py"))]
    locks = [(owner / "requirements.lock").relative_to(root) for owner in owners]
    return [f"{lock} is missing: run `make lock`" for lock in locks if not (root / lock).is_file()]


def unsafe_locks(root: Path) -> list[str]:
    """Find requirements that are not pinned with hashes, and addresses."""
    return [
        f"{path}: {problem}"
        for path in files_of(root, ".lock")
        if path.name == "requirements.lock"
        for problem in _lock_problems((root / path).read_text())
    ]


def _lock_problems(text: str) -> Iterator[str]:
    logical_lines = text.replace("\\\n", " ").splitlines()
    for line in logical_lines:
        if _ADDRESS.search(line):
            yield f"`{line.strip()[:60]}` holds an address"
        requirement = _REQUIREMENT.match(line)
        if requirement and "==" not in requirement["rest"].partition(";")[0]:
            yield f"{requirement['name']} is not pinned"
        if requirement and "--hash=sha256:" not in requirement["rest"]:
            yield f"{requirement['name']} has no hash"


def undeclared_in_locks(root: Path) -> list[str]:
    """Find declared dependencies that a service's lock does not hold: the lock is older than the declaration."""
    return [
        f"{lock.relative_to(root)} does not hold {name}: run `make lock`"
        for lock in sorted((root / "services").glob("*/requirements.lock"))
        for name in sorted(_declared(root, lock.parent) - _locked(lock))
    ]


def _declared(root: Path, service: Path) -> set[str]:
    files = [folder / "pyproject.toml" for folder in (service, root / "shared", root / "contracts")]
    requirements = [
        requirement
        for file in files
        if file.is_file()
        for requirement in tomllib.loads(file.read_text())["project"].get("dependencies", [])
    ]
    return {_normal(re.split(r"[^\w.-]", requirement)[0]) for requirement in requirements}


def _locked(lock: Path) -> set[str]:
    matches = (_REQUIREMENT.match(line) for line in lock.read_text().splitlines())
    return {_normal(match["name"].partition("==")[0]) for match in matches if match}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
