"""An issuer's keys come and go, and so does its server; its users notice neither."""

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from services.gateway.identity import KeysUnavailableError, NotAUserError, Tokens, issuers_of
from services.gateway.identity.keys import read_key_set
from services.gateway.identity.published import PublishedKeys
from tests.gateway.identity.attacks import PUBLISHED
from tests.gateway.identity.forging import (
    LOCAL_SECRET,
    SECRET,
    SUPABASE,
    USER,
    KeyServer,
    ec_key,
    es,
    forge,
    good,
    hs,
    jwk,
    rs,
    rsa_key,
    settings,
)
from tests.gateway.living import Gateway, gateway_settings
from tests.living import House, until
from tests.ports import free_port


@pytest.fixture
async def issuer() -> AsyncIterator[KeyServer]:
    async with KeyServer(jwk(ec_key("ec"), "ec")).serving() as server:
        yield server


class Clock:
    """A clock that goes when it is told."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(issuer: KeyServer, clock: Clock) -> Tokens:
    issuers = issuers_of(settings(supabase_jwt_secret=None, supabase_jwks_url=issuer.url))
    tokens = Tokens(issuers)
    tokens.published[0]._clock = clock
    return tokens


def _token(name: str = "ec", kid: str = "ec") -> str:
    return forge(good(), es(ec_key(name)), alg="ES256", kid=kid)


async def _outcome(tokens: Tokens, token: str) -> str:
    try:
        return (await tokens.verified(token)).user_id
    except (NotAUserError, KeysUnavailableError) as error:
        return error.code


def test_only_usable_keys_are_taken_and_bad_ones_are_passed_over() -> None:
    keys = read_key_set(json.dumps({"keys": PUBLISHED}).encode())
    assert {kid: key.algorithm for kid, key in keys.items()} == {"ec": "ES256", "rsa": "RS256"}
    bare = [jwk(ec_key("ec"), "a", use=..., key_ops=..., alg=...), jwk(rsa_key("rsa"), "b", use=..., alg=...)]
    assert {*read_key_set(json.dumps({"keys": bare}).encode())} == {"a", "b"}
    many = [jwk(ec_key("ec"), str(number)) for number in range(100)]
    assert len(read_key_set(json.dumps({"keys": many}).encode())) == 32


@pytest.mark.parametrize(
    "document", [b"", b"{", b"[]", b"{}", b'{"keys": {}}', b'{"keys": 1, "keys": []}', b"\xff", b"[" * 9000]
)
def test_what_is_no_key_set_is_refused_as_a_whole(document: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each parser has words of its own
        read_key_set(document)


async def test_a_key_that_is_new_is_found_by_the_first_token_that_names_it(
    tokens: Tokens, issuer: KeyServer, clock: Clock
) -> None:
    assert await _outcome(tokens, _token()) == USER
    issuer.keys.append(jwk(rsa_key("rsa"), "rsa"))
    new = forge(good(), rs(rsa_key("rsa")), alg="RS256", kid="rsa")
    assert await _outcome(tokens, new) == "token_key_unknown", "not before a minute has passed"
    clock.seconds += 61
    assert await asyncio.gather(*(_outcome(tokens, new) for _ in range(20))) == [USER] * 20
    assert issuer.asked == 2


async def test_what_a_key_has_proved_is_forgotten_with_the_key(tokens: Tokens, issuer: KeyServer) -> None:
    token = _token()
    assert await _outcome(tokens, token) == USER
    issuer.keys = [jwk(ec_key("next"), "next")]
    assert tokens.principal(token).user_id == USER
    await tokens.published[0].fetch()
    assert await _outcome(tokens, token) == "token_key_unknown"
    assert await _outcome(tokens, _token("next", "next")) == USER


async def test_another_key_under_the_same_name_counts_as_another_key(tokens: Tokens, issuer: KeyServer) -> None:
    token = _token()
    assert await _outcome(tokens, token) == USER
    issuer.keys = [jwk(ec_key("next"), "ec")]
    await tokens.published[0].fetch()
    assert await _outcome(tokens, token) == "token_invalid"


@pytest.mark.parametrize("trouble", ["500", "404", "redirect", "no json", "no set", "too large", "a bomb", "too slow"])
async def test_the_last_good_set_stays_while_its_issuer_is_in_trouble(
    tokens: Tokens, issuer: KeyServer, clock: Clock, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    assert await _outcome(tokens, _token()) == USER
    (published,) = tokens.published
    _make_trouble(issuer, trouble, monkeypatch)
    clock.seconds += 61
    assert await _outcome(tokens, _token("mine", "mine")) == "token_key_unknown"
    assert published.trouble
    assert issuer.asked == 2, "nobody is followed to where he points"
    tokens._known.clear()
    assert await _outcome(tokens, _token()) == USER
    issuer.status, issuer.body, issuer.headers = 200, None, {}
    issuer.answering.set()
    monkeypatch.undo()
    await published.fetch()
    assert published.trouble is None


def _make_trouble(issuer: KeyServer, trouble: str, monkeypatch: pytest.MonkeyPatch) -> None:
    match trouble:
        case "500" | "404":
            issuer.status = int(trouble)
        case "redirect":
            issuer.status, issuer.headers = 302, {"Location": issuer.url}
        case "no json":
            issuer.body = b"<html>"
        case "no set":
            issuer.body = b'{"keys": null}'
        case "too large":
            issuer.body = b'{"keys": []}' + b" " * 100_000
        case "a bomb":
            issuer.body = gzip.compress(b'{"keys": []}' + b" " * 10_000_000)
            issuer.headers = {"Content-Encoding": "gzip"}
        case "too slow":
            monkeypatch.setattr("services.gateway.identity.published._FETCH_SECONDS", 1.0)
            issuer.answering.clear()


async def test_one_fetch_serves_all_who_wait(tokens: Tokens, issuer: KeyServer) -> None:
    issuer.answering.clear()
    waiting = [asyncio.create_task(_outcome(tokens, _token())) for _ in range(50)]

    async def asked() -> bool:
        return issuer.asked > 0

    await until(asked)
    waiting[0].cancel()
    issuer.answering.set()
    assert set(await asyncio.gather(*waiting[1:])) == {USER}
    assert issuer.asked == 1


async def test_the_set_is_fetched_again_when_it_has_aged_and_sooner_after_a_failure(issuer: KeyServer) -> None:
    published = PublishedKeys(issuer.url, cache_seconds=0.02)
    running = asyncio.create_task(published.run())

    async def asked_three_times() -> bool:
        return issuer.asked >= 3

    await until(asked_three_times)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    patient = PublishedKeys(issuer.url, cache_seconds=600)
    assert patient._pause_seconds(0) == 600
    assert [patient._pause_seconds(failures) for failures in (1, 2, 3, 7, 5000)] == [1, 2, 4, 60, 60]


async def test_a_gateway_starts_without_the_keys_says_so_and_finds_them_by_itself(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.identity.published._LONGEST_PAUSE_SECONDS", 0.05)
    server = KeyServer(jwk(ec_key("ec"), "ec"))
    server.status = 503
    async with server.serving():
        values = {"supabase_url": SUPABASE, "supabase_jwt_secret": SECRET, "supabase_jwks_url": server.url}
        changed = gateway_settings(house.servers, secret_key=LOCAL_SECRET, **values)
        async with Gateway(changed) as gateway, gateway.client("ann") as ann:
            headers = {"Authorization": f"Bearer {_token()}"}
            refused = await ann.get("/me", headers=headers)
            assert (refused.status, refused.body["code"]) == (503, "keys_unavailable")
            assert int(refused.headers["retry-after"]) >= 1
            secret = {"Authorization": f"Bearer {forge(good(), hs(SECRET))}"}
            assert (await ann.get("/me", headers=secret)).status == 200
            health = (await ann.get("/health/detailed")).body
            assert health["status"] == "degraded"
            assert "503" in health["problems"]["published_keys"]
            assert (await ann.get("/health")).body["status"] == "degraded"
            await gateway.until_well()
            server.status = 200

            async def let_in() -> bool:
                return (await ann.get("/me", headers=headers)).status == 200

            await until(let_in)
            (keys,) = (await ann.get("/health/detailed")).body["published_keys"]
            assert (keys["url"], keys["keys"], keys["trouble"]) == (server.url, 1, None)
            fetched_at = datetime.fromisoformat(keys["fetched_at"])
            assert abs(fetched_at.timestamp() - datetime.now(UTC).timestamp()) < 60


async def test_an_address_where_nobody_answers_is_no_reason_to_die() -> None:
    published = PublishedKeys(f"http://127.0.0.1:{free_port()}/", cache_seconds=600)
    began = time.monotonic()
    await published.fetch()
    assert time.monotonic() - began < 5
    assert published.trouble
    with pytest.raises(KeysUnavailableError):
        published.find("ec")
