"""Whatever comes in at the door is answered, and every error is a problem that a person can read."""

import asyncio
import io
import re
import socket
from typing import Any

import aiohttp
import pytest

from contracts.catalogue import CATALOGUE
from tests.gateway.living import Client, Gateway, Reply


def _is_problem(reply: Reply, status: int, code: str) -> None:
    assert reply.headers["content-type"] == "application/problem+json", reply.body
    assert (reply.status, reply.body["status"], reply.body["code"]) == (status, status, code)
    assert reply.body["type"] == f"urn:diorama:problem:{code}"
    assert reply.body["title"]
    assert reply.body["detail"]
    assert len(reply.body["trace_id"]) == 32


async def test_every_error_is_a_problem(ann: Client) -> None:
    _is_problem(await ann.get("/nowhere"), 404, "not_found")
    _is_problem(await ann.send("DELETE", "/api/v1/jobs"), 405, "method_not_allowed")
    _is_problem(await ann.send("GET", "/api/v1/scrapes"), 405, "method_not_allowed")
    _is_problem(await ann.get("/jobs/no-id"), 422, "validation_failed")
    _is_problem(await ann.get("/jobs/00000000-0000-4000-8000-000000000000"), 404, "job_not_found")
    _is_problem(await ann.get("/jobs", params={"cursor": "x"}), 400, "cursor_invalid")
    _is_problem(await ann.get("/jobs", params={"cursor": "AAAA\u00e9"}), 400, "cursor_invalid")
    _is_problem(await ann.get("/jobs", params={"cursor": "f" * 32}), 400, "cursor_invalid")
    _is_problem(await ann.get("/scenes/s/media", params={"cursor": "x"}), 400, "cursor_invalid")
    _is_problem(await ann.get("/scenes/s/media", params={"limit": "501"}), 422, "validation_failed")
    _is_problem(await ann.get("/jobs", params={"state": "done"}), 422, "validation_failed")
    _is_problem(await ann.get("/jobs", params={"limit": "0"}), 422, "validation_failed")
    _is_problem(await ann.get("/jobs", params={"created_after": "yesterday"}), 422, "validation_failed")
    _is_problem(await ann.get("/images/x/file"), 422, "validation_failed")
    for name, moment in (
        ("created_after", "0001-01-01T00:00:00+14:00"),
        ("created_before", "9999-12-31T23:59:59-14:00"),
    ):
        for path in ("/jobs", "/images"):
            _is_problem(await ann.get(path, params={name: moment}), 422, "validation_failed")
    _is_problem(await ann.get("/jobs?kind=%00"), 400, "bad_request")
    _is_problem(await ann.get("/chapters/a%00b/images"), 400, "bad_request")
    _is_problem(await ann.send("POST", "/api/v1/scrapes", data=b"{"), 415, "media_type_unsupported")
    json_type = {"Content-Type": "application/json"}
    _is_problem(await ann.send("POST", "/api/v1/scrapes", data=b"{", headers=json_type), 422, "validation_failed")
    _is_problem(await ann.send("POST", "/api/v1/scrapes", data=b"\xff", headers=json_type), 400, "bad_request")
    surrogate = b'{"url": "https://example.org/\\ud800"}'
    _is_problem(await ann.send("POST", "/api/v1/scrapes", data=surrogate, headers=json_type), 422, "validation_failed")
    deep = b"[" * 100_000
    reply = await ann.send("POST", "/api/v1/scrapes", data=deep, headers=json_type)
    assert reply.status in {400, 422}
    key = {"Idempotency-Key": "k" * 256}
    _is_problem(await ann.post("/scrapes", {"url": "https://example.org"}, headers=key), 400, "idempotency_key_invalid")


async def test_an_error_of_ours_is_a_problem_that_tells_nothing_of_the_inside(
    ann: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("the inside")

    monkeypatch.setattr("services.gateway.store.jobs.select_jobs", broken)
    reply = await ann.get("/jobs")
    _is_problem(reply, 500, "internal_error")
    assert "inside" not in str(reply.body)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer x.y.z", "bearer a b"])
async def test_without_a_good_token_there_is_no_way_in(gateway: Gateway, header: str) -> None:
    headers = {"Authorization": header} if header else {}
    async with aiohttp.ClientSession(gateway.url, headers=headers) as session:
        nobody = Client(session, "nobody")
        for method, path in (("GET", "/jobs"), ("POST", "/scrapes"), ("GET", "/events"), ("GET", "/health/detailed")):
            reply = await nobody.send(method, f"/api/v1{path}")
            assert reply.status == 401, (path, reply.body)
            assert reply.headers["www-authenticate"].startswith("Bearer")
            assert reply.body["code"].startswith("token_")


async def test_every_address_of_the_api_asks_who_is_there(gateway: Gateway, ann: Client) -> None:
    paths = (await ann.send("GET", "/openapi.json")).body["paths"]
    secured = [
        (method, path) for path, operations in paths.items() for method, one in operations.items() if "security" in one
    ]
    assert len(secured) >= 17
    open_paths = {path for path in paths if path not in {one for _, one in secured}}
    assert {path for path in open_paths if path.startswith("/api/v1")} == {
        *("/api/v1/health", "/api/v1/health/database"),
        "/api/v1/hints/{job_id}/{proof}",  # the proof is the token
        "/api/v1/pictures/{address}",  # so is the address, which is signed
    }
    async with aiohttp.ClientSession(gateway.url) as session:
        for method, path in secured:
            address = path.replace("{scene_number}", "1")
            address = re.sub(r"\{\w+\}", "00000000-0000-4000-8000-000000000000", address)
            async with session.request(method, address, json={}) as response:
                assert response.status == 401, (method, path)


async def test_a_slash_at_the_end_changes_nothing(ann: Client) -> None:
    for path in ("/jobs", "/images", "/health"):
        without, with_slash = await ann.get(path), await ann.get(f"{path}/")
        assert (without.status, with_slash.status) == (200, 200)
        assert without.body == with_slash.body
    reply = await ann.post("/probes/", {"service": "media"})
    assert reply.status == 202


async def test_a_body_is_bounded_by_the_bytes_that_come(ann: Client, gateway: Gateway) -> None:
    too_much = b"x" * (gateway.settings.maximum_body_bytes + 1)
    json_type = {"Content-Type": "application/json"}
    _is_problem(
        await ann.send("POST", "/api/v1/scrapes", data=io.BytesIO(too_much), headers=json_type), 413, "body_too_large"
    )

    async def chunks() -> Any:
        for _ in range(gateway.settings.maximum_body_bytes // 65536 + 2):
            yield b"y" * 65536

    try:
        reply = await ann.send("POST", "/api/v1/scrapes", data=chunks(), headers=json_type)
        _is_problem(reply, 413, "body_too_large")
    except aiohttp.ClientConnectionError:
        pass  # the door may close while the body still comes
    assert (await ann.get("/jobs")).body["items"] == []


async def test_rubbish_at_the_door_harms_nobody(gateway: Gateway, ann: Client) -> None:
    for rubbish in (
        b"\x16\x03\x01\x02\x00",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", gateway.settings.http_port)) as connection:
            connection.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(connection, rubbish)
            async with asyncio.timeout(10):
                await loop.sock_recv(connection, 1000)
    assert (await ann.get("/jobs")).status == 200


async def test_a_trace_that_is_sent_is_the_trace_of_the_answer(ann: Client) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    reply = await ann.get("/nowhere", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    assert reply.body["trace_id"] == trace
    for wrong in (
        "x",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{trace}-00f067aa0ba902b7",
        f"ff-{trace}-00f067aa0ba902b7-01",
    ):
        assert (await ann.get("/nowhere", headers={"traceparent": wrong})).body["trace_id"] != trace


async def test_health_says_what_is_well(ann: Client) -> None:
    health = await ann.send("GET", "/health")
    assert health.body["database"] is True
    assert health.body["status"] == "healthy"
    database = (await ann.send("GET", "/health/database")).body
    assert (database["status"], database["tables_missing"]) == ("healthy", [])
    assert database["response_time_ms"] > 0
    detailed = (await ann.get("/health/detailed")).body
    assert detailed["environment"] == "local"
    assert "supabase_users" in detailed["features_off"]
    assert "SUPABASE_URL" in detailed["missing_variables"]
    for path in ("/livez", "/readyz", "/startupz", "/metrics"):
        assert (await ann.send("GET", path)).status == 200, path


async def test_the_contracts_are_served(ann: Client) -> None:
    for wire_name in CATALOGUE:
        schema = await ann.send("GET", f"/schemas/{wire_name}")
        assert schema.status == 200, wire_name
        assert schema.body["type"] == "object"
    _is_problem(await ann.send("GET", "/schemas/..%2Ftopology"), 404, "not_found")
    _is_problem(await ann.send("GET", "/schemas/nobody.says_this.v1"), 404, "schema_not_found")
    assert b"asyncapi" in (await ann.send("GET", "/asyncapi.yaml")).body
    docs = await ann.send("GET", "/docs")
    assert b"/api/v1/jobs/{job_id}" in docs.body
    assert b"http" not in docs.body.replace(b"Last-Event-ID", b"").split(b"<h2>")[0], "it loads nothing from elsewhere"
