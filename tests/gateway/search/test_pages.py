"""Pages go on where the last one ended, also while images are stored: none comes twice, none is left out."""

import random

import pytest

from tests.gateway.living import Client, Gateway
from tests.gateway.search.exhibits import Exhibit, fetching, leaning, show

ORDERS = [
    ("/search/images", {"sort": "newest"}),
    ("/search/images", {"sort": "oldest"}),
    ("/search/images", {"q": "house"}),
    ("/search/images", {"color": "#804020", "color_distance": "0.1"}),
    ("/search/images", {"q": "house", "color": "#804020", "color_distance": "0.1", "sort": "colour"}),
    ("similar", {}),
]


def _exhibit(chance: random.Random) -> Exhibit:
    """Make one of few kinds, so that many are equal in what they are ordered by."""
    colour = chance.choice(["#804020", "#85451f", "#7a3f26"])
    return Exhibit(
        "house " * chance.choice([1, 1, 2]),
        palette=[(colour, chance.choice([0.5, 0.5, 1.0]))],
        vector=leaning(1.0, chance.choice([0.0, 0.5, 1.0])),
    )


@pytest.mark.parametrize(("path", "asked"), ORDERS)
@pytest.mark.parametrize("seed", range(2))
async def test_pages_are_stable_while_images_are_stored(
    ann: Client, gateway: Gateway, path: str, asked: dict[str, str], seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - repeatable
    voice = await fetching(ann)
    [reference] = await show(gateway, voice, Exhibit("house", palette=[("#804020", 1.0)], vector=leaning(1.0)))
    there = set(await show(gateway, voice, *(_exhibit(chance) for _ in range(30))))
    if path == "similar":
        path = f"/search/images/{reference}/similar"
    else:
        there.add(reference)
    seen: list[str] = []
    cursor = None
    while True:
        params = {"limit": str(chance.randint(1, 7)), **asked, **({"cursor": cursor} if cursor else {})}
        reply = await ann.get(path, params=params)
        assert reply.status == 200, reply.body
        seen += [image["id"] for image in reply.body["items"]]
        if (cursor := reply.body["next_cursor"]) is None:
            break
        await show(gateway, voice, *(_exhibit(chance) for _ in range(chance.randint(0, 3))))
    assert len(seen) == len(set(seen)), "an image came twice"
    assert {str(one) for one in there} <= set(seen), "an image was left out"


async def test_pages_by_number_would_not_be(ann: Client, gateway: Gateway) -> None:
    """The look is not blind: counted from the start, pages shift as soon as something is stored."""
    voice = await fetching(ann)
    await show(gateway, voice, *(Exhibit("house") for _ in range(4)))
    first = (await ann.get("/search/images", params={"limit": "2"})).body["items"]
    await show(gateway, voice, Exhibit("house"))
    counted = (await ann.get("/search/images", params={"limit": "4"})).body["items"][2:]
    assert {image["id"] for image in first} & {image["id"] for image in counted}
