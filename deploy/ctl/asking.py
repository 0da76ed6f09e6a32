"""Asking the gateway that is meant, whichever that is."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from deploy.ctl.settings import Settings
from deploy.gateway_client import Gateway, GatewayAway
from deploy.local.control import ask as ask_stack
from deploy.local.service_programs import GATEWAY
from deploy.local.state import running
from shared.settings import load

_PATIENCE_SECONDS: Final = 10.0

Question = Callable[[Gateway], Awaitable[Any]]


def ask(question: Question) -> Any:
    """Put a question to the gateway and wait for the answer; raises GatewayProblem and GatewayAway."""
    return asyncio.run(_ask(load(Settings), question))


async def _ask(settings: Settings, question: Question) -> Any:
    url, token = await _address(settings)
    async with Gateway(url, token, patience_seconds=_PATIENCE_SECONDS) as gateway:
        return await question(gateway)


async def _address(settings: Settings) -> tuple[str, str]:
    if settings.gateway_url is not None:
        if settings.gateway_token is None:
            raise GatewayAway("token_missing", "GATEWAY_URL needs GATEWAY_TOKEN beside it.")
        return settings.gateway_url, settings.gateway_token
    state = running(settings.directory)
    if state is None or not state.ready or GATEWAY not in state.parts:
        raise GatewayAway("not_running", "No gateway runs here: `make up` starts one, GATEWAY_URL names another.")
    return state.urls["gateway"], settings.gateway_token or str(await ask_stack(state, "token"))
