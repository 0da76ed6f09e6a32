"""The library: files come in, are checked in a limited process, and their bytes and renditions are stored once."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import structlog

from contracts.media import CleanCopy
from services.media import store
from services.media.downloads import Pages, Platforms, Taken, Wishes, download, take, track_type
from services.media.places import Places
from services.media.processing import copy_clean, look, process
from services.media.renditions import rendition_keys
from services.media.store import copies
from services.media.tagging.tagger import Taggers
from services.media.video import Attention, still, watch
from shared.addresses import Url, parse_url
from shared.database import AWAY, Pool
from shared.errors import Refused, TryAgain, printable
from shared.fetch import Gate, Outbound, Progress, Proxy
from shared.image_formats import SNIFFED_BYTES, sniff
from shared.object_keys import clean_copy_key, original_key, rendition_key, track_key
from shared.objects import ObjectStore
from shared.sandbox import Sandbox

Report = Callable[[float | None, str | None], None]

_CONDEMNED_AT_ONCE = 20
_COLLECT_SECONDS = 600
_PAGES = frozenset({"web_page_not_image", "http_401", "http_403"})  # platforms may show theirs to players alone
_SAID = {"title": "title", "uploader": "credit", "license": "licence", "description": "description"}
_SAID_CHARACTERS = 2000
_IN_LINE_PER_PLACE = 4
_NEAR_SECONDS = 20.0
_IN_LINE_SECONDS = 20.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Held:
    """A file whose bytes and renditions are stored; no asset refers to it yet.

    Attributes:
        said: of a video, by its own page: `title`, `credit`, `licence`, `description`; texts of strangers.
        subtitles_left_out: languages of a video that could not be had.

    """

    sha256: str
    size_bytes: int
    original_key: str
    facts: dict[str, Any]
    said: dict[str, str] = field(default_factory=dict)
    subtitles_left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a download may be, in bytes and seconds, and what is spent on videos."""

    max_bytes: int
    deadline_seconds: float
    platforms: Platforms = field(default_factory=Platforms)
    attention: Attention = field(default_factory=Attention)
    videos_at_once: int = 2


class Library:
    """Brings files in. Whatever is untrusted is read by the sandbox alone.

    `wishes` are those of hosts, which hold for links that nobody named by hand; absent: they are not looked for.
    """

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
        pages: Pages | None = None,
        places: Places | None = None,
        wishes: Wishes | None = None,
    ) -> None:
        self.pool = pool
        self.taggers = taggers or Taggers()
        self._objects = objects
        self._outbound = outbound
        self._sandbox = sandbox
        self._scratch = scratch
        self._limits = limits
        self._platforms = limits.platforms
        self._pages = pages
        self._gate: Gate = places.at if places is not None else nullcontext
        self._wishes = wishes
        self._attention = limits.attention
        # Each is a process, and a large one; images go on meanwhile.
        self._taking = asyncio.Semaphore(limits.videos_at_once)
        self._in_line = 0
        self._watching = asyncio.Semaphore(limits.videos_at_once)

    def visit(self) -> Gate:
        """Give the gate of one job, which waits for near turns itself once it has asked somebody.

        Sent back to the queue it would ask all that again, and with the next turn come no further.
        """
        has_asked = False

        @asynccontextmanager
        async def gate(place: Url) -> AsyncIterator[None]:
            nonlocal has_asked
            async with AsyncExitStack() as stack:
                while True:
                    try:
                        await stack.enter_async_context(self._gate(place))
                        break
                    except TryAgain as late:
                        wait_seconds = late.retry_after_seconds or 0.0
                        if not has_asked or late.code != "host_busy" or wait_seconds > _NEAR_SECONDS:
                            raise
                        await asyncio.sleep(wait_seconds)
                has_asked = True
                yield

        return gate

    async def hold_link(self, url: str, report: Report, *, found: bool = False, gate: Gate | None = None) -> Held:
        """Download a link and store what it holds, or the video of a platform's page; raises Refused or TryAgain.

        Where it was `found`, what its host asks of robots (X-Robots-Tag) holds: then it is `robots_tag_disallowed`.
        """
        report(0.05, "downloading")
        gate = gate or self.visit()
        try:
            async with download(
                self._outbound,
                url,
                self._scratch,
                max_bytes=self._limits.max_bytes,
                deadline_seconds=self._limits.deadline_seconds,
                progress=_share_of(report),
                gate=gate,
                check=self._wishes.check if found and self._wishes else None,
            ) as file:
                return await self._hold(file.path, file.sha256, file.size_bytes, report)
        except Refused as refusal:
            if refusal.code not in _PAGES or not self._platforms.extractors:
                raise
            return await self._hold_video(url, report, refusal, gate)

    async def _hold_video(self, url: str, report: Report, page: Refused, gate: Gate) -> Held:
        """Store the video of a page; a page of no platform is refused as the page that it is."""
        # In its one spelling a URL has no fragment, by which yt-dlp would let its writer give orders.
        place = parse_url(url, self._outbound.policy)
        address = str(place)
        if self._pages is not None and not await self._pages.know(address):
            raise page
        taking = take(self._platforms, address, self._scratch, proxy=self._way_out, progress=_share_of(report))
        try:
            async with self._turn(), AsyncExitStack() as stack:
                async with gate(place):
                    taken = await stack.enter_async_context(taking)
                sha256, size_bytes = await asyncio.to_thread(_measure, taken.video)
                held = await self._hold(taken.video, sha256, size_bytes, report)
                held = replace(held, said=_said(taken), subtitles_left_out=taken.left_out)
                if "video" not in held.facts or "tracks" in held.facts["video"]:
                    return held
                video = {**held.facts["video"], "tracks": await self._keep_tracks(sha256, taken)}
                return replace(held, facts={**held.facts, "video": video})
        except Refused as refusal:
            raise page if refusal.code == "platform_not_supported" else refusal from None

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait for one of the few places, unless many wait already: each that waits keeps an image from its own."""
        if self._in_line >= _IN_LINE_PER_PLACE * self._limits.videos_at_once:
            raise TryAgain(
                "videos_in_line",
                "Other videos are being taken; this one is when some of them are done.",
                retry_after_seconds=_IN_LINE_SECONDS,
                rate_limited=True,
            )
        self._in_line += 1
        try:
            async with self._taking:
                yield
        finally:
            self._in_line -= 1

    def _way_out(self, max_bytes: int) -> Proxy:
        return Proxy(self._outbound.policy, max_bytes=max_bytes)

    async def _keep_tracks(self, sha256: str, taken: Taken) -> list[dict[str, Any]]:
        tracks: list[tuple[str, Path, str | None]] = [("audio", taken.audio, None)] if taken.audio else []
        tracks += [("subtitles", one.path, one.language) for one in taken.subtitles]
        return [await self._keep_track(sha256, kind, path, language) for kind, path, language in tracks]

    async def _keep_track(self, sha256: str, kind: str, path: Path, language: str | None) -> dict[str, Any]:
        own_sha256, size_bytes = await asyncio.to_thread(_measure, path)
        extension, content_type = track_type(path, kind)
        key = track_key(sha256, own_sha256, extension)
        await self._objects.put_once(key, path, content_type=content_type)
        return {"kind": kind, "key": key, "content_type": content_type, "size_bytes": size_bytes, "language": language}

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
            seen, _ = await self._sandbox.run(look, await self.picture(path))
        finally:
            path.unlink(missing_ok=True)
        await store.update_blob_seen(self.pool, sha256, seen)
        return seen

    async def have_copy(self, sha256: str) -> CleanCopy | None:
        """Have what may be handed out of stored bytes, made now where there was none; None where there can be none.

        Raises Refused or TryAgain.
        """
        held = await copies.select_stored(self.pool, sha256)
        if held is None:
            return None
        if "clean_copy" not in held["facts"]:
            made = await self._copied(sha256, held["original_key"])
            await copies.update_blob_copied(self.pool, sha256, made)
            held["facts"]["clean_copy"] = made
        return None if (copy := held["facts"]["clean_copy"]) is None else CleanCopy.model_validate(copy)

    async def _copied(self, sha256: str, key: str) -> dict[str, Any]:
        path = self._scratch / f"{uuid4().hex}.original"
        try:
            await self._objects.save(key, path)
            told, contents = await self._sandbox.run(copy_clean, path)
        finally:
            path.unlink(missing_ok=True)
        copy = _placed(told["clean_copy"], sha256, key)
        for content in contents:
            await self._objects.put_once(copy["key"], content, content_type=copy["content_type"])
        return copy

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
        facts, contents = await self._read(path)
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
        # Of a video there is none.
        copy = None if facts["clean_copy"] is None else _placed(facts["clean_copy"], sha256, key)
        made = [*renditions, copy] if copy is not None and copy["key"] != key else renditions
        await asyncio.gather(
            self._objects.put_once(key, path, content_type=facts["content_type"]),
            *(
                self._objects.put_once(one["key"], content, content_type=one["content_type"])
                for one, content in zip(made, contents, strict=True)
            ),
        )
        return Held(sha256, size_bytes, key, {**facts, "renditions": renditions, "clean_copy": copy})

    async def _read(self, path: Path) -> tuple[dict[str, Any], list[bytes]]:
        if not await asyncio.to_thread(_moves, path):
            return await self._sandbox.run(process, path)
        async with self._watching:
            return await watch(path, self._attention, self._sandbox)

    async def picture(self, path: Path) -> Path | bytes:
        """Give what is looked at of a file: of a video its poster. Raises Refused or TryAgain."""
        if not await asyncio.to_thread(_moves, path):
            return path
        async with self._watching:
            return await still(path, self._attention)

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
                facts = blob["facts"]
                copies = [copy] if (copy := facts.get("clean_copy")) is not None else []
                beside = [*facts["renditions"], *copies, *facts.get("video", {}).get("tracks", ())]
                keys = {blob["original_key"], *(one["key"] for one in beside), *rendition_keys(blob["sha256"])}
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


def _share_of(report: Report) -> Progress:
    """Tell of a download as a share of the whole work."""

    def progress(received: int, total: int | None) -> None:
        report(0.05 + 0.35 * min(received / total, 1.0) if total else None, "downloading")

    return progress


def _said(taken: Taken) -> dict[str, str]:
    facts = {name: printable(text, _SAID_CHARACTERS) for name, text in taken.facts.items() if isinstance(text, str)}
    return {ours: facts[theirs] for theirs, ours in _SAID.items() if facts.get(theirs)}


def _moves(path: Path) -> bool:
    with path.open("rb") as file:
        return sniff(file.read(SNIFFED_BYTES)) == "video"


def _measure(path: Path) -> tuple[str, int]:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size
