"""Pictures of the page, for people to look at."""

from base64 import b64decode
from typing import Final

from tests.gateway.browser import Page
from tests.house.sources import HOUSE

SCREENSHOTS: Final = HOUSE / ".local" / "screenshots"


async def shoot(page: Page, name: str) -> None:
    """Keep how the page looks now, from its top to its end."""
    shot = await page.send("Page.captureScreenshot", format="png", captureBeyondViewport=True, optimizeForSpeed=True)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    (SCREENSHOTS / f"{name}.png").write_bytes(b64decode(shot["data"]))
