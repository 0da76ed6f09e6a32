"""What goes wrong with providers, sorted by what follows from it."""

from enum import StrEnum
from http import HTTPStatus
from typing import Final

from shared.errors import Failure, Refused, TryAgain


class Trouble(StrEnum):
    """Why a provider gave no picture."""

    KEY = "key"
    """It does not accept our key: nobody's request will succeed until an operator acts."""
    CREDIT = "credit"
    """The account is empty."""
    WISH = "wish"
    """It will not draw this, today or tomorrow."""
    BUSY = "busy"
    """It asks for patience."""
    PASSING = "passing"
    """It is away or broken, for now."""
    FAILED = "failed"
    """It took the request and gave up on it; a new one may succeed."""
    BROKEN = "broken"
    """It has drawn and was paid, and what it sent is no picture."""
    UNKNOWN = "unknown"
    """Nobody can tell whether it took the request, and so whether it was paid for."""


class Denied(Refused):
    """A provider said no, for good."""

    def __init__(self, trouble: Trouble, code: str, sentence: str) -> None:
        super().__init__(code, sentence)
        self.trouble = trouble


class Delayed(TryAgain):
    """A provider said not now."""

    def __init__(self, trouble: Trouble, code: str, sentence: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(code, sentence, retry_after_seconds=retry_after_seconds, rate_limited=trouble is Trouble.BUSY)
        self.trouble = trouble


NOT_TAKEN: Final = frozenset({Trouble.KEY, Trouble.CREDIT, Trouble.WISH, Trouble.BUSY, Trouble.PASSING})
"""Where a request was handed in, these mean that the provider did not take it, so that nothing is paid for."""


def trouble_of(failure: Failure) -> Trouble:
    """Sort a failure; of what no provider has sorted nobody knows whether the request was taken."""
    if isinstance(failure, Denied | Delayed):
        return failure.trouble
    if isinstance(failure, TryAgain) and failure.rate_limited:
        return Trouble.BUSY
    return Trouble.UNKNOWN


_BY_STATUS: Final = {
    HTTPStatus.UNAUTHORIZED: Trouble.KEY,
    HTTPStatus.FORBIDDEN: Trouble.KEY,
    HTTPStatus.PAYMENT_REQUIRED: Trouble.CREDIT,
    HTTPStatus.TOO_MANY_REQUESTS: Trouble.BUSY,
}
_EMPTY: Final = ("insufficient_quota", "billing")
_FORBIDDEN: Final = ("safety", "policy", "nsfw")
_BY_WORDS: Final = (
    (Trouble.BUSY, ("rate limit", "queued requests", "too many requests")),
    (Trouble.KEY, ("invalid api key", "incorrect api key", "api key is invalid", "unauthorized")),
    (Trouble.CREDIT, ("credit", "insufficient_quota", "billing", "subscription", "payment")),
    (Trouble.WISH, ("validation", "not found", "invalid", *_FORBIDDEN)),
    (Trouble.PASSING, ("try again", "timeout", "timed out", "overload", "unavailable", "server error", "busy")),
)
_NOTHING_BEGUN: Final = frozenset(
    {HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.SERVICE_UNAVAILABLE, 529}
    | {521, 523, 525, 526}
)
"""Broken or overloaded, as the provider itself says; or Cloudflare has not reached it: refused, unreachable, no TLS."""
_PERHAPS_BEGUN: Final = frozenset({HTTPStatus.SEE_OTHER, HTTPStatus.REQUEST_TIMEOUT})
"""Beside all other errors of servers, which proxies make up when an answer is lost: it may be at work all the same."""


def sorted_trouble(status: int, message: str) -> Trouble:
    """Sort an answer that is an error: by its status, and where that says nothing (200, 400) by its words.

    Some providers answer 200 to everything, or 400 to an empty account.
    """
    words = message.lower()
    if status == HTTPStatus.TOO_MANY_REQUESTS and any(mark in words for mark in _EMPTY):
        return Trouble.CREDIT  # patience fills no account
    if status in _BY_STATUS:
        return _BY_STATUS[HTTPStatus(status)]
    if status in _NOTHING_BEGUN:
        return Trouble.PASSING
    if status in _PERHAPS_BEGUN or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Trouble.UNKNOWN
    return next((trouble for trouble, marks in _BY_WORDS if any(mark in words for mark in marks)), Trouble.WISH)


def is_forbidden(message: str) -> bool:
    """Tell whether a provider says that it may not draw this, which it may find out only while it draws."""
    words = message.lower()
    return any(mark in words for mark in _FORBIDDEN)


_FOR_GOOD: Final = {
    Trouble.KEY: ("provider_key_refused", "{} does not accept the key; check its settings."),
    Trouble.CREDIT: ("provider_credit_used_up", "The account at {} needs to be filled up."),
    Trouble.WISH: ("provider_refused", "{} will not draw this."),
    Trouble.BROKEN: ("output_unreadable", "{} has drawn, but what it sent is no picture; it is not asked again."),
    Trouble.UNKNOWN: (
        "outcome_unknown",
        "{} was asked, but its answer was lost; asking again might be paid for twice.",
    ),
}
_FOR_NOW: Final = {
    Trouble.BUSY: ("provider_busy", "{} has too much to do."),
    Trouble.PASSING: ("provider_away", "{} cannot answer now."),
    Trouble.FAILED: ("generation_failed", "{} began and gave up."),
}


def not_stored() -> Denied:
    """Make the failure of what was drawn and paid for, and is lost: nobody can ask for it again."""
    sentence = "What was drawn and paid for could not be stored, and cannot be asked for again."
    return Denied(Trouble.UNKNOWN, "outcome_unknown", sentence)


def failure_of(name: str, trouble: Trouble, message: str, retry_after_seconds: float | None = None) -> Failure:
    """Make the failure that is raised for a trouble; `message` is what the provider said of it, without any key."""
    code, sentence = (_FOR_GOOD | _FOR_NOW)[trouble]
    told = sentence.format(name) + (f" It said: {message}" if message else "")
    if trouble in _FOR_NOW:
        return Delayed(trouble, code, told, retry_after_seconds=retry_after_seconds)
    return Denied(trouble, code, told)
