"""Asking the gateway that is meant, whichever that is."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from services.gateway.cli.client import Gateway, GatewayAway
from services.gateway.cli.settings import Settings
from shared.settings import load

PATIENCE_SECONDS: Final = 10.0

Question = Callable[[Gateway], Awaitable[Any]]
Locate = Callable[[str | None], Awaitable[tuple[str, str]]]
"""Finds the address and a token where nobody has named a gateway; is given the token that was named. May raise
GatewayAway."""


@dataclass(frozen=True, slots=True)
class Meant:
    """The gateway that is meant: as options say, then as the environment says, then where `locate` finds one."""

    url: str | None = None
    token: str | None = None
    locate: Locate | None = None


meant_gateway: ContextVar[Meant] = ContextVar("meant_gateway")


def ask(question: Question, *, patience_seconds: float | None = None) -> Any:
    """Put a question to the gateway and wait for the answer; raises GatewayProblem and GatewayAway."""
    return asyncio.run(_ask(question, patience_seconds or PATIENCE_SECONDS))


async def _ask(question: Question, patience_seconds: float) -> Any:
    url, token = await _address(meant_gateway.get(), load(Settings))
    async with Gateway(url, token, patience_seconds=patience_seconds) as gateway:
        return await question(gateway)


async def _address(meant: Meant, settings: Settings) -> tuple[str, str]:
    url, token = meant.url or settings.gateway_url, meant.token or settings.gateway_token
    if url is None and meant.locate is not None:
        return await meant.locate(token)
    if url is None:
        raise GatewayAway("url_missing", "Say which gateway is meant: --url, or GATEWAY_URL.")
    if token is None:
        raise GatewayAway("token_missing", f"{url} needs a token: --token, or GATEWAY_TOKEN.")
    return url, token
