"""Who is asking: bearer tokens, verified and remembered."""

from services.gateway.identity.issuers import Issuer, NotAUserError, Principal, issuers_of
from services.gateway.identity.tokens import Tokens, mint

__all__ = ["Issuer", "NotAUserError", "Principal", "Tokens", "issuers_of", "mint"]
