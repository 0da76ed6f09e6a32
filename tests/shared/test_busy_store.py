"""An object store that asks for patience is given it, and one that denies us is quoted."""

from collections.abc import AsyncIterator
from http import HTTPStatus

import pytest

from shared.errors import TryAgain
from shared.objects import ObjectStore
from shared.retry import ATTEMPTS, judge
from tests.shared.strangers import Stranger, answer


@pytest.fixture
async def host() -> AsyncIterator[Stranger]:
    async with Stranger() as host:
        yield host


async def setback_of(host: Stranger, status: int, code: str | None, **headers: str) -> TryAgain:
    body = b"" if code is None else f"<Error><Code>{code}</Code><Message>No.</Message></Error>".encode()
    host.otherwise = answer(body, status=status, headers=[(name.replace("_", "-"), it) for name, it in headers.items()])
    async with ObjectStore(
        endpoint_url=f"http://127.0.0.1:{host.port}", bucket="diorama", access_key_id="me", secret_access_key="mine"
    ) as store:
        with pytest.raises(TryAgain) as told:
            await (store.head("a") if code is None else store.get("a"))
    return told.value


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (HTTPStatus.SERVICE_UNAVAILABLE, "SlowDown"),
        (HTTPStatus.TOO_MANY_REQUESTS, "TooManyRequests"),
        (HTTPStatus.SERVICE_UNAVAILABLE, None),  # to HEAD nobody tells more
    ],
)
async def test_whom_the_store_asks_to_slow_down_uses_no_attempt_and_comes_back_later(
    host: Stranger, status: int, code: str | None
) -> None:
    verdict = judge(await setback_of(host, status, code), ATTEMPTS)
    assert (verdict.attempts_used, verdict.limited) == (ATTEMPTS - 1, True)
    assert verdict.retry_in_seconds is not None
    assert verdict.retry_in_seconds >= 10


async def test_the_store_says_for_how_long(host: Stranger) -> None:
    setback = await setback_of(host, HTTPStatus.SERVICE_UNAVAILABLE, "SlowDown", Retry_After="77")
    assert setback.retry_after_seconds == 77


@pytest.mark.parametrize("code", ["InternalError", "SomethingNew"])
async def test_a_store_that_fails_uses_attempts_as_ever(host: Stranger, code: str) -> None:
    verdict = judge(await setback_of(host, HTTPStatus.INTERNAL_SERVER_ERROR, code), ATTEMPTS)
    assert (verdict.attempts_used, verdict.retry_in_seconds) == (ATTEMPTS, None)


@pytest.mark.parametrize("code", ["RequestTimeTooSkewed", "AccessDenied", "InvalidAccessKeyId", "NoSuchBucket"])
async def test_whoever_reads_why_a_job_failed_reads_what_the_store_said(host: Stranger, code: str) -> None:
    setback = await setback_of(host, HTTPStatus.FORBIDDEN, code)
    assert setback.code == "object_store_unavailable"
    assert f"403 {code}" in setback.sentence


async def test_what_a_store_calls_its_error_is_short_and_printable(host: Stranger) -> None:
    setback = await setback_of(host, HTTPStatus.FORBIDDEN, "x\n" + "y" * 5000)
    assert len(setback.sentence) < 300
    assert setback.sentence.isprintable()
