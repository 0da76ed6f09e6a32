"""What every reply carries, and what every address understands."""

import asyncio
import gzip
import logging
from uuid import UUID

import aiohttp
import orjson
import pytest

from shared.telemetry import configure_logging
from tests.gateway.living import Client, Gateway, gateway_settings
from tests.living import House, until

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
SOMEBODY = "00000000-0000-4000-8000-000000000000"


async def test_a_request_is_found_again_by_its_id(ann: Client) -> None:
    reply = await ann.get("/nowhere", headers={"X-Request-Id": "mine-1", "traceparent": TRACE})
    assert reply.headers["x-request-id"] == reply.body["request_id"] == "mine-1"
    assert reply.headers["traceparent"] == TRACE
    assert reply.body["trace_id"] in TRACE
    for ill_formed in ("", "a b", "x" * 129, "<script>", "\u00e9"):
        made = (await ann.get("/nowhere", headers={"X-Request-Id": ill_formed})).headers["x-request-id"]
        assert str(UUID(made)) == made
    assert (await ann.get("/jobs")).headers["traceparent"].startswith("00-")


async def test_every_reply_is_guarded(ann: Client) -> None:
    for path in ("/api/v1/jobs", "/api/v1/nowhere", "/openapi.json", "/livez", "/metrics", "/", "/docs"):
        headers = (await ann.send("GET", path)).headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["referrer-policy"] == "no-referrer", path
        assert headers["x-frame-options"] == "DENY", path
        assert headers["cross-origin-resource-policy"] == "same-origin", path
        assert "default-src" in headers["content-security-policy"], path
        assert "strict-transport-security" not in headers, "nobody speaks https here"
    page = (await ann.send("GET", "/")).headers
    assert "script-src 'self'" in page["content-security-policy"]
    assert page["cross-origin-opener-policy"] == "same-origin"
    data = (await ann.get("/jobs")).headers
    assert data["content-security-policy"].startswith("default-src 'none'")
    assert data["cache-control"] == "private, no-cache"
    assert (await ann.get("/nowhere")).headers["cache-control"] == "no-store"
    assert (await ann.post("/probes", {"service": "media"})).headers["cache-control"] == "no-store"


async def test_https_is_made_to_stay_in_production_alone(house: House) -> None:
    supabase = {"secret_key": None, "supabase_url": "https://x.supabase.co", "supabase_jwt_secret": "s" * 32}
    kinds = {"environment": "production", "trusted_proxies": "127.0.0.1"}
    for settings, strict in (({**kinds, **supabase}, True), ({"trusted_proxies": "127.0.0.1"}, False)):
        async with (
            Gateway(gateway_settings(house.servers, **settings)) as gateway,
            aiohttp.ClientSession(gateway.url) as session,
        ):
            for scheme in ("https", "http"):
                async with session.get("/livez", headers={"X-Forwarded-Proto": scheme}) as reply:
                    assert ("Strict-Transport-Security" in reply.headers) is (strict and scheme == "https")


async def test_the_head_of_a_reply_is_to_be_had_alone(ann: Client) -> None:
    for path in ("/api/v1/jobs", "/api/v1/nowhere", "/api/v1/health", "/openapi.json", "/", "/livez"):
        whole, head = await ann.send("GET", path), await ann.send("HEAD", path)
        assert (head.status, head.body) == (whole.status, b"")
        assert head.headers["content-type"] == whole.headers["content-type"]
        assert head.headers["content-length"] != "0"
    for path in ("/api/v1/events", f"/api/v1/jobs/{SOMEBODY}/events"):
        async with asyncio.timeout(5):
            head = await ann.send("HEAD", path)
        assert (head.status, head.body) in {(200, b""), (404, b"")}
    assert (await ann.send("HEAD", "/api/v1/scrapes")).status == 405


async def test_an_address_tells_its_methods(ann: Client) -> None:
    for path, methods in {
        "/api/v1/jobs": "GET, HEAD, OPTIONS",
        "/api/v1/jobs/": "GET, HEAD, OPTIONS",
        f"/api/v1/jobs/{SOMEBODY}/cancel": "POST, OPTIONS",
        "/api/v1/health": "GET, HEAD, OPTIONS",
        "/livez": "GET, HEAD, OPTIONS",
        "/openapi.json": "GET, HEAD, OPTIONS",
        "/index.html": "GET, HEAD, OPTIONS",
    }.items():
        reply = await ann.send("OPTIONS", path)
        assert (reply.status, reply.headers["allow"]) == (204, methods), path
        refused = await ann.send("DELETE", path)
        assert (refused.status, refused.headers["allow"]) == (405, methods), path
        assert refused.body["code"] == "method_not_allowed"
    assert (await ann.send("OPTIONS", "/api/v1/nowhere")).status == 404
    assert (await ann.send("TRACE", "/api/v1/jobs")).status == 405


async def test_a_body_of_another_type_is_not_read(ann: Client) -> None:
    body = b'{"url": "https://example.org"}'
    for type_ in ("text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data", "json"):
        reply = await ann.send("POST", "/api/v1/scrapes", data=body, headers={"Content-Type": type_})
        assert (reply.status, reply.body["code"]) == (415, "media_type_unsupported"), type_
        assert reply.headers["accept"] == "application/json"
    for type_ in ("application/json", "application/json; charset=utf-8", "application/vnd.x+json", "APPLICATION/JSON"):
        reply = await ann.send("POST", "/api/v1/scrapes", data=body, headers={"Content-Type": type_})
        assert reply.status == 202, type_
    assert (await ann.send("POST", "/api/v1/scrapes")).status == 422, "nothing is not of a wrong type"


async def test_large_replies_are_compressed_and_small_ones_and_streams_are_not(gateway: Gateway, ann: Client) -> None:
    for _ in range(3):
        await ann.post("/probes", {"service": "media"})
    headers = {"Authorization": f"Bearer {gateway.token('ann')}", "Accept-Encoding": "gzip"}
    async with aiohttp.ClientSession(gateway.url, headers=headers, auto_decompress=False) as session:
        async with session.get("/api/v1/jobs") as reply:
            assert reply.headers["Content-Encoding"] == "gzip"
            assert "Accept-Encoding" in reply.headers["Vary"]
            assert len(orjson.loads(gzip.decompress(await reply.read()))["items"]) == 3
        async with session.get("/api/v1/images") as reply:
            assert "Content-Encoding" not in reply.headers
        async with session.get("/api/v1/events", headers={"Last-Event-ID": "0"}) as stream:
            assert "Content-Encoding" not in stream.headers
            assert (await stream.content.readline()).startswith(b"retry:")
        async with session.get("/api/v1/jobs", headers={"Accept-Encoding": "identity"}) as reply:
            assert "Content-Encoding" not in reply.headers


async def _raw(gateway: Gateway, head: str, body: bytes = b"", *, hang_up: bool = False) -> bytes:
    """Speak HTTP by hand, and hang up behind the body or not; give all that comes back until the other side does."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.settings.http_port)
    lines = ("POST /api/v1/scrapes HTTP/1.1", "Host: x", f"Authorization: Bearer {gateway.token('ann')}", head)
    writer.write("".join(f"{line}\r\n" for line in (*lines, "")).encode() + body)
    if hang_up:
        writer.write_eof()
    try:
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()


def _statuses(answer: bytes) -> list[int]:
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]


async def test_a_length_that_lies_brings_nothing_in(gateway: Gateway, ann: Client) -> None:
    json_type = "Content-Type: application/json\r\nConnection: close"
    good = b'{"url": "https://example.org"}'
    assert _statuses(await _raw(gateway, f"{json_type}\r\nContent-Length: {len(good)}", good)) == [202]
    jobs = len((await ann.get("/jobs")).body["items"])
    # More was announced than came: there is no whole body, so that nothing is done.
    assert 202 not in _statuses(await _raw(gateway, f"{json_type}\r\nContent-Length: 4000", good, hang_up=True))
    # More came than was announced: what is behind is not part of the body.
    assert 202 not in _statuses(await _raw(gateway, f"{json_type}\r\nContent-Length: 5", good))
    for lie in ("Content-Length: -1", "Content-Length: 1e3", f"Content-Length: {'9' * 30}", "Content-Length: 0x10"):
        statuses = _statuses(await _raw(gateway, f"{json_type}\r\n{lie}", good))
        assert statuses in ([400], [413]), lie
    assert _statuses(await _raw(gateway, f"{json_type}\r\nContent-Length: {2**40}", good)) == [413]
    both = f"{json_type}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked"
    assert 202 not in _statuses(await _raw(gateway, both, b"5\r\n" + good[:5] + b"\r\n0\r\n\r\n"))
    assert len((await ann.get("/jobs")).body["items"]) == jobs


async def test_chunks_are_counted_as_they_come(gateway: Gateway, ann: Client) -> None:
    head = "Content-Type: application/json\r\nConnection: close\r\nTransfer-Encoding: chunked"
    limit = gateway.settings.maximum_body_bytes
    chunk = b"%x\r\n" % 65536 + b" " * 65536 + b"\r\n"
    small = chunk + b'1e\r\n{"url": "https://example.org"}\r\n0\r\n\r\n'
    assert _statuses(await _raw(gateway, head, small)) == [202]
    assert _statuses(await _raw(gateway, head, chunk * (limit // 65536 + 1) + b"0\r\n\r\n")) == [413]
    assert (await ann.get("/jobs")).status == 200


async def test_what_goes_wrong_is_logged_with_the_id_of_its_request(
    ann: Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("the inside")

    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # and afterwards they are what they were
    configure_logging("gateway")
    monkeypatch.setattr("services.gateway.store.jobs.select_jobs", broken)
    assert (await ann.get("/jobs", headers={"X-Request-Id": "find-me"})).status == 500

    async def logged() -> bool:  # which the client need not wait for
        return "find-me" in capsys.readouterr().out

    await until(logged)
