"""Run a service with a probe at each of its points: `python -m tests.reliability.crash_points.probed media FOLDER`.

The folder holds the ledgers and, where the service shall be run with a mistake in it, the mistake. Nothing of the house
may be imported before the probe is in place.
"""

import ast
import builtins
import json
import marshal
import os
import runpy
import sys
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType, TracebackType
from typing import Any, Final

from tests.reliability.crash_points.ledger import Ledger
from tests.reliability.crash_points.steps import ALONG, AROUND, REACHED, rewritten

POINTS_FILE: Final = "points.json"
MISTAKES_FILE: Final = "mistakes.json"

SMALL: Final[Mapping[str, str]] = {
    "shared.relay": "_REPLAY_PAGE = 2",
    "shared.worker": "_SWEEP_SECONDS = 0.2",
    "shared.jobs": "_LONG_RECORDING_SECONDS = -1.0",
    "services.gateway.rounds": "_LOOK_SECONDS, LAST_ASK_SECONDS = 0.2, 0.5",
    "services.gateway.rounds.uploads": "_PAUSE_SECONDS = 0.5",
    "services.gateway.rules.webhooks": "LEASE_SECONDS, _RETRY_SECONDS = 3.0, (3600,) * 9",
    "services.depth_map.removals": "_LOOK_SECONDS = 0.5",
    "services.media.library": "_COLLECT_SECONDS = 0.5",
    "services.media.manners": "_CLEAN_SECONDS = 0.5",
    "services.scraper.forgetting": "_CLEAN_SECONDS = 0.5",
    "services.scraper.store.forgetting": "_PAGE = 2",
    "services.scraper.handlers.ended": "_LOOK_SECONDS, _LINES_AT_ONCE = 0.5, 2",
    "services.image_generation.providers.directory": (
        "from tests.reliability.crash_points.hired import HIRED; MAKERS = {**MAKERS, **HIRED}"
    ),
}
"""Pages are small, times short and providers such that a small workload comes to every step."""

Mistakes = Mapping[str, Sequence[tuple[str, str]]]
"""By module: texts of its source, each with what stands there instead."""


class Around:
    """A context with a point before it, one within it when its block has ended well, and one after it."""

    def __init__(self, ledger: Ledger, points: tuple[str, str, str], context: AbstractAsyncContextManager[Any]) -> None:
        self._ledger = ledger
        self._before, self._within, self._after = points
        self._context = context

    async def __aenter__(self) -> Any:
        self._ledger.reached(self._before)
        return await self._context.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        if kind is None:
            self._ledger.reached(self._within)
        handled = await self._context.__aexit__(kind, error, trace)
        if kind is None:
            self._ledger.reached(self._after)
        return handled


class Probing(SourceFileLoader):
    """Loads a module with its probes; compiled it is kept where only other processes of this house find it."""

    def __init__(self, name: str, path: str, compiled: Path, mistakes: Sequence[tuple[str, str]]) -> None:
        super().__init__(name, path)
        self._compiled = compiled / f"{name}.code"
        self._mistakes = mistakes

    def get_code(self, fullname: str) -> CodeType:
        if self._mistakes:
            return self._rewritten(fullname)
        if self._compiled.exists():
            kept: CodeType = marshal.loads(self._compiled.read_bytes())  # noqa: S302 - another of these has written it
            return kept
        code = self._rewritten(fullname)
        written = self._compiled.with_suffix(f".{os.getpid()}")
        written.write_bytes(marshal.dumps(code))
        written.replace(self._compiled)
        return code

    def _rewritten(self, fullname: str) -> CodeType:
        source = Path(self.path).read_text()
        for right, wrong in self._mistakes:
            if right not in source:
                raise LookupError(f"{fullname} does not hold {right!r}, so that the mistake cannot be made")
            source = source.replace(right, wrong)
        tree, _ = rewritten(source, fullname)
        tree.body += ast.parse(SMALL.get(fullname, "")).body
        code: CodeType = compile(tree, self.path, "exec")
        return code


class Finder(MetaPathFinder):
    """Has the modules of the house loaded with their probes."""

    def __init__(self, probed: frozenset[str], compiled: Path, mistakes: Mistakes) -> None:
        self._probed = probed
        self._compiled = compiled
        self._mistakes = mistakes

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self._probed:
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec is not None and spec.origin is not None:
            spec.loader = Probing(fullname, spec.origin, self._compiled, self._mistakes.get(fullname, ()))
        return spec


def install(service: str, folder: Path) -> None:
    """Put the probe in place for this process."""
    points: list[str] = json.loads((folder / POINTS_FILE).read_text())
    mistakes_file = folder / MISTAKES_FILE
    mistakes: Mistakes = json.loads(mistakes_file.read_text()) if mistakes_file.exists() else {}
    ledger = Ledger(folder / f"{service}.ledger", points)
    probed = frozenset(point.partition(":")[0] for point in points) | SMALL.keys() | mistakes.keys()
    sys.meta_path.insert(0, Finder(probed, folder, mistakes))

    def around(before: str, within: str, after: str, context: AbstractAsyncContextManager[Any]) -> Around:
        return Around(ledger, (before, within, after), context)

    async def along(before: str, after: str, step: Awaitable[Any]) -> Any:
        ledger.reached(before)
        outcome = await step
        ledger.reached(after)
        return outcome

    vars(builtins).update({REACHED: ledger.reached, AROUND: around, ALONG: along})


def main(service: str, folder: str) -> None:
    install(service, Path(folder))
    sys.argv[1:] = []
    runpy.run_module(f"services.{service}", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
