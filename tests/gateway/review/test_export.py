"""Approved maps leave as a manifest that says all of them, in an order that stays, and how it ends."""

from typing import Any

import aiohttp
import orjson
import pytest

from contracts.scraper import ImageContext
from tests.gateway.living import Client, Gateway, Voice
from tests.gateway.review.mapped import SOUND, decide, mapped
from tests.gateway.sayings import depth_mapped, media_stored, stored_map
from tests.living import House

PATH = "/api/v1/maps/export"


async def export(client: Client, **query: str) -> list[dict[str, Any]]:
    reply = await client.send("GET", PATH, params=query)
    assert reply.status == 200, reply.body
    assert reply.headers["content-type"] == "application/x-ndjson"
    return [orjson.loads(line) for line in reply.body.splitlines()]


def ids(lines: list[dict[str, Any]]) -> list[str]:
    return [line["image_id"] for line in lines if line["type"] == "map"]


async def test_only_what_is_approved_leaves_with_all_that_is_known_of_it(ann: Client, gateway: Gateway) -> None:
    found = ImageContext(title="found", caption="Hills", licence="CC0", credit="Ada", page_url="https://example.org/p")
    voice = Voice((await ann.post("/media/store", {"url": "https://example.org/a.jpg", "pipeline": []})).body)
    stored = media_stored(voice, context=found)
    fact = depth_mapped(voice, stored, quality=SOUND)
    await gateway.hear(stored, fact)
    edit = {"title": "Mine", "tags": ["hills"]}
    await ann.send("PATCH", f"/api/v1/images/{fact.asset_id}", json=edit)
    await decide(ann, await mapped(ann, gateway, "rejected"), "reject", {"reasons": ["flat"]})
    await mapped(ann, gateway, "unreviewed")
    await decide(ann, fact, "approve", {"note": "good"})
    head, line, end = await export(ann)
    assert (head["type"], head["maps"], head["images"], head["size_bytes"]) == ("manifest", 1, 1, 1020)
    assert end == {"type": "end", "maps": 1, "cursor": line["cursor"]}
    image, depth = line["image"], line["depth"]
    assert (line["image_id"], line["recipe"], line["kind"]) == (str(fact.asset_id), "default", "inverse_relative")
    assert (image["sha256"], image["size_bytes"], image["key"]) == (stored.sha256, 1000, stored.original_key)
    assert (image["title"], image["caption"], image["tags"]) == ("Mine", "Hills", ["hills"])
    assert (image["licence"], image["credit"], image["page_url"]) == ("CC0", "Ada", "https://example.org/p")
    assert image["source_url"] == "https://example.org/a.jpg"
    assert (depth["key"], depth["sha256"]) == (fact.depth.key, fact.depth.sha256)
    assert (line["edges"]["key"], line["sidecar"]["key"]) == (fact.edges.key, fact.sidecar_key)
    assert (line["quality"], line["review"]["reviewed_by"], line["review"]["note"]) == (SOUND, "ann", "good")
    assert fact.depth.key in depth["url"]
    assert "url" not in (await export(ann, urls="false"))[1]["depth"]
    counted = (await ann.get("/maps/export", params={"dry_run": "true"})).body
    assert counted == {"maps": 1, "images": 1, "size_bytes": 1020, "dry_run": True}
    await decide(ann, fact, "undo")
    assert ids(await export(ann)) == []


async def test_an_export_that_was_cut_off_goes_on_and_a_kept_cursor_leads_to_what_came_later(
    ann: Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.routes.review.exporting.PAGE", 2)
    facts = [await mapped(ann, gateway, str(number)) for number in range(5)]
    order = [facts[number] for number in (3, 0, 4, 1)]
    for fact in order:
        await decide(ann, fact, "approve")
    wanted = [str(fact.asset_id) for fact in order]
    whole = await export(ann)
    assert (ids(whole), whole[-1]["maps"]) == (wanted, 4)
    assert ids(await export(ann)) == wanted, "the order stays"
    for number in range(1, 5):
        rest = await export(ann, cursor=whole[number]["cursor"])
        assert ids(rest) == wanted[number:]
        assert (rest[0]["maps"], rest[-1]["maps"]) == (4 - number, 4 - number)
    kept = whole[-1]["cursor"]
    assert ids(await export(ann, cursor=kept)) == []
    await decide(ann, facts[2], "approve")
    later = await export(ann, cursor=kept)
    assert ids(later) == [str(facts[2].asset_id)]
    assert (await ann.get("/maps/export", params={"cursor": "x"})).body["code"] == "cursor_invalid"


async def test_filters_choose_and_count_alike(ann: Client, gateway: Gateway) -> None:
    plain, other = await mapped(ann, gateway, "a"), await mapped(ann, gateway, "b", recipe="onnx")
    for fact in (plain, other):
        await decide(ann, fact, "approve")
    await ann.send("PATCH", f"/api/v1/images/{plain.asset_id}", json={"tags": ["sea"]})
    for query, found in (
        ({"recipe": "onnx"}, [other]),
        ({"tag": "Sea"}, [plain]),
        ({"kind": "metric_metres"}, []),
        ({"chapter_id": "c"}, []),
        ({"reviewed_before": "2020-01-01T00:00:00Z"}, []),
        ({"created_after": "2020-01-01T00:00:00Z", "project_id": str(ann.project_id)}, [plain, other]),
    ):
        lines = await export(ann, **query)
        assert ids(lines) == [str(fact.asset_id) for fact in found], query
        assert lines[0]["maps"] == len(found), query


async def test_an_export_holds_nothing_of_others_and_ends_without_its_last_line_for_who_is_put_out(
    ann: Client, bob: Client, gateway: Gateway, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.routes.review.exporting.PAGE", 1)
    facts = [await mapped(ann, gateway, name) for name in ("a", "b")]
    for fact in facts:
        await decide(ann, fact, "approve")
    assert ids(await export(bob)) == []
    assert (await bob.get("/maps/export", params={"project_id": str(ann.project_id)})).status == 403
    await house.admin.execute(
        "INSERT INTO gateway.members (project_id, user_id, role) VALUES ($1, 'bob', 'viewer')", ann.project_id
    )
    assert len(ids(await export(bob))) == 2

    async def no_longer(*_: Any) -> bool:
        return False

    monkeypatch.setattr("services.gateway.routes.review.exporting.still_sees", no_longer)
    lines = await export(bob)
    assert (len(ids(lines)), lines[-1]["type"]) == (1, "map")


async def test_a_data_set_is_flat_rows_of_equal_columns_and_never_half_of_itself(
    ann: Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.routes.review.exporting.PAGE", 1)
    bare = await mapped(ann, gateway, "bare")
    voice = Voice((await ann.post("/media/store", {"url": "https://example.org/b.jpg", "pipeline": []})).body)
    context = ImageContext(title="Hills", alt="Hills at dusk", licence="CC0")
    stored = media_stored(voice, sha256="b" * 64, context=context)
    normals = stored_map(stored, "normals")
    told = depth_mapped(voice, stored, quality=SOUND, normals=normals)
    await gateway.hear(stored, told)
    for fact in (bare, told):
        await decide(ann, fact, "approve")
    manifest = await export(ann, urls="false")
    assert [line.get("normals", {}).get("key") for line in manifest[1:3]] == [None, normals.key]
    assert manifest[0]["size_bytes"] == 2 * 1020 + normals.size_bytes

    first, second = await export(ann, layout="dataset", urls="false")
    assert first.keys() == second.keys()
    assert {name: type(value) for name, value in first.items()} == {name: type(value) for name, value in second.items()}
    assert not any(isinstance(value, dict) or value is None for value in first.values())
    names = [second[f"{prefix}file_name"] for prefix in ("", "depth_", "edges_")]
    assert names == [stored.original_key, told.depth.key, told.edges.key]
    assert (second["text"], second["licence"], first["text"], first["licence"]) == ("Hills at dusk", "CC0", "", "")
    assert second["image_id"] == str(told.asset_id)
    addressed = (await export(ann, layout="dataset"))[1]
    assert told.depth.key in addressed["depth_url"]
    assert addressed.keys() - second.keys() == {"url", "depth_url", "edges_url", "normals_url"}
    assert (first["normals_key"], second["normals_key"]) == ("", normals.key)
    assert normals.key in addressed["normals_url"]

    async def no_longer(*_: Any) -> bool:
        return False

    monkeypatch.setattr("services.gateway.routes.review.exporting.still_sees", no_longer)
    with pytest.raises(aiohttp.ClientError):
        await export(ann, layout="dataset")


async def test_rows_of_a_data_set_have_equal_columns_where_an_image_is_not_handed_out_yet(
    ann: Client, gateway: Gateway
) -> None:
    copied = await mapped(ann, gateway, "copied")
    voice = Voice((await ann.post("/media/store", {"url": "https://example.org/b.jpg", "pipeline": []})).body)
    stored = media_stored(voice, sha256="b" * 64, clean_copy=None)
    bare = depth_mapped(voice, stored)
    await gateway.hear(stored, bare)
    for fact in (copied, bare):
        await decide(ann, fact, "approve")

    first, second = await export(ann, layout="dataset")
    assert first.keys() == second.keys()
    assert (first["url"] > "", second["url"], second["file_name"]) == (True, "", stored.original_key)
    assert bare.depth.key in second["depth_url"]


async def test_a_long_export_comes_while_it_is_read(ann: Client, gateway: Gateway, house: House) -> None:
    fact = await mapped(ann, gateway)
    await decide(ann, fact, "approve")
    for table in ("assets", "maps", "map_reviews"):
        column = "id" if table == "assets" else "asset_id"
        await house.admin.execute(
            f"""
            INSERT INTO gateway.{table} SELECT (jsonb_populate_record(held, jsonb_build_object('{column}',
                md5(number::text)::uuid))).* FROM gateway.{table} AS held, generate_series(1, 900) AS number
            """
        )
    headers = {"Authorization": f"Bearer {gateway.token('ann')}"}
    async with (
        aiohttp.ClientSession(gateway.url, headers=headers) as session,
        session.get(PATH, params={"urls": "false"}) as response,
    ):
        lines = [orjson.loads(line) async for line in response.content]
    assert (lines[0]["maps"], lines[-1]["maps"], len(lines)) == (901, 901, 903)
    assert len({line["image_id"] for line in lines if line["type"] == "map"}) == 901
