"""Nobody gets in with a token that was not made for him here."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from services.gateway.identity import NotAUserError, Principal, Tokens, issuers_of, mint
from services.gateway.identity.issuers import LOCAL
from services.gateway.settings import Settings

SUPABASE = "https://abc.supabase.co"
SUPABASE_ISSUER = f"{SUPABASE}/auth/v1"
SUPABASE_SECRET = "the secret that supabase signs with, long enough"
LOCAL_SECRET = "the secret of this very machine, long enough"
USER = "7f0c6d2e-3a51-4a4e-9d0e-2f6f0f0c9c11"
BASIC = {
    "database_url": "postgresql://x",
    "projection_database_url": "postgresql://x",
    "rabbitmq_url": "amqp://x",
    "s3_endpoint_url": "http://x",
    "s3_access_key_id": "x",
    "s3_secret_access_key": "x",
}

Claims = dict[str, Any]


def settings(**changes: Any) -> Settings:
    supabase = {"supabase_url": SUPABASE, "supabase_jwt_secret": SUPABASE_SECRET}
    return Settings(**{**BASIC, **supabase, "secret_key": LOCAL_SECRET, **changes})


def good(**changes: Any) -> Claims:
    now = int(time.time())
    claims = {
        "iss": SUPABASE_ISSUER,
        "aud": "authenticated",
        "sub": USER,
        "role": "authenticated",
        "iat": now,
        "exp": now + 600,
        "app_metadata": {"role": "admin", "roles": ["editor"]},
        "user_metadata": {"role": "owner", "roles": ["god"]},
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not ...}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forge(claims: Any, secret: str = SUPABASE_SECRET, hash_: str = "sha256", **header: Any) -> str:
    """Make a token by hand, as an attacker does who is bound by no library."""
    head = {name: value for name, value in {"alg": "HS256", "typ": "JWT", **header}.items() if value is not ...}
    signed = f"{b64(json.dumps(head).encode())}.{b64(json.dumps(claims).encode())}"
    return f"{signed}.{b64(hmac.new(secret.encode(), signed.encode(), hash_).digest())}"


@pytest.fixture
def tokens() -> Tokens:
    return Tokens(issuers_of(settings()))


def test_a_supabase_user_is_let_in_with_the_roles_that_only_the_issuer_writes(tokens: Tokens) -> None:
    principal = tokens.principal(forge(good()))
    assert principal.user_id == USER
    assert principal.roles == {"admin", "editor"}


def test_a_list_of_audiences_may_hold_others(tokens: Tokens) -> None:
    assert tokens.principal(forge(good(aud=["else", "authenticated"]))).user_id == USER


def test_a_local_user_is_let_in(tokens: Tokens) -> None:
    token = mint(issuers_of(settings())[LOCAL], "ann", lifetime_seconds=60, roles=("admin",))
    assert tokens.principal(token) == Principal("ann", frozenset({"admin"}), tokens.principal(token).expires_at)


def _tampered(token: str) -> str:
    head, _, signature = token.split(".")
    return f"{head}.{b64(json.dumps(good(sub='somebody else')).encode())}.{signature}"


def _without_signature(algorithm: Any) -> str:
    head = b64(json.dumps({"alg": algorithm, "typ": "JWT"}).encode())
    return f"{head}.{b64(json.dumps(good()).encode())}."


ATTACKS: dict[str, Callable[[], str]] = {
    "nothing": lambda: "",
    "one part": lambda: "abc",
    "two parts": lambda: "abc.def",
    "four parts": lambda: forge(good()) + ".x",
    "five parts, as if encrypted": lambda: ".".join([b64(b'{"alg":"dir","enc":"A256GCM"}'), "", "a", "b", "c"]),
    "not base64": lambda: "!!!.???.***",
    "header that is no object": lambda: f"{b64(b'[]')}.{b64(b'{}')}.x",
    "claims that are no object": lambda: forge([1, 2]),
    "claims that are not JSON": lambda: f"{b64(b'{}')}.{b64(b'{{')}.x",
    "too long to be read": lambda: forge(good(padding="x" * 10_000)),
    "no signature with alg none": lambda: _without_signature("none"),
    "no signature with alg None": lambda: _without_signature("None"),
    "no signature with alg empty": lambda: _without_signature(""),
    "no signature at all": lambda: forge(good()).rpartition(".")[0] + ".",
    "alg none over a good signature": lambda: forge(good(), alg="none"),
    "alg missing": lambda: forge(good(), alg=...),
    "alg a list": lambda: forge(good(), alg=["HS256"]),
    "alg in lower case": lambda: forge(good(), alg="hs256"),
    "a stronger hash than agreed": lambda: forge(good(), hash_="sha512", alg="HS512"),
    "a hash that was not agreed": lambda: forge(good(), hash_="sha384", alg="HS384"),
    "claims to be RS256": lambda: forge(good(), alg="RS256"),
    "claims to be ES256": lambda: forge(good(), alg="ES256"),
    "claims to be EdDSA": lambda: forge(good(), alg="EdDSA"),
    "another secret": lambda: forge(good(), "another secret that is long enough to be used"),
    "an empty secret": lambda: forge(good(), ""),
    "the local secret for a supabase issuer": lambda: forge(good(), LOCAL_SECRET),
    "the supabase secret for the local issuer": lambda: forge(good(iss=LOCAL)),
    "the issuer's name as the secret": lambda: forge(good(), SUPABASE_ISSUER),
    "tampered claims": lambda: _tampered(forge(good())),
    "a key of its own in the header": lambda: forge(good(), jwk={"kty": "oct", "k": b64(b"mine")}),
    "a key set to fetch": lambda: forge(good(), jku="https://evil.example/keys"),
    "a certificate to fetch": lambda: forge(good(), x5u="https://evil.example/cert"),
    "a certificate chain": lambda: forge(good(), x5c=["MII"]),
    "a critical extension": lambda: forge(good(), crit=["exp"], exp=1),
    "an unencoded payload": lambda: forge(good(), b64=False, crit=["b64"]),
    "a compressed payload": lambda: forge(good(), zip="DEF"),
    "no issuer": lambda: forge(good(iss=...)),
    "an unknown issuer": lambda: forge(good(iss="https://evil.supabase.co/auth/v1")),
    "an issuer that begins the same": lambda: forge(good(iss=SUPABASE)),
    "an issuer that goes on": lambda: forge(good(iss=SUPABASE_ISSUER + "/")),
    "an issuer in capitals": lambda: forge(good(iss=SUPABASE_ISSUER.upper())),
    "a list of issuers": lambda: forge(good(iss=[SUPABASE_ISSUER])),
    "no audience": lambda: forge(good(aud=...)),
    "another audience": lambda: forge(good(aud="anon")),
    "an empty list of audiences": lambda: forge(good(aud=[])),
    "an audience that is no text": lambda: forge(good(aud={"authenticated": True})),
    "no expiry": lambda: forge(good(exp=...)),
    "expired": lambda: forge(good(exp=int(time.time()) - 31)),
    "an expiry in words": lambda: forge(good(exp="tomorrow")),
    "an expiry that is null": lambda: forge(good(exp=None)),
    "an expiry that is infinite": lambda: forge(good(exp=float("inf"))),
    "an expiry that is not a number": lambda: forge(good(exp=float("nan"))),
    "not valid yet": lambda: forge(good(nbf=int(time.time()) + 300)),
    "issued in the future": lambda: forge(good(iat=int(time.time()) + 300)),
    "no subject": lambda: forge(good(sub=...)),
    "an empty subject": lambda: forge(good(sub="")),
    "a subject that is a number": lambda: forge(good(sub=7)),
    "a subject that is a list": lambda: forge(good(sub=[USER])),
    "a subject that never ends": lambda: forge(good(sub="x" * 201)),
    "a subject with a NUL": lambda: forge(good(sub="ann\x00")),
    "the anon role": lambda: forge(good(role="anon")),
    "the service role": lambda: forge(good(role="service_role")),
    "no role": lambda: forge(good(role=...)),
    "an anonymous user": lambda: forge(good(is_anonymous=True)),
    "the project's anon key": lambda: forge(
        {"iss": "supabase", "ref": "abc", "role": "anon", "iat": 1, "exp": 2_000_000_000}
    ),
    "the project's service key": lambda: forge(
        {"iss": "supabase", "ref": "abc", "role": "service_role", "iat": 1, "exp": 2_000_000_000}
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_turned_away(tokens: Tokens, attack: str) -> None:
    with pytest.raises(NotAUserError) as refused:
        tokens.principal(ATTACKS[attack]())
    assert refused.value.code.startswith("token_")
    assert SUPABASE_SECRET not in refused.value.sentence


def test_the_forger_himself_is_let_in_when_he_has_the_secret(tokens: Tokens) -> None:
    """The attacks above fail for their own reason, not because the forger cannot write."""
    assert tokens.principal(forge(good())).user_id == USER
    assert tokens.principal(forge(good(iss=LOCAL, role=...), LOCAL_SECRET)).user_id == USER
    assert tokens.principal(forge(good(exp=int(time.time()) - 5))).user_id == USER  # clocks may differ a little


def test_roles_that_users_write_themselves_count_for_nothing(tokens: Tokens) -> None:
    assert tokens.principal(forge(good(app_metadata=...))).roles == frozenset()
    assert tokens.principal(forge(good(app_metadata={"roles": "admin"}))).roles == frozenset()
    assert tokens.principal(forge(good(app_metadata={"roles": [1, None, "a"]}))).roles == {"a"}


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


@pytest.mark.parametrize(
    "changes",
    [
        {"secret_key": "short"},
        {"supabase_jwt_secret": "short"},
        {"supabase_url": None},
        {"secret_key": None, "supabase_url": None, "supabase_jwt_secret": None},
        {"supabase_url": "https://abc.supabase.co/auth/v1"},
    ],
)
def test_settings_under_which_nobody_is_safe_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(**changes)


def test_secrets_do_not_show(tokens: Tokens) -> None:
    shown = repr(settings()) + str(settings()) + repr(tokens) + repr(issuers_of(settings()))
    assert SUPABASE_SECRET not in shown
    assert LOCAL_SECRET not in shown
    assert hashlib.sha256(SUPABASE_SECRET.encode()).hexdigest() not in shown
