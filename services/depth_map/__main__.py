"""Start the service: `python -m services.depth_map`."""

import uvloop

from services.depth_map.app import serve
from services.depth_map.settings import Settings
from shared.settings import load

if __name__ == "__main__":
    uvloop.run(serve(load(Settings)))
