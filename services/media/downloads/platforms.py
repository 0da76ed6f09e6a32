"""Videos of platforms, taken by yt-dlp in a program that is killed whole and connects where our proxy lets it."""

import asyncio
import json
import os
import shutil
import stat
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import structlog

from services.media.downloads.complaints import failure_of, final_words
from shared.errors import Failure, Refused, TryAgain, printable
from shared.fetch import Progress, Proxy
from shared.process_groups import running

MEMORY_BYTES: Final = 512 * 1024 * 1024
SUBTITLE_MAX_BYTES: Final = 4 * 1024 * 1024
SUBTITLE_LIMIT: Final = 32

_LINE_LIMIT_BYTES: Final = 256 * 1024
_COMPLAINT_BYTES: Final = 16 * 1024
_DISK_SECONDS: Final = 0.5
_COPIES: Final = 2  # a piece lies on the disk twice while it is appended to what came before
_PROGRAM: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop()); "
    "from services.media.downloads.extracting import main; main()"
)
_ENVIRONMENT: Final = {"HOME": "/nonexistent", "LANG": "C.UTF-8", "PATH": "/nonexistent", "YTDLP_NO_PLUGINS": "1"}

_log = structlog.get_logger(__name__)


# As what a track is kept. Anything else is bytes: its page has named it.
_TRACK_TYPES: Final = {
    ("subtitles", ".vtt"): (".vtt", "text/vtt"),
    ("subtitles", ".srt"): (".srt", "application/x-subrip"),
    ("audio", ".m4a"): (".m4a", "audio/mp4"),
    ("audio", ".mp4"): (".m4a", "audio/mp4"),
    ("audio", ".mp3"): (".mp3", "audio/mpeg"),
    ("audio", ".ogg"): (".ogg", "audio/ogg"),
    ("audio", ".opus"): (".ogg", "audio/ogg"),
    ("audio", ".webm"): (".weba", "audio/webm"),
}


@dataclass(frozen=True, slots=True)
class Platforms:
    """Which platforms videos are taken from, and how much of one.

    Attributes:
        extractors: names of yt-dlp's extractors; a page of any other is refused.
        format: as yt-dlp's `--format`; of several, joined by commas, each is a file of its own.
        subtitle_languages: of the subtitles that are kept where there are any, as yt-dlp's `--sub-langs`.

    """

    extractors: tuple[str, ...] = ()
    format: str = "bv*[height<=?1080],ba"
    subtitle_languages: tuple[str, ...] = ()
    max_bytes: int = 512 * 1024 * 1024
    longest_seconds: float = 4 * 60 * 60
    deadline_seconds: float = 900


@dataclass(frozen=True, slots=True)
class Subtitles:
    path: Path
    language: str


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of a video; the files are gone when the block ends.

    Attributes:
        video: the moving picture, often with sound.
        audio: the sound, where the platform keeps it apart.
        facts: what the page says, as yt-dlp names it; texts of strangers.
        left_out: languages of subtitles that its platform has and does not give.

    """

    video: Path
    audio: Path | None = None
    subtitles: tuple[Subtitles, ...] = ()
    left_out: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


@asynccontextmanager
async def take(
    platforms: Platforms,
    url: str,
    directory: Path,
    *,
    proxy: Callable[[int], Proxy],
    progress: Progress | None = None,
) -> AsyncIterator[Taken]:
    """Save the video of a page into a folder of its own in `directory`, which lives as long as the block.

    Where the block is left early, also by a cancel, the program and all that it started are gone within 3 s.

    Args:
        platforms: what may be taken.
        url: of the page.
        directory: must exist.
        proxy: makes the proxy, for so many bytes.
        progress: hears how many bytes of a file have come, and of how many where that is known.

    Raises:
        Refused, TryAgain: as `failure_of`, or what the proxy refused to dial.

    """
    folder = directory / f"{uuid4().hex}.video"
    await asyncio.to_thread(folder.mkdir, 0o700)
    try:
        async with proxy(platforms.max_bytes) as way_out:
            told, complaint = await _run(_order(platforms, url, folder, way_out), platforms.deadline_seconds, progress)
        taken = await asyncio.to_thread(_found, told, folder, platforms.max_bytes)
        # What was cut off may look whole to a program that was told no size.
        if taken is None or way_out.overrun:
            raise _why(way_out, complaint)
        yield taken
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _order(platforms: Platforms, url: str, folder: Path, proxy: Proxy) -> dict[str, Any]:
    return {
        "url": url,
        "folder": str(folder),
        "proxy": proxy.url,
        "proxy_port": proxy.port,
        "parent_pid": os.getpid(),
        "memory_bytes": MEMORY_BYTES,
        "extractors": platforms.extractors,
        "format": platforms.format,
        "subtitle_languages": platforms.subtitle_languages,
        "max_bytes": platforms.max_bytes,
        "longest_seconds": platforms.longest_seconds,
    }


async def _run(
    order: Mapping[str, Any], deadline_seconds: float, progress: Progress | None
) -> tuple[Mapping[str, Any], str]:
    """Have the program do its work; give what it says in the end, and the last of what it complained of."""
    arguments = [sys.executable, "-I", "-c", _PROGRAM, json.dumps(_import_paths())]
    try:
        async with (
            asyncio.timeout(deadline_seconds),
            running(arguments, _ENVIRONMENT, _LINE_LIMIT_BYTES) as (said, complained, tell),
        ):
            complaint = asyncio.create_task(_tail(complained))
            told = asyncio.create_task(_listen(said, progress))
            full = asyncio.create_task(_fill(Path(order["folder"]), _COPIES * order["max_bytes"]))
            try:
                await tell(json.dumps(order).encode() + b"\n")
                await asyncio.wait({told, full}, return_when=asyncio.FIRST_COMPLETED)
                if full.done():
                    raise failure_of("larger than max-filesize")
                return await told, await complaint
            finally:
                await _drop(complaint, told, full)
    except TimeoutError as error:
        raise TryAgain("fetch_timeout", f"The video took longer than {deadline_seconds:g} s.") from error


def _import_paths() -> list[str]:
    return [str(Path(entry).resolve()) for entry in sys.path]


async def _listen(said: asyncio.StreamReader, progress: Progress | None) -> Mapping[str, Any]:
    """Hear the program out; it reads pages of strangers, so that nothing of what it says is taken for granted."""
    told: Mapping[str, Any] = {}
    try:
        while line := await said.readline():
            match json.loads(line):
                case {"progress": [int() as received, int() | None as total]} if progress:
                    progress(received, total)
                case {"done": dict() as done}:
                    told = done
    except ValueError as error:
        raise Refused("platform_failed", "The program that takes videos speaks in riddles.") from error
    return told


async def _fill(folder: Path, limit_bytes: int) -> None:
    """Wait until more lies in a folder than may: what comes in is counted, and yet may be inflated in there."""
    while True:
        if await asyncio.to_thread(_used_bytes, folder) > limit_bytes:
            return
        await asyncio.sleep(_DISK_SECONDS)


def _used_bytes(folder: Path) -> int:
    used = 0
    for where, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # gone meanwhile
                used += Path(where, name).lstat().st_blocks * 512
    return used


async def _drop(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _tail(stream: asyncio.StreamReader) -> str:
    kept = b""
    while chunk := await stream.read(_COMPLAINT_BYTES):
        kept = (kept + chunk)[-_COMPLAINT_BYTES:]
    return printable(kept.decode(errors="replace"), _COMPLAINT_BYTES)


def _why(proxy: Proxy, complaint: str) -> Failure:
    if proxy.overrun:
        return failure_of("larger than max-filesize")
    failure = proxy.refused[-1] if proxy.refused else failure_of(complaint)
    _log.info("video_not_taken", code=failure.code, complaint=final_words(complaint)[-1000:])
    return failure


def _found(told: Mapping[str, Any], folder: Path, max_bytes: int) -> Taken | None:
    files = [(_file(one, folder, max_bytes), bool(one.get("is_audio"))) for one in _listed(told, "files")]
    videos = [path for path, is_audio in files if path and not is_audio]
    if not videos:
        return None
    return Taken(
        video=videos[0],
        audio=next((path for path, is_audio in files if path and is_audio), None),
        subtitles=tuple(
            Subtitles(path, printable(str(one.get("language")), 40))
            for one in _listed(told, "subtitles")[:SUBTITLE_LIMIT]
            if (path := _file(one, folder, SUBTITLE_MAX_BYTES)) and _is_text(path)
        ),
        left_out=tuple(printable(one, 40) for one in _texts(told, "left_out")[:SUBTITLE_LIMIT]),
        facts=told["facts"] if isinstance(told.get("facts"), dict) else {},
    )


def _texts(told: Mapping[str, Any], name: str) -> list[str]:
    listed = told.get(name)
    return [one for one in listed if isinstance(one, str)] if isinstance(listed, list) else []


def _listed(told: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    listed = told.get(name)
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _file(one: Mapping[str, Any], folder: Path, max_bytes: int) -> Path | None:
    """Find a file by the name that the program gave it: one of the folder itself, and no link to elsewhere."""
    name = str(one.get("name"))
    if "/" in name or name in {"", ".", ".."}:
        return None
    try:
        found = (folder / name).lstat()
    except (OSError, ValueError):
        return None
    return folder / name if stat.S_ISREG(found.st_mode) and 0 < found.st_size <= max_bytes else None


def _is_text(path: Path) -> bool:
    """Tell whether subtitles are what their name says, as far as that shows; a page of a stranger named them."""
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return False
    return "\0" not in text and (path.suffix.lower() != ".vtt" or text.startswith("WEBVTT"))


def track_type(path: Path, kind: str) -> tuple[str, str]:
    """Give the extension and the media type under which a track (`audio` or `subtitles`) is kept."""
    return _TRACK_TYPES.get((kind, path.suffix.lower()), (".bin", "application/octet-stream"))
