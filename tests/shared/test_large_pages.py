"""Memory by 2 MiB, where it is asked for and the kernel has it."""

from pathlib import Path

from shared.sandbox import Sandbox
from tests.shared import hostile_functions as hostile

SIZE_BYTES = 64 * 1024**2
KERNEL = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def kernel_says() -> str:
    """Give which of `always`, `madvise` and `never` holds for large pages."""
    return KERNEL.read_text().partition("[")[2].partition("]")[0] if KERNEL.exists() else "never"


async def faults(*, large_pages: bool) -> int:
    async with Sandbox(processes=1, memory_bytes=4 * SIZE_BYTES, seconds=10, large_pages=large_pages) as sandbox:
        touched, _ = await sandbox.run(hostile.touch, b"", size_bytes=SIZE_BYTES)
    return int(touched["faults"])


async def test_memory_comes_in_large_pages_where_they_are_asked_for_and_the_kernel_has_them() -> None:
    assert (await faults(large_pages=True) < SIZE_BYTES / 4096 / 4) == (kernel_says() in {"madvise", "always"})


async def test_it_comes_page_by_page_where_nobody_asked() -> None:
    assert (await faults(large_pages=False) > SIZE_BYTES / 4096 / 2) == (kernel_says() in {"madvise", "never"})
