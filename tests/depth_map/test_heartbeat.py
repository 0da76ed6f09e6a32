"""While maps are drawn and stored, everybody else goes on: no decoding, encoding or hashing is waited for.

What counts is how long the loop's own thread computes between two beats, and not the clock, which a busy machine
stretches.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from services.depth_map.drawing import BLOBS, DrawOptions, draw
from services.depth_map.estimators import depth_anything_v2_small
from services.depth_map.inference import Inference
from services.depth_map.mapping import DepthMapping
from shared.sandbox import Sandbox
from tests.depth_map.scenes import file_of, room
from tests.depth_map.stored import Drawer
from tests.depth_map.tiny_models import brightness_model, described

ASSET = UUID(int=7)
LONGEST_SECONDS = 0.08


async def longest_breath(work: Awaitable[Any]) -> float:
    """Do some work beside a heart that beats, and give the longest time for which the loop computed between beats."""
    longest, last = 0.0, time.thread_time()

    async def beat() -> None:
        nonlocal longest, last
        while True:
            await asyncio.sleep(0.005)
            now = time.thread_time()
            longest, last = max(longest, now - last), now

    heart = asyncio.create_task(beat())
    await asyncio.sleep(0)
    try:
        await work
        await asyncio.sleep(0.02)
    finally:
        heart.cancel()
        await asyncio.gather(heart, return_exceptions=True)
    return longest


@asynccontextmanager
async def mapping(store: Drawer) -> AsyncIterator[DepthMapping]:
    async with Sandbox(
        processes=1, memory_bytes=1024**3, seconds=60, preload=["services.depth_map.drawing"]
    ) as sandbox:
        pool: Any = None
        objects: Any = store
        yield DepthMapping(pool, objects, sandbox, DrawOptions())


async def test_a_large_photo_is_mapped_and_stored_without_a_held_breath() -> None:
    store = Drawer(file_of(room(3600, 2400), "JPEG", quality=90))
    async with mapping(store) as depth:
        longest = await longest_breath(depth.draw(ASSET, "original", report=lambda *_: None))

    assert len(store.kept) == 1 + len(BLOBS) + 1, "the sidecar lies beside both maps"
    assert longest < LONGEST_SECONDS


async def test_nor_is_it_held_while_tensors_go_to_a_model_and_its_maps_come_back(tmp_path: Path) -> None:
    store: Any = Drawer(file_of(room(3600, 2400), "JPEG", quality=90))
    pool: Any = None
    model = described(
        tmp_path,
        brightness_model(batch="n"),
        input_size=depth_anything_v2_small().input_size,
        resampling="bicubic",
        batch=2,
    )
    options = DrawOptions(estimator=model, flip_check=True)
    limits: Any = {"processes": 1, "memory_bytes": 1024**3, "seconds": 60}
    async with (
        Sandbox(**limits, preload=["services.depth_map.drawing"]) as mappers,
        Sandbox(**limits, preload=["services.depth_map.inference"], readable=[tmp_path / "model.onnx"]) as holder,
        Inference(holder, model) as inference,
    ):
        depth = DepthMapping(pool, store, mappers, options, inference)
        longest = await longest_breath(depth.draw(ASSET, "original", report=lambda *_: None))

    assert len(store.kept) == 1 + len(BLOBS) + 1
    assert longest < LONGEST_SECONDS


async def test_a_held_breath_is_noticed() -> None:
    async def careless() -> None:
        await asyncio.sleep(0.02)
        draw(file_of(room(1200, 800), "JPEG"), {})
        await asyncio.sleep(0.02)

    assert await longest_breath(careless()) > LONGEST_SECONDS
