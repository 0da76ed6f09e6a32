"""Users, the projects that are theirs by nature, and what they prove themselves with."""

import math
from dataclasses import dataclass
from typing import Any, Final, Literal
from uuid import UUID, uuid5

Scope = Literal["read", "write", "manage", "operate"]
SCOPES: Final[frozenset[Scope]] = frozenset({"read", "write", "manage", "operate"})
OPERATOR: Final = "operator"
KEY_PREFIX: Final = "key:"
"""How the name begins under which the work of an API key is submitted; no user has such a name."""

_USERS = UUID("0b8f2a54-1f5e-5c7a-8d07-2f9f2f1c6f10")

OWNER: Final = "owner"
MEMBERSHIPS_LIMIT: Final = 1000
"""The most projects that a user may belong to: each of his requests names them all to the database."""


def personal_project_of(user_id: str) -> UUID:
    """Give the id of the project that every user has for himself."""
    return uuid5(_USERS, user_id)


def in_the_way(images: int, jobs: int, most: int) -> str | None:
    """Say what keeps a project from being deleted, counted up to `most` of each; None where nothing does."""
    counted = {"image": images, "unfinished job": jobs}
    found = [_counted(count, name, most) for name, count in counted.items() if count]
    return " and ".join(found) or None


def _counted(count: int, name: str, most: int) -> str:
    amount = f"{most} or more" if count >= most else str(count)
    return f"{amount} {name}{'' if count == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class KeyOf:
    """An API key: which one, of which project, and whose rights it has."""

    id: UUID
    project_id: UUID
    created_by: str


@dataclass(frozen=True, slots=True)
class Principal:
    """Who has proved who he is: a user who is signed in, or a machine by its API key.

    Attributes:
        user_id: the token's `sub`, or `key:` and the id of the key.
        roles: of a user from `app_metadata` alone, which only the issuer can write.
        expires_at: seconds since 1970; whoever holds on to a connection is let go then.
        scopes: what the credential is good for; of a user everything.
        api_key: None for a user.

    """

    user_id: str
    roles: frozenset[str]
    expires_at: float
    scopes: frozenset[str] = SCOPES
    api_key: KeyOf | None = None

    def as_json(self) -> dict[str, Any]:
        """Give what JSON can hold."""
        key = self.api_key
        return {
            "user_id": self.user_id,
            "roles": sorted(self.roles),
            "expires_at": self.expires_at if math.isfinite(self.expires_at) else None,
            "scopes": sorted(self.scopes),
            "api_key": key and {"id": str(key.id), "project_id": str(key.project_id), "created_by": key.created_by},
        }


def principal_of_json(told: dict[str, Any]) -> Principal:
    """Read what `as_json` gave."""
    key = told["api_key"]
    return Principal(
        user_id=told["user_id"],
        roles=frozenset(told["roles"]),
        expires_at=math.inf if told["expires_at"] is None else told["expires_at"],
        scopes=frozenset(told["scopes"]),
        api_key=key and KeyOf(UUID(key["id"]), UUID(key["project_id"]), key["created_by"]),
    )
