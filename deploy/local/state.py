"""What a running stack tells others about itself: one file, for its owner only."""

import fcntl
from pathlib import Path
from typing import IO

from pydantic import BaseModel

from deploy.local.errors import CannotRun
from deploy.local.private_files import write_private
from deploy.local.processes import Identity, until_gone

FILE = "stack.json"
_LEFTOVER_PATIENCE_SECONDS = 10.0
"""Children are told of their supervisor's death; a broker needs some seconds to end in order."""


class PartState(BaseModel):
    """One program of the stack. `process` is None while it is down."""

    process: Identity | None
    address: str
    log: Path
    crashes: int
    held: bool


class StackState(BaseModel):
    """A stack as of its last change.

    Attributes:
        supervisor: the process that keeps it alive.
        ready: every part has answered at least once.
        urls: how to reach the parts, passwords included.
        control_port: where the supervisor takes requests, on the loopback address.
        control_secret: what a request must hold.

    """

    supervisor: Identity
    ready: bool
    urls: dict[str, str]
    control_port: int
    control_secret: str
    parts: dict[str, PartState]


def claim(directory: Path) -> IO[bytes]:
    """Take the stack's lock, which ends with this process however it ends. Raises CannotRun `already_running`."""
    lock = (directory / "lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        state = read_state(directory)
        who = f" by process {state.supervisor.pid}" if state else ""
        sentence = f"The stack in {directory} is already run{who}; `make down` ends it."
        raise CannotRun("already_running", sentence) from None
    return lock


def write_state(directory: Path, state: StackState) -> None:
    write_private(directory / FILE, state.model_dump_json(indent=2) + "\n")


def read_state(directory: Path) -> StackState | None:
    """Read the state of a stack that runs, or that was killed; None after an orderly end."""
    try:
        return StackState.model_validate_json((directory / FILE).read_text())
    except FileNotFoundError:
        return None


def running(directory: Path) -> StackState | None:
    """Read the state of a stack whose supervisor lives."""
    state = read_state(directory)
    return state if state and state.supervisor.lives() else None


def forget_state(directory: Path) -> None:
    (directory / FILE).unlink(missing_ok=True)


async def clear_leftovers(directory: Path) -> None:
    """Wait for the children of a supervisor that was killed, and end those that stay."""
    if state := read_state(directory):
        left = [part.process for part in state.parts.values() if part.process]
        await until_gone(left, _LEFTOVER_PATIENCE_SECONDS)
        forget_state(directory)
