"""Whose tokens are believed, under which rules. The rules belong to the issuer, never to the token."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from services.gateway.identity.failures import KeyUnknownError, NotAUserError
from services.gateway.identity.keys import KID_CHARACTERS, PUBLISHED_ALGORITHMS, Key, secret_key
from services.gateway.identity.published import PublishedKeys
from services.gateway.rules.people import KEY_PREFIX, Principal
from services.gateway.settings import Settings

LOCAL: Final = "diorama"
AUDIENCE: Final = "authenticated"
"""What Supabase writes into the `aud` of a signed-in user; local tokens carry it too."""

_USER_ROLE: Final = "authenticated"
_SUB_LIMIT_CHARACTERS: Final = 200
_ROLES_LIMIT: Final = 50
_ROLE_LIMIT_CHARACTERS: Final = 100


@dataclass(frozen=True)
class Issuer:
    """One source of tokens: a secret that it shares with us, keys that it publishes, or both."""

    name: str
    requires_user_role: bool
    secret: Key | None = None
    published: PublishedKeys | None = None

    def key(self, header: Mapping[str, Any]) -> Key:
        """Find the key that a token claims to be signed with.

        Raises KeyUnknownError, KeysUnavailableError, and NotAUserError where the key is for another algorithm.
        """
        algorithm, kid = header.get("alg"), header.get("kid")
        if self.secret is not None and algorithm == self.secret.algorithm:
            return self.secret
        if self.published is None or not isinstance(algorithm, str) or algorithm not in PUBLISHED_ALGORITHMS:
            raise _algorithm_refused()
        if not isinstance(kid, str) or len(kid) > KID_CHARACTERS:
            raise NotAUserError("token_header_refused", "The token does not name the key that it is signed with.")
        key = self.published.find(kid)
        if key is None:
            raise KeyUnknownError
        if key.algorithm != algorithm:
            raise _algorithm_refused()
        return key

    def principal(self, claims: Mapping[str, Any]) -> Principal:
        """Read the user from verified claims; raise NotAUserError where there is none."""
        subject = claims["sub"]
        if len(subject) > _SUB_LIMIT_CHARACTERS or "\x00" in subject or subject.startswith(KEY_PREFIX):
            raise NotAUserError("token_subject_invalid", "The token's sub is not the id of a user.")
        if claims.get("is_anonymous") or (self.requires_user_role and claims.get("role") != _USER_ROLE):
            raise NotAUserError("token_is_no_user", "The token belongs to a role, not to a signed-in user.")
        return Principal(subject, _roles(claims.get("app_metadata")), float(claims["exp"]))


def issuers_of(settings: Settings) -> dict[str, Issuer]:
    """Give the issuers that the settings switch on, by the exact `iss` of their tokens."""
    issuers = []
    if settings.secret_key is not None:
        key = secret_key(settings.secret_key.get_secret_value())
        issuers.append(Issuer(LOCAL, requires_user_role=False, secret=key))
    if settings.supabase_url is not None:
        issuers.append(_supabase(settings, f"{settings.supabase_url.rstrip('/')}/auth/v1"))
    return {issuer.name: issuer for issuer in issuers}


def _supabase(settings: Settings, name: str) -> Issuer:
    shared, url = settings.supabase_jwt_secret, settings.jwks_url
    return Issuer(
        name,
        requires_user_role=True,
        secret=None if shared is None else secret_key(shared.get_secret_value()),
        published=None if url is None else PublishedKeys(url, cache_seconds=settings.supabase_jwks_seconds),
    )


def _algorithm_refused() -> NotAUserError:
    return NotAUserError("token_algorithm_refused", "The token is not signed as its issuer signs.")


def _roles(app_metadata: Any) -> frozenset[str]:
    """Read `app_metadata.roles` and `app_metadata.role`, whichever an administrator keeps."""
    if not isinstance(app_metadata, Mapping):
        return frozenset()
    many, one = app_metadata.get("roles"), app_metadata.get("role")
    roles = [*(many[:_ROLES_LIMIT] if isinstance(many, list) else []), one]
    return frozenset(role for role in roles if isinstance(role, str) and _is_role(role))


def _is_role(text: str) -> bool:
    return 0 < len(text) <= _ROLE_LIMIT_CHARACTERS and "\x00" not in text
