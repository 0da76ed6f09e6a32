"""Passwords and keys of one stack: made once, kept in a file that only its owner may read."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.database import ROLES
from deploy.local.private_files import read_json, write_private_json

_SECRET_BYTES = 24
_NAMES = ("postgres", "rabbitmq", "erlang_cookie", "s3_access_key_id", "s3_secret_access_key", "secret_key", "control")


@dataclass(frozen=True)
class Passwords:
    """What the parts of a stack prove themselves with. All are safe inside a URL."""

    roles: Mapping[str, str]
    postgres: str
    rabbitmq: str
    erlang_cookie: str
    s3_access_key_id: str
    s3_secret_access_key: str
    secret_key: str
    control: str

    @classmethod
    def kept_in(cls, path: Path) -> "Passwords":
        """Read the file; make what it does not hold yet."""
        kept: dict[str, str] = read_json(path)
        wanted = (*_NAMES, *(f"role:{role}" for role in ROLES))
        made = {name: secrets.token_hex(_SECRET_BYTES) for name in wanted if name not in kept}
        if made:
            write_private_json(path, kept := kept | made)
        roles = {role: kept[f"role:{role}"] for role in ROLES}
        return cls(roles=roles, **{name: kept[name] for name in _NAMES})
