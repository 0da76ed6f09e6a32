"""Beside a picture that was drawn stand what it cost and the other versions of its scene; one of them is chosen."""

from shared.objects import ObjectStore
from tests.gateway.browser import Page
from tests.gateway.dashboard.accessibility import barriers
from tests.gateway.dashboard.pictures import show_picture
from tests.gateway.dashboard.shooting import shoot
from tests.gateway.drawing.studios import complete, draw, keep
from tests.gateway.living import Client, Gateway
from tests.image_generation.ateliers import drawn

_TOLD = "document.querySelector('.drawing').innerText"
_PRESS = "[...document.querySelectorAll('.drawing button')].find((one) => one.innerText === '{}')"


async def _press(board: Page, words: str) -> None:
    await board.until(f"(one => Boolean(one) && (one.click(), true))({_PRESS.format(words)})")


async def test_versions_of_a_scene_are_seen_and_chosen_beside_a_picture(
    board: Page, gateway: Gateway, ann: Client
) -> None:
    images = []
    for number, style in enumerate(("", "ink")):
        voice = await complete(gateway, ann, (await draw(ann, style=style)).body["task_id"])
        stored = await keep(gateway, voice, sha256=f"{number}" * 64, renditions=())
        images.append(str(stored.asset_id))
        picture = drawn("teal" if number else "maroon", (80, 60))
        async with ObjectStore.of(gateway.settings) as objects:
            for key in (stored.original_key, f"generated/{voice.job['id']}/1/0.png"):
                await objects.put(key, picture, content_type="image/png")
    await board.run(f"location.hash = 'image={images[0]}'")
    told = await board.until(f"(told => told.includes('2 versions') && told)({_TOLD})")
    for words in ("seeding, a model", "$0.0030", "1 of c", "shown"):
        assert words in told
    await board.look(1440, 900, still=True)
    await shoot(board, "pictures-versions-wide-light")
    assert await barriers(board) == []

    await _press(board, "Show this version")
    await board.until(_PRESS.format("Take the choice back"))
    assert (await ann.get("/chapters/c/images/scenes/1/status")).body["image_id"] == images[0]
    await _press(board, "Take the choice back")
    await board.until(_PRESS.format("Show this version"))
    assert (await ann.get("/chapters/c/images/scenes/1/status")).body["image_id"] == images[1]


async def test_a_picture_that_nobody_drew_has_no_such_section(board: Page, gateway: Gateway, ann: Client) -> None:
    shown = await show_picture(gateway, ann)
    await board.run(f"location.hash = 'image={shown.image_id}'")
    await board.until("document.querySelector('.facts').innerText.includes('Jobs')")
    assert await board.run(f"{_TOLD} === ''")
