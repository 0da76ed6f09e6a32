"""The few ways in which work fails, each with a stable code and a sentence for a person."""

import re

SENTENCE_CHARACTERS = 500
_CODE = re.compile(r"[a-z][a-z0-9_]{1,60}")


def printable(text: str, limit: int = SENTENCE_CHARACTERS) -> str:
    """Leave out of a text what PostgreSQL or JSON cannot hold, and what is too long.

    Texts of errors quote the outside, so that they may hold anything.
    """
    return text[: limit * 2].replace("\x00", "").encode(errors="replace").decode()[:limit]


class Failure(Exception):
    """Work that did not succeed, and why.

    Attributes:
        code: stable snake_case name of the reason; clients may branch on it.
        sentence: what happened and, where it helps, what to do next; shown to people.

    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(f"{code}: {sentence}")
        self.code = code if _CODE.fullmatch(code) else "unexpected_error"
        self.sentence = printable(sentence)


class Refused(Failure):
    """Permanent: the same input will be refused again, so nobody tries again."""


class TryAgain(Failure):
    """Passing: a timeout, a lost connection, a busy neighbour; a later attempt may succeed.

    Attributes:
        retry_after_seconds: how long the other side asked us to wait; wins over our own backoff.
        rate_limited: the other side is only asking for patience; the attempt is not used up.

    """

    def __init__(
        self,
        code: str,
        sentence: str,
        *,
        retry_after_seconds: float | None = None,
        rate_limited: bool = False,
    ) -> None:
        super().__init__(code, sentence)
        self.retry_after_seconds = retry_after_seconds
        self.rate_limited = rate_limited
