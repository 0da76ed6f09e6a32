"""Start the service: `python -m services.image_generation`."""

import uvloop

from services.image_generation.app import serve
from services.image_generation.settings import Settings
from shared.settings import load

if __name__ == "__main__":
    uvloop.run(serve(load(Settings)))
