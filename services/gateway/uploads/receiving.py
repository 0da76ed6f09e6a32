"""Files on their way into the object store, through the gateway or past it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar
from uuid import UUID

import structlog

from services.gateway.uploads.forms import Form, FormRefused
from services.gateway.uploads.spools import Spool, Spools
from shared.errors import TryAgain
from shared.object_keys import upload_key
from shared.objects import ObjectStore

T = TypeVar("T")

_FEED_BYTES: Final = 256 * 1024
_SILENCE_SECONDS: Final = 30.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ticket:
    """Leave to put one file into the object store, past the gateway.

    Attributes:
        url: where to PUT the bytes, and nothing else.
        headers: what must be sent with them, as it stands.

    """

    url: str
    headers: dict[str, str]
    expires_at: datetime


class Uploads:
    """Takes files in. A file that breaks off, in whatever way, leaves nothing behind.

    Args:
        objects: where accepted files go; one by one, each under the key of its upload.
        spools: where they lie meanwhile.
        file_bytes: the most that one file may have.
        ticket_seconds: how long a ticket lasts.

    """

    def __init__(self, objects: ObjectStore, spools: Spools, *, file_bytes: int, ticket_seconds: int) -> None:
        self._objects = objects
        self._spools = spools
        self._ticket_seconds = ticket_seconds
        self.file_bytes = file_bytes

    @contextmanager
    def form(self, content_type: str) -> Iterator[Form]:
        """Begin to read a form; raises FormRefused."""
        with Form(content_type, self._spools, file_bytes=self.file_bytes) as form:
            yield form

    async def files_of(self, form: Form, chunks: AsyncIterable[bytes]) -> AsyncGenerator[Spool, None]:
        """Read a form and give its files, each as soon as it has ended; the next one is not read meanwhile.

        Raises FormRefused and Busy.
        """
        async for data in _gathered(chunks):
            for spool in await _to_thread(form.feed, data):
                yield spool
                spool.close()
        form.finish()

    async def put(self, upload_id: UUID, spool: Spool) -> None:
        """Put a file that has come in where its upload's place is; raises TryAgain."""
        assert spool.content_type is not None  # noqa: S101 - only of a refused file it is unknown
        await self._objects.put(upload_key(upload_id), spool.rewound(), content_type=spool.content_type)

    async def size_of(self, upload_id: UUID) -> int | None:
        """Give the size of what lies at an upload's place; None where nothing does. Raises TryAgain."""
        return await self._objects.head(upload_key(upload_id))

    async def remove(self, upload_id: UUID) -> bool:
        """Remove what lies at an upload's place; tell whether that could be done."""
        try:
            await self._objects.delete(upload_key(upload_id))
        except TryAgain as error:
            _log.warning("upload_not_removed", upload_id=str(upload_id), error=repr(error))
            return False
        return True

    async def ticket(self, upload_id: UUID, *, content_type: str, size_bytes: int) -> Ticket:
        """Give leave to put a file of exactly this type and size at an upload's place."""
        expires_at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=self._ticket_seconds)
        url = await self._objects.presign_put(
            upload_key(upload_id),
            expires_seconds=self._ticket_seconds,
            content_type=content_type,
            size_bytes=size_bytes,
        )
        return Ticket(url, {"Content-Type": content_type}, expires_at)


async def _gathered(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Join small pieces, so that few threads are asked; raises FormRefused where nothing comes for too long."""
    gathered = bytearray()
    pieces = aiter(chunks)
    try:
        while True:
            async with asyncio.timeout(_SILENCE_SECONDS):
                gathered += await anext(pieces)
            if len(gathered) >= _FEED_BYTES:
                yield bytes(gathered)
                gathered.clear()
    except StopAsyncIteration:
        pass
    except TimeoutError as error:
        sentence = f"Nothing came for {_SILENCE_SECONDS:.0f} seconds; please send it again."
        raise FormRefused(408, "upload_stalled", sentence) from error
    if gathered:
        yield bytes(gathered)


async def _to_thread(function: Callable[..., T], *arguments: Any) -> T:
    """Run something in a thread that is done with it when this ends, also where the caller was cancelled."""
    running = asyncio.ensure_future(asyncio.to_thread(function, *arguments))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait((running,))
        raise
