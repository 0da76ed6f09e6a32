"""When a failed attempt is tried again. Pure decisions."""

import random
from dataclasses import dataclass

from shared.database import DATABASE_TROUBLE, TOO_SLOW
from shared.errors import Refused, TryAgain, printable

ATTEMPTS = 4
"""The first one and three retries."""

CRASHES = 3
"""A task that was alone in its process each time the process died is given up after this many."""

_FIRST_SECONDS = 5.0
_LONGEST_SECONDS = 60.0
_LONGEST_REQUESTED_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows from an attempt that did not succeed."""

    code: str
    sentence: str
    retry_in_seconds: float | None
    """None: the job has failed."""
    attempts_used: int
    limited: bool = False
    """The other side asked for patience."""


def judge(error: BaseException, attempt: int) -> Verdict:
    """Decide what follows from the error of an attempt; `attempt` counts from 1.

    A rate-limit answer and an absent database do not use up the attempt; the deadline ends what would go on for ever.
    A statement that takes too long does.
    """
    if isinstance(error, Refused):
        return Verdict(error.code, error.sentence, None, attempt)
    code, sentence = _reason(error)
    limited = isinstance(error, TryAgain) and error.rate_limited
    blameless = limited or (isinstance(error, DATABASE_TROUBLE) and not isinstance(error, TOO_SLOW))
    used = attempt - 1 if blameless else attempt
    if used >= ATTEMPTS:
        return Verdict(code, sentence, None, used)
    requested = error.retry_after_seconds if isinstance(error, TryAgain) else None
    wait = backoff_seconds(attempt) if requested is None else min(max(0.0, requested), _LONGEST_REQUESTED_SECONDS)
    return Verdict(code, sentence, wait, used, limited)


def _reason(error: BaseException) -> tuple[str, str]:
    if isinstance(error, TryAgain):
        return error.code, error.sentence
    sentence = printable(f"{type(error).__name__}: {error}")
    if isinstance(error, TOO_SLOW):
        return "statement_too_slow", sentence
    return ("database_away" if isinstance(error, DATABASE_TROUBLE) else "unexpected_error"), sentence


def backoff_seconds(attempt: int, spread: float | None = None) -> float:
    """Give the pause after an attempt: 5 s doubling up to 60 s, times a jitter between 0.5 and 1.5."""
    jitter = random.uniform(0.5, 1.5) if spread is None else spread  # noqa: S311 - jitter is no secret
    return float(min(_LONGEST_SECONDS, _FIRST_SECONDS * 2 ** (attempt - 1)) * jitter)
