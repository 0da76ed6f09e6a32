"""What is made for pictures has room on a desk and on a phone, by day and by night; and people can look at it."""

from typing import Final

from tests.gateway.browser import Page
from tests.gateway.dashboard.accessibility import barriers
from tests.gateway.dashboard.pictures import show_picture
from tests.gateway.dashboard.shooting import shoot
from tests.gateway.living import Client, Gateway
from tests.gateway.review.mapped import BANDED, FLAT, SOUND

_WIDTHS: Final = {"wide": (1440, 900), "narrow": (360, 740)}
_WIDTH: Final = """Math.max(...['html', 'dialog[open]'].map(
    (part) => document.querySelector(part)?.scrollWidth ?? 0))"""
_WHOLE: Final = "document.querySelector('.{} .is-bits:not([hidden])')?.dataset.bits === '16'"
_SIDE: Final = "document.querySelector('.viewer .stage-panel .button')"
_PANELS: Final = {
    "gallery": ("location.hash = ''", "document.querySelectorAll('.tile-picture[data-loaded]').length === 3"),
    "search": (
        "(location.hash = 'color=%23ff0000&tags=dusk', document.querySelector('.search-filters').open = true)",
        "document.querySelectorAll('.tile-picture[data-loaded]').length === 1",
    ),
    "nothing-found": (
        "(location.hash = 'q=zeppelin', document.querySelector('.search-filters').open = false)",
        "document.querySelector('.is-narrow')",
    ),
    "picture": ("location.hash = 'image={}'", _WHOLE.format("viewer[open]")),
    "side-by-side": (f"{_SIDE}.click()", f"{_SIDE}.ariaPressed === 'true'"),
    "picture-again": (f"{_SIDE}.click()", f"{_SIDE}.ariaPressed === 'false'"),
    "review": ("location.hash = 'review=unreviewed'", _WHOLE.format("review[open]")),
    "reasons": (
        "document.querySelector('.review-acts .button:nth-child(2)').click()",
        "document.querySelector('.reasons').checkVisibility()",
    ),
}

_BARRIERS: Final = """{
    const faint = document.createElement('p');
    faint.append('Faint');
    Object.assign(faint.style, { color: '#eee', background: '#fff' });
    document.querySelector('#token').after(document.createElement('input'), faint);
}"""

_STATES: Final = ("pending", "retrying", "paused", "in_progress", "completed", "failed", "cancelled", "doubt", "bits")
_GROUNDS: Final = ("paper", "sheet", "well")
_EVERY_STATE: Final = f"""document.querySelector('main').replaceChildren(...{[*_GROUNDS]}.map((ground) => {{
    const row = document.createElement('p');
    row.style.background = `var(--${{ground}})`;
    row.append(...[...{[*_STATES]}.map((state) => `badge is-${{state}}`), 'tally'].map((look) => {{
        const sign = document.createElement('span');
        sign.className = look;
        sign.append(look);
        return sign;
    }}));
    return row;
}}))"""


async def test_every_panel_of_pictures_has_room_whatever_the_screen(board: Page, gateway: Gateway, ann: Client) -> None:
    qualities = {"A harbour in the morning, seen from the tower": SOUND, "Stairs": BANDED, "Window": FLAT}
    shown = [
        await show_picture(gateway, ann, title=title, quality=one, normals=True) for title, one in qualities.items()
    ]
    await ann.send("PATCH", f"/api/v1/images/{shown[0].image_id}", json={"tags": ["dusk", "harbour"]})
    for width, size in _WIDTHS.items():
        for shade in ("light", "dark"):
            await board.look(*size, dark=shade == "dark", still=True)
            for panel, (act, there) in _PANELS.items():
                await board.run(act.replace("{}", shown[0].image_id))
                await board.until(there)
                wide = await board.run(_WIDTH)
                assert wide <= size[0], (panel, width, shade)
                await shoot(board, f"pictures-{panel}-{width}-{shade}")
                assert await barriers(board) == [], (panel, width, shade)


async def test_the_word_of_every_state_can_be_read_on_every_ground(board: Page) -> None:
    for dark in (False, True):
        await board.look(*_WIDTHS["wide"], dark=dark, still=True)
        await board.run(f"{_EVERY_STATE}; true")
        assert await board.run("document.querySelectorAll('main .badge').length") == len(_GROUNDS) * len(_STATES)
        assert await barriers(board) == [], dark


async def test_what_keeps_people_out_is_found(page: Page, gateway: Gateway) -> None:
    await page.open(gateway.url)
    await page.until("document.querySelector('#token')")
    assert await barriers(page) == []
    await page.run(_BARRIERS)
    assert {one.partition(":")[0] for one in await barriers(page)} == {"label", "color-contrast"}
