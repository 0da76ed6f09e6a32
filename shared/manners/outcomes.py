"""What the answer to a request tells of its host: pure decisions."""

import re
from dataclasses import dataclass
from typing import Final

from shared.errors import Failure, TryAgain
from shared.manners import breaker, throttle
from shared.manners.hosts import BLOCKS, Host, Limits

_ANSWERED: Final = re.compile(r"http_\d{3}")
# After an answer, however useless; whatever else was refused was so before anybody answered.
_READ: Final = frozenset({"body_too_large", "body_undecodable", "too_many_redirects", "redirect_refused"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one request.

    Attributes:
        failure: None where it was answered as it should be.
        is_excused: the failure is a sound answer all the same.
        probe: `probe_until` of the host, where this request was its probe.

    """

    latency_seconds: float
    failure: Failure | None = None
    is_excused: bool = False
    probe: float | None = None

    @property
    def may_wait(self) -> bool:
        """Tell whether nobody has to know of it before the next turn."""
        is_block = self.failure is not None and self.failure.code in BLOCKS and not self.is_excused
        return not is_block and not isinstance(self.failure, TryAgain)

    @property
    def is_answer(self) -> bool:
        """Tell whether the host has answered, however useless that was."""
        return _was_answered(self.failure)


def noted(host: Host, now: float, outcome: Outcome, limits: Limits) -> Host:
    """Give the host as it is known after a request."""
    failure, sound = outcome.failure, outcome.failure is None or outcome.is_excused
    patience = failure.retry_after_seconds if isinstance(failure, TryAgain) else None
    patience = None if patience is None else min(patience, limits.longest_open_seconds)
    if isinstance(failure, TryAgain):
        host = throttle.note_struggle(host, now, patience, limits)
    elif _was_answered(failure):
        host = throttle.note_latency(host, outcome.latency_seconds, limits, sound=sound)
    if failure and failure.code in BLOCKS and not sound:
        return breaker.note_block(host, now, failure.code, patience, limits, probe=outcome.probe)
    if isinstance(failure, TryAgain) or not _was_answered(failure) or (failure and failure.code in BLOCKS):
        return breaker.note_silence(host, now, probe=outcome.probe)
    return breaker.note_answer(host, now, probe=outcome.probe)


def _was_answered(failure: Failure | None) -> bool:
    return failure is None or failure.code in _READ or bool(_ANSWERED.fullmatch(failure.code))
