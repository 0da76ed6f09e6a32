"""Going to the operators' panels, pressing what they offer, and answering what they ask."""

from typing import Final

from tests.gateway.browser import Page

ROWS: Final = """[...document.querySelectorAll('.office tbody tr')]
    .filter((row) => row.checkVisibility()).map((row) => row.innerText.replace(/\\s+/g, ' ').trim())"""
_BODY: Final = "[...document.querySelectorAll('.panel-body')].some((one) => one.checkVisibility() && one.firstChild)"
DIALOG: Final = "document.querySelector('dialog.sheet[open]')"
TOLD: Final = "document.querySelector('.office').innerText"


async def go(page: Page, panel: str, **parts: str) -> None:
    """Go to a panel by its address, and wait until it has loaded."""
    address = "&".join([f"panel={panel}", *(f"{name}={value}" for name, value in parts.items())])
    await page.run(
        f"""location.hash === '#{address}' || new Promise((done) => {{
            addEventListener('hashchange', () => done(true), {{ once: true }});
            location.hash = '{address}';
        }})"""
    )
    await page.until(f"document.querySelector('.office-nav [aria-current=page]')?.hash === '#panel={panel}'")
    await page.until(f"{_BODY} && !document.querySelector('.office [aria-busy]')")


async def rows(page: Page, *, count: int) -> list[str]:
    found: list[str] = await page.until(f"(rows => rows.length === {count} && rows)({ROWS})")
    return found


async def act(page: Page, name: str, within: str = "") -> None:
    """Press what does something, in the first row that has it or in the one that holds these words."""
    buttons = f"[...document.querySelectorAll('.office [data-act={name}]')].filter((one) => one.checkVisibility())"
    chosen = f"{buttons}.find((one) => one.closest('tr, section').innerText.includes('{within}'))"
    await page.until(f"(one => Boolean(one) && (one.click(), true))({chosen})")


async def answer(page: Page, *, yes: bool = True) -> str:
    """Answer what is asked, and give the words of the question."""
    asked: str = await page.until(f"{DIALOG}?.innerText")
    await page.run(f"{DIALOG}.querySelector('.ask-end .{'is-primary' if yes else 'is-quiet'}').click()")
    await page.until(f"!({DIALOG})")
    return " ".join(asked.split())
