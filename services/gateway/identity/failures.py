"""Why somebody is not let in."""

from shared.errors import Failure


class NotAUserError(Failure):
    """The credential does not prove who is asking; the code says which rule it broke."""


class KeyUnknownError(NotAUserError):
    """The token names a key that is not known; the issuer may have published it since we looked."""

    def __init__(self) -> None:
        super().__init__("token_key_unknown", "The token is signed with a key that its issuer does not publish.")


class KeysUnavailableError(Failure):
    """Nobody can tell yet whether the token is good: the keys of its issuer could not be fetched so far."""

    def __init__(self) -> None:
        sentence = "The keys of the token's issuer could not be fetched yet; please try again shortly."
        super().__init__("keys_unavailable", sentence)
