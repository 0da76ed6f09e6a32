"""What yt-dlp's complaints mean, as stable codes. The first that fits counts."""

import re
from typing import Final

from shared.errors import Failure, Refused, TryAgain

_REFUSED: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), code, sentence)
    for pattern, code, sentence in (
        (
            r"no suitable extractor|unsupported url",
            "platform_not_supported",
            "This page belongs to none of the video platforms that are allowed here: see VIDEO_PLATFORMS.",
        ),
        (r"diorama: live|live event|premieres in", "video_is_live", "This video is live: come back when it has ended."),
        (r"diorama: longer", "video_too_long", "This video is longer than VIDEO_MAX_SECONDS allows."),
        (
            r"larger than max-filesize|file too large",
            "body_too_large",
            "This video is larger than VIDEO_MAX_BYTES allows.",
        ),
        (
            r"requested format is not available",
            "video_format_unavailable",
            "The platform has no file of this video in a format that VIDEO_FORMAT accepts.",
        ),
        (r"\bdrm\b", "video_protected", "This video is encrypted by its platform, and so is not taken."),
        (
            r"private video|sign in|log ?in|registered users|members[- ]only|account|cookies|password|confirm your age",
            "video_needs_sign_in",
            "The platform shows this video only to those who have signed in.",
        ),
        (
            r"(in|from) your (country|location|region)|geo.?restrict",
            "video_not_available_here",
            "The platform does not show this video in the country of this machine.",
        ),
        (
            r"video (is )?(unavailable|not available)|has been removed|been deleted|no longer available|does not exist",
            "video_unavailable",
            "The platform says that this video is not, or no longer, available.",
        ),
        (r"no video|no media|there'?s no", "video_missing", "There is no video on this page."),
        (
            r"cannot decode|unable to extract|please report",
            "platform_changed",
            "This platform cannot be read by the installed yt-dlp: update it.",
        ),
    )
)
ONCE_MORE: Final = "diorama: once more"
"""Said where it begins anew: what went wrong before that is no reason of the end."""

_ADDRESS: Final = re.compile(r"\b[a-z]+://\S+", re.IGNORECASE)
_FINAL: Final = re.compile(r"ERROR|diorama:|\s*\[download\] File is larger")
_STATUS: Final = re.compile(r"HTTP Error ([0-9]{3})", re.IGNORECASE)
_SLOW: Final = re.compile(r"timed? ?out", re.IGNORECASE)
_BROKEN: Final = re.compile(
    r"connection|tunnel|transport|resolve|bytes (read|missing)|incomplete|did not get any data|refused|reset",
    re.IGNORECASE,
)
_FULL: Final = re.compile(r"no space left|disk quota", re.IGNORECASE)
_TOO_MANY_REQUESTS, _SERVER_FAILS = 429, 500
_PASSING: Final = frozenset({408, 425, _TOO_MANY_REQUESTS})


def failure_of(complaint: str) -> Failure:
    """Name what a run of yt-dlp failed of, by all that it wrote; nothing of its words is passed on."""
    complaint = final_words(complaint)
    if status := _STATUS.search(complaint):
        return _failure_of_status(int(status[1]))
    for pattern, code, sentence in _REFUSED:
        if pattern.search(complaint):
            return Refused(code, sentence)
    if _FULL.search(complaint):
        return TryAgain("scratch_unavailable", "The scratch disk cannot be written.")
    if _SLOW.search(complaint):
        return TryAgain("fetch_timeout", "The video platform did not answer in time.")
    if _BROKEN.search(complaint):
        return TryAgain("fetch_connection_failed", "The connection to the video platform failed.")
    return Refused(
        "platform_failed", "The video could not be taken from its page, and yt-dlp gives no reason known here."
    )


def final_words(complaint: str) -> str:
    """Leave out what it said on its way, and the addresses, in which any word may stand, and secrets too."""
    # It returns to the beginning of its line before it says why it gives up, as on a terminal.
    # It returns to the beginning of its line before it says why it gives up, as on a terminal.
    last = complaint.rpartition(ONCE_MORE)[2].replace("\r", "")
    lines = [_ADDRESS.sub("", line) for line in last.splitlines()]
    return "\n".join([line for line in lines if _FINAL.match(line)] or lines)


def _failure_of_status(status: int) -> Failure:
    sentence = f"The video platform answered {status}."
    if status in _PASSING or status >= _SERVER_FAILS:
        return TryAgain(f"http_{status}", sentence, rate_limited=status == _TOO_MANY_REQUESTS)
    return Refused(f"http_{status}", sentence)
