"""The library: files come in, are checked in a limited process, and their bytes and renditions are stored once."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import structlog

from contracts.media import CleanCopy
from services.media import store
from services.media.downloads import download
from services.media.processing import look, process
from services.media.renditions import rendition_keys
from services.media.tagging.tagger import Taggers
from shared.database import AWAY, Pool
from shared.errors import Refused, TryAgain
from shared.fetch import Outbound
from shared.object_keys import clean_copy_key, original_key, rendition_key
from shared.objects import ObjectStore
from shared.sandbox import Sandbox

Report = Callable[[float | None, str | None], None]

_CONDEMNED_AT_ONCE = 20
_COLLECT_SECONDS = 600

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Held:
    """A file whose bytes and renditions are stored; no asset refers to it yet."""

    sha256: str
    size_bytes: int
    original_key: str
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a download may be, in bytes and seconds."""

    max_bytes: int
    deadline_seconds: float


class Library:
    """Brings files in. Whatever is untrusted is read by the sandbox alone."""

    def __init__(
        self,
        *,
        pool: Pool,
        objects: ObjectStore,
        outbound: Outbound,
        sandbox: Sandbox,
        scratch: Path,
        limits: Limits,
        taggers: Taggers | None = None,
    ) -> None:
        self.pool = pool
        self.taggers = taggers or Taggers()
        self._objects = objects
        self._outbound = outbound
        self._sandbox = sandbox
        self._scratch = scratch
        self._limits = limits

    async def hold_link(self, url: str, report: Report) -> Held:
        """Download a link and store what it holds; raises Refused or TryAgain."""
        report(0.05, "downloading")
        async with download(
            self._outbound,
            url,
            self._scratch,
            max_bytes=self._limits.max_bytes,
            deadline_seconds=self._limits.deadline_seconds,
        ) as file:
            return await self._hold(file.path, file.sha256, file.size_bytes, report)

    async def hold_object(self, key: str, report: Report) -> Held:
        """Store what an object holds; raises Refused or TryAgain."""
        path = self._scratch / f"{uuid4().hex}.object"
        report(0.05, "reading")
        try:
            await self._objects.save(key, path)
            sha256, size_bytes = await asyncio.to_thread(_measure, path)
            return await self._hold(path, sha256, size_bytes, report)
        finally:
            path.unlink(missing_ok=True)

    async def look_again(self, sha256: str, key: str, report: Report) -> dict[str, Any]:
        """See anew what a stored original looks like, and remember it; raises Refused or TryAgain."""
        path = self._scratch / f"{uuid4().hex}.original"
        report(0.05, "reading")
        try:
            await self._objects.save(key, path)
            report(0.4, "looking")
            seen, _ = await self._sandbox.run(look, path)
        finally:
            path.unlink(missing_ok=True)
        await store.update_blob_seen(self.pool, sha256, seen)
        return seen

    async def show(self, renditions: Sequence[dict[str, Any]]) -> bytes:
        """Give the largest rendition: what taggers look at is upright, not large, and has no hidden metadata."""
        if not renditions:
            raise Refused("nothing_to_see", "This asset has no picture that could be looked at.")
        largest = max(renditions, key=lambda rendition: rendition["width_px"])
        return await self._objects.get(largest["key"])

    async def _hold(self, path: Path, sha256: str, size_bytes: int, report: Report) -> Held:
        known = await store.select_blob(self.pool, sha256)
        if known is not None and "clean_copy" in known["facts"]:
            return Held(sha256, known["size_bytes"], known["original_key"], known["facts"])
        report(0.4, "decoding")
        facts, contents = await self._sandbox.run(process, path)
        report(0.7, "storing")
        key = original_key(sha256, facts["extension"])
        renditions = [
            {
                "name": rendition["name"],
                "key": rendition_key(sha256, rendition["name"]),
                "content_type": "image/webp",
                "width_px": rendition["width_px"],
                "height_px": rendition["height_px"],
            }
            for rendition in facts["renditions"]
        ]
        copy = _placed(facts["clean_copy"], sha256, key)
        made = [*renditions, copy] if copy["key"] != key else renditions
        await asyncio.gather(
            self._objects.put_once(key, path, content_type=facts["content_type"]),
            *(
                self._objects.put_once(one["key"], content, content_type=one["content_type"])
                for one, content in zip(made, contents, strict=True)
            ),
        )
        return Held(sha256, size_bytes, key, {**facts, "renditions": renditions, "clean_copy": copy})

    async def collect_condemned(self) -> None:
        """Delete bytes that nobody has referred to for a day, again and again, until cancelled."""
        while True:
            try:
                while await self._collect_page():
                    pass
            except (*AWAY, TryAgain) as error:
                _log.warning("collecting_paused", error=repr(error))
            await asyncio.sleep(_COLLECT_SECONDS)

    async def _collect_page(self) -> bool:
        """Delete a page of condemned bytes while their rows are locked; tell whether there may be more."""
        async with self.pool.acquire() as connection, connection.transaction():
            await store.keep_locks(connection)
            condemned = await store.select_condemned(connection, _CONDEMNED_AT_ONCE)
            for blob in condemned:
                listed = (rendition["key"] for rendition in blob["facts"]["renditions"])
                copies = [copy["key"]] if (copy := blob["facts"].get("clean_copy")) is not None else []
                keys = {blob["original_key"], *listed, *copies, *rendition_keys(blob["sha256"])}
                # All deletes have ended before the lock is given up, whatever becomes of them.
                deleting = asyncio.gather(*(self._objects.delete(key) for key in keys), return_exceptions=True)
                for outcome in await _in_any_case(deleting):
                    if isinstance(outcome, BaseException):
                        raise outcome
                await store.delete_blob(connection, blob["sha256"])
            return len(condemned) == _CONDEMNED_AT_ONCE


async def _in_any_case(ending: asyncio.Future[list[Any]]) -> list[Any]:
    """Wait for the end of something that goes on also where whoever waits for it is cancelled."""
    try:
        return await asyncio.shield(ending)
    finally:
        await asyncio.wait((ending,))


def _placed(copy: dict[str, Any], sha256: str, original: str) -> dict[str, Any]:
    """Say where what is handed out lies: where the original does, if that tells nothing."""
    key = original if copy["is_original"] else clean_copy_key(sha256, copy["extension"])
    return {"key": key, **{name: copy[name] for name in CleanCopy.model_fields if name != "key"}}


def _measure(path: Path) -> tuple[str, int]:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size
