"""A body on its way in, and how the rest of it is asked for where its host breaks off."""

import asyncio
import hashlib
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import BinaryIO, Final

import aiohttp

from shared.errors import Refused, TryAgain
from shared.image_formats import SNIFFED_BYTES

_STRONG_ETAG: Final = re.compile(r'"[\x21\x23-\x7e]*"')
_CONTENT_RANGE: Final = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")

CheckHeaders = Callable[[Mapping[str, str]], None]
"""Raises Refused for an answer whose body is not to be read."""


class Body:
    """What has come so far, in memory.

    Attributes:
        size_bytes: of it, decompressed.
        beginning: the first bytes, as many as tell what a file is.

    """

    def __init__(self) -> None:
        self.size_bytes = 0
        self.beginning = b""
        self._digest = hashlib.sha256()
        self._content = bytearray()

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    @property
    def content(self) -> bytes:
        return bytes(self._content)

    async def begin(self, response: aiohttp.ClientResponse, source: str) -> int | None:
        """Make ready for what an answer brings; tell how many bytes there will be in all, where the host tells."""
        del source
        return _told_bytes(response)

    async def take(self, chunk: bytes) -> None:
        """Keep what has come."""
        self.size_bytes += len(chunk)
        self.beginning += chunk[: SNIFFED_BYTES - len(self.beginning)]
        self._digest.update(chunk)
        await self._keep(chunk)

    async def _keep(self, chunk: bytes) -> None:
        self._content += chunk


class FileBody(Body):
    """What has come so far, in a file. Its host is asked for the rest where it has named a version of the whole.

    Only a strong ETag names one byte for byte (RFC 9110, 8.8.3): without it, or with a compressed body, nothing says
    that the rest belongs to the beginning, and the next answer starts from zero.

    Attributes:
        source: where the beginning came from, after redirects; empty where nothing has come that could be continued.

    """

    def __init__(self, file: BinaryIO, check: CheckHeaders | None = None) -> None:
        super().__init__()
        self._check = check
        self.source = ""
        self._file = file
        self._etag: str | None = None
        self._total_bytes: int | None = None

    @property
    def rest(self) -> Mapping[str, str]:
        """The headers that ask for the rest; none where only the whole can be had."""
        if self._etag is None or self.size_bytes == 0:
            return {}
        return {"Range": f"bytes={self.size_bytes}-", "If-Range": self._etag, "Accept-Encoding": "identity"}

    async def begin(self, response: aiohttp.ClientResponse, source: str) -> int | None:
        """Go on where the answer does, or start from zero.

        Raises TryAgain for a part that was not asked for, and what `check` refuses of the headers.
        """
        if self._check is not None:
            await self._checked(self._check, response)
        if response.status == HTTPStatus.PARTIAL_CONTENT:
            self._check_continues(response)
            return self._total_bytes
        await self.forget()
        self._total_bytes = _told_bytes(response)
        if "Content-Encoding" not in response.headers and _STRONG_ETAG.fullmatch(response.headers.get("ETag", "")):
            self._etag, self.source = response.headers["ETag"], source
        return self._total_bytes

    async def _checked(self, check: CheckHeaders, response: aiohttp.ClientResponse) -> None:
        try:
            check(response.headers)
        except Refused:
            await self.forget()  # nothing of it shall be continued
            raise

    async def forget(self) -> None:
        """Start from zero."""
        written = self.size_bytes > 0
        self.size_bytes, self.beginning, self._digest, self._total_bytes = 0, b"", hashlib.sha256(), None
        self._etag, self.source = None, ""
        if written:
            await asyncio.to_thread(_empty, self._file)

    def _check_continues(self, response: aiohttp.ClientResponse) -> None:
        part = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        first, last, total = map(int, part.groups()) if part else (-1, -1, -1)
        continues = (
            self._etag is not None
            and response.headers.get("ETag") == self._etag
            and "Content-Encoding" not in response.headers
            and (first, last) == (self.size_bytes, total - 1)
            and self._total_bytes in {None, total}
        )
        if not continues:
            raise TryAgain("answer_malformed", "The host sent a part of the file that does not fit what came before.")
        self._total_bytes = total

    async def _keep(self, chunk: bytes) -> None:
        await asyncio.to_thread(self._file.write, chunk)


def _told_bytes(response: aiohttp.ClientResponse) -> int | None:
    return None if "Content-Encoding" in response.headers else response.content_length


def _empty(file: BinaryIO) -> None:
    file.seek(0)
    file.truncate()
