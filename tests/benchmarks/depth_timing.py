"""How long the depth of an image takes from its command to its record, beside the time of the model alone.

The model has the shape and size of Depth Anything V2 Small and random weights, and the service is the real one: it
fetches, decodes, asks the model, encodes, stores and records.
"""

import asyncio
import hashlib
import os
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import numpy as np
import onnxruntime

from contracts.depth_map import MapDepth
from deploy.local.stack import Stack
from services.depth_map.estimators import OnnxModel, depth_anything_v2_small
from services.depth_map.processors import usable_processors
from shared.identifiers import uuid7
from shared.object_keys import original_key
from shared.sandbox import Sandbox
from shared.sandbox.processor import resident_bytes
from tests.benchmarks.vision_transformer import depth_anything
from tests.depth_map.scenes import file_of, room
from tests.living import House, lineage

WIDTH_PX: Final = 1024
HEIGHT_PX: Final = 768
SQUARE_PX: Final = 518
ROUNDS: Final = 3
EACH_ROUND: Final = 4
BAR: Final = 1.15
BAR_BYTES: Final = 1024**3
_PATIENCE_SECONDS: Final = 300.0
_RECORDED: Final = "depth_recorded"
_TELLING: Final = f"""
    CREATE FUNCTION depth_map.tell_recorded() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_notify('{_RECORDED}', NEW.asset_id::text); RETURN NULL; END $$;
    CREATE TRIGGER tell_recorded AFTER INSERT ON depth_map.depth_maps
        FOR EACH ROW EXECUTE FUNCTION depth_map.tell_recorded();
"""


@dataclass
class Timing:
    """What was measured, in seconds for one image.

    Attributes:
        shown: width and height at which the model sees the image.
        threads: of the model, alone and in the service.
        alone: by the model, of an image of that size.
        large_pages: likewise, where its memory comes in large pages and is kept, for which the service has no room.
        square: by the model, of one of 518 x 518.
        one: from command to record, one image after the other.
        many: likewise, of images that wait together.
        memory_bytes: held by all processes of the service together, as it was looked at.
        load: processes that wanted to run in the minute before, which had nothing to do with this.

    """

    shown: tuple[int, int]
    threads: int
    alone: list[float]
    large_pages: list[float]
    square: list[float]
    one: list[float]
    many: list[float]
    memory_bytes: list[int]
    load: float


async def measure() -> Timing:
    """Start a stack of this one service and measure; the model alone has its turn in every round."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as directory:
        model = await asyncio.to_thread(_described, Path(directory))
        description = Path(directory) / "description.json"
        description.write_text(model.model_dump_json())
        given = {"depth_map": {"DEPTH_ESTIMATOR": str(description)}}
        async with (
            Stack(Path(directory) / "stack", services=("depth_map",), service_environment=given) as stack,
            House(stack) as house,
        ):
            return await _measured(stack, house, model, load)


def _described(folder: Path) -> OnnxModel:
    weights, _ = depth_anything()
    path = folder / "model.onnx"
    path.write_bytes(weights)
    return depth_anything_v2_small(path, hashlib.sha256(weights).hexdigest())


async def _measured(stack: Stack, house: House, model: OnnxModel, load: float) -> Timing:
    shown = model.input_size.sides(WIDTH_PX, HEIGHT_PX)
    timing = Timing(shown, usable_processors(), [], [], [], [], [], [], load)
    session = await asyncio.to_thread(_session, model, timing.threads)
    key = await _stored(house)
    await house.admin.execute(_TELLING)
    await _mapped(house, key, EACH_ROUND)
    for _ in range(ROUNDS):
        timing.alone += await asyncio.to_thread(_seconds, session, shown)
        timing.one += [await _mapped(house, key, 1) for _ in range(EACH_ROUND)]
        timing.many.append(await _mapped(house, key, 2 * EACH_ROUND) / (2 * EACH_ROUND))
    timing.square += await asyncio.to_thread(_seconds, session, (SQUARE_PX, SQUARE_PX))
    timing.large_pages += await _in_large_pages(model, timing)
    # Apart from what is timed: to count memory takes a good part of a processor.
    watching = asyncio.create_task(_watch(stack.supervisor.pid("depth_map") or 0, timing.memory_bytes))
    await _mapped(house, key, 2 * EACH_ROUND)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    return timing


async def _in_large_pages(model: OnnxModel, timing: Timing) -> list[float]:
    limits: Any = {"processes": 1, "memory_bytes": 4 * BAR_BYTES, "seconds": _PATIENCE_SECONDS}
    readable = (model.path,) if model.path else ()
    async with Sandbox(**limits, preload=(__name__,), readable=readable, large_pages=True) as sandbox:
        told, _ = await sandbox.run(
            timed, b"", model=model.model_dump(mode="json"), threads=timing.threads, shown=list(timing.shown)
        )
    return list(told["seconds"])


def timed(_: bytes, options: Mapping[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """Load a model and time it; made to be run in a process of its own."""
    width_px, height_px = options["shown"]
    session = _session(OnnxModel.model_validate(options["model"]), options["threads"])
    return {"seconds": _seconds(session, (width_px, height_px))}, []


def _session(model: OnnxModel, threads: int) -> Any:
    """Load the model as anybody would, with nothing but the number of threads told."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model.path, options, providers=["CPUExecutionProvider"])


def _seconds(session: Any, shown: tuple[int, int]) -> list[float]:
    """Time a few runs of the model, behind one that is not counted."""
    tensor = np.random.default_rng(2).standard_normal((1, 3, shown[1], shown[0]), np.float32)
    seconds = []
    for _ in range(EACH_ROUND + 1):
        begun = time.perf_counter()
        session.run(None, {"pixel_values": tensor})
        seconds.append(time.perf_counter() - begun)
    return seconds[1:]


async def _stored(house: House) -> str:
    picture = file_of(room(WIDTH_PX, HEIGHT_PX), "JPEG", quality=90)
    key = original_key(hashlib.sha256(picture).hexdigest(), ".jpg")
    async with house.objects() as objects:
        await objects.put(key, picture, content_type="image/jpeg")
    return key


async def _mapped(house: House, key: str, count: int) -> float:
    """Have so many images mapped that wait together; give the seconds from the first command to the last record.

    Looking time and again would take the processor from those who are looked at, so the database tells of each record
    that is committed.
    """
    assets = {uuid7() for _ in range(count)}
    commands = [MapDepth(**lineage(), asset_id=asset, original_key=key, sha256="0" * 64) for asset in assets]
    recorded: asyncio.Queue[str] = asyncio.Queue()

    def hear(*told: Any) -> None:
        recorded.put_nowait(told[-1])

    async with house.admin.acquire() as connection, asyncio.timeout(_PATIENCE_SECONDS):
        await connection.add_listener(_RECORDED, hear)
        begun = time.perf_counter()
        await asyncio.gather(*(house.say(command) for command in commands))
        while assets:
            assets.discard(UUID(await recorded.get()))
        seconds = time.perf_counter() - begun
        await connection.remove_listener(_RECORDED, hear)
    return seconds


async def _watch(pid: int, seen_bytes: list[int]) -> None:
    while True:
        seen_bytes.append(sum(map(_held_bytes, _family(pid))))
        await asyncio.sleep(0.05)


def _held_bytes(pid: int) -> int:
    """Give the memory of a process; what several processes share counts as a part for each of them."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    except (OSError, StopIteration):
        return resident_bytes(pid)


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in _family(int(child)))]


def told(timing: Timing) -> Sequence[str]:
    """Say it as a section of Markdown."""
    alone, square, one, many = map(statistics.median, (timing.alone, timing.square, timing.one, timing.many))
    size = f"{timing.shown[0]} x {timing.shown[1]}"
    peak = max(timing.memory_bytes)

    def row(name: str, seconds: float, bar: str = "") -> str:
        return f"| {name} | {seconds:.2f} s | {seconds / alone:.2f} | {bar} |"

    return (
        "## How long it takes",
        "",
        f"An image of {WIDTH_PX} x {HEIGHT_PX}, from its command to its record, in the real service with a model of",
        "the shape and size of Depth Anything V2 Small and random weights. Medians; the model alone, with ONNX",
        f"Runtime's own settings and {timing.threads} threads, had its turn between the others, in one run. In the",
        f"minute before it the machine had a load of {timing.load:.1f} from elsewhere.",
        "",
        "| | for one image | to the model alone | bar |",
        "|---|---:|---:|---:|",
        row(f"the model alone, at {size}: 518 px are its lower bound", alone),
        row("one image after the other", one, f"{BAR}"),
        row(f"of {2 * EACH_ROUND} images that wait together", many, f"{BAR}"),
        row("the model alone, its memory in large pages and kept", statistics.median(timing.large_pages)),
        row(f"the model alone, at {SQUARE_PX} x {SQUARE_PX}, which would distort the image", square),
        "",
        f"Its processes together held {peak / 1024**2:.0f} MiB at most, what they share counted once;",
        f"the bar is {BAR_BYTES / 1024**2:.0f} MiB.",
        "",
    )
