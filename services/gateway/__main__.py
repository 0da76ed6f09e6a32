"""Run the gateway: `python -m services.gateway`."""

import uvloop

from services.gateway.app import run
from services.gateway.settings import Settings
from shared.settings import load

if __name__ == "__main__":
    uvloop.run(run(load(Settings)))
