"""Images are described anew: one, many, or those that a filter finds."""

from contracts.media import Area, Caption, DescribeMedia, MediaDescribed, NamedColour, SeenObject, Tag
from tests.gateway.living import Client, Gateway, Voice
from tests.gateway.sayings import media_stored, said_to
from tests.gateway.uploads.pictures import image_of
from tests.living import House

RED = NamedColour(hex="#ff0000", name="red", share=1.0)
BLUE = NamedColour(hex="#0000ff", name="blue", share=1.0)
NOBODYS = "00000000-0000-4000-8000-00000000ffff"


async def test_one_many_and_what_a_filter_finds_are_described(ann: Client, gateway: Gateway, house: House) -> None:
    ids = [await image_of(ann, gateway, bytes([number])) for number in range(3)]
    await ann.send("PATCH", f"/api/v1/images/{ids[2]}", json={"tags": ["sea"]})
    await said_to(house)
    one = await ann.post("/images/describe", {"image_id": ids[0], "kinds": ["colours"]})
    assert (one.status, one.body["total"]) == (202, 1)
    assert one.headers["location"] == f"/api/v1/jobs/{one.body['items'][0]['id']}"
    many = await ann.post("/images/describe", {"image_ids": ids[:2]})
    found = await ann.post("/images/describe", {"filter": {"tag": ["sea"]}})
    assert (many.body["total"], found.body["total"], found.body["more"]) == (2, 1, False)
    said = [command for command in await said_to(house) if isinstance(command, DescribeMedia)]
    assert [str(command.asset_id) for command in said] == [ids[0], *ids[:2], ids[2]]
    assert [command.kinds for command in said] == [("colours",), (), (), ()]
    unknown = await ann.post("/images/describe", {"image_ids": [ids[0], NOBODYS]})
    assert (unknown.status, unknown.body["code"]) == (404, "image_not_found")
    assert (await ann.post("/images/describe", {"image_id": ids[0], "filter": {}})).status == 422
    assert await said_to(house) == []


async def test_a_newer_description_replaces_what_the_same_origin_said_and_nothing_else(
    ann: Client, gateway: Gateway, house: House
) -> None:
    voice = Voice((await ann.post("/media/store", {"url": "https://example.org/a.jpg"})).body)
    stored = media_stored(voice)
    await gateway.hear(stored)
    again = Voice((await ann.post("/images/describe", {"image_id": str(stored.asset_id)})).body["items"][0])

    def described(by: Voice, version: int, origin: str, colour: NamedColour) -> MediaDescribed:
        about = {"asset_id": stored.asset_id, "subject_version": version, "origin": origin}
        fact: MediaDescribed = by.states(MediaDescribed, **about, palette=(colour,))
        return fact

    await gateway.hear(described(voice, 1, "pixels", RED), described(voice, 1, "other", RED))
    await gateway.hear(described(again, 2, "pixels", BLUE))
    await gateway.hear(described(voice, 1, "pixels", RED))
    rows = await house.rows("SELECT origin, palette -> 0 ->> 'name' AS colour FROM gateway.descriptions ORDER BY 1")
    assert [tuple(row) for row in rows] == [("other", "red"), ("pixels", "blue")]
    image = (await ann.get(f"/images/{stored.asset_id}")).body
    assert image["palette"] == [BLUE.model_dump()]
    assert image["steps"]["depth"]["job_id"] != again.job["id"], "that job draws no maps"


async def test_what_an_origin_sees_is_replaced_by_the_same_origin_alone(ann: Client, gateway: Gateway) -> None:
    voice = Voice((await ann.post("/media/store", {"url": "https://example.org/a.jpg"})).body)
    stored = media_stored(voice)
    await gateway.hear(stored)

    def described(version: int, origin: str, **seen: object) -> MediaDescribed:
        about = {"asset_id": stored.asset_id, "subject_version": version, "origin": origin}
        fact: MediaDescribed = voice.states(MediaDescribed, **about, **seen)
        return fact

    async def seen() -> dict[str, list[str]]:
        told = (await ann.get(f"/images/{stored.asset_id}")).body["seen"]
        return {one["origin"]: [tag["name"] for tag in one["tags"]] for one in told}

    cup, tea = Tag(name="cup", confidence=0.9), Tag(name="tea", confidence=0.5)
    await gateway.hear(described(1, "pixels", palette=(RED,)))
    assert await seen() == {}, "colours are no words"
    await gateway.hear(described(2, "a", tags=(cup, tea)), described(3, "b", tags=(tea,)))
    assert await seen() == {"a": ["cup", "tea"], "b": ["tea"]}
    await gateway.hear(described(4, "a", tags=(tea,)), described(2, "b", tags=(cup,)))
    assert await seen() == {"a": ["tea"], "b": ["tea"]}, "only what is newer applies, and only to its origin"
    thing = SeenObject(name="cup", confidence=0.7, area=Area(left=0, top=0.5, width=0.25, height=0.5))
    await gateway.hear(described(5, "a", objects=(thing,), caption=Caption(text="a cup", confidence=0.6)))
    image = (await ann.get(f"/images/{stored.asset_id}")).body
    assert image["seen"][0] == {
        "origin": "a",
        "tags": [],
        "objects": [thing.model_dump()],
        "caption": {"text": "a cup", "confidence": 0.6},
    }
    assert (image["tags"], image["caption"], image["palette"]) == ([], None, [RED.model_dump()]), "people write those"


async def test_a_filter_finds_only_what_one_may_change(
    ann: Client, bob: Client, gateway: Gateway, house: House
) -> None:
    hers, his = await image_of(ann, gateway), await image_of(bob, gateway)
    assert (await bob.post("/images/describe", {"image_id": hers})).status == 404
    await house.admin.execute(
        "INSERT INTO gateway.members (project_id, user_id, role) VALUES ($1, 'bob', 'viewer')", ann.project_id
    )
    for path in ("/images/describe", "/maps"):
        assert (await bob.post(path, {"image_id": hers})).body["code"] == "viewer_only"
        found = await bob.post(path, {"filter": {}})
        assert (found.status, found.body["total"]) == (202, 1), path
    assert await house.value("SELECT count(*) FROM gateway.jobs WHERE project_id = $1", ann.project_id) == 1
    assert his != hers
