"""Each class of hostile file in the real confinement: refused by its code, in bounds, its neighbours undisturbed."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from services.media.processing import CHILD_MEMORY_BYTES, CHILD_SECONDS, process
from shared.errors import Refused
from shared.sandbox import Sandbox
from shared.sandbox.processor import processor_seconds
from tests.media.hostile import CLASSES, Hostile
from tests.media.samples import SMALL_FILES, encoded

MOST_MEMORY_KIB = 512 * 1024
REFUSALS = frozenset(
    {
        "body_empty",
        "format_not_supported",
        "format_refused",
        "image_corrupt",
        "image_too_complex",
        "image_too_large",
        "image_truncated",
        "metadata_too_large",
        "not_an_image",
        "web_page_not_image",
    }
)
"""What a child says of itself; that it had to be stopped or died is not among them."""


@pytest.fixture(scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(
        processes=2, memory_bytes=CHILD_MEMORY_BYTES, seconds=CHILD_SECONDS, preload=["services.media.processing"]
    ) as sandbox:
        yield sandbox


def children(sandbox: Sandbox) -> set[int]:
    return {child.pid for child in sandbox._children}


def peak_kib(sandbox: Sandbox) -> int:
    statuses = [Path(f"/proc/{pid}/status").read_text() for pid in children(sandbox)]
    return max(int(status.partition("VmHWM:")[2].split()[0]) for status in statuses)


def used_seconds(sandbox: Sandbox) -> float:
    """Give the processor time that its processes have had: what else goes on here makes nothing of it longer."""
    return sum(map(processor_seconds, children(sandbox)))


async def outcome(sandbox: Sandbox, payload: bytes) -> str | dict[str, Any]:
    """Return the code of the refusal, or the facts."""
    try:
        facts, _ = await sandbox.run(process, payload)
    except Refused as refused:
        return refused.code
    return facts


def check(name: str, hostile: Hostile, end: str | dict[str, Any]) -> None:
    if hostile.size is not None:
        assert isinstance(end, dict), (name, end)
        assert (end["width_px"], end["height_px"]) == hostile.size, name
    elif hostile.code is not None:
        assert end == hostile.code, (name, end if isinstance(end, str) else "read")
    else:
        assert end in REFUSALS, (name, end if isinstance(end, str) else "read")


@pytest.mark.parametrize("kind", sorted(CLASSES))
async def test_hostile_files_end_with_their_code_and_no_process_is_lost(sandbox: Sandbox, kind: str) -> None:
    before = children(sandbox)
    for name, hostile in CLASSES[kind].items():
        payload = await asyncio.to_thread(hostile.make)
        used_before = used_seconds(sandbox)
        check(name, hostile, await outcome(sandbox, payload))
        assert used_seconds(sandbox) - used_before < CHILD_SECONDS, name
        assert peak_kib(sandbox) < MOST_MEMORY_KIB, name
    assert children(sandbox) == before


async def test_pictures_that_are_read_beside_hostile_files_are_read_as_ever(sandbox: Sandbox) -> None:
    honest = SMALL_FILES["jpeg"]()
    expected = process(honest, {})
    before = children(sandbox)
    worst = [hostile.make() for kind in ("unpacking", "lying", "looping") for hostile in CLASSES[kind].values()]

    beside = [sandbox.run(process, honest) for _ in worst]
    ends = await asyncio.gather(*beside, *(outcome(sandbox, payload) for payload in worst))

    assert ends[: len(worst)] == [expected] * len(worst)
    assert children(sandbox) == before


@pytest.mark.usefixtures("unhurried")
async def test_a_file_that_does_stop_a_process_costs_its_neighbour_nothing() -> None:
    """The negative control: with a limit that these files do pass, processes are lost, and only theirs."""
    slow = await asyncio.to_thread(lambda: encoded(Image.new("CMYK", (7000, 7000)), "JPEG", progressive=True))
    honest = SMALL_FILES["jpeg"]()
    async with Sandbox(
        processes=2, memory_bytes=CHILD_MEMORY_BYTES, seconds=0.5, preload=["services.media.processing"]
    ) as short:
        before = children(short)
        stopped, *read = await asyncio.gather(outcome(short, slow), *(outcome(short, honest) for _ in range(4)))
        assert stopped == "takes_too_long"
        assert all(isinstance(end, dict) for end in read)
        assert children(short) != before
