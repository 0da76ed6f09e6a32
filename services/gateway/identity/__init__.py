"""Who is asking: bearer tokens, verified and remembered; the keys that prove them; and credentials of our own."""

from services.gateway.identity.failures import KeysUnavailableError, NotAUserError
from services.gateway.identity.issuers import Issuer, issuers_of
from services.gateway.identity.opaque import is_ticket, key_id_of, looks_like_a_key, new_api_key, new_ticket
from services.gateway.identity.published import PublishedKeys
from services.gateway.identity.tokens import Tokens, mint
from services.gateway.rules.people import Principal

__all__ = [
    "Issuer",
    "KeysUnavailableError",
    "NotAUserError",
    "Principal",
    "PublishedKeys",
    "Tokens",
    "is_ticket",
    "issuers_of",
    "key_id_of",
    "looks_like_a_key",
    "mint",
    "new_api_key",
    "new_ticket",
]
