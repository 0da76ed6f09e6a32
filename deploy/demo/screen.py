"""What a person sees: bars on a terminal, plain lines anywhere else, and the tables at the end."""

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from deploy.demo.stages import Stage
from deploy.local.stack import Ready

_LINE_SECONDS: Final = 2.0
_NARROW_COLUMNS: Final = 100
_NAME_COLUMNS: Final = 10
_BAR_COLUMNS: Final = 20
_WIDE_BAR_COLUMNS: Final = 44


class Screen(Protocol):
    """Where progress is shown. Use it as a context manager."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def prepare(self, parts: int, pictures: int | None) -> None:
        """Announce how many parts of the stack will start, and how many pictures will be drawn; None: no gallery."""

    def part_is_ready(self, part: Ready) -> None: ...

    def picture_is_drawn(self) -> None: ...

    def show(self, stages: Sequence[Stage]) -> None: ...


def screen_for(console: Console) -> Screen:
    return Bars(console) if console.is_terminal else Lines(console)


class Bars:
    """Live bars."""

    def __init__(self, console: Console) -> None:
        narrow = console.width < _NARROW_COLUMNS
        self._progress = Progress(
            SpinnerColumn(finished_text=Text("✓", style="green")),
            TextColumn("{task.description}", table_column=Column(width=_NAME_COLUMNS, no_wrap=True)),
            BarColumn(_BAR_COLUMNS if narrow else _WIDE_BAR_COLUMNS, complete_style="cyan", finished_style="green"),
            TextColumn("{task.fields[count]}", justify="right", table_column=Column(width=8, no_wrap=True)),
            _Seconds(table_column=Column(width=7, no_wrap=True)),
            TextColumn(
                "[dim]{task.fields[note]}",
                table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),
            ),
            console=console,
            expand=True,
        )
        self._tasks: dict[str, TaskID] = {}
        self._counts: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def prepare(self, parts: int, pictures: int | None) -> None:
        for name, total, note in (("stack", parts, "already running"), ("gallery", pictures, "already drawn")):
            if total is not None:
                self._add(name, total or None, note="" if total else note)
            if total == 0:
                self._finish(name, 0.0)

    def part_is_ready(self, part: Ready) -> None:
        self._step("stack", f"{part.name} is ready")

    def picture_is_drawn(self) -> None:
        self._step("gallery", "drawing")

    def show(self, stages: Sequence[Stage]) -> None:
        for stage in stages:
            if stage.name not in self._tasks:
                self._add(stage.name, None)
            self._progress.update(
                self._tasks[stage.name],
                total=stage.total,
                completed=stage.done,
                count=stage.count,
                note=stage.note,
                seconds=stage.seconds,
            )

    def _add(self, name: str, total: int | None, note: str = "") -> None:
        count = f"0/{total}" if total else ""
        self._tasks[name] = self._progress.add_task(name, total=total, count=count, note=note, seconds=None)

    def _step(self, name: str, note: str) -> None:
        task = self._task(name)
        count = f"{task.completed + 1:.0f}/{task.total:.0f}" if task.total else ""
        self._progress.update(task.id, advance=1, count=count, note=note)
        if task.finished:
            self._finish(name, task.elapsed or 0.0)

    def _finish(self, name: str, seconds: float) -> None:
        task = self._task(name)
        total = task.total or 1
        note = task.fields["note"] if not task.total else ""
        self._progress.update(task.id, total=total, completed=total, seconds=seconds, note=note)

    def _task(self, name: str) -> Task:
        return next(task for task in self._progress.tasks if task.id == self._tasks[name])


class _Seconds(ProgressColumn):
    """The seconds that a stage has taken, or takes so far."""

    def render(self, task: Task) -> Text:
        seconds = task.fields["seconds"]
        if seconds is not None:
            return Text(f"{seconds:.1f} s" if seconds else "", justify="right")
        return Text(f"{task.elapsed or 0:.0f} s", style="dim", justify="right")


class Lines:
    """A plain line whenever something has changed, every two seconds at most."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()
        self._said = ""
        self._said_at = 0.0
        self._pictures = self._drawn = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def prepare(self, parts: int, pictures: int | None) -> None:
        self._say(f"stack: {'starting' if parts else 'already running'}")
        if pictures is not None:
            self._pictures = pictures
            self._say(f"gallery: {f'drawing {pictures} pictures' if pictures else 'already drawn'}")

    def part_is_ready(self, part: Ready) -> None:
        self._say(f"{part.name} is ready at {part.address} after {part.seconds:.1f} s")

    def picture_is_drawn(self) -> None:
        self._drawn += 1
        if self._drawn == self._pictures:
            self._say(f"gallery: {self._drawn} pictures drawn")

    def show(self, stages: Sequence[Stage]) -> None:
        line = ", ".join(f"{stage.name} {stage.count}" for stage in stages)
        over = all(stage.is_over for stage in stages)
        if line != self._said and (over or time.monotonic() - self._said_at >= _LINE_SECONDS):
            self._say(line)
            self._said, self._said_at = line, time.monotonic()

    def _say(self, line: str) -> None:
        self._console.print(
            f"{time.monotonic() - self._began:6.1f} s  {line}", highlight=False, markup=False, soft_wrap=True
        )
