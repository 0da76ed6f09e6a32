"""Pages of other origins may call the API where settings say so, and nowhere else."""

import io
from collections.abc import AsyncIterator

import pytest
from pydantic import ValidationError

from tests.gateway.living import Client, Gateway, Reply, gateway_settings
from tests.living import House

APP = "https://app.example.org"


@pytest.fixture
async def open_gateway(house: House) -> AsyncIterator[Gateway]:
    """A gateway that pages of one other origin may call."""
    async with Gateway(gateway_settings(house.servers, allowed_origins=f"{APP}, http://localhost:5173")) as gateway:
        await gateway.until_well()
        yield gateway


async def _preflight(client: Client, origin: str, **asked: str) -> Reply:
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST", **asked}
    return await client.send("OPTIONS", "/api/v1/scrapes", headers=headers)


async def test_an_allowed_page_may_ask_and_read_the_answer(open_gateway: Gateway) -> None:
    async with open_gateway.client("ann") as ann:
        headers = {"Access-Control-Request-Headers": "authorization, content-type, idempotency-key, prefer, if-match"}
        preflight = await _preflight(ann, APP, **headers)
        assert preflight.status == 204
        assert preflight.headers["access-control-allow-origin"] == APP
        assert "PATCH" in preflight.headers["access-control-allow-methods"]
        assert int(preflight.headers["access-control-max-age"]) >= 600
        assert "Origin" in preflight.headers["vary"]
        for path in ("/api/v1/jobs", "/api/v1/nowhere", "/api/v1/jobs/no-id"):
            reply = await ann.send("GET", path, headers={"Origin": APP})
            assert reply.headers["access-control-allow-origin"] == APP, "errors can be read too"
            shown = {name.strip() for name in reply.headers["access-control-expose-headers"].split(",")}
            assert {"Location", "Retry-After", "ETag", "RateLimit", "RateLimit-Policy", "X-Request-Id"} <= shown
            assert reply.headers["cross-origin-resource-policy"] == "cross-origin"
        too_large = io.BytesIO(b"x" * (open_gateway.settings.maximum_body_bytes + 1))
        reply = await ann.send("POST", "/api/v1/scrapes", data=too_large, headers={"Origin": APP})
        assert (reply.status, reply.headers["access-control-allow-origin"]) == (413, APP)


async def test_other_pages_are_refused(open_gateway: Gateway) -> None:
    async with open_gateway.client("ann") as ann:
        for origin in ("https://evil.example", f"{APP}.evil.example", "http://app.example.org", "null"):
            preflight = await _preflight(ann, origin)
            assert (preflight.status, preflight.body["code"]) == (403, "origin_not_allowed")
            assert "access-control-allow-origin" not in preflight.headers
            assert "access-control-allow-origin" not in (await ann.get("/jobs", headers={"Origin": origin})).headers
        strange = await _preflight(ann, APP, **{"Access-Control-Request-Headers": "x-strange"})
        assert strange.status == 403


async def test_by_default_only_the_gateways_own_pages_read_it(ann: Client) -> None:
    preflight = await _preflight(ann, APP)
    assert "access-control-allow-origin" not in preflight.headers
    reply = await ann.get("/jobs", headers={"Origin": APP})
    assert "access-control-allow-origin" not in reply.headers
    assert reply.headers["cross-origin-resource-policy"] == "same-origin"


async def test_whoever_allows_everybody_allows_no_credentials(house: House) -> None:
    async with Gateway(gateway_settings(house.servers, allowed_origins="*")) as gateway:
        await gateway.until_well()
        async with gateway.client("ann") as ann:
            for reply in (await _preflight(ann, APP), await ann.get("/jobs", headers={"Origin": APP})):
                assert reply.headers["access-control-allow-origin"] == "*"
                assert "access-control-allow-credentials" not in reply.headers


def test_what_is_no_origin_is_refused_at_the_start(house: House) -> None:
    for wrong in (f"{APP}/path", "app.example.org", "ftp://x", "https://"):
        with pytest.raises(ValidationError):
            gateway_settings(house.servers, allowed_origins=wrong)
    with pytest.raises(ValidationError):
        gateway_settings(house.servers, trusted_proxies="10.0.0.1/8")
