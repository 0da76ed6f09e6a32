"""`python -m deploy.demo [--once] [--url URL] [--deadline SECONDS]`."""

import asyncio
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from signal import SIGINT, SIGTERM
from typing import Annotated, Final

import typer
from rich.console import Console

from deploy.demo.closing import tell_addresses, tell_result
from deploy.demo.completeness import of_gallery
from deploy.demo.drawing import draw_gallery, missing
from deploy.demo.gallery import gallery
from deploy.demo.journey import Journey
from deploy.demo.lodging import Lodging, parts_of
from deploy.demo.pictures import version
from deploy.demo.screen import Screen, screen_for
from deploy.demo.stages import stages_of
from deploy.local.settings import Settings
from services.gateway.cli.client import Gateway
from shared.errors import Failure
from shared.schema import SchemaError
from shared.settings import load
from shared.telemetry import configure_logging

_COMPLETE: Final = 0
_INCOMPLETE: Final = 1
_INTERRUPTED: Final = 130

app = typer.Typer(add_completion=False, pretty_exceptions_show_locals=False)
console = Console(highlight=False)


@dataclass(frozen=True)
class Options:
    """What was asked for on the command line."""

    once: bool
    url: str | None
    deadline_seconds: float


@app.command()
def main(
    *,
    once: Annotated[
        bool, typer.Option("--once", help="End when everything is there, and say by the exit status.")
    ] = False,
    url: Annotated[str | None, typer.Option(help="A page of yours instead of the sample gallery.")] = None,
    deadline: Annotated[float, typer.Option(min=1, help="Seconds until everything must be there.")] = 600,
) -> None:
    """Scrape a sample gallery, map every picture, and leave the dashboard up until Ctrl-C."""
    options = Options(once, url, deadline)
    configure_logging("demo", "error")  # what goes well is told by the screen
    try:
        status = asyncio.run(_run(options))
    except (Failure, SchemaError) as failure:
        sentence = failure.sentence if isinstance(failure, Failure) else str(failure)
        console.print(f"  {sentence}", style="red", markup=False, soft_wrap=True)
        status = _INCOMPLETE
    sys.exit(status)


async def _run(options: Options) -> int:
    demo = Demo(options, load(Settings))
    _end_on_signal(demo.lodging)
    try:
        return await demo.run()
    except asyncio.CancelledError:
        return _INTERRUPTED


def _end_on_signal(lodging: Lodging) -> None:
    """Drain at the first signal; end everything at once at the second."""
    loop, main_task = asyncio.get_running_loop(), asyncio.current_task()

    def asked_to_end() -> None:
        if main_task is not None and not main_task.cancelling():
            console.print("\n  ending ...")
            main_task.cancel()
        else:
            lodging.hurry()

    for number in (SIGINT, SIGTERM):
        loop.add_signal_handler(number, asked_to_end)


class Demo:
    """One run, from the first server to the last line."""

    def __init__(self, options: Options, settings: Settings) -> None:
        self._options = options
        self._settings = settings
        self._folder = settings.diorama_state / "demo" / f"gallery-{version()}"
        self._screen: Screen = screen_for(console)
        self._journey: Journey | None = None
        self._site: str | None = None
        self.lodging = Lodging(settings, self._screen.part_is_ready)

    async def run(self) -> int:
        """Give the exit status. Raises Failure for what cannot even begin."""
        async with AsyncExitStack() as stack:
            lacking = await self._go(stack)
            if self._journey is not None and self._journey.standing is not None:
                tell_result(console, self._journey.standing, lacking)
            else:
                console.print(*lacking, sep="\n", style="red")
            status = _INCOMPLETE if lacking else _COMPLETE
            if self.lodging.is_guest or not self._options.once:
                self._tell_addresses()
            if not self._options.once and self._journey is not None:
                await self._stay()
            return status

    async def _go(self, stack: AsyncExitStack) -> list[str]:
        """Do everything in time; tell in sentences what is missing."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._options.deadline_seconds):
                with self._screen as screen:
                    url = await self._move_in(stack, screen)
                    left_seconds = self._options.deadline_seconds - (time.monotonic() - began)
                    way = Gateway(self.lodging.gateway_url, self.lodging.token, patience_seconds=left_seconds)
                    gateway = await stack.enter_async_context(way)
                    expected = None if self._options.url else of_gallery()
                    self._journey = Journey(gateway, expected, lambda standing: screen.show(stages_of(standing)))
                    return await self._journey.run(url)
        except TimeoutError:
            late = f"Not everything was there after {self._options.deadline_seconds:.0f} s."
            return [late, *(self._journey.missing() if self._journey else ())]

    async def _move_in(self, stack: AsyncExitStack, screen: Screen) -> str:
        """Have the stack up and the gallery drawn, side by side; give the page that is to be scraped."""
        if self._options.url:
            screen.prepare(parts_of(self._settings), None)
            await stack.enter_async_context(self.lodging)
            return self._options.url
        screen.prepare(parts_of(self._settings), len(missing(self._folder)))
        drawing = asyncio.create_task(draw_gallery(self._folder, screen.picture_is_drawn))
        try:
            await stack.enter_async_context(self.lodging)
            await drawing
        finally:
            drawing.cancel()
            await asyncio.gather(drawing, return_exceptions=True)
        self._site = await stack.enter_async_context(gallery(self._folder, *self.lodging.site))
        return self._site

    def _tell_addresses(self) -> None:
        tell_addresses(
            console,
            dashboard=self.lodging.gateway_url,
            token=self.lodging.token,
            gallery=None if self._options.once else self._site,
        )

    async def _stay(self) -> None:
        """Wait for Ctrl-C."""
        what = "ends the demo; the stack stays up" if self.lodging.is_guest else "ends everything in order"
        console.print(f"\n  Ctrl-C {what}.")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) is not None:
                task.uncancel()


if __name__ == "__main__":
    app()
