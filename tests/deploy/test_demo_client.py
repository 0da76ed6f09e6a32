"""The client of the gateway survives what the gateway may go through, and submits nothing twice."""

import asyncio
from typing import Any

import pytest
from aiohttp import web

from services.gateway.cli.client import EventReading, Gateway, GatewayAway, GatewayProblem, Told
from tests.deploy.answering import serving

UNAVAILABLE = {"type": "urn:x", "code": "database_unavailable", "detail": "Try again shortly.", "status": 503}


async def test_a_post_is_repeated_under_one_key_until_the_gateway_can_answer() -> None:
    keys: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        keys.append(request.headers["Idempotency-Key"])
        if len(keys) == 1:
            return web.json_response(UNAVAILABLE, status=503, headers={"Retry-After": "0"})
        if len(keys) == 2 and request.transport is not None:
            request.transport.close()
        return web.json_response({"token": request.headers["Authorization"], "body": await request.json()}, status=202)

    async with serving(handler) as url, Gateway(url, "secret") as gateway:
        assert await gateway.post("/scrapes", {"url": "x"}) == {"token": "Bearer secret", "body": {"url": "x"}}
    assert len(keys) == 3
    assert len(set(keys)) == 1


async def test_a_refusal_is_raised_at_once_with_its_code_and_sentence() -> None:
    asked = 0

    async def handler(_request: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        return web.json_response({"code": "job_not_found", "detail": "There is no such job."}, status=404)

    async with serving(handler) as url, Gateway(url, "secret") as gateway:
        with pytest.raises(GatewayProblem) as problem:
            await gateway.get("/jobs/x")
    assert (problem.value.status, problem.value.code, problem.value.sentence) == (
        404,
        "job_not_found",
        "There is no such job.",
    )
    assert asked == 1


async def test_a_gateway_that_stays_away_is_given_up_when_the_patience_is_used_up() -> None:
    async def handler(_request: web.Request) -> web.StreamResponse:
        return web.json_response(UNAVAILABLE, status=503)

    async with serving(handler) as url, Gateway(url, "secret", patience_seconds=0.5) as gateway:
        with pytest.raises(GatewayAway, match="Try again shortly"):
            await gateway.get("/jobs")
    async with Gateway(url, "secret", patience_seconds=0.1) as gateway:
        with pytest.raises(GatewayAway, match="gateway_away"):
            await gateway.get("/jobs")


async def test_a_gateway_that_answers_that_it_was_too_much_is_not_away() -> None:
    asked = 0

    async def handler(_request: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        told = {"code": "quota_exceeded", "detail": "That is more than the limit allows; try again in 60 s."}
        return web.json_response(told, status=429, headers={"Retry-After": "0" if asked == 1 else "60"})

    async with serving(handler) as url, Gateway(url, "secret", patience_seconds=30) as gateway:
        with pytest.raises(GatewayProblem, match="try again in 60 s") as problem:
            await gateway.get("/jobs")
    assert (problem.value.status, asked) == (429, 2)


async def test_a_list_is_read_to_its_end() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        cursor = int(request.query.get("cursor", 0))
        following = str(cursor + 1) if cursor < 2 else None
        return web.json_response({"items": [{"at": cursor, **request.query}], "next_cursor": following})

    async with serving(handler) as url, Gateway(url, "secret") as gateway:
        found = await gateway.items("/jobs", root_id="r", kind=None)
    assert [(one["at"], one["root_id"]) for one in found] == [(0, "r"), (1, "r"), (2, "r")]
    assert not any("kind" in one for one in found)


async def test_the_token_is_not_sent_to_where_a_file_lies() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"" if "Authorization" in request.headers else b"bytes")

    async with serving(handler) as url, Gateway(url, "secret") as gateway:
        assert await gateway.download(f"{url}/file") == b"bytes"


async def test_a_stream_comes_back_behind_the_last_event_that_it_has_seen() -> None:
    resumed: list[str | None] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        resumed.append(request.headers.get("Last-Event-ID"))
        if len(resumed) == 2:
            return web.json_response(UNAVAILABLE, status=503)
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await stream.prepare(request)
        number = len(resumed)
        await stream.write(b"retry: 1000\n\nid: %d\nevent: job.completed\ndata: {}\n\n: still here\n\n" % number)
        return stream  # and the connection ends

    async with serving(handler) as url, Gateway(url, "secret") as gateway:
        stream = gateway.events()
        told = await first(stream, 3)
    assert [one.id for one in told] == ["1", "3", "4"]
    assert resumed == [None, "1", "1", "3"]
    assert (stream.seen, stream.reconnects) == (3, 3)


async def test_a_stream_that_broke_before_its_first_event_is_read_from_the_beginning() -> None:
    resumed: list[str | None] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        resumed.append(request.headers.get("Last-Event-ID"))
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await stream.prepare(request)
        await stream.write(b"retry: 1000\n\n" if len(resumed) == 1 else b"id: 9\ndata: {}\n\n")
        return stream

    async with serving(handler) as url, Gateway(url, "secret") as gateway:
        (told,) = await first(gateway.events(), 1)
    assert told == Told("9", "message", {})
    assert resumed == [None, "0"]


async def test_a_stream_that_is_refused_for_good_says_so() -> None:
    async def handler(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"code": "token_expired", "detail": "Sign in again."}, status=401)

    async with serving(handler) as url, Gateway(url, "secret") as gateway:
        with pytest.raises(GatewayProblem, match="token_expired"):
            await first(gateway.events(), 1)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["id: 1\n", "event: a\n", 'data: {"x":\n', "data: 1}\n", "\n"], [Told("1", "a", {"x": 1})]),
        (["id: 1\r\n", "data:{}\r\n", "\r\n", "data: {}\r\n", "\r\n"], [Told("1", "message", {})] * 2),
        ([": comment\n", "\n", "event: a\n", "\n", "retry: 5\n", "\n"], []),
    ],
)
def test_server_sent_events_are_read_as_the_standard_says(lines: list[str], told: list[Told]) -> None:
    reading = EventReading()
    assert [one for line in lines if (one := reading.take(line)) is not None] == told


async def first(stream: Any, number: int) -> list[Told]:
    """Read so many events of a stream."""
    found: list[Told] = []
    async with asyncio.timeout(20):
        async for told in stream:
            found.append(told)
            if len(found) == number:
                return found
    raise AssertionError("the stream ended")


async def test_the_client_needs_nothing_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")

    async def handler(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"well": True})

    async with serving(handler) as url, Gateway(url, "secret") as gateway:
        assert await gateway.get("/health") == {"well": True}
