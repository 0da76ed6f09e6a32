"""A site of photographs on loopback, in a process of its own, so that what it costs is nobody's cost."""

import asyncio
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Final

from aiohttp import web
from PIL import Image

from tests.media.samples import encoded, photo

WIDTH_PX: Final = 1024
HEIGHT_PX: Final = 768
DIFFERENT: Final = 64
"""So many photographs there are; addresses beyond show them again, in files of other bytes."""


@contextmanager
def serving() -> Iterator[int]:
    """Serve `/<number>.jpg` for any number; give the port."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield int(ours.recv())
    finally:
        process.terminate()
        process.join()


def photographs() -> list[bytes]:
    """Draw the photographs; some 200 kB each, as sites have them, because of the grain."""
    size = (WIDTH_PX, HEIGHT_PX)
    grain = Image.effect_noise(size, 40).convert("RGB")
    grainy = (Image.blend(photo(*size, seed), grain, 0.25) for seed in range(DIFFERENT))
    return [encoded(image, "JPEG", quality=85) for image in grainy]


def _serve(wire: Connection) -> None:
    asyncio.run(_serve_for_ever(wire))


async def _serve_for_ever(wire: Connection) -> None:
    pictures = photographs()

    async def give(request: web.Request) -> web.Response:
        number = int(request.match_info["number"])
        return web.Response(body=_numbered(pictures[number % len(pictures)], number), content_type="image/jpeg")

    site = web.Application()
    site.router.add_get(r"/{number:\d+}.jpg", give)
    runner = web.AppRunner(site, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    wire.send(runner.addresses[0][1])
    await asyncio.Event().wait()


def _numbered(jpeg: bytes, number: int) -> bytes:
    """Write a number into a comment, behind the two bytes with which every JPEG begins."""
    comment = str(number).encode()
    return jpeg[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + jpeg[2:]
