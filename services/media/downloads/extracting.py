"""What the killable program does: have yt-dlp find one video and save it, through our proxy and into one folder.

It reads its order from stdin and tells what becomes of it on stdout, a JSON object a line; yt-dlp complains on stderr.
The work is done by a child of the program, which ends when that does, with all that was started in there.
"""

import json
import re
import resource
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import yt_dlp
from yt_dlp.globals import plugin_dirs
from yt_dlp.utils import DownloadCancelled, DownloadError

from services.media.downloads.complaints import ONCE_MORE
from shared.guarding import guard
from shared.sandbox.confinement import die_with_parent, hide_the_machine

_PROGRESS_SECONDS: Final = 0.25
_SOCKET_SECONDS: Final = 20
_CERTIFICATES: Final = (Path("/etc/ssl"), Path("/etc/pki"), Path("/usr/share/ca-certificates"), Path("/etc/mime.types"))
_LOST_SUBTITLES: Final = re.compile(r"Unable to download video subtitles for ['\"]?([^'\"]*)")
_SUBTITLES_TRIED: Final = 3
_FACTS: Final = ("title", "uploader", "license", "description")
_FACT_CHARACTERS: Final = 2000


class _Told:
    """yt-dlp's words, as they are; who started this program makes sense of them."""

    def debug(self, message: str) -> None:
        if not message.startswith("[debug] "):
            self.error(message)

    def warning(self, message: str) -> None:
        self.error(f"WARNING: {message}")

    def error(self, message: str) -> None:
        print(message, file=sys.stderr, flush=True)  # noqa: T201 - this is the program's voice


class _Progress:
    """Tells how much has come, not too often."""

    def __init__(self) -> None:
        self._told = 0.0

    def __call__(self, status: Mapping[str, Any]) -> None:
        now = time.monotonic()
        if status.get("status") == "downloading" and now - self._told >= _PROGRESS_SECONDS:
            self._told = now
            total = status.get("total_bytes") or status.get("total_bytes_estimate")
            _say({"progress": [int(status.get("downloaded_bytes") or 0), int(total) if total else None]})


def fetch(order: Mapping[str, Any]) -> None:
    """Save one video; say what it is and which files it came in.

    Subtitles that are not to be had are left out: yt-dlp gives the whole video up for them, before it has come.
    """
    left_out: list[str] = []
    while len(left_out) < _SUBTITLES_TRIED:
        languages = [*order["subtitle_languages"], *(f"-{re.escape(one)}" for one in left_out)]
        try:
            found = _fetch({**order, "subtitle_languages": languages})
        except DownloadError as error:
            if (lost := _LOST_SUBTITLES.search(str(error))) is None:
                raise
            left_out.append(lost[1])
            _Told().error(ONCE_MORE)
        else:
            break
    else:
        left_out = [*order["subtitle_languages"]]
        found = _fetch({**order, "subtitle_languages": []})
    _say({"done": {**_told(found), "left_out": left_out}})


def _fetch(order: Mapping[str, Any]) -> Mapping[str, Any]:
    longest_seconds = order["longest_seconds"]

    def judge(info: Mapping[str, Any], *, incomplete: bool = False) -> None:
        del incomplete
        if info.get("is_live") or info.get("live_status") in {"is_live", "is_upcoming"}:
            raise DownloadCancelled("diorama: live")
        if (info.get("duration") or 0) > longest_seconds:
            raise DownloadCancelled("diorama: longer than allowed")

    with yt_dlp.YoutubeDL({**_parameters(order), "match_filter": judge, "progress_hooks": [_Progress()]}) as program:
        return program.extract_info(order["url"], download=True) or {}


def _parameters(order: Mapping[str, Any]) -> dict[str, Any]:
    languages = order["subtitle_languages"]
    return {
        "allowed_extractors": [re.escape(name.lower()) + "$" for name in order["extractors"]],
        "cachedir": False,
        "concurrent_fragment_downloads": 1,
        "enable_file_urls": False,
        "external_downloader": {"default": "native"},
        "ffmpeg_location": "/nonexistent",
        "fixup": "never",
        "format": order["format"],
        "geo_bypass": False,
        "hls_prefer_native": True,
        "js_runtimes": {},
        "logger": _Told(),
        "max_filesize": order["max_bytes"],
        "noplaylist": True,
        "noprogress": True,
        "outtmpl": {"default": "%(format_id).40B.%(ext)s"},
        "overwrites": True,
        "paths": {"home": order["folder"]},
        "playlist_items": "1",
        "proxy": order["proxy"],
        "remote_components": [],
        "restrictfilenames": True,
        "retries": 2,
        "skip_unavailable_fragments": False,
        "socket_timeout": _SOCKET_SECONDS,
        "subtitleslangs": languages,
        "updatetime": False,
        "usenetrc": False,
        "writesubtitles": bool(languages),
    }


def _told(found: Mapping[str, Any]) -> dict[str, Any]:
    info = next((entry for entry in found.get("entries") or () if entry), found)
    return {
        "facts": {name: str(info[name])[:_FACT_CHARACTERS] for name in _FACTS if info.get(name)},
        "files": [
            {
                "name": Path(str(one.get("filepath"))).name,
                "format": str(one.get("format_id")),
                "is_audio": one.get("vcodec") == "none",
            }
            for one in info.get("requested_downloads") or ()
        ],
        "subtitles": [
            {"name": Path(str(one["filepath"])).name, "language": language}
            for language, one in (info.get("requested_subtitles") or {}).items()
            if one.get("filepath")
        ],
    }


def _say(message: Mapping[str, Any]) -> None:
    print(json.dumps(message), flush=True)  # noqa: T201 - this is the program's voice


def _confine(order: Mapping[str, Any]) -> None:
    """Leave nothing but the proxy to connect to, nothing but the folder to write, and no other program to start."""
    plugin_dirs.value = []
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (order["max_bytes"], order["max_bytes"]))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (order["memory_bytes"], order["memory_bytes"]))
    hide_the_machine(_CERTIFICATES, folders=[Path(order["folder"])], ports=[order["proxy_port"]])


def main() -> None:
    order = json.loads(sys.stdin.buffer.readline())
    guard(partial(_work, order), order["parent_pid"], apart=True)


def _work(order: Mapping[str, Any], guard_pid: int) -> None:
    die_with_parent(guard_pid)
    _confine(order)
    try:
        fetch(order)
    except (DownloadError, DownloadCancelled) as error:
        _Told().error(str(error))
