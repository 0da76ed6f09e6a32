"""What the doctor finds: a part, a verdict, a sentence, and what to do next."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from shared.errors import Failure

_CHECK_SECONDS: Final = 30.0


class Verdict(Enum):
    """How a part is. A warning is no failure: somebody should look, and everything works."""

    PASS = "green"  # noqa: S105 - the colour that it is shown in
    WARN = "yellow"
    FAIL = "red"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one part."""

    part: str
    verdict: Verdict
    sentence: str
    todo: str = ""


class Ill(Exception):
    """A part is not as it should be.

    Attributes:
        todo: what to do next.
        verdict: FAIL, or WARN for what works all the same.

    """

    def __init__(self, sentence: str, todo: str = "", *, verdict: Verdict = Verdict.FAIL) -> None:
        super().__init__(sentence)
        self.todo = todo
        self.verdict = verdict


Check = Callable[[], Awaitable[str]]
"""Examines a part: gives a sentence on how well it is, or raises Ill."""


@dataclass(frozen=True, slots=True)
class Examination:
    """A part, how it is examined, and what helps where that fails without saying why."""

    part: str
    check: Check
    todo: str


async def examine(examination: Examination) -> Finding:
    """Examine a part; whatever goes wrong on the way is what is found."""
    part = examination.part
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            return Finding(part, Verdict.PASS, await examination.check())
    except Ill as ill:
        return Finding(part, ill.verdict, str(ill), ill.todo or examination.todo)
    except TimeoutError:
        return Finding(part, Verdict.FAIL, f"no answer within {_CHECK_SECONDS:.0f} s", examination.todo)
    except Failure as failure:
        return Finding(part, Verdict.FAIL, failure.sentence, examination.todo)
    except Exception as error:  # noqa: BLE001 - whatever is wrong is what the doctor reports
        return Finding(part, Verdict.FAIL, str(error) or type(error).__name__, examination.todo)
