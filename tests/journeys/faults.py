"""What can be broken in a running house, and how it is mended."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP

from deploy.local.processes import Identity, identity, send
from deploy.local.servers import RABBITMQ
from deploy.local.stack import Stack


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong. `do` returns when what was broken answers again."""

    name: str
    do: Callable[[Stack], Awaitable[object]]

    def __str__(self) -> str:
        return self.name


def killed(part: str) -> Fault:
    """Kill one part with -9; its supervisor brings it back."""

    async def kill(stack: Stack) -> None:
        await stack.supervisor.kill(part)
        assert stack.supervisor.child(part).last_error == f"it ended with exit status {-SIGKILL}"
        await stack.supervisor.ready(part)

    return Fault(f"{part} is killed", kill)


def erased_broker() -> Fault:
    """Take the broker's disk away, with every queue and message on it."""
    return Fault(f"{RABBITMQ} loses its disk", Stack.erase_broker)


@contextmanager
def frozen_readers(stack: Stack, service: str) -> Iterator[list[Identity]]:
    """Freeze the processes in which a service reads what it does not trust: what it has begun by then never ends."""
    frozen = _confined_processes_of(stack, service)
    assert frozen, "nothing is confined, so that nothing would hang"
    send((process.pid for process in frozen), SIGSTOP)
    try:
        yield frozen
    finally:
        send((process.pid for process in frozen if process.lives()), SIGCONT)


def _confined_processes_of(stack: Stack, service: str) -> list[Identity]:
    """Find these processes: each leads a group of its own."""
    pid = stack.supervisor.pid(service)
    children = [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]
    return [process for child in children if (process := identity(child)) is not None]
