"""Bring photographs in with the parts that media uses: guarded download, confined decoder, one small JPEG, stored.

Usage: python -m tests.benchmarks.importing.ours PORT COUNT FOLDER
"""

import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from services.media.downloads import download
from services.media.processing import CHILD_MEMORY_BYTES, CHILD_SECONDS
from shared.fetch import Outbound
from shared.sandbox import Sandbox
from tests.benchmarks.importing.thumbnails import thumbnail

AT_A_TIME: Final = 16
PROCESSES: Final = 2


async def main(port: int, count: int, folder: Path) -> None:
    """Bring in so many photographs."""
    numbers = iter(range(count))
    with TemporaryDirectory(dir=folder) as scratch:
        async with (
            Outbound(
                user_agent="diorama-bench", allow=frozenset({("127.0.0.1", port)}), per_host=AT_A_TIME
            ) as outbound,
            Sandbox(
                processes=PROCESSES,
                memory_bytes=CHILD_MEMORY_BYTES,
                seconds=CHILD_SECONDS,
                preload=(thumbnail.__module__,),
            ) as sandbox,
        ):

            async def bring_some() -> None:
                for number in numbers:
                    url = f"http://127.0.0.1:{port}/{number}.jpg"
                    async with download(
                        outbound, url, Path(scratch), max_bytes=10_000_000, deadline_seconds=60
                    ) as file:
                        _, (content,) = await sandbox.run(thumbnail, file.path)
                    await asyncio.to_thread((folder / f"{number}.jpg").write_bytes, content)

            await asyncio.gather(*(bring_some() for _ in range(AT_A_TIME)))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
