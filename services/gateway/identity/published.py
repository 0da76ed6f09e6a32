"""The keys that an issuer publishes: fetched by the clock, and when a token names one that is not known."""

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from typing import Final

import aiohttp
import structlog

from services.gateway.identity.failures import KeysUnavailableError
from services.gateway.identity.keys import Key, read_key_set

LOOK_AGAIN_SECONDS: Final = 60.0
_DOCUMENT_LIMIT_BYTES: Final = 64 * 1024
_FETCH_SECONDS: Final = 5.0
_CHUNK_BYTES: Final = 8192
_SHORTEST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 60.0

_log = structlog.get_logger(__name__)


class PublishedKeys:
    """The last good key set of one address. One fetch at a time; a failed one changes nothing.

    Attributes:
        changed: called when other keys than before are good, so that what the old ones proved is looked at anew.
        trouble: what went wrong last, for operators; None when all is well.
        fetched_at: of the set in use, seconds since 1970.

    """

    def __init__(self, url: str, *, cache_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.url = url
        self.changed: Callable[[], None] = lambda: None
        self.trouble: str | None = "the keys were not fetched yet"
        self.fetched_at: float | None = None
        self._cache_seconds = cache_seconds
        self._clock = clock
        self._keys: Mapping[str, Key] | None = None
        self._fetching: asyncio.Task[None] | None = None
        self._looked_again_at = -math.inf

    def __len__(self) -> int:
        return len(self._keys or ())

    def find(self, kid: str) -> Key | None:
        """Give a key of the set; raises KeysUnavailableError where none was ever fetched."""
        if self._keys is None:
            raise KeysUnavailableError
        return self._keys.get(kid)

    async def look_again(self) -> bool:
        """Fetch for a key that is not known, and tell whether that was done: once a minute at most.

        Whoever comes meanwhile waits for that fetch, so that a flood of keys that do not exist makes us ask once.
        """
        if self._fetching is None:
            if self._clock() - self._looked_again_at < LOOK_AGAIN_SECONDS:
                return False
            self._looked_again_at = self._clock()
        await self.fetch()
        return True

    async def fetch(self) -> None:
        """Fetch the set, or wait for the fetch that is under way."""
        self._fetching = self._fetching or asyncio.create_task(self._fetch())
        await asyncio.shield(self._fetching)

    async def run(self) -> None:
        """Fetch the set whenever it has aged, sooner after a failure, until cancelled."""
        failures = 0
        try:
            while True:
                await self.fetch()
                failures = failures + 1 if self.trouble else 0
                await asyncio.sleep(self._pause_seconds(failures))
        finally:
            if self._fetching is not None:
                self._fetching.cancel()

    def _pause_seconds(self, failures: int) -> float:
        if not failures:
            return self._cache_seconds
        growing = _SHORTEST_PAUSE_SECONDS * (1 << min(failures - 1, 10))
        return min(growing, _LONGEST_PAUSE_SECONDS, self._cache_seconds)

    async def _fetch(self) -> None:
        try:
            self._take(read_key_set(await _download(self.url)))
        except Exception as error:  # noqa: BLE001 - the document is a stranger's, and the last good set stays
            self.trouble = f"the keys could not be fetched: {str(error) or type(error).__name__}"
            _log.warning("keys_not_fetched", url=self.url, error=repr(error), kept=len(self))
        finally:
            self._fetching = None

    def _take(self, keys: Mapping[str, Key]) -> None:
        before, self._keys = self._keys, keys
        self.fetched_at = time.time()
        self.trouble = None
        if keys != before:
            _log.info("keys_changed", url=self.url, keys=sorted(keys))
            self.changed()


async def _download(url: str) -> bytes:
    """Give the document; raises ValueError, TimeoutError and ClientError."""
    timeout = aiohttp.ClientTimeout(total=_FETCH_SECONDS)
    # Nothing is decompressed, so that what comes in small stays small.
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    async with (
        aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session,
        session.get(url, allow_redirects=False, headers=headers) as response,
    ):
        if response.status != 200:  # noqa: PLR2004 - nor do we follow to where a stranger points
            raise ValueError(f"the answer was {response.status}")
        document = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            document += chunk
            if len(document) > _DOCUMENT_LIMIT_BYTES:
                raise ValueError(f"the document is larger than {_DOCUMENT_LIMIT_BYTES} bytes")
        return bytes(document)
