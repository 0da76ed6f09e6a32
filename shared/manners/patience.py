"""What is said to who comes too early: nobody was asked, and no attempt is used up."""

import random
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

from shared.errors import TryAgain
from shared.manners.hosts import Host

HOST_BUSY: Final = "host_busy"
HOST_BLOCKED: Final = "host_blocked"
PATIENCE: Final = frozenset({HOST_BUSY, HOST_BLOCKED})
"""The codes of these failures."""


def host_busy(name: str, wait_seconds: float, what: str) -> TryAgain:
    """Say that the turn of `what`, such as a page, would come too late to be waited for."""
    return _patience(HOST_BUSY, f"{name} is asked no more than it can bear; the {what} waits its turn.", wait_seconds)


def host_blocked(name: str, host: Host, again_at: float, now: float) -> TryAgain:
    """Say that a host refuses us, how, and when it is asked again."""
    sentence = f"{name} has refused us {host.blocks} times in a row ({_phrase(host.blocked_by or '')})"
    return _patience(HOST_BLOCKED, f"{sentence}; it is asked again at {moment(again_at)}.", again_at - now)


def moment(seconds: float) -> str:
    """Write a time, in seconds since 1970, for a person."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _patience(code: str, sentence: str, seconds: float) -> TryAgain:
    # Those who wait for the same host shall not all come back in the same moment.
    spread = seconds * random.uniform(1.0, 1.1)  # noqa: S311 - no secret
    return TryAgain(code, sentence, retry_after_seconds=spread, rate_limited=True)


def _phrase(code: str) -> str:
    status = code.removeprefix("http_")
    known = status.isdigit() and int(status) in set(HTTPStatus)
    return f"{status} {HTTPStatus(int(status)).phrase}" if known else status
