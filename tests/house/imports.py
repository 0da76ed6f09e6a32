"""Which libraries and which doors to the outside a module may open, where import-linter cannot see."""

import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.house.sources import modules_of, room_of

Allowed = Callable[[Path], bool]

_ENVIRONMENT_NAMES = frozenset({"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"})
_DYNAMIC_MODULES = frozenset({"importlib", "imp", "runpy", "pkgutil", "zipimport"})
_HARMLESS_MODULES = frozenset({"importlib.metadata", "importlib.resources", "importlib.util.find_spec"})
_DYNAMIC_CALLS = frozenset({"__import__", "eval", "exec"})

DYNAMIC_IMPORTS = frozenset({Path("deploy/contracts/tables.py"), Path("shared/sandbox/child.py")})
"""The places where a module is imported by a name that only the running program knows."""


def _may_speak_to_the_broker(path: Path) -> bool:
    return path.parts[0] == "shared"


def _may_speak_http(path: Path) -> bool:
    return path.parts[:2] == ("services", "gateway") and room_of(path) in {"app", "routes"}


def _may_serve(path: Path) -> bool:
    return _may_speak_http(path) or path in {Path("shared/health.py"), Path("shared/server.py")}


LIBRARIES: dict[str, tuple[str, Allowed]] = {
    **dict.fromkeys(("aio_pika", "aiormq", "pamqp"), ("shared", _may_speak_to_the_broker)),
    "fastapi": ("the gateway's app and routes", _may_speak_http),
    "starlette": ("the gateway's app and routes, shared/health.py and shared/server.py", _may_serve),
}


def strayed_libraries(root: Path) -> list[str]:
    """Find broker and web libraries outside of their rooms."""
    found = []
    for path, tree in modules_of(root):
        for line, name in imported(tree):
            place, allowed = LIBRARIES.get(name.partition(".")[0], ("", lambda _: True))
            if not allowed(path):
                found.append(f"{path}:{line} imports {name}, which belongs in {place}")
    return found


def impure_contracts(root: Path) -> list[str]:
    """Find what contracts import beside the standard library and Pydantic."""
    known = {*sys.stdlib_module_names, "pydantic", "contracts"}
    return [
        f"{path}:{line} imports {name}: contracts know only Pydantic"
        for path, tree in modules_of(root, "contracts")
        for line, name in imported(tree)
        if name.partition(".")[0] not in known
    ]


def strayed_environment_reads(root: Path) -> list[str]:
    """Find reads of environment variables outside of settings; `deploy` prepares environments and may."""
    return [
        f"{path}:{line} reads the environment, which only settings.py does"
        for path, tree in modules_of(root, "contracts", "shared", "services")
        if not is_settings(path)
        for line in _environment_reads(tree)
    ]


def is_settings(path: Path) -> bool:
    return path.stem == "settings" or path.parent.name == "settings"


def dynamic_imports(root: Path) -> list[str]:
    """Find imports that import-linter cannot follow outside of the listed places."""
    return [
        f"{path}:{line} imports or runs what only the running program knows ({name})"
        for path, tree in modules_of(root)
        if path not in DYNAMIC_IMPORTS
        for line, name in _dynamic_imports(tree)
    ]


def imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Give line and full name of everything that a module imports, also inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def _environment_reads(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in _ENVIRONMENT_NAMES:
            yield node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module == "os":
            yield from (node.lineno for alias in node.names if alias.name in _ENVIRONMENT_NAMES)


def _dynamic_imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for line, name in imported(tree):
        if name.partition(".")[0] in _DYNAMIC_MODULES and not _is_harmless(name):
            yield line, name
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in _DYNAMIC_CALLS:
            yield node.lineno, node.id


def _is_harmless(name: str) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in _HARMLESS_MODULES)
