"""Images that look like one, and images that are the same picture."""

from uuid import UUID

from contracts.media import Embedding, MediaDescribed, MediaStored
from tests.benchmarks.collection import ORIGIN as MADE_UP
from tests.benchmarks.collection import fill_with_vectors, ids_of, vectors_of
from tests.gateway.living import Client, Gateway
from tests.gateway.search.exhibits import ORIGIN, Exhibit, fetching, found, leaning, show
from tests.living import House

PHOTO, OTHER = "c3d4e5f60718293a", "3c2b1a09f8e7d6c5"


async def _groups(client: Client, tier: str = "similar") -> list[list[str]]:
    groups = await found(client, "/search/images/duplicates", tier=tier)
    return [[image["title"] for image in group["images"]] for group in groups]


async def test_what_looks_most_alike_comes_first_with_its_score(ann: Client, gateway: Gateway) -> None:
    exhibits = [
        Exhibit("one", vector=leaning(1.0)),
        Exhibit("half", vector=leaning(1.0, 1.0)),
        Exhibit("near", vector=leaning(3.0, 1.0)),  # its length does not matter
        Exhibit("across", vector=leaning(0.0, 1.0)),
        Exhibit("opposite", vector=leaning(-1.0)),
        Exhibit("undescribed"),
    ]
    one, *_, undescribed = await show(gateway, await fetching(ann), *exhibits)
    address = f"/search/images/{one}/similar"
    images = await found(ann, address, min_score=-1)
    assert [image["title"] for image in images] == ["near", "half", "across", "opposite"]
    assert [round(image["match"]["score"], 2) for image in images] == [0.95, 0.71, 0, -1]
    assert {image["match"]["by"] for image in images} == {ORIGIN}
    assert [image["title"] for image in await found(ann, address, min_score=0.9)] == ["near"]
    missing = await ann.get(f"/search/images/{undescribed}/similar")
    assert (missing.status, missing.body["code"]) == (404, "embedding_not_found")
    unknown = await ann.get(address, params={"origin": "nobody"})
    assert (unknown.status, unknown.body["code"]) == (404, "embedding_not_found")
    nobody = await ann.get(f"/search/images/{UUID(int=0)}/similar")
    assert (nobody.status, nobody.body["code"]) == (404, "image_not_found")


async def test_vectors_of_other_origins_and_lengths_are_never_compared(ann: Client, gateway: Gateway) -> None:
    voice = await fetching(ann)
    one, longer, foreign = await show(
        gateway,
        voice,
        Exhibit("one", vector=leaning(1.0)),
        Exhibit("longer", vector=leaning(1.0, dimensions=40)),
        Exhibit("foreign", vector=leaning(1.0)),
    )
    for image, origin, weights in ((one, "other.v2", (1.0, 0.0)), (foreign, "other.v2", (1.0, 1.0))):
        embedding = Embedding(origin=origin, values=leaning(*weights, dimensions=8))
        more = {"asset_id": image, "subject_version": 1, "origin": origin, "embedding": embedding}
        await gateway.hear(voice.states(MediaDescribed, **more))
    address = f"/search/images/{one}/similar"
    assert [image["id"] for image in await found(ann, address, origin=ORIGIN)] == [str(foreign)]
    assert [round(image["match"]["score"], 3) for image in await found(ann, address, origin="other.v2")] == [0.707]
    assert await found(ann, f"/search/images/{longer}/similar") == []


async def test_the_nearest_are_found_among_many_of_a_project(ann: Client, house: House) -> None:
    """Against the same comparison without a database; another project has images that look the same."""
    ids, vectors = ids_of(1500), vectors_of(1500)
    others = ids_of(500, seed=1)
    async with house.admin.acquire() as admin:
        await fill_with_vectors(admin, ann.project_id, ids, vectors)
        await fill_with_vectors(admin, UUID(int=1), others, vectors[:500])
    hits = 0
    for number in range(0, 1500, 150):
        cosines = vectors @ vectors[number]
        nearest = [ids[index] for index in (-cosines).argsort() if index != number][:10]
        images = await found(ann, f"/search/images/{ids[number]}/similar", limit=10, min_score=-1, origin=MADE_UP)
        hits += len({UUID(image["id"]) for image in images} & set(nearest))
    assert hits >= 95, f"recall@10 is {hits} %"


async def test_copies_form_groups_in_tiers_with_the_scores_of_their_pairs(ann: Client, gateway: Gateway) -> None:
    voice = await fetching(ann)
    await show(gateway, voice, Exhibit("photo", vector=leaning(1.0), perceptual_hash=PHOTO))
    await show(gateway, voice, Exhibit("else", vector=leaning(0.0, 1.0), perceptual_hash=OTHER))
    await show(gateway, voice, Exhibit("cropped", vector=leaning(1.0, 0.3), perceptual_hash="c3d4e5f607180000"))
    small = Exhibit("small", vector=leaning(1.0, 0.05), perceptual_hash="c3d4e5f60718293b")
    await show(gateway, voice, small, Exhibit("sibling of else", vector=leaning(0.01, 1.0), perceptual_hash=OTHER))
    assert await _groups(ann) == [["else", "sibling of else"], ["photo", "cropped", "small"]]
    assert await _groups(ann, "resized") == [["else", "sibling of else"], ["photo", "small"]]
    group = (await found(ann, "/search/images/duplicates"))[1]
    titles = {image["id"]: image["title"] for image in group["images"]}
    pairs = {tuple(titles[one] for one in pair["image_ids"]): pair for pair in group["pairs"]}
    assert {names: pair["tier"] for names, pair in pairs.items()} == {
        ("photo", "cropped"): "similar",
        ("photo", "small"): "resized",
        ("cropped", "small"): "similar",
    }
    small_one = pairs["photo", "small"]
    assert (small_one["hash_distance"], round(small_one["similarity"], 3), small_one["score"] > 0.99) == (
        1,
        0.999,
        True,
    )


async def test_one_picture_at_several_sizes_is_a_group_whatever_looks_like_it(ann: Client, gateway: Gateway) -> None:
    voice = await fetching(ann)
    crop, other_crop = leaning(1.0, 0.45), leaning(1.0, -0.1, 0.45)
    for exhibit in (
        Exhibit("photo", vector=leaning(1.0), perceptual_hash=PHOTO),
        Exhibit("crop", vector=crop, perceptual_hash="c3d4e5f6f8e7d6c5"),
        Exhibit("small crop", vector=crop, perceptual_hash="c3d4e5f6f8e7d6c4"),
        Exhibit("other crop", vector=other_crop, perceptual_hash="3c2b1a0907182930"),
        Exhibit("small other crop", vector=other_crop, perceptual_hash="3c2b1a0907182931"),
        Exhibit("smaller crop", vector=crop, perceptual_hash="c3d4e5f6f8e7d6c5"),
    ):
        await show(gateway, voice, exhibit)
    assert [len(group) for group in await _groups(ann)] == [6]
    told = await found(ann, "/search/images/duplicates", tier="resized")
    assert [[image["title"] for image in group["images"]] for group in told] == [
        ["other crop", "small other crop"],
        ["crop", "small crop", "smaller crop"],
    ]
    assert {pair["tier"] for group in told for pair in group["pairs"]} == {"resized"}
    assert [group["id"] for group in told] == [group["images"][0]["id"] for group in told]


async def test_pictures_that_are_not_alike_are_in_no_group(ann: Client, gateway: Gateway) -> None:
    """Neither by a hash alone that happens to be near, nor by colours alone, nor for want of both."""
    voice = await fetching(ann)
    await show(
        gateway,
        voice,
        Exhibit("a", vector=leaning(1.0), perceptual_hash=PHOTO),
        Exhibit("b", vector=leaning(0.0, 1.0), perceptual_hash=PHOTO),
        Exhibit("c", vector=leaning(1.0, 1.0), perceptual_hash=OTHER),
        Exhibit("d"),
        Exhibit("e"),
    )
    assert await _groups(ann) == []


async def test_groups_keep_their_place_and_lose_who_is_deleted(ann: Client, gateway: Gateway) -> None:
    voice = await fetching(ann)
    pictures = [Exhibit(str(axis), vector=leaning(*[0.0] * axis, 1.0), perceptual_hash=None) for axis in range(4)]
    first = await show(gateway, voice, *pictures)
    await show(gateway, voice, *pictures)
    page = (await ann.get("/search/images/duplicates", params={"limit": "2"})).body
    await show(gateway, voice, pictures[0], Exhibit("new", vector=leaning(*[0.0] * 5, 1.0)))
    await show(gateway, voice, Exhibit("new", vector=leaning(*[0.0] * 5, 1.0)))
    rest = (await ann.get("/search/images/duplicates", params={"limit": "9", "cursor": page["next_cursor"]})).body
    named = [group["id"] for group in (*page["items"], *rest["items"])]
    assert sorted(named) == sorted(str(image) for image in first)
    assert sorted(group["total"] for group in (*page["items"], *rest["items"])) == [2, 2, 2, 3]
    await ann.send("DELETE", f"/api/v1/images/{first[3]}")
    assert len(await _groups(ann)) == 4
    await ann.send("DELETE", f"/api/v1/images/{first[0]}")
    assert [len(group) for group in await _groups(ann) if group[0] == "0"] == [2]


async def test_the_same_bytes_in_several_projects_are_told_to_who_sees_them(
    ann: Client, bob: Client, gateway: Gateway
) -> None:
    project = (await ann.post("/projects", {"name": "Second"})).body["id"]
    mine, second, his = await fetching(ann), await fetching(ann, project_id=project), await fetching(bob)
    same = {"sha256": "ef" * 32}
    await show(gateway, mine, Exhibit("mine", facts=same), Exhibit("only mine"))
    await show(gateway, his, Exhibit("his", facts=same))
    assert await _groups(ann, "exact") == []
    await show(gateway, second, Exhibit("second", facts=same))
    [group] = await found(ann, "/search/images/duplicates", tier="exact")
    assert [image["title"] for image in group["images"]] == ["mine", "second"]
    assert [(pair["tier"], pair["score"]) for pair in group["pairs"]] == [("exact", 1.0)]
    assert await _groups(bob, "exact") == []


async def test_facts_in_any_order_lead_to_the_same(ann: Client, gateway: Gateway) -> None:
    """Described before it is stored, and described anew."""
    voice = await fetching(ann)
    exhibit = Exhibit("late", palette=[("#dc1e1e", 1.0)], vector=leaning(1.0), perceptual_hash=PHOTO)
    stored: MediaStored = exhibit.stored(voice)
    described = exhibit.described(voice, stored)
    await gateway.hear(described)
    assert await found(ann, color="#dc1e1e") == []
    await gateway.hear(stored)
    assert [image["title"] for image in await found(ann, color="#dc1e1e")] == ["late"]
    blue = Exhibit("late", palette=[("#2258d8", 1.0)], vector=leaning(0.0, 1.0)).described(voice, stored)
    await gateway.hear(blue.model_copy(update={"subject_version": stored.subject_version + 1}))
    assert await found(ann, color="#dc1e1e") == []
    assert [image["title"] for image in await found(ann, color="#2258d8")] == ["late"]
