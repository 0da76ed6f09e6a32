"""Knows the pages of platforms by their addresses, so that yt-dlp is not started for every page that is none."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import cache
from types import TracebackType
from typing import Any, Final, Self

from shared.errors import Refused
from shared.sandbox import Sandbox

_EXTRACTORS: Final = "yt_dlp.extractor"
_MEMORY_BYTES: Final = 128 * 1024 * 1024
_SECONDS: Final = 2.0


class Pages:
    """Tells platforms' pages from others. Its process, which starts with the first page, reads their addresses.

    Args:
        extractors: names of yt-dlp's extractors; the pages of others are not known.

    """

    def __init__(self, extractors: Sequence[str]) -> None:
        self._extractors = list(extractors)
        self._starting = asyncio.Lock()
        self._sandbox: Sandbox | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def know(self, url: str) -> bool:
        """Tell whether yt-dlp would read a page; raises TryAgain as the sandbox. Nobody knows an address of malice."""
        sandbox = await self._started()
        try:
            found, _ = await sandbox.run(recognise, b"", url=url, extractors=self._extractors)
        except Refused:
            return False
        return bool(found.get("known"))

    async def _started(self) -> Sandbox:
        async with self._starting:
            if self._sandbox is None:
                preload = (_EXTRACTORS,)
                sandbox = Sandbox(processes=1, memory_bytes=_MEMORY_BYTES, seconds=_SECONDS, preload=preload)
                self._sandbox = await self._stack.enter_async_context(sandbox)
            return self._sandbox


def recognise(payload: bytes, options: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """Tell, in the confined process, whether one of the `extractors` reads the page at `url`: as `known`."""
    del payload
    return {"known": any(one.suitable(options["url"]) for one in _named(tuple(options["extractors"])))}, []


@cache
def _named(names: tuple[str, ...]) -> list[Any]:
    from yt_dlp.extractor import gen_extractor_classes  # noqa: PLC0415 - it is large: for the confined process alone

    wanted = {name.lower() for name in names}
    return [one for one in gen_extractor_classes() if one.IE_NAME.lower() in wanted]
