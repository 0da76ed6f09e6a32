"""The circuit breaker of a host: pure decisions.

Closed, it counts the blocks in a row and opens after as many as the limits say. Open, it lets nobody pass. Once its
time is over it is half open: a single probe passes, which closes it, or opens it for twice as long. Whatever else ends
meanwhile was asked before it opened, and changes nothing of it.

A probe is known by its `probe_until`, as the host had it when it passed; a request that is none has None.
"""

from dataclasses import replace
from typing import Final

from shared.manners.hosts import Host, Limits

_ROUNDING_SECONDS: Final = 0.001


def enter(host: Host, now: float, limits: Limits) -> tuple[Host, float | None]:
    """Let a request pass, which may make it the probe; or tell when it shall come again."""
    if host.open_until is None:
        return host, None
    until = max(host.open_until, host.probe_until or 0.0)
    if now < until:
        return host, until
    return replace(host, probe_until=now + limits.probe_seconds), None


def note_block(
    host: Host, now: float, code: str, retry_after_seconds: float | None, limits: Limits, *, probe: float | None
) -> Host:
    """Count a block; one more of what was asked before the breaker opened changes nothing but what it asks for."""
    asked = retry_after_seconds or 0.0
    counted = replace(host, blocks=host.blocks + 1, blocked_by=code)
    if host.open_until is None:
        return _opened(counted, now, limits.open_seconds, asked) if counted.blocks >= limits.blocks else counted
    if now < host.open_until:
        return replace(counted, open_until=max(host.open_until, now + asked))
    if not decides(host, probe):
        return host  # its `Retry-After` holds for the next turn all the same
    return _opened(counted, now, min(host.open_seconds * 2, limits.longest_open_seconds), asked)


def note_answer(host: Host, now: float, *, probe: float | None) -> Host:
    """Close the breaker after an answer that is no block."""
    if host.open_until is not None and (now < host.open_until or not decides(host, probe)):
        return host
    return replace(host, blocks=0, blocked_by=None, open_until=None, open_seconds=0.0, probe_until=None)


def note_silence(host: Host, now: float, *, probe: float | None) -> Host:
    """Open the breaker once more, for as long as before, where a probe told nothing of whether we are welcome."""
    if host.open_until is None or now < host.open_until or not decides(host, probe):
        return host
    return _opened(host, now, host.open_seconds, 0.0)


def decides(host: Host, probe: float | None) -> bool:
    """Tell whether a request is the one that a host that is half open is tried by, and not one from before."""
    if probe is None or host.probe_until is None:
        return False
    return abs(host.probe_until - probe) < _ROUNDING_SECONDS


def _opened(host: Host, now: float, seconds: float, asked_seconds: float) -> Host:
    return replace(host, open_until=now + max(seconds, asked_seconds), open_seconds=seconds, probe_until=None)
