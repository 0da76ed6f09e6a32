"""A collector of traces that takes connections and answers nothing keeps no process from ending."""

import asyncio
import sys
import time

import pytest

SOON_SECONDS = 15
SPANS = 600
"""More than one batch, each of which would be waited for by itself."""

_PROGRAM = """
import sys
from shared import telemetry
provider = telemetry.configure_tracing("media", sys.argv[1])
for _ in range(int(sys.argv[2])):
    with telemetry.tracer().start_as_current_span("work"):
        pass
telemetry.end_tracing(provider) if sys.argv[3] == "bounded" else provider.shutdown()
"""


async def seconds_to_end(how: str) -> float:
    async def keep_silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        writer.close()

    released = asyncio.Event()
    server = await asyncio.start_server(keep_silent, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _PROGRAM, url, str(SPANS), how, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(SOON_SECONDS):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        released.set()
        server.close()
    return time.monotonic() - began


async def test_whoever_is_told_to_end_ends_though_its_collector_hangs() -> None:
    assert await seconds_to_end("bounded") < SOON_SECONDS


async def test_without_a_bound_it_would_wait_for_each_batch() -> None:
    with pytest.raises(TimeoutError):
        await seconds_to_end("for ever")
