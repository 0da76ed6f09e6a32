"""A token proves a user, once it is verified for as long as it lasts; the settings say whose tokens do."""

import hashlib
import time
from typing import Any

import pytest
from pydantic import ValidationError

from services.gateway.identity import NotAUserError, Principal, Tokens, issuers_of, mint
from services.gateway.identity.issuers import LOCAL
from tests.gateway.identity.forging import LOCAL_SECRET, SECRET, SUPABASE, USER, WELL_KNOWN, forge, good, settings


@pytest.fixture
def tokens() -> Tokens:
    return Tokens(issuers_of(settings()))


def test_a_supabase_user_is_let_in_with_the_roles_that_only_the_issuer_writes(tokens: Tokens) -> None:
    principal = tokens.principal(forge(good()))
    assert principal.user_id == USER
    assert principal.roles == {"admin", "editor"}


def test_a_local_user_is_let_in(tokens: Tokens) -> None:
    token = mint(issuers_of(settings())[LOCAL], "ann", lifetime_seconds=60, roles=("admin",))
    assert tokens.principal(token) == Principal("ann", frozenset({"admin"}), tokens.principal(token).expires_at)


def test_roles_that_users_write_themselves_count_for_nothing(tokens: Tokens) -> None:
    assert tokens.principal(forge(good(app_metadata=...))).roles == frozenset()
    assert tokens.principal(forge(good(app_metadata={"roles": "admin"}))).roles == frozenset()
    assert tokens.principal(forge(good(app_metadata={"roles": [1, None, "a", "", "b\x00", "c" * 101]}))).roles == {"a"}
    assert len(tokens.principal(forge(good(app_metadata={"roles": list(map(str, range(200)))}))).roles) == 50


def test_a_remembered_token_is_not_verified_again_and_ends_with_its_expiry() -> None:
    now = time.time()
    clock = [now]
    tokens = Tokens(issuers_of(settings()), clock=lambda: clock[0])
    token = forge(good(exp=int(now) + 600))
    first = tokens.principal(token)
    tokens._issuers = {}  # whoever verifies now fails
    assert tokens.principal(token) is first
    clock[0] = now + 601
    with pytest.raises(NotAUserError):
        tokens.principal(token)


def test_another_token_of_the_same_user_is_verified_by_itself(tokens: Tokens) -> None:
    token = forge(good())
    tokens.principal(token)
    with pytest.raises(NotAUserError):
        tokens.principal(token[:-4] + "AAAA")


def test_the_memory_of_tokens_is_bounded(monkeypatch: pytest.MonkeyPatch, tokens: Tokens) -> None:
    monkeypatch.setattr("services.gateway.identity.tokens._REMEMBERED", 3)
    for number in range(10):
        tokens.principal(forge(good(sub=str(number))))
    assert len(tokens._known) == 3


def test_local_tokens_cannot_be_switched_on_in_production() -> None:
    with pytest.raises(ValidationError, match="SECRET_KEY"):
        settings(environment="production")
    assert settings(environment="production", secret_key=None).secret_key is None


ALONE = {"supabase_jwt_secret": None}


@pytest.mark.parametrize(
    "changes",
    [
        {"secret_key": "short"},
        {"supabase_jwt_secret": "short"},
        {"supabase_url": None},
        {"supabase_url": None, "supabase_jwt_secret": None, "supabase_jwks_url": "https://keys.example/set"},
        {"secret_key": None, "supabase_url": None, "supabase_jwt_secret": None},
        {"supabase_url": "https://abc.supabase.co/auth/v1"},
        {**ALONE, "supabase_url": "http://abc.supabase.co"},
        {**ALONE, "supabase_url": "http://10.0.0.7:8000"},
        {"supabase_jwks_url": "http://127.0.0.1.evil.example/set"},
        {"supabase_jwks_url": "http://[not an address/set"},
        {"supabase_jwks_url": "http://localhost:1/set", "environment": "production", "secret_key": None},
        {"supabase_jwks_url": "ftp://keys.example/set"},
        {"supabase_jwks_url": "https://user:password@keys.example/set"},
        {"supabase_jwks_seconds": 0},
    ],
)
def test_settings_under_which_nobody_is_safe_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(**changes)


@pytest.mark.parametrize(
    ("changes", "url"),
    [
        ({}, None),
        (ALONE, f"{SUPABASE}{WELL_KNOWN}"),
        ({**ALONE, "supabase_url": f"{SUPABASE}/"}, f"{SUPABASE}{WELL_KNOWN}"),
        ({**ALONE, "supabase_url": "http://localhost:54321"}, f"http://localhost:54321{WELL_KNOWN}"),
        ({"supabase_jwks_url": "http://[::1]:1/set"}, "http://[::1]:1/set"),
        ({"supabase_jwks_url": "https://keys.example/set"}, "https://keys.example/set"),
    ],
)
def test_keys_are_fetched_where_they_are_published_unless_a_secret_is_shared(
    changes: dict[str, Any], url: str | None
) -> None:
    (supabase,) = (one for one in issuers_of(settings(**changes)).values() if one.name != LOCAL)
    assert (None if supabase.published is None else supabase.published.url) == url
    assert (supabase.secret is None) == (changes.get("supabase_jwt_secret", SECRET) is None)


def test_nobody_but_the_issuer_signs_where_no_secret_is_shared() -> None:
    issuer = issuers_of(settings(**ALONE))[f"{SUPABASE}/auth/v1"]
    with pytest.raises(ValueError, match="only"):
        mint(issuer, "ann", lifetime_seconds=60)


def test_secrets_do_not_show(tokens: Tokens) -> None:
    shown = repr(settings()) + str(settings()) + repr(tokens) + repr(issuers_of(settings()))
    assert SECRET not in shown
    assert LOCAL_SECRET not in shown
    assert hashlib.sha256(SECRET.encode()).hexdigest() not in shown
