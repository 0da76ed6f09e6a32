"""Bearer tokens: JWTs of known issuers, verified strictly and remembered until they expire."""

import time
from base64 import urlsafe_b64decode
from collections import OrderedDict
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Final

from joserfc import jws, jwt
from joserfc.errors import ExpiredTokenError, JoseError

from services.gateway.identity.failures import KeysUnavailableError, KeyUnknownError, NotAUserError
from services.gateway.identity.issuers import AUDIENCE, Issuer
from services.gateway.identity.keys import read_json
from services.gateway.rules.people import Principal

LEEWAY_SECONDS: Final = 30
_TOKEN_LIMIT_BYTES: Final = 8192
_REMEMBERED: Final = 10_000
_HEADERS: Final = frozenset({"alg", "typ", "kid"})
"""Whatever else a header holds (`jku`, `x5u`, `jwk`, `crit`, `b64` ...) asks us to change the rules."""

_TIMES: Final = ("exp", "iat", "nbf")
_LAST_SECOND: Final = 253_402_300_799  # of the year 9999, behind which calendars end


class Tokens:
    """Verifies tokens; remembers the principal of those that were good, since a signature costs more than a look-up."""

    def __init__(self, issuers: Mapping[str, Issuer], clock: Callable[[], float] = time.time) -> None:
        self._issuers = issuers
        self._clock = clock
        self._known: OrderedDict[bytes, Principal] = OrderedDict()
        self.published = [issuer.published for issuer in issuers.values() if issuer.published is not None]
        for keys in self.published:
            keys.changed = self._known.clear
        self._rules = jwt.JWTClaimsRegistry(
            now=lambda: int(clock()),
            leeway=LEEWAY_SECONDS,
            aud={"essential": True, "value": AUDIENCE},
            iss={"essential": True},
            exp={"essential": True},
            sub={"essential": True},
        )

    async def verified(self, token: str) -> Principal:
        """Give the user whom a token proves, and look for its key anew where that is not known.

        Raises NotAUserError as `principal` does, and KeysUnavailableError.
        """
        try:
            return self.principal(token)
        except (KeyUnknownError, KeysUnavailableError):
            published = self._issuer(_read(token)[1].get("iss")).published
            if published is None or not await published.look_again():
                raise
        return self.principal(token)

    def principal(self, token: str) -> Principal:
        """Give the user whom a token proves, by the keys that are known.

        Raises:
            NotAUserError: `token_malformed`, `token_header_refused`, `token_issuer_unknown`, `token_key_unknown`,
                `token_algorithm_refused`, `token_invalid`, `token_expired`, `token_subject_invalid` or
                `token_is_no_user`.
            KeysUnavailableError: the keys of its issuer were never fetched.

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
        header, claims = _read(token)
        _check_header(header)
        issuer = self._issuer(claims.get("iss"))
        key = issuer.key(header)
        try:
            jws.deserialize_compact(token, key.material, algorithms=[key.algorithm])
            _check_times(claims)
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
    """Sign a token for a user of this issuer; raise ValueError where it shares no secret with us."""
    if issuer.secret is None:
        raise ValueError(f"only {issuer.name} itself can sign its tokens")
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
    return jwt.encode({"alg": issuer.secret.algorithm, "typ": "JWT"}, claims, issuer.secret.material)


def _read(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read header and claims without believing either: only to find the rules that apply."""
    parts = token.split(".")
    if len(token) > _TOKEN_LIMIT_BYTES or len(parts) != 3:  # noqa: PLR2004 - header, claims, signature
        raise NotAUserError("token_malformed", "The token is not a signed JWT.")
    try:
        header, claims = (read_json(urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in parts[:2])
    except ValueError as error:
        raise NotAUserError("token_malformed", "The token is not a signed JWT.") from error
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise NotAUserError("token_malformed", "The token is not a signed JWT.")
    return header, claims


def _check_header(header: Mapping[str, Any]) -> None:
    if not header.keys() <= _HEADERS:
        raise NotAUserError("token_header_refused", "The token's header asks for more than alg, typ and kid.")
    if str(header.get("typ", "JWT")).upper() != "JWT":
        raise NotAUserError("token_header_refused", "The token is of another type than JWT.")


def _check_times(claims: Mapping[str, Any]) -> None:
    """Hold times to whole seconds of a calendar: what is neither can be neither compared nor told."""
    for name in _TIMES:
        if name in claims and not (type(claims[name]) is int and 0 <= claims[name] <= _LAST_SECOND):
            raise ValueError(f"{name} is not a time")
