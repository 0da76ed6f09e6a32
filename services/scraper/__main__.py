"""Start the service: `python -m services.scraper`."""

import uvloop

from services.scraper.app import serve
from services.scraper.settings import Settings
from shared.settings import load

if __name__ == "__main__":
    uvloop.run(serve(load(Settings)))
