"""A database that cannot be reached is told from all else that cannot be, and costs nobody an attempt."""

import asyncio

import asyncpg
import pytest

from shared import database
from shared.database import DatabaseAway, close_pool, open_pool, until_answered
from shared.retry import ATTEMPTS, judge
from tests.ports import free_port


async def the_error_of_a_question_to_nobody() -> Exception:
    """Ask where no database listens, as a handler does that takes a connection in the middle of its work."""
    pool = await open_pool(f"postgresql://nobody@127.0.0.1:{free_port()}/x", size=1, application_name="t", wait=False)
    try:
        with pytest.raises(Exception) as caught:  # noqa: PT011 - which it is, is what is asked
            await pool.fetchval("SELECT 1")
    finally:
        await close_pool(pool)
    return caught.value


async def test_a_connection_that_cannot_be_opened_is_the_databases_fault_and_uses_no_attempt() -> None:
    error = await the_error_of_a_question_to_nobody()
    assert isinstance(error, DatabaseAway)
    verdict = judge(error, ATTEMPTS)
    assert (verdict.code, verdict.attempts_used) == ("database_away", ATTEMPTS - 1)
    assert verdict.retry_in_seconds is not None


async def test_without_a_name_of_its_own_it_would_be_a_defect_of_ours_and_use_an_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(database, "_connect", asyncpg.connect)
    verdict = judge(await the_error_of_a_question_to_nobody(), ATTEMPTS)
    assert (verdict.code, verdict.attempts_used, verdict.retry_in_seconds) == ("unexpected_error", ATTEMPTS, None)


async def test_who_waits_for_the_database_ends_when_it_is_cancelled_also_where_the_rollback_fails() -> None:
    asked, attempts = asyncio.Event(), 0

    async def attempt() -> None:
        nonlocal attempts
        attempts += 1
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:  # as a transaction does whose connection has broken
            raise DatabaseAway

    waiting = asyncio.create_task(until_answered(attempt, "be cancelled"))
    await asked.wait()
    waiting.cancel()

    await asyncio.wait((waiting,), timeout=5)
    assert waiting.cancelled()
    assert attempts == 1
