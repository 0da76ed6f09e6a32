"""Why a socket is closed, as a code that clients may branch on."""

from enum import IntEnum
from typing import Final

from services.gateway.routes.journeys import End
from services.gateway.routes.problems import Problem


class Close(IntEnum):
    """Close codes (RFC 6455 §7.4; those from 4000 on are ours and remind of the HTTP status)."""

    GOING_AWAY = 1001
    TOO_LARGE = 1009
    BROKEN = 1011
    TRY_AGAIN_LATER = 1013
    UNAUTHENTICATED = 4401
    FORBIDDEN = 4403
    SLOW = 4408
    TOO_MANY_WORDS = 4429

    @property
    def meaning(self) -> str:
        return _MEANINGS[self]


_MEANINGS: Final = {
    Close.GOING_AWAY: "the gateway is stopping: connect again and resume",
    Close.TOO_LARGE: "a message of yours was far too large",
    Close.BROKEN: "something went wrong here, or no answer came to our pings: connect again and resume",
    Close.TRY_AGAIN_LATER: "the database does not answer, or was put back: connect again in a few seconds and resume",
    Close.UNAUTHENTICATED: "no good credential came in time, or it has expired: sign in again",
    Close.FORBIDDEN: "this origin may not connect, or a membership was withdrawn",
    Close.SLOW: "you have read too slowly: connect again and resume behind the last sequence that you saw",
    Close.TOO_MANY_WORDS: "you have sent too many messages, or connected too often",
}
_OF_STATUS: Final = {
    401: Close.UNAUTHENTICATED,
    403: Close.FORBIDDEN,
    429: Close.TOO_MANY_WORDS,
    503: Close.TRY_AGAIN_LATER,
}
_OF_END: Final = {
    End.SLOW: (Close.SLOW, "too_slow"),
    End.LEAVING: (Close.GOING_AWAY, "going_away"),
    End.AWAY: (Close.TRY_AGAIN_LATER, "database_unavailable"),
    End.PUT_BACK: (Close.TRY_AGAIN_LATER, "feed_put_back"),
    End.EXPIRED: (Close.UNAUTHENTICATED, "token_expired"),
    End.WITHDRAWN: (Close.FORBIDDEN, "not_a_member"),
}


class Farewell(Exception):
    """A socket is to be closed: with which code, and what its client is told before."""

    def __init__(self, close: Close, code: str, sentence: str) -> None:
        super().__init__(f"{int(close)} {code}: {sentence}")
        self.close = close
        self.code = code
        self.sentence = sentence


def farewell_of(problem: Problem) -> Farewell:
    """Give the farewell of a socket whose caller cannot be let in."""
    return Farewell(_OF_STATUS.get(problem.status, Close.BROKEN), problem.code, problem.sentence)


def farewell_at(end: End) -> Farewell:
    """Give the farewell of a socket one of whose journeys has ended."""
    close, code = _OF_END[end]
    return Farewell(close, code, end.value)
