"""Print a ready token for a local user: `python -m services.gateway.tokens [user] [--role=operator ...]`.

Without a name it is for whoever runs the machine, and he is an operator.
"""

import sys

from services.gateway.identity import issuers_of, mint
from services.gateway.identity.issuers import LOCAL
from services.gateway.settings import Settings
from shared.settings import load

DEFAULT_USER = "local"
DEFAULT_ROLES = ("operator",)


def local_token(settings: Settings, user_id: str = DEFAULT_USER, roles: tuple[str, ...] = ()) -> str:
    """Sign a token for a local user; raise SystemExit where local tokens are switched off."""
    issuer = issuers_of(settings).get(LOCAL)
    if issuer is None:
        raise SystemExit("Local tokens are switched off: SECRET_KEY is not set.")
    return mint(issuer, user_id, lifetime_seconds=settings.token_lifetime_minutes * 60, roles=roles)


def main(arguments: list[str]) -> None:
    """Print the token and nothing else, so that it can be piped."""
    roles = tuple(argument.removeprefix("--role=") for argument in arguments if argument.startswith("--role="))
    users = [argument for argument in arguments if not argument.startswith("--")]
    user, roles = (users[0], roles) if users else (DEFAULT_USER, roles or DEFAULT_ROLES)
    sys.stdout.write(local_token(load(Settings), user, roles) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
