"""One process that holds a learned model, and whoever waits for it: pictures of equal size are shown to it together."""

import asyncio
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from types import TracebackType
from typing import Any, Self

import cv2
import numpy as np

from services.depth_map.estimators import OnnxEstimator, OnnxModel, normalised
from services.depth_map.turns import Turns
from shared.errors import Failure, Refused, TryAgain
from shared.sandbox import Killed, Sandbox

Shape = tuple[int, ...]

_FLOAT_BYTES = 4
# What these say is wrong with this machine, and with no picture: whoever waits goes on waiting until it is right.
_OF_THE_MACHINE = frozenset({"model_missing", "model_altered", "accelerator_missing"})
_UNTIL_RIGHT_SECONDS = 60.0
_CRASHED = "decoder_crashed"


def infer(payload: bytes, options: Mapping[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """Run a model on a batch; made to be run in a process of its own, which keeps the model.

    Args:
        payload: pictures of one shape, as large as the model wants them, of its `numbers`, one after the other.
        options: `model`, an `OnnxModel` as JSON-like data; `shape` of one picture: height, width, 3.

    Returns:
        `shape`, height and width of each map, and the maps, float32.

    Raises:
        Refused: `model_missing`, `model_altered`, `model_unfit`, `accelerator_missing`.

    """
    # One thread for each processor of the machine would map memory which this process does not have.
    cv2.setNumThreads(1)
    model = OnnxModel.model_validate(options["model"])
    pictures = np.frombuffer(payload, model.numbers).reshape(-1, *options["shape"])
    # Here and not where they were read, for on the way bytes are a quarter of what is made of them.
    tensors = [normalised(model, picture) for picture in pictures]
    planes = _loaded(model).infer(tensors[0] if len(tensors) == 1 else np.concatenate(tensors))
    return {"shape": list(planes[0].shape)}, [plane.tobytes() for plane in planes]


@lru_cache(maxsize=1)
def _loaded(model: OnnxModel) -> OnnxEstimator:
    return OnnxEstimator(model)


@contextmanager
def waiting_for_the_machine() -> Iterator[None]:
    """Have whoever asks a model ask again later, in the same words, where weights or accelerator have gone."""
    try:
        yield
    except Refused as refusal:
        if refusal.code not in _OF_THE_MACHINE:
            raise
        wait = _UNTIL_RIGHT_SECONDS
        raise TryAgain(refusal.code, refusal.sentence, retry_after_seconds=wait, rate_limited=True) from refusal


@dataclass(eq=False, slots=True)
class _Waiting:
    """Somebody who waits for the map of one picture."""

    picture: bytes
    shape: Shape
    answer: "asyncio.Future[tuple[Shape, bytes]]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    alone: bool = False


class Inference:
    """Shows pictures to a model, in the order in which they come; those of equal shape that wait meanwhile go along.

    Nobody is made to wait for a batch to fill: what has come while the model was at work is the next batch.

    Args:
        sandbox: one process, which shall hold the model.
        model: which, and how many it is shown at once.
        turns: taken for each batch, where other replicas have the same accelerator.

    """

    def __init__(self, sandbox: Sandbox, model: OnnxModel, turns: Turns | None = None) -> None:
        self._sandbox = sandbox
        self._model = model.model_dump(mode="json")
        self._batch = model.batch
        self._number_bytes = np.dtype(model.numbers).itemsize
        self._turns = turns
        self._waiting: list[_Waiting] = []
        self._work: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)

    async def map_of(self, picture: bytes, shape: Shape) -> tuple[Shape, bytes]:
        """Give the model's map of one picture as `infer` takes it, float32, and its height and width.

        Raises:
            Refused: `picture_torn`, where the bytes are not of that shape; or as `infer` and the sandbox do.
            TryAgain: as the sandbox does; and where the weights or the accelerator have gone, in the words of `infer`.

        """
        if len(picture) != self._number_bytes * math.prod(shape):
            raise Refused("picture_torn", "The process that reads pictures gave something else than it announced.")
        mine = _Waiting(picture, shape)
        self._waiting.append(mine)
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._serve())
        try:
            return await mine.answer
        finally:
            if mine in self._waiting:
                self._waiting.remove(mine)

    async def _serve(self) -> None:
        while self._waiting:
            batch = self._next_batch()
            try:
                shape, maps = await self._run(batch)
            except asyncio.CancelledError:
                for each in (*batch, *self._waiting):
                    each.answer.cancel()
                raise
            except Exception as error:  # noqa: BLE001 - whoever waits hears it
                self._disappoint(batch, error)
            else:
                for waiting, plane in zip(batch, maps, strict=True):
                    if not waiting.answer.done():
                        waiting.answer.set_result((shape, plane))

    def _next_batch(self) -> list[_Waiting]:
        first = self._waiting[0]
        batch = [each for each in self._waiting if each is first or _go_together(each, first)][: self._batch]
        self._waiting = [each for each in self._waiting if each not in batch]
        return batch

    async def _run(self, batch: list[_Waiting]) -> tuple[Shape, list[bytes]]:
        pictures = b"".join(each.picture for each in batch)
        with waiting_for_the_machine():
            async with self._turns.mine() if self._turns else nullcontext():
                facts, maps = await self._sandbox.run(infer, pictures, model=self._model, shape=list(batch[0].shape))
        shape = tuple(facts["shape"])
        if len(maps) != len(batch) or any(len(plane) != _FLOAT_BYTES * math.prod(shape) for plane in maps):
            raise Refused("model_unfit", "The model did not give one map for each picture.")
        return shape, maps

    def _disappoint(self, batch: list[_Waiting], error: Exception) -> None:
        """Tell one alone what went wrong; of several it may be the fault of one, so each is tried again alone.

        So is one under whom the process died, for somebody else may have killed it.
        """
        left = [each for each in batch if not each.answer.done()]
        if (_has_died(error) and not batch[0].alone) or (isinstance(error, Failure) and len(batch) > 1):
            for each in left:
                each.alone = True
            self._waiting = [*left, *self._waiting]
            return
        for each in left:
            each.answer.set_exception(error)


def _has_died(error: Exception) -> bool:
    """Tell whether the process ended under a batch, by itself or by the hand of somebody."""
    return isinstance(error, Killed) or (isinstance(error, Refused) and error.code == _CRASHED)


def _go_together(one: _Waiting, other: _Waiting) -> bool:
    return one.shape == other.shape and not one.alone and not other.alone
