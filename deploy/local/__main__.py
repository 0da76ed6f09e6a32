"""The command line of the local stack: `python -m deploy.local up | down | status | token | fault | compose-files`."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from signal import SIGINT, SIGTERM
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from deploy.database import SERVICES
from deploy.local.compose import write_compose_files
from deploy.local.control import ask
from deploy.local.errors import CannotRun
from deploy.local.own_stack import own_stack
from deploy.local.private_files import DIRECTORY_MODE, private_directory, write_private
from deploy.local.processes import send, until_gone
from deploy.local.settings import REPOSITORY, Settings, kept
from deploy.local.stack import Ready, Stack
from deploy.local.state import StackState, running
from shared.schema import SchemaError
from shared.settings import load

_START_SECONDS = 180.0
_STOP_SECONDS = 60.0
_POLL_SECONDS = 0.1

app = typer.Typer(add_completion=False, no_args_is_help=True, help="The whole stack on this machine.")
console = Console()


@app.command()
def up(
    *,
    detach: Annotated[bool, typer.Option("--detach", help="Return once everything is ready.")] = False,
    servers_only: Annotated[bool, typer.Option("--servers-only", help="Start no service.")] = False,
) -> None:
    """Start every part and keep it running until Ctrl-C."""
    services = () if servers_only else SERVICES
    if detach:
        _detached(load(Settings), services)
    else:
        asyncio.run(_attached(load(Settings), services))


@app.command()
def down() -> None:
    """End the running stack in order."""
    state = running(load(Settings).directory)
    if state is None:
        console.print("No stack is running.")
        return
    send([state.supervisor.pid], SIGTERM)
    asyncio.run(until_gone([state.supervisor], _STOP_SECONDS))
    console.print("The stack has ended.")


@app.command()
def status() -> None:
    """Show every part; exit with 1 unless all of them run."""
    directory, state = load(Settings).directory, _running_state()
    table = Table("part", "process", "address", "crashes", box=None)
    for name, part in state.parts.items():
        process = str(part.process.pid) if part.process and part.process.lives() else "down"
        table.add_row(name, process, part.address, str(part.crashes))
    console.print(table)
    console.print(f"logs in {_short(directory / 'logs')}", highlight=False, soft_wrap=True)
    if not (state.ready and all(part.process and part.process.lives() for part in state.parts.values())):
        raise typer.Exit(1)


@app.command()
def token() -> None:
    """Print a token with which a local user may use the gateway."""
    print(_ask("token"))  # noqa: T201 - for other programs to read, without any decoration


@app.command()
def fault(
    action: Annotated[str, typer.Argument(help="kill, hold, start, pause, resume or erase_broker")],
    part: Annotated[str, typer.Argument(help="for example media or rabbitmq")] = "",
) -> None:
    """Break or mend one part of the running stack, to see how the rest takes it."""
    _ask(action, part)


@app.command("compose-files")
def compose_files() -> None:
    """Write what compose.yaml needs: passwords made once, broker definitions, object store keys."""
    write_compose_files(load(Settings).diorama_state / "compose", kept())


async def _attached(settings: Settings, services: Sequence[str]) -> None:
    stack = own_stack(settings, services, _tell)
    _end_on_signal(stack)
    started = time.monotonic()
    try:
        await stack.start()
        console.print(f"ready in {time.monotonic() - started:.1f} s")
        if services:
            _announce(stack.gateway_url, await stack.token())
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        console.print("ending ...")
    finally:
        await stack.stop()


def _end_on_signal(stack: Stack) -> None:
    """Drain at the first signal; end everything at once at the second."""
    loop, main = asyncio.get_running_loop(), asyncio.current_task()

    def asked_to_end() -> None:
        if main is not None and not main.cancelling():
            main.cancel()
        else:
            stack.supervisor.hurry()

    for number in (SIGINT, SIGTERM):
        loop.add_signal_handler(number, asked_to_end)


def _detached(settings: Settings, services: Sequence[str]) -> None:
    log = private_directory(private_directory(settings.directory, DIRECTORY_MODE) / "logs") / "stack.log"
    write_private(log, "")
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - ourselves, no shell
            (sys.executable, "-m", "deploy.local", "up", *(() if services else ("--servers-only",))),
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + _START_SECONDS
    while not _is_ready(settings.directory, process.pid):
        if process.poll() is not None:
            raise SystemExit(log.read_text())
        if time.monotonic() > deadline:
            raise SystemExit(f"The stack is not ready after {_START_SECONDS:.0f} s; see {_short(log)}.")
        time.sleep(_POLL_SECONDS)
    state = _running_state()
    for name, part in state.parts.items():
        console.print(f"{name:18} {part.address}", highlight=False)
    if services:
        _announce(state.urls["gateway"], _ask("token"))


def _is_ready(directory: Path, supervisor: int) -> bool:
    state = running(directory)
    return state is not None and state.ready and state.supervisor.pid == supervisor


def _announce(gateway_url: str, ready_token: str) -> None:
    page = f"{gateway_url}/#token={ready_token}"
    told = f"gateway  {gateway_url}\ntoken    {ready_token}\nopen     {page}"
    console.print(told, highlight=False, soft_wrap=True)


def _tell(part: Ready) -> None:
    console.print(f"{part.name:18} {part.address:28} {part.seconds:5.1f} s", highlight=False)


def _running_state() -> StackState:
    state = running(load(Settings).directory)
    if state is None:
        raise CannotRun("not_running", "No stack is running; `make up` starts one.")
    return state


def _ask(action: str, name: str = "") -> str:
    return str(asyncio.run(ask(_running_state(), action, name)))


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def main() -> None:
    """Run a command; what cannot run is told in a sentence, with exit status 1."""
    try:
        app()
    except (CannotRun, SchemaError) as error:
        console.print(error.sentence, style="red", markup=False, soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
