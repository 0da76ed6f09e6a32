"""The media of a scene are all there, however many: page by page, each once."""

from uuid import UUID, uuid4

import pytest

from contracts.jobs import JobFailed
from services.gateway.routes.scenes import looking
from tests.gateway.living import Client, Gateway, Voice
from tests.gateway.sayings import media_stored
from tests.living import House

MEDIA = "/scenes/s/media"
_PAGE = 500


async def store(client: Client, number: int) -> Voice:
    reply = await client.post("/media/store", {"url": f"https://example.org/{number}.jpg", "scene_id": "s"})
    assert reply.status == 202, reply.body
    return Voice(reply.body)


async def walked(client: Client, limit: int) -> list[tuple[str, str | None]]:
    """Go through all pages; each item by its job and its image."""
    found: list[tuple[str, str | None]] = []
    cursor: str | None = None
    while True:
        page = (await client.get(MEDIA, params={"limit": str(limit), **({"cursor": cursor} if cursor else {})})).body
        assert len(page["items"]) == limit or page["next_cursor"] is None
        found += [(item["job_id"], item["image_id"]) for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


async def many(house: House, client: Client, count: int) -> None:
    """Have so many media been stored for the scene at one moment, as a large request does."""
    voice = await store(client, 0)
    await house.admin.execute(
        """
        WITH media AS (SELECT gen_random_uuid() AS id, number FROM generate_series(2, $2::int) AS number), made AS (
            INSERT INTO gateway.jobs SELECT (jsonb_populate_record(job, jsonb_build_object('id', media.id))).*
            FROM media, gateway.jobs AS job WHERE job.id = $1
        )
        INSERT INTO gateway.scene_media (job_id, project_id, scene_id, url)
        SELECT media.id, project_id, 's', 'https://example.org/' || number FROM media, gateway.jobs WHERE jobs.id = $1
        """,
        UUID(voice.job["id"]),
        count,
    )


@pytest.mark.parametrize("limit", [1, 3, 4, 10])
async def test_each_is_on_one_page_also_where_a_job_has_led_to_several_images(
    gateway: Gateway, ann: Client, limit: int
) -> None:
    voices = [await store(ann, number) for number in range(5)]
    images: list[tuple[str, str | None]] = []
    for number, voice in enumerate(voices):
        stored = [media_stored(voice, asset_id=uuid4(), sha256=f"{number}{which}" * 32) for which in range(number % 3)]
        await gateway.hear(*stored)
        ids = sorted(str(one.asset_id) for one in stored)
        images += [(voice.job["id"], image_id) for image_id in ids] or [(voice.job["id"], None)]
    assert await walked(ann, limit) == images


async def test_of_a_deleted_image_the_job_is_told_and_no_image(gateway: Gateway, ann: Client) -> None:
    voice = await store(ann, 0)
    stored = media_stored(voice)
    await gateway.hear(stored)
    deletion = Voice((await ann.send("DELETE", f"/api/v1/images/{stored.asset_id}")).body)
    assert await walked(ann, 1) == [(voice.job["id"], None)]
    await gateway.hear(deletion.says(JobFailed, attempt=3, code="no_disk", sentence="The disk is gone."))
    assert await walked(ann, 1) == [(voice.job["id"], str(stored.asset_id))]


async def test_what_is_more_than_a_page_is_behind_a_cursor(ann: Client, house: House) -> None:
    await many(house, ann, _PAGE + 1)
    first = (await ann.get(MEDIA)).body
    assert len(first["items"]) == _PAGE, "whoever knows of no pages gets as much as ever"
    rest = (await ann.get(MEDIA, params={"cursor": first["next_cursor"]})).body
    assert (len(rest["items"]), rest["next_cursor"]) == (1, None)
    ids = {item["job_id"] for item in first["items"] + rest["items"]}
    assert len(ids) == _PAGE + 1


async def test_with_only_the_time_as_a_place_those_of_one_moment_are_lost(
    ann: Client, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: many are stored at one moment."""
    await many(house, ann, 9)
    assert len(await walked(ann, 4)) == 9
    select = looking.select_scene_media

    async def by_time(connection: object, projects: object, scene_id: str, place: tuple[object, ...] | None, n: int):  # type: ignore[no-untyped-def]  # noqa: ANN202 - as the real one
        last = UUID("ffffffff-ffff-ffff-ffff-ffffffffffff")
        return await select(connection, projects, scene_id, place and (place[0], last, last), n)  # type: ignore[arg-type]

    monkeypatch.setattr(looking, "select_scene_media", by_time)
    assert len(await walked(ann, 4)) < 9


async def test_what_comes_while_one_reads_is_on_a_later_page(ann: Client) -> None:
    voices = [await store(ann, number) for number in range(3)]
    first = (await ann.get(MEDIA, params={"limit": "2"})).body
    voices.append(await store(ann, 3))
    rest = (await ann.get(MEDIA, params={"limit": "2", "cursor": first["next_cursor"]})).body
    assert [item["job_id"] for item in first["items"] + rest["items"]] == [voice.job["id"] for voice in voices]


async def test_a_place_of_another_list_is_none_here(ann: Client) -> None:
    for number in (1, 2):
        await ann.post(f"/chapters/c/images/scenes/{number}", {"scene_description": "A view"})
    elsewhere = (await ann.get("/chapters/c/images", params={"limit": "1"})).body["next_cursor"]
    for cursor in (elsewhere, "x"):
        reply = await ann.get(MEDIA, params={"cursor": cursor})
        assert (reply.status, reply.body["code"]) == (400, "cursor_invalid")
    for limit in ("0", "501"):
        assert (await ann.get(MEDIA, params={"limit": limit})).status == 422


async def test_a_stranger_goes_on_with_nothing(ann: Client, bob: Client) -> None:
    for number in range(2):
        await store(ann, number)
    cursor = (await ann.get(MEDIA, params={"limit": "1"})).body["next_cursor"]
    assert (await bob.get(MEDIA, params={"cursor": cursor})).body == {"items": [], "next_cursor": None}
