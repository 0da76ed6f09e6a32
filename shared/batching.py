"""Many callers, one write: the next batch gathers while one is written, so that a lone caller waits for no timer."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from shared.database import AWAY

_BUSY = 4
_LINGER_SECONDS = 0.003

T = TypeVar("T")
R = TypeVar("R")


class Batcher(Generic[T, R]):
    """Gathers what callers submit and writes it in batches, one batch at a time.

    Under load, when the last batch was not small, the next one is waited for a moment, so that it becomes larger.

    `write` takes a batch and gives one answer for each item, in order: a result, or an exception for that item
    alone. Where `write` itself raises, each item is written once more by itself, so that a bad one does not take
    its neighbours with it; an item that still fails gets the exception.
    """

    def __init__(self, write: Callable[[list[T]], Awaitable[Sequence[R | Exception]]], *, limit: int = 200) -> None:
        self._write = write
        self._limit = limit
        self._last = 0
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def submit(self, item: T) -> R:
        """Have the item written with the next batch; return its answer or raise its exception."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all())
        return await future

    async def drain(self) -> None:
        """Return when everything submitted so far is written."""
        while self._writer is not None and not self._writer.done():
            await asyncio.wait((self._writer,))

    async def _write_all(self) -> None:
        # One turn of the loop lets everybody who is already awake join the first batch.
        await asyncio.sleep(0)
        while self._waiting:
            if self._last >= _BUSY and len(self._waiting) < self._limit:
                await asyncio.sleep(_LINGER_SECONDS)
            batch, self._waiting = self._waiting[: self._limit], self._waiting[self._limit :]
            self._last = len(batch)
            try:
                await self._write_batch(batch)
            except Exception as error:  # noqa: BLE001 - every caller is told
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)

    async def _write_batch(self, batch: list[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            answers: Sequence[R | Exception] = await self._write([item for item, _ in batch])
        except Exception as error:
            if len(batch) == 1 or isinstance(error, AWAY):  # a lost connection would meet each item alike
                raise
            for pair in batch:
                await self._write_alone(pair)
            return
        for (_, future), answer in zip(batch, answers, strict=True):
            _answer(future, answer)

    async def _write_alone(self, pair: tuple[T, asyncio.Future[R]]) -> None:
        item, future = pair
        try:
            (answer,) = await self._write([item])
        except Exception as error:  # noqa: BLE001 - the caller is told
            answer = error
        _answer(future, answer)


def _answer(future: "asyncio.Future[R]", answer: R | Exception) -> None:
    if future.done():  # the caller went away
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
