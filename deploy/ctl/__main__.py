"""`python -m deploy.ctl` is `python -m services.gateway.cli` that finds the stack which runs here by itself."""

from deploy.ctl.settings import Settings
from deploy.local.control import ask
from deploy.local.errors import CannotRun
from deploy.local.service_programs import GATEWAY
from deploy.local.state import running
from services.gateway.cli.application import main
from services.gateway.cli.client import GatewayAway
from shared.settings import load


async def locate(token: str | None) -> tuple[str, str]:
    """Give the address and a token of the gateway that `.env` names, or of the stack that runs here.

    Raises GatewayAway where there is none.
    """
    settings = load(Settings)
    token = token or settings.gateway_token
    if settings.gateway_url is not None:
        if token is None:
            raise GatewayAway("token_missing", "GATEWAY_URL needs GATEWAY_TOKEN beside it.")
        return settings.gateway_url, token
    state = running(settings.directory)
    if state is None or not state.ready or GATEWAY not in state.parts:
        raise GatewayAway("not_running", "No gateway runs here: `make up` starts one, GATEWAY_URL names another.")
    try:
        return state.urls["gateway"], token or str(await ask(state, "token"))
    except CannotRun as error:
        raise GatewayAway(error.code, error.sentence) from error


if __name__ == "__main__":
    main(locate)
