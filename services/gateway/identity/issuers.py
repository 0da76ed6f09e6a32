"""Whose tokens are believed, under which rules. The rules belong to the issuer, never to the token."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from joserfc.jwk import OctKey

from services.gateway.settings import Settings
from shared.errors import Failure

LOCAL: Final = "diorama"
AUDIENCE: Final = "authenticated"
"""What Supabase writes into the `aud` of a signed-in user; local tokens carry it too."""

_USER_ROLE: Final = "authenticated"
_SUB_LIMIT_CHARACTERS: Final = 200


class NotAUserError(Failure):
    """The token does not prove who is asking; the code says which rule it broke."""


@dataclass(frozen=True)
class Principal:
    """A user who is signed in.

    Attributes:
        user_id: the token's `sub`.
        roles: from `app_metadata` alone, which only the issuer can write.
        expires_at: seconds since 1970; whoever holds on to a connection is let go then.

    """

    user_id: str
    roles: frozenset[str]
    expires_at: float


@dataclass(frozen=True)
class Issuer:
    """One source of tokens with its key and its one algorithm."""

    name: str
    key: OctKey
    algorithm: str
    requires_user_role: bool

    def principal(self, claims: Mapping[str, Any]) -> Principal:
        """Read the user from verified claims; raise NotAUserError where there is none."""
        subject = claims["sub"]
        if len(subject) > _SUB_LIMIT_CHARACTERS or "\x00" in subject:
            raise NotAUserError("token_subject_invalid", "The token's sub is not the id of a user.")
        if claims.get("is_anonymous") or (self.requires_user_role and claims.get("role") != _USER_ROLE):
            raise NotAUserError("token_is_no_user", "The token belongs to a role, not to a signed-in user.")
        return Principal(subject, _roles(claims.get("app_metadata")), float(claims["exp"]))


def issuers_of(settings: Settings) -> dict[str, Issuer]:
    """Give the issuers that the settings switch on, by the exact `iss` of their tokens."""
    issuers = []
    if settings.secret_key is not None:
        key = OctKey.import_key(settings.secret_key.get_secret_value())
        issuers.append(Issuer(LOCAL, key, "HS256", requires_user_role=False))
    if settings.supabase_url is not None and settings.supabase_jwt_secret is not None:
        key = OctKey.import_key(settings.supabase_jwt_secret.get_secret_value())
        name = f"{settings.supabase_url.rstrip('/')}/auth/v1"
        issuers.append(Issuer(name, key, "HS256", requires_user_role=True))
    return {issuer.name: issuer for issuer in issuers}


def _roles(app_metadata: Any) -> frozenset[str]:
    """Read `app_metadata.roles` and `app_metadata.role`, whichever an administrator keeps."""
    if not isinstance(app_metadata, Mapping):
        return frozenset()
    many, one = app_metadata.get("roles"), app_metadata.get("role")
    roles = [*(many if isinstance(many, list) else []), one]
    return frozenset(role for role in roles if isinstance(role, str))
