"""Nobody gets in with a credential that was not made for him here, whatever it looks like."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from joserfc.jwk import OctKey

from services.gateway.identity import NotAUserError
from services.gateway.identity.issuers import Issuer
from services.gateway.identity.keys import Key
from tests.gateway.identity.attacks import ATTACKS, GOOD
from tests.gateway.identity.forging import (
    LOCAL_SECRET,
    SECRET,
    USER,
    KeyServer,
    b64,
    ec_key,
    es,
    forge,
    good,
    hs,
    pem,
    rsa_key,
)
from tests.gateway.living import Gateway

Attempt = tuple[int, dict[str, Any]]


@pytest.fixture(scope="module")
async def session(door: Gateway) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(door.url) as session:
        yield session


async def _attempt(session: aiohttp.ClientSession, *authorization: str) -> Attempt:
    headers = [("Authorization", text) for text in authorization]
    async with session.get("/api/v1/me", headers=headers) as response:
        return response.status, await response.json(content_type=None)


def test_the_table_is_large_enough() -> None:
    assert len(ATTACKS) >= 40


@pytest.mark.parametrize("name", GOOD)
async def test_a_good_token_is_let_in(session: aiohttp.ClientSession, name: str) -> None:
    status, body = await _attempt(session, f"Bearer {GOOD[name]()}")
    assert (status, body["user_id"], body["credential"]) == (200, USER, "token"), body
    assert body["roles"] == ["admin", "editor"], "what users write of themselves counts for nothing"


@pytest.mark.parametrize("name", ATTACKS)
async def test_an_attack_is_turned_away(session: aiohttp.ClientSession, name: str) -> None:
    status, body = await _attempt(session, f"Bearer {ATTACKS[name]()}")
    assert status == 401, body
    assert body["code"].startswith("token_")
    assert SECRET not in str(body)
    assert LOCAL_SECRET not in str(body)


HEADERS: dict[str, Callable[[], tuple[str, ...]]] = {
    "nothing": tuple,
    "an empty header": lambda: ("",),
    "a scheme alone": lambda: ("Bearer",),
    "a scheme and spaces": lambda: ("Bearer   ",),
    "no scheme": lambda: (forge(good()),),
    "another scheme": lambda: (f"Basic {forge(good())}",),
    "a scheme that begins the same": lambda: (f"Bearertoken {forge(good())}",),
    "two schemes": lambda: (f"Bearer Bearer {forge(good())}",),
    "two tokens": lambda: (f"Bearer {forge(good())} {forge(good())}",),
    "two tokens with a comma": lambda: (f"Bearer {forge(good())}, Bearer {forge(good())}",),
    "two headers": lambda: (f"Bearer {forge(good())}", f"Bearer {forge(good())}"),
    "a tab instead of a space": lambda: (f"Bearer\t{forge(good())}",),
    "a token in quotes": lambda: (f'Bearer "{forge(good())}"',),
    "a token with other characters": lambda: (f"Bearer {forge(good())}\u00e9",),
}


@pytest.mark.parametrize("name", HEADERS)
async def test_a_header_that_can_be_read_in_two_ways_lets_nobody_in(session: aiohttp.ClientSession, name: str) -> None:
    status, body = await _attempt(session, *HEADERS[name]())
    assert status == 401, body
    assert body["code"] in {"token_missing", "token_malformed", "token_invalid"}


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer  "])
async def test_the_scheme_is_read_as_http_says(session: aiohttp.ClientSession, scheme: str) -> None:
    assert (await _attempt(session, f"{scheme} {forge(good())}"))[0] == 200


def _any_signature(*_: Any, **__: Any) -> None:
    """What a verifier is that verifies nothing."""


MUTATIONS: dict[str, tuple[str, Any, set[str]]] = {
    "signatures are not verified": (
        "services.gateway.identity.tokens.jws.deserialize_compact",
        _any_signature,
        {"another secret", "an EC key of its own", "tampered claims", "ES256 with r and s of nothing"},
    ),
    "headers are not looked at": (
        "services.gateway.identity.tokens._check_header",
        _any_signature,
        {"an access token of another kind", "an encrypted type", "a token in a token"},
    ),
    "times are not held to a calendar": (
        "services.gateway.identity.tokens._check_times",
        _any_signature,
        {"an expiry with a fraction", "issued at a fraction"},
    ),
    "json is read as it comes": (
        "services.gateway.identity.keys._each_once",
        dict,
        {"alg twice", "the subject twice", "the role twice"},
    ),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
async def test_without_its_guard_an_attack_of_the_table_succeeds(
    session: aiohttp.ClientSession, door: Gateway, monkeypatch: pytest.MonkeyPatch, mutation: str
) -> None:
    place, instead, expected = MUTATIONS[mutation]
    monkeypatch.setattr(place, instead)
    try:
        let_in = {name for name in ATTACKS if (await _attempt(session, f"Bearer {ATTACKS[name]()}"))[0] == 200}
    finally:
        door.parts.tokens._known.clear()
    assert expected <= let_in


async def test_a_flood_of_keys_that_do_not_exist_asks_the_issuer_once(
    door: Gateway, key_server: KeyServer, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    (published,) = door.parts.tokens.published
    monkeypatch.setattr(published, "_looked_again_at", float("-inf"))
    asked = key_server.asked
    _, claims, signature = forge(good(), es(ec_key("mine")), alg="ES256").split(".")

    async def knock(number: int) -> str:
        head = b64(f'{{"alg":"ES256","kid":"unknown {number}"}}'.encode())
        try:
            await door.parts.tokens.verified(f"{head}.{claims}.{signature}")
        except NotAUserError as error:
            return error.code
        return "let in"

    outcomes = await asyncio.gather(*(knock(number) for number in range(10_000)))
    assert set(outcomes) == {"token_key_unknown"}
    assert key_server.asked == asked + 1
    for number in range(20):
        token = forge(good(), hs("x"), alg="RS256", kid=f"unknown {number}")
        assert (await _attempt(session, f"Bearer {token}"))[1]["code"] == "token_key_unknown"
    assert key_server.asked == asked + 1
    assert (await _attempt(session, f"Bearer {GOOD['with ES256']()}"))[0] == 200


async def test_a_gateway_that_asks_for_every_key_would_be_noticed(
    door: Gateway, key_server: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.identity.published.LOOK_AGAIN_SECONDS", 0.0)
    asked = key_server.asked
    for number in range(3):
        with pytest.raises(NotAUserError, match="token_key_unknown"):
            await door.parts.tokens.verified(forge(good(), hs("x"), alg="RS256", kid=f"unknown {number}"))
    assert key_server.asked == asked + 3


async def test_a_published_key_never_serves_as_a_secret(
    session: aiohttp.ClientSession, door: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The confusion of algorithms is real: with a key that the header chooses, the same token gets in."""
    token = ATTACKS["HS256 with the RSA key's PEM"]()
    assert (await _attempt(session, f"Bearer {token}"))[0] == 401
    text = pem(rsa_key("rsa"))
    naive = Key("HS256", OctKey(text, text))  # `OctKey.import_key` would refuse it as well
    monkeypatch.setattr(Issuer, "key", lambda _issuer, _header: naive)
    try:
        assert (await _attempt(session, f"Bearer {token}"))[0] == 200
    finally:
        door.parts.tokens._known.clear()
