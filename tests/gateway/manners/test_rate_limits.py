"""Nobody takes more than his share, at however many gateways he asks, and counting costs next to nothing."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from limits import parse
from pydantic import ValidationError

from services.gateway.limiting import Leases, Limiter, limiter_of
from services.gateway.rules.limits import Ask, Slice, charge_of
from services.gateway.settings import DEFAULT_RATE_LIMITS, parse_rate_limits
from services.gateway.store.rate_limits import taker
from services.gateway.store.tenancy import DatabaseAwayError
from shared.database import open_pool
from tests.gateway.living import Client, Gateway, gateway_settings
from tests.living import House

QUOTA = 60
WINDOW_SECONDS = 60


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine the first connections take their time, and whoever waits in vain counts alone."""
    monkeypatch.setattr("services.gateway.store.rate_limits._TAKE_SECONDS", 10)


@asynccontextmanager
async def gateways(house: House, count: int = 1, **settings: Any) -> AsyncIterator[list[Gateway]]:
    async with AsyncExitStack() as stack:
        opened = [
            await stack.enter_async_context(Gateway(gateway_settings(house.servers, **settings))) for _ in range(count)
        ]
        for one in opened:
            await one.until_well()
        yield opened


async def served_until_refused(client: Client, at_most: int) -> int:
    """Ask until refused; give how often it was served."""
    for served in range(at_most):
        if (await client.get("/jobs")).status == 429:
            return served
    return at_most


class Shop:
    """What hands out slices, and what was asked of it."""

    def __init__(self, take: Callable[[Sequence[Ask]], Awaitable[Sequence[Slice]]]) -> None:
        self._take = take
        self.statements = 0
        self.sold: Counter[str] = Counter()

    async def take(self, asked: Sequence[Ask]) -> Sequence[Slice]:
        self.statements += 1
        slices = await self._take(asked)
        for ask, slice_ in zip(asked, slices, strict=True):
            self.sold[ask.key] += slice_.size
        return slices


@pytest.fixture
async def shop(house: House) -> AsyncIterator[Shop]:
    """The real one, in the database."""
    pool = await open_pool(house.servers.database_url("gateway_projection"), size=4, application_name="tests")
    yield Shop(taker(pool))
    await pool.close()


async def test_two_gateways_together_allow_no_more_than_one(house: House) -> None:
    async with gateways(house, 2, rate_limits=f"read={QUOTA}/hour") as pair, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(gateway.client("ann")) for gateway in pair for _ in range(4)]
        served = sum(await asyncio.gather(*(served_until_refused(client, 2 * QUOTA) for client in clients)))
        assert QUOTA // 2 <= served <= QUOTA, "what one gateway keeps for itself is a small part"
        async with pair[0].client("bob") as bob:
            assert (await bob.get("/jobs")).status == 200, "each user has limits of his own"


async def test_a_refusal_says_which_limit_and_for_how_long(house: House) -> None:
    async with gateways(house, rate_limits="read=2/hour,write=off") as [gateway], gateway.client("ann") as ann:
        first = await ann.get("/jobs")
        assert first.headers["ratelimit-policy"] == '"read";q=2;w=3600'
        assert re.fullmatch(r'"read";r=1;t=(3600|35\d\d)', first.headers["ratelimit"])
        await ann.get("/images")
        reply = await ann.get("/jobs")
        assert (reply.status, reply.body["code"]) == (429, "quota_exceeded")
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.body["type"] == "https://iana.org/assignments/http-problem-types#quota-exceeded"
        assert reply.body["violated-policies"] == ["read"]
        assert 0 < int(reply.headers["retry-after"]) <= 3600
        assert reply.headers["ratelimit"].startswith('"read";r=0;t=')
        cancelled = await ann.post("/jobs/00000000-0000-4000-8000-000000000000/cancel")
        assert cancelled.status == 404, "a class that is off is not counted"
        assert "ratelimit" not in cancelled.headers
        for path in ("/health", "/livez", "/readyz", "/api/v1/health/detailed"):
            assert (await ann.send("GET", path)).status == 200, path


async def test_operators_at_their_work_are_not_held_up(house: House) -> None:
    async with gateways(house, rate_limits="read=1/hour") as [gateway], AsyncExitStack() as stack:
        oz = await stack.enter_async_context(gateway.client("oz", roles=("operator",)))
        ann = await stack.enter_async_context(gateway.client("ann"))
        assert [(await oz.get("/dead-letters")).status for _ in range(5)] == [200] * 5
        assert [(await ann.get("/dead-letters")).status for _ in range(2)] == [200, 429]


async def test_strangers_are_counted_by_the_address_that_our_proxy_tells_of(house: House) -> None:
    settings = {"rate_limits": "anonymous=2/hour", "trusted_proxies": "127.0.0.0/8, 10.0.0.0/8"}
    async with gateways(house, **settings) as [gateway], gateway.client("ann") as ann:

        async def flood(forwarded: str, **headers: str) -> list[int]:
            told = {"X-Forwarded-For": forwarded, "Authorization": "Bearer x.y.z", **headers}
            return [(await ann.get("/jobs", headers=told)).status for _ in range(3)]

        assert await flood("192.0.2.1") == [401, 401, 429]
        assert await flood("192.0.2.2, 10.1.1.1") == [401, 401, 429], "the last hop that is not ours"
        assert await flood("1.1.1.1, 192.0.2.2") == [429] * 3, "what a client writes before it changes nothing"
        assert await flood("2001:db8::1") == [401, 401, 429]
        assert await flood("2001:db8::ffff:1") == [429] * 3, "an IPv6 network is one client"
        assert await flood("nonsense") == [401, 401, 429], "what is no address is the proxy's own"
        assert (await ann.get("/jobs", headers={"X-Forwarded-For": "192.0.2.1"})).status == 200, "signed is signed"
    async with gateways(house, rate_limits="anonymous=2/hour") as [gateway], gateway.client("ann") as ann:
        assert await flood("192.0.2.1") == [401, 401, 429]
        assert await flood("192.0.2.2") == [429] * 3, "nobody is believed unless settings say so"
        assert (await ann.send("GET", "/health")).status == 200


async def test_a_thousand_requests_cost_a_few_statements(shop: Shop) -> None:
    for limit in ("1000/hour", "6000/hour"):
        shop.statements = 0
        limiter = Limiter(parse_rate_limits(f"read={limit}"), Leases(shop.take))
        standings = await asyncio.gather(*(limiter.count("read", "ann") for _ in range(1000)))
        assert all(standing and standing.allowed for standing in standings)
        assert shop.statements <= 25
        shop.statements = 0
        assert (await limiter.count("read", "bob", cost=5)).left == int(limit.split("/")[0]) - 5  # type: ignore[union-attr]
        assert shop.statements == 1, "negative control: the first of a window asks"


async def test_slices_of_many_gateways_never_exceed_the_limit_and_end_with_their_window(
    shop: Shop, house: House
) -> None:
    item = parse("97/minute")
    late_seconds = 0.0

    async def let_the_window_end() -> None:
        nonlocal late_seconds
        late_seconds += WINDOW_SECONDS
        await house.admin.execute("UPDATE gateway.rate_limits SET ends_at = now()")

    for _ in range(2):
        strategies = [Leases(shop.take, lambda: time.monotonic() + late_seconds) for _ in range(7)]
        shop.sold.clear()
        hits = [strategy.hit(item, "ann", cost=cost) for strategy in strategies for cost in (1, 2, 5) for _ in range(9)]
        first = await asyncio.gather(*hits)
        assert sum(shop.sold.values()) == 97
        assert any(first)
        assert not all(first)
        assert not await strategies[0].hit(item, "ann", cost=97), "what others hold is not to be had"
        await let_the_window_end()
        assert await strategies[0].hit(item, "ann", cost=50)
        await let_the_window_end()
        assert (await strategies[0].get_window_stats(item, "ann")).remaining == 97


async def test_without_its_database_each_gateway_counts_alone() -> None:
    async def away(_asked: Sequence[Ask]) -> Sequence[Slice]:
        shop.statements += 1
        raise DatabaseAwayError("away")

    shop = Shop(away)
    limiter = Limiter(parse_rate_limits("read=10/hour"), Leases(away))
    allowed = [await limiter.count("read", "ann") for _ in range(12)]
    assert [bool(one and one.allowed) for one in allowed] == [True] * 10 + [False] * 2
    assert (await limiter.count("read", "bob")).allowed  # type: ignore[union-attr]
    assert shop.statements <= 3, "who does not answer is not asked for each request"


async def test_an_outage_keeps_nobody_out(house: House) -> None:
    broken = gateway_settings(house.servers).projection_database_url.replace("gateway_projection:", "nobody:")
    pool = await open_pool(broken, size=1, application_name="tests", wait=False)
    limiter = limiter_of(gateway_settings(house.servers, rate_limits="read=3/hour"), taker(pool))
    standings = [await limiter.count("read", "ann") for _ in range(4)]
    assert [bool(one and one.allowed) for one in standings] == [True] * 3 + [False]
    await pool.close()


def test_who_asks_for_redis_and_has_no_client_for_it_is_told_at_the_start(house: House) -> None:
    async def take(_asked: Sequence[Ask]) -> Sequence[Slice]:
        raise AssertionError("nobody is asked")

    settings = gateway_settings(house.servers, rate_limit_redis_url="redis://127.0.0.1:1/0")
    with pytest.raises(SystemExit, match="package `redis` is not installed"):
        limiter_of(settings, take)


@pytest.mark.parametrize(
    ("method", "path", "charge"),
    [
        ("GET", "/jobs", ("read", 1)),
        ("GET", "/jobs/{job_id}/events", ("stream", 1)),
        ("GET", "/events", ("stream", 1)),
        ("POST", "/events", ("submit", 1)),
        ("POST", "/scrapes", ("submit", 1)),
        ("POST", "/maps", ("submit", 5)),
        ("POST", "/chapters/{chapter_id}/images/scenes/{scene_number}", ("submit", 1)),
        ("GET", "/search/images", ("search", 1)),
        ("GET", "/search/images/{image_id}/similar", ("search", 5)),
        ("DELETE", "/images/{image_id}", ("write", 1)),
        ("PATCH", "/images/{image_id}", ("write", 1)),
    ],
)
def test_what_is_dear_costs_more(method: str, path: str, charge: tuple[str, int]) -> None:
    assert charge_of(method, path) == charge


def test_limits_are_read_from_one_variable(house: House) -> None:
    assert parse_rate_limits("").keys() == DEFAULT_RATE_LIMITS.keys()
    limits = parse_rate_limits("submit = 600/minute, search=off")
    assert (limits["submit"], limits["search"], limits["read"]) == (parse("600/minute"), None, parse("6000/minute"))
    assert set(parse_rate_limits("off").values()) == {None}
    for wrong in ("submit", "submit=many", "sumbit=1/minute", "read=0/minute", "read=1/year", "read=1/minute;2/hour;x"):
        with pytest.raises(ValidationError):
            gateway_settings(house.servers, rate_limits=wrong)
