"""What axe, the engine behind most accessibility checks, finds on the page as it is shown."""

from functools import cache
from importlib.resources import files

from tests.gateway.browser import Page

_FOUND = """axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`)))"""


async def barriers(page: Page) -> list[str]:
    """Give what keeps people out who see, hear or move otherwise: all that axe takes for serious, by its element."""
    if not await page.run("'axe' in window"):
        await page.run(f"{_engine()}; true")
    found: list[str] = await page.run(_FOUND)
    return found


@cache
def _engine() -> str:
    return (files("axe_playwright_python") / "axe.min.js").read_text()
