"""What can be broken in a running house, and how it is mended."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from signal import SIGKILL

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
