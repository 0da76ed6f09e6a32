"""Bearer tokens: JWTs of known issuers, verified strictly and remembered until they expire."""

import time
from base64 import urlsafe_b64decode
from collections import OrderedDict
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Final

import orjson
from joserfc import jwt
from joserfc.errors import ExpiredTokenError, JoseError

from services.gateway.identity.issuers import AUDIENCE, Issuer, NotAUserError, Principal

LEEWAY_SECONDS: Final = 30
_TOKEN_LIMIT_BYTES: Final = 8192
_REMEMBERED: Final = 10_000
_HEADERS: Final = frozenset({"alg", "typ", "kid"})
"""Whatever else a header holds (`jku`, `x5u`, `jwk`, `crit`, `b64` ...) asks us to change the rules."""


class Tokens:
    """Verifies tokens; remembers the principal of those that were good, since a signature costs more than a look-up."""

    def __init__(self, issuers: Mapping[str, Issuer], clock: Callable[[], float] = time.time) -> None:
        self._issuers = issuers
        self._clock = clock
        self._known: OrderedDict[bytes, Principal] = OrderedDict()
        self._rules = jwt.JWTClaimsRegistry(
            now=lambda: int(clock()),
            leeway=LEEWAY_SECONDS,
            aud={"essential": True, "value": AUDIENCE},
            iss={"essential": True},
            exp={"essential": True},
            sub={"essential": True},
        )

    def principal(self, token: str) -> Principal:
        """Give the user whom a token proves.

        Raises:
            NotAUserError: `token_malformed`, `token_header_refused`, `token_issuer_unknown`, `token_invalid`,
                `token_expired`, `token_subject_invalid` or `token_is_no_user`.

        """
        digest = sha256(token.encode("utf-8", "surrogateescape")).digest()
        if (known := self._known.get(digest)) is not None and known.expires_at > self._clock():
            self._known.move_to_end(digest)
            return known
        principal = self._verify(token)
        self._known[digest] = principal
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return principal

    def _verify(self, token: str) -> Principal:
        header, unverified = _read(token)
        if not header.keys() <= _HEADERS:
            raise NotAUserError("token_header_refused", "The token's header asks for more than alg, typ and kid.")
        issuer = self._issuer(unverified.get("iss"))
        try:
            claims = jwt.decode(token, issuer.key, algorithms=[issuer.algorithm]).claims
            self._rules.validate(claims)
        except ExpiredTokenError as error:
            raise NotAUserError("token_expired", "The token has expired; sign in again.") from error
        except (JoseError, ValueError, TypeError, OverflowError) as error:
            raise NotAUserError("token_invalid", "The token is not valid.") from error
        return issuer.principal(claims)

    def _issuer(self, name: Any) -> Issuer:
        issuer = self._issuers.get(name) if isinstance(name, str) else None
        if issuer is None:
            raise NotAUserError("token_issuer_unknown", "The token comes from an issuer that is not known here.")
        return issuer


def mint(issuer: Issuer, user_id: str, *, lifetime_seconds: int, roles: tuple[str, ...] = ()) -> str:
    """Sign a token for a user of this issuer."""
    now = int(time.time())
    claims = {
        "iss": issuer.name,
        "aud": AUDIENCE,
        "sub": user_id,
        "role": "authenticated",
        "iat": now,
        "exp": now + lifetime_seconds,
        "app_metadata": {"roles": list(roles)},
    }
    return jwt.encode({"alg": issuer.algorithm, "typ": "JWT"}, claims, issuer.key)


def _read(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read header and claims without believing either: only to find the rules that apply."""
    parts = token.split(".")
    if len(token) > _TOKEN_LIMIT_BYTES or len(parts) != 3:  # noqa: PLR2004 - header, claims, signature
        raise NotAUserError("token_malformed", "The token is not a signed JWT.")
    try:
        header, claims = (orjson.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in parts[:2])
    except ValueError as error:
        raise NotAUserError("token_malformed", "The token is not a signed JWT.") from error
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise NotAUserError("token_malformed", "The token is not a signed JWT.")
    return header, claims
