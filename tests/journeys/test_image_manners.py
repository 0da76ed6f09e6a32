"""What the site of an image asks of robots holds from the page to the store, and what is left out has a line."""

from dataclasses import replace
from uuid import UUID

from deploy.local.stack import Stack
from tests.journeys.end_state import until_quiet
from tests.journeys.gallery import CLOSED, Gallery, Picture
from tests.journeys.visitors import Visitor

TAGS = ("noindex", "noimageindex", "noai", "nofollow")
"""The last forbids nobody to take the image: it is the control."""


async def test_an_image_that_its_site_closes_is_never_asked_for_and_has_a_line_that_says_why(
    stack: Stack, gallery: Gallery, visitor: Visitor
) -> None:
    [hidden] = (await gallery.exhibit(CLOSED, 1)).pictures
    [beside] = (await gallery.exhibit("open-beside", 1)).pictures
    # By its other name the machine is another origin, with rules of its own.
    elsewhere = gallery.address.replace("127.0.0.1", "localhost")
    shown = [_at(f"{place}/{CLOSED}", hidden) for place in ("", elsewhere)]
    control = _at(f"{elsewhere}/open-beside", beside)
    exhibition = await gallery.exhibit("half-closed", 2, further=[*shown, control])
    gallery.asked.clear()
    job_id = UUID((await visitor.gateway.post("/scrapes", {"url": exhibition.url}))["id"])
    await until_quiet(stack)

    [page] = (await visitor.job(job_id))["pages"]
    assert (page["images_found"], page["images_skipped"]) == (3, 2)
    assert {one["url"]: one["code"] for one in page["skipped"]} == dict.fromkeys(
        (f"{place}/{CLOSED}/{hidden.name}" for place in (gallery.address, elsewhere)), "robots_disallowed"
    )
    stored = {image["source_url"] for image in await visitor.images()}
    assert stored == {control.name, *(exhibition.url_of(picture) for picture in exhibition.pictures[:2])}
    assert not [path for path in gallery.asked if f"/{CLOSED}/" in path]
    rules = {path: count for path, count in gallery.asked.items() if path.endswith("/robots.txt")}
    assert set(rules.values()) <= {1}, "each site tells its rules once"
    assert any(path.startswith("localhost") for path in rules)


def _at(place: str, picture: Picture) -> Picture:
    return replace(picture, name=f"{place}/{picture.name}")


async def test_an_image_whose_answer_asks_robots_to_leave_it_is_not_kept_unless_a_person_names_it(
    stack: Stack, gallery: Gallery, visitor: Visitor
) -> None:
    drawn = (await gallery.exhibit("tagged", len(TAGS))).pictures
    exhibition = await gallery.exhibit(
        "tagged", 0, further=[replace(picture, tag=tag) for picture, tag in zip(drawn, TAGS, strict=True)]
    )
    job_id = UUID((await visitor.gateway.post("/scrapes", {"url": exhibition.url}))["id"])
    await until_quiet(stack)

    *forbidden, control = (exhibition.url_of(picture) for picture in exhibition.pictures)
    rejections = (await visitor.job(job_id))["rejections"]
    assert {one["source"]: one["code"] for one in rejections} == dict.fromkeys(forbidden, "robots_tag_disallowed")
    assert {image["source_url"] for image in await visitor.images()} == {control}

    await visitor.gateway.post("/imports", {"rows": [{"url": forbidden[1]}]})
    await visitor.gateway.post("/media/store", {"url": forbidden[0]})
    await until_quiet(stack)
    assert {image["source_url"] for image in await visitor.images()} == {control, forbidden[0]}
