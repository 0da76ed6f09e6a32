"""Start the service: `python -m services.media`."""

import uvloop

from services.media.app import serve
from services.media.settings import Settings
from shared.settings import load

if __name__ == "__main__":
    uvloop.run(serve(load(Settings)))
