"""What media itself does with a photograph, step by step, and with all its books: rows, events, object store."""

import os
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, TypeVar

from contracts.media import FetchMedia
from deploy.local.stack import Stack
from services.media.analysis import describe
from services.media.decoding import Bounds, Picture, decode
from services.media.processing import CHILD_MEMORY_BYTES, CHILD_SECONDS
from services.media.renditions import RENDITION_SIDES_PX, render
from shared.identifiers import uuid7
from shared.rendition_sizes import rendition_size
from shared.sandbox import Sandbox
from shared.sandbox.pool import Confined
from tests.benchmarks.importing import drawings
from tests.benchmarks.importing.measuring import family
from tests.living import House, lineage, until

WIDEST_PX: Final = max(RENDITION_SIDES_PX.values())
T = TypeVar("T")

_TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")


def steps(photographs: Sequence[bytes]) -> dict[str, float]:
    """Give the milliseconds of processor time that each step inside the confined process takes for one photograph."""
    pictures = [decode(photograph, Bounds(), longest_px=WIDEST_PX) for photograph in photographs]
    return {
        f"decode for {WIDEST_PX} px": _warm(_decode, photographs),
        **{f"draw WebP, {side} px": _warm(_drawing(side), pictures) for side in RENDITION_SIDES_PX.values()},
        "describe: palette, hashes, embedding": _warm(lambda picture: describe(picture.image), pictures),
    }


async def renditions(photographs: Sequence[bytes]) -> tuple[float, float]:
    """Draw the renditions that every image gets: milliseconds for each photograph here, and by Pillow alone.

    They take turns with each photograph, and in who is first, so that whatever else the machine does slows both.
    """
    told: dict[Confined, list[float]] = {drawings.ours: [], drawings.pillow: []}
    async with Sandbox(
        processes=1, memory_bytes=CHILD_MEMORY_BYTES, seconds=CHILD_SECONDS, preload=(drawings.__name__,)
    ) as sandbox:
        for number, photograph in enumerate((photographs[0], *photographs)):
            for draw in list(told)[:: -1 if number % 2 else 1]:
                told[draw].append((await sandbox.run(draw, photograph))[0]["milliseconds"])
    ours, pillow = (statistics.mean(each[1:]) for each in told.values())  # what is new is not measured
    return ours, pillow


async def whole(port: int, count: int) -> tuple[float, float]:
    """Have a running media service fetch so many links; give seconds, and its own seconds of processor time."""
    with TemporaryDirectory() as directory:
        outbound = {"media": {"OUTBOUND_ALLOW": f"127.0.0.1:{port}"}}
        async with (
            Stack(Path(directory), services=("media",), service_environment=outbound) as stack,
            House(stack) as house,
        ):
            pid = stack.supervisor.pid("media")
            if pid is None:
                raise RuntimeError("the media service has ended")
            await _fetch(house, port, range(count, count + 20))  # what is new is not measured
            before, begun = _processor_seconds(pid), time.perf_counter()
            await _fetch(house, port, range(count))
            return time.perf_counter() - begun, _processor_seconds(pid) - before


async def _fetch(house: House, port: int, numbers: range) -> None:
    done = "SELECT count(*) FROM media.tasks WHERE state = 'completed'"
    wanted = await house.value(done) + len(numbers)
    for number in numbers:
        await house.say(FetchMedia(**lineage(uuid7()), url=f"http://127.0.0.1:{port}/{number}.jpg"))

    async def all_done() -> bool:
        return bool(await house.value(done) == wanted)

    await until(all_done, seconds=600, every_seconds=0.1)


def _decode(photograph: bytes) -> Picture:
    return decode(photograph, Bounds(), longest_px=WIDEST_PX)


def _drawing(side_px: int) -> Callable[[Picture], None]:
    def draw(picture: Picture) -> None:
        render(picture.image, str(side_px), rendition_size(picture.width_px, picture.height_px, side_px))

    return draw


def _warm(step: Callable[[T], object], ones: Sequence[T]) -> float:
    step(ones[0])
    return _milliseconds(step, ones)


def _milliseconds(step: Callable[[T], object], ones: Sequence[T]) -> float:
    begun = time.process_time()
    for one in ones:
        step(one)
    return (time.process_time() - begun) / len(ones) * 1000


def _processor_seconds(pid: int) -> float:
    """Add up a family, the children that have ended included."""
    told = (Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split() for one in family(pid))
    return sum(sum(map(int, fields[11:15])) for fields in told) / _TICKS_A_SECOND
