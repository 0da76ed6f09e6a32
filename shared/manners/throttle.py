"""When a host may be asked again: pure decisions.

The delay follows the latency, as Scrapy's AutoThrottle has it (https://docs.scrapy.org/en/latest/topics/autothrottle.html):
halfway from the present delay towards latency / concurrency with each answer, at once where that is longer; an answer
that is an error never shortens it. Beyond that a host that struggles is asked half as often.
"""

from dataclasses import replace

from shared.manners.hosts import Host, Limits


def delay_between(host: Host, asked_seconds: float, limits: Limits) -> float:
    """Give how many seconds lie between two requests: what latency or the host ask for, within the limits."""
    return max(limits.spacing_seconds, min(max(host.delay_seconds, asked_seconds), limits.longest_delay_seconds))


def take_turns(host: Host, now: float, asked_seconds: float, limits: Limits, turns: int = 1) -> tuple[Host, float]:
    """Give the host with its next turns taken, and how many seconds the taker has to wait for the first.

    Where that is longer than the limits' patience no turn is taken.

    Args:
        host: as it is known.
        now: by the clock of its times.
        asked_seconds: what the host itself wants between two requests.
        limits: whose spacing is the least, and longest delay the most, that lies between two requests.
        turns: how many; each begins when the delay is over that follows the one before.

    """
    at = max(now, host.next_at)
    if at - now > limits.patience_seconds:
        return host, at - now
    return replace(host, next_at=at + turns * delay_between(host, asked_seconds, limits)), at - now


def note_latency(host: Host, latency_seconds: float, limits: Limits, *, sound: bool) -> Host:
    """Let the delay follow how long an answer took; one that is not sound shortens nothing."""
    target = latency_seconds / limits.concurrency
    if max(target, host.delay_seconds) <= limits.spacing_seconds:
        return host  # the least that lies between two requests is enough, whatever the host would bear
    delay = min(max(target, (host.delay_seconds + target) / 2), limits.longest_delay_seconds)
    return replace(host, delay_seconds=delay if sound else max(delay, host.delay_seconds))


def note_struggle(host: Host, now: float, retry_after_seconds: float | None, limits: Limits) -> Host:
    """Ask a host half as often after a passing failure, and not at all before the time that it named."""
    delay = min(max(host.delay_seconds, limits.spacing_seconds) * 2, limits.longest_delay_seconds)
    return replace(host, delay_seconds=delay, next_at=max(host.next_at, now + (retry_after_seconds or 0.0)))


def note_requests(host: Host, now: float, requests: int, limits: Limits) -> Host:
    """Give a host the rest that lies between so many requests, after they were made: at most the longest delay."""
    rest_seconds = min(requests * delay_between(host, 0.0, limits), limits.longest_delay_seconds)
    return replace(host, next_at=max(now, host.next_at) + rest_seconds)
