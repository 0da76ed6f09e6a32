"""Credentials that say nothing by themselves: API keys and tickets. Each holds 256 random bits."""

import re
import secrets
from typing import Final
from uuid import UUID

_SECRET_BYTES: Final = 32
_KEY: Final = re.compile(r"dio_([0-9a-f]{32})_[A-Za-z0-9_-]{43}")
_KEY_START: Final = "dio_"
_TICKET: Final = re.compile(r"ticket_[A-Za-z0-9_-]{43}")


def new_api_key(key_id: UUID) -> str:
    """Make a key; people and scanners of leaks know it by how it begins, and operators by its id."""
    return f"{_KEY_START}{key_id.hex}_{secrets.token_urlsafe(_SECRET_BYTES)}"


def looks_like_a_key(credential: str) -> bool:
    return credential.startswith(_KEY_START)


def key_id_of(credential: str) -> UUID | None:
    """Read which key a credential claims to be; None where it cannot be one."""
    match = _KEY.fullmatch(credential)
    return UUID(match[1]) if match else None


def new_ticket() -> str:
    return f"ticket_{secrets.token_urlsafe(_SECRET_BYTES)}"


def is_ticket(text: str) -> bool:
    """Tell whether a text can be a ticket at all."""
    return _TICKET.fullmatch(text) is not None
