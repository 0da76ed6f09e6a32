"""Each way in which images are searched, and that each leaves out what it should."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from contracts.image_generation import GenerateImage, ImageGenerated
from contracts.jobs import JobCompleted
from contracts.media import AcceptUpload, MediaDeleted
from shared.identifiers import child_id
from tests.gateway.living import Client, Gateway, Voice
from tests.gateway.sayings import SHA, media_stored
from tests.gateway.search.exhibits import Exhibit, fetching, found, show, titles
from tests.living import House


async def test_words_are_found_in_title_tags_alt_caption_and_prompt_the_best_first(
    ann: Client, gateway: Gateway
) -> None:
    voice = await fetching(ann)
    shown = [
        Exhibit("in the caption", caption="A lighthouse"),
        Exhibit("in the alt", alt="Lighthouses at sea"),
        Exhibit("by a tag"),
        Exhibit("Lighthouse"),
        Exhibit("nothing of the kind", caption="A house with a light"),
    ]
    ids = await show(gateway, voice, *shown)
    await ann.send("PATCH", f"/api/v1/images/{ids[2]}", json={"tags": ["lighthouse"]})
    best = await titles(ann, q="LIGHTHOUSE")
    assert (best[:2], set(best[2:])) == (["Lighthouse", "by a tag"], {"in the alt", "in the caption"})
    assert set(await titles(ann, q="light*")) == {exhibit.title for exhibit in shown}
    assert await titles(ann, q='"light house"') == []
    assert await titles(ann, q='"house with"') == ["nothing of the kind"]
    assert (
        await titles(ann, q="lighthouse -sea -caption", sort="oldest")
        == ["in the caption", "by a tag", "Lighthouse"][1:]
    )
    assert [image["match"]["by"] for image in await found(ann, q="lighthouse")] == ["relevance"] * 4


async def test_accents_and_case_and_endings_make_no_difference(ann: Client, gateway: Gateway) -> None:
    await show(gateway, await fetching(ann), Exhibit("Élan über Zürich"), Exhibit("The Who"), Exhibit("Running dogs"))
    assert await titles(ann, q="elan ZURICH") == ["Élan über Zürich"]
    assert await titles(ann, q="Zürich") == ["Élan über Zürich"]
    assert await titles(ann, q="the who") == ["The Who"]
    assert await titles(ann, q="dog run") == ["Running dogs"]


async def test_an_edit_is_found_at_once_and_what_it_replaced_no_more(ann: Client, gateway: Gateway) -> None:
    [image_id] = await show(gateway, await fetching(ann), Exhibit("Before"))
    await ann.send("PATCH", f"/api/v1/images/{image_id}", json={"title": "After", "tags": ["fresh"]})
    assert await titles(ann, q="before") == []
    assert await titles(ann, q="after", tags="fresh") == ["After"]
    await ann.send("PATCH", f"/api/v1/images/{image_id}", json={"title": None, "tags": []})
    assert await titles(ann, q="before") == ["Before"]
    assert await titles(ann, tags="fresh") == []


async def test_a_generated_image_is_found_by_its_prompt(ann: Client, gateway: Gateway) -> None:
    scene = {"scene_description": "A zeppelin above the harbour", "pipeline": []}
    reply = await ann.post("/chapters/c/images/scenes/1", scene)
    drawing = Voice(await ann.job(reply.body["task_id"]))
    key = "generated/1.png"
    generated = drawing.states(
        ImageGenerated, object_key=key, sha256=SHA, size_bytes=1, content_type="image/png", width_px=64, height_px=64,
        provider="sketch", model="sketch", generation_seconds=1, description=scene["scene_description"],
    )  # fmt: skip
    job_id = child_id(UUID(drawing.job["id"]), AcceptUpload.wire_name, key)
    upload = Voice({**drawing.job, "id": str(job_id), "parent_id": drawing.job["id"]})
    stored = media_stored(upload, sha256="cd" * 32, source_url=None, pipeline=())
    await gateway.hear(generated, stored)
    await show(gateway, await fetching(ann), Exhibit("Zeppelin"))
    assert GenerateImage.wire_name == drawing.job["kind"]
    assert [image["id"] for image in await found(ann, q="zeppelin harbour")] == [str(stored.asset_id)]
    assert [image["id"] for image in await found(ann, kind="generated")] == [str(stored.asset_id)]
    # Drawn anew, the scene has another image; this one keeps what it shows.
    done = {"attempt": 1, "started_at": "2025-01-01T00:00:00Z", "children_total": 1, "result": {}}
    await gateway.hear(drawing.says(JobCompleted, **done))
    assert (await ann.post("/chapters/c/images/scenes/1", {"scene_description": "Something else"})).status == 202
    assert [image["id"] for image in await found(ann, q="zeppelin harbour")] == [str(stored.asset_id)]


async def test_colours_are_found_by_how_much_of_the_image_has_them_and_how_near(ann: Client, gateway: Gateway) -> None:
    await show(
        gateway,
        await fetching(ann),
        Exhibit("a little red", palette=[("#2258d8", 0.9), ("#dc1e1e", 0.1)]),
        Exhibit("all red", palette=[("#dc1e1e", 1.0)]),
        Exhibit("nearly red", palette=[("#d02a26", 1.0)]),
        Exhibit("blue", palette=[("#2258d8", 1.0)]),
        Exhibit("undescribed"),
    )
    assert await titles(ann, color="#dc1e1e") == ["all red", "nearly red", "a little red"]
    assert await titles(ann, color="dc1e1e", color_distance=0.01) == ["all red", "a little red"]
    images = await found(ann, color="#DC1E1E", color_distance=0.05)
    scores = [image["match"]["score"] for image in images]
    assert (scores[0], scores[-1]) == (1.0, pytest.approx(0.1)), [image["title"] for image in images]
    assert await titles(ann, color="#f00", color_distance=0.01) == []
    assert await titles(ann, color="#2258d8", q="blue") == ["blue"]
    assert await titles(ann, color="#dc1e1e", sort="oldest") == ["a little red", "all red", "nearly red"]


async def test_no_shade_within_the_distance_is_missed_between_the_cells(house: House) -> None:
    """The cells that are looked into hold every colour that is near enough; tried all over the gamut."""
    missed = """
        WITH colour AS (
            SELECT colour_place('#' || lpad(to_hex((i * 7919) % 16777216), 6, '0')) AS place
            FROM generate_series(1, $1) AS i
        )
        SELECT count(*), count(*) FILTER (WHERE NOT cell_of_place(other.place) = ANY (near.cells))
        FROM (SELECT place, cells_around(place, 0.12) AS cells FROM colour LIMIT 60) AS near
        JOIN colour AS other ON other.place <-> near.place < 0.12
    """
    async with house.admin.acquire() as admin, admin.transaction():
        await admin.execute("SET LOCAL search_path = gateway, public")
        pairs, lost = await admin.fetchrow(missed, 3000)
    assert pairs > 1000
    assert lost == 0


async def test_tags_all_or_any_kind_source_size_shape_and_time(ann: Client, gateway: Gateway) -> None:
    voice = await fetching(ann)
    begin = datetime.now(UTC)
    ids = await show(
        gateway,
        voice,
        Exhibit(
            "wide", page_url="https://www.museum.example/1", facts={"width_px": 2000, "height_px": 500, "size_bytes": 9}
        ),
        Exhibit("tall", facts={"width_px": 300, "height_px": 900, "source_url": "https://cdn.museum.example/t.jpg"}),
        Exhibit("square", facts={"width_px": 600, "height_px": 600, "source_url": None, "size_bytes": 5000}),
    )
    await ann.send("PATCH", f"/api/v1/images/{ids[0]}", json={"tags": ["a", "b"]})
    await ann.send("PATCH", f"/api/v1/images/{ids[1]}", json={"tags": ["b"]})
    later = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    asked = {
        ("wide",): [
            {"tags": ["a", "B "]}, {"min_width": 601}, {"orientation": "landscape"}, {"max_bytes": 9},
            {"tags": "b", "kind": "scraped", "min_width": 601, "source": ["nobody.example", "museum.example"]},
        ],
        ("wide", "tall"): [
            {"tags": ["a", "b"], "tags_match": "any"}, {"source": "MUSEUM.example"}, {"kind": "scraped"},
        ],
        ("tall",): [
            {"source": "cdn.museum.example"}, {"max_width": 599}, {"min_height": 601}, {"orientation": "portrait"},
        ],
        ("square",): [{"kind": "uploaded"}, {"orientation": "square"}, {"min_bytes": 5000}],
        ("wide", "square"): [{"max_height": 600}],
        (): [
            {"tags": "c"}, {"kind": "generated"}, {"source": "useum.example"}, {"from": later},
            {"to": begin.isoformat()}, {"tags": ["a", "b"], "orientation": "portrait"},
        ],
        ("wide", "tall", "square"): [{}, {"from": begin.isoformat(), "to": later}, {"kind": ["scraped", "uploaded"]}],
    }  # fmt: skip
    for expected, questions in asked.items():
        for question in questions:
            assert set(await titles(ann, **question)) == set(expected), question


async def test_what_is_deleted_is_found_no_more_until_that_fails(ann: Client, gateway: Gateway, house: House) -> None:
    voice = await fetching(ann)
    shown = Exhibit("Gone", palette=[("#dc1e1e", 1.0)], vector=[1.0] * 24, perceptual_hash="ab" * 8)
    ids = await show(gateway, voice, shown, Exhibit("Kept", vector=[1.0] * 24, perceptual_hash="ab" * 8))
    job = (await ann.send("DELETE", f"/api/v1/images/{ids[0]}")).body
    kept = f"/search/images/{ids[1]}/similar"
    assert (await titles(ann, q="gone"), await titles(ann, color="#dc1e1e"), await found(ann, kept)) == ([], [], [])
    assert await found(ann, "/search/images/duplicates") == []
    await ann.post(f"/jobs/{job['id']}/cancel")
    deleting = Voice(await ann.job(job["id"]))
    if deleting.job["state"] != "cancelled":
        await house.admin.execute("UPDATE gateway.jobs SET state = 'cancelled' WHERE id = $1", job["id"])
    assert await titles(ann, q="gone", color="#dc1e1e") == ["Gone"]
    assert [image["title"] for image in await found(ann, kept)] == ["Gone"]
    await gateway.hear(voice.states(MediaDeleted, asset_id=ids[0], subject_version=2))
    assert (await titles(ann, q="gone"), await titles(ann, color="#dc1e1e"), await found(ann, kept)) == ([], [], [])


async def test_searches_that_mean_nothing_say_so(ann: Client) -> None:
    for wrong in (
        {"color": "red"}, {"color": "#12345"}, {"color_distance": "0.9"}, {"color_share": "nan"}, {"limit": "0"},
        {"kind": "stolen"}, {"min_width": "-1"}, {"min_width": str(2**40)}, {"from": "1"}, {"source": "a/b"},
        {"sort": "size"}, {"tags": "a,b"},
    ):  # fmt: skip
        reply = await ann.get("/search/images", params=wrong)
        assert (reply.status, reply.body["code"]) == (422, "validation_failed"), wrong
    for cursor in ("x", "W10=", "WyJuZXdlc3QiLCAxXQ==", "WyJyZWxldmFuY2UiLCA5OTk5OTk5OTk5OTk5OTk5OTk5OTksIDEsIDFd"):
        reply = await ann.get("/search/images", params={"cursor": cursor})
        assert (reply.status, reply.body["code"]) == (400, "cursor_invalid"), cursor
