"""Whose turn it is on an accelerator that the processes of several replicas share."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

from shared.errors import Refused

_SECONDS_BETWEEN_TRIES: Final = 0.002


class Turns:
    """Lets one process at a time use an accelerator: of all that read their weights from the same folder.

    Locks are the kernel's, on the folder and on the weights in it, which need only be readable: nothing has to be
    written, containers that share the folder share the locks, and whoever dies lets go.

    Args:
        weights: file of the model.

    """

    def __init__(self, weights: Path) -> None:
        self._next = weights
        self._turn = weights.parent

    async def prove(self) -> None:
        """Take a turn and do nothing with it; raises Refused (`accelerator_unshared`) where the folder has no locks."""
        try:
            async with self.mine():
                pass
        except OSError as error:
            raise Refused(
                "accelerator_unshared",
                f"Replicas cannot take turns on the accelerator: {self._turn} cannot be locked ({error.strerror}). "
                "Keep the weights on a file system with locks.",
            ) from error

    @asynccontextmanager
    async def mine(self) -> AsyncIterator[None]:
        """Wait for the turn, and have it until the context is left; raises Refused (`model_missing`)."""
        with _opened(self._turn) as turn:
            # Who has just had it queues up behind whoever is next, and so starves nobody.
            with _opened(self._next) as next_:
                await _locked(next_)
                await _locked(turn)
            yield


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError as error:
        raise Refused("model_missing", f"The weights by which replicas take turns are not at {path}.") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)  # with it goes the lock


async def _locked(descriptor: int) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            await asyncio.sleep(_SECONDS_BETWEEN_TRIES)
        else:
            return
