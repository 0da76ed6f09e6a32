"""What follows from an attempt that did not succeed."""

import math

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.database import DatabaseAway
from shared.errors import Failure, Refused, TryAgain, printable
from shared.retry import ATTEMPTS, backoff_seconds, judge

AWAY = [
    DatabaseAway("the book cannot be reached"),
    asyncpg.InterfaceError("connection is closed"),
    asyncpg.CannotConnectNowError("the database system is starting up"),
    asyncpg.AdminShutdownError("terminating connection"),
    asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
    asyncpg.DeadlockDetectedError("deadlock detected"),
    asyncpg.TooManyConnectionsError("sorry, too many clients already"),
    asyncpg.LockNotAvailableError("canceling statement due to lock timeout"),
]


def test_a_refusal_is_final_from_the_first_attempt_on() -> None:
    verdict = judge(Refused("not_an_image", "It is a text."), 1)
    assert (verdict.code, verdict.sentence, verdict.retry_in_seconds, verdict.attempts_used) == (
        "not_an_image",
        "It is a text.",
        None,
        1,
    )


def test_a_passing_trouble_is_tried_again_three_times_and_then_fails() -> None:
    verdicts = [judge(TryAgain("busy", "Later."), attempt) for attempt in range(1, ATTEMPTS + 1)]
    assert [verdict.attempts_used for verdict in verdicts] == [1, 2, 3, 4]
    assert [verdict.retry_in_seconds is None for verdict in verdicts] == [False, False, False, True]
    assert {verdict.code for verdict in verdicts} == {"busy"}


def test_a_defect_of_ours_is_tried_again_and_named_as_such() -> None:
    verdict = judge(ZeroDivisionError("division by zero"), 1)
    assert verdict.code == "unexpected_error"
    assert "division by zero" in verdict.sentence
    assert verdict.retry_in_seconds is not None


@pytest.mark.parametrize("trouble", AWAY, ids=lambda error: type(error).__name__)
def test_database_trouble_does_not_use_up_an_attempt(trouble: Exception) -> None:
    for attempt in (1, ATTEMPTS, ATTEMPTS + 1):
        verdict = judge(trouble, min(attempt, ATTEMPTS))
        assert (verdict.code, verdict.attempts_used) == ("database_away", min(attempt, ATTEMPTS) - 1)
        assert verdict.retry_in_seconds is not None


def test_a_mistake_in_a_statement_is_no_database_trouble() -> None:
    for mistake in (asyncpg.UndefinedTableError("no such table"), asyncpg.DataError("out of range")):
        assert judge(mistake, 1).attempts_used == 1


def test_a_statement_that_takes_too_long_is_tried_again_and_not_for_ever() -> None:
    verdicts = [judge(asyncpg.QueryCanceledError("statement timeout"), attempt) for attempt in range(1, ATTEMPTS + 1)]
    assert [verdict.attempts_used for verdict in verdicts] == [1, 2, 3, 4]
    assert [verdict.retry_in_seconds is None for verdict in verdicts] == [False, False, False, True]
    assert {verdict.code for verdict in verdicts} == {"statement_too_slow"}


def test_a_rate_limit_answer_does_not_use_up_an_attempt() -> None:
    patience = TryAgain("rate_limited", "Patience.", retry_after_seconds=7, rate_limited=True)
    for _ in range(20):
        verdict = judge(patience, ATTEMPTS)
        assert (verdict.retry_in_seconds, verdict.attempts_used) == (7, ATTEMPTS - 1)


@pytest.mark.parametrize(("asked", "waits"), [(0, 0), (90, 90), (1e9, 3600), (math.inf, 3600), (-5, 0), (math.nan, 0)])
def test_the_other_sides_wish_wins_within_reason(asked: float, waits: float) -> None:
    assert judge(TryAgain("busy", "Later.", retry_after_seconds=asked), 1).retry_in_seconds == waits


def test_pauses_double_from_five_seconds_to_a_minute() -> None:
    assert [backoff_seconds(attempt, spread=1) for attempt in range(1, 7)] == [5, 10, 20, 40, 60, 60]


@given(st.integers(min_value=1, max_value=40))
def test_pauses_are_spread_by_half_to_both_sides(attempt: int) -> None:
    middle = backoff_seconds(attempt, spread=1)
    assert middle * 0.5 <= backoff_seconds(attempt) <= middle * 1.5


def test_pauses_of_many_jobs_are_not_the_same() -> None:
    assert len({backoff_seconds(1) for _ in range(50)}) > 40


@given(st.text(st.characters(exclude_categories=()), max_size=3000))
def test_whatever_an_error_quotes_can_be_stored_and_said(anything: str) -> None:
    for sentence in (
        printable(anything),
        Refused("not_an_image", anything).sentence,
        judge(OSError(anything), 1).sentence,
    ):
        assert len(sentence) <= 500
        assert "\x00" not in sentence
        sentence.encode()


@pytest.mark.parametrize("code", ["NotSnake", "", "a", "with space", "x" * 100, "nul\x00"])
def test_a_code_that_is_none_becomes_an_unexpected_error(code: str) -> None:
    assert Failure(code, "Hm.").code == "unexpected_error"
