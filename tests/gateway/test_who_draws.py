"""What nobody can draw is refused at the door, with the reason; and how long a picture takes is learnt."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.image_generation import GenerateImage, ImageGenerated, Offer, ProvidersReported
from contracts.jobs import JobCompleted
from services.gateway.rules.scenes import UNMEASURED_SECONDS
from tests.gateway.living import Client, Gateway, Voice
from tests.gateway.people.asking import made
from tests.gateway.sayings import media_stored
from tests.living import House, until

SCENE = "/chapters/ch-1/images/scenes/3"
ASKED = {"scene_description": "A lighthouse"}
ABLE = Offer(name="able", aspect_ratios=("1:1", "16:9"), seeds=True, negative_prompts=True, most_samples=4)
SQUARE = Offer(name="square", aspect_ratios=("1:1",), seeds=False, negative_prompts=False, most_samples=1, paid=True)


def reported(default: str = "square", *fallbacks: str, **facts: Any) -> ProvidersReported:
    told = {"service": "image_generation", "at": datetime.now(UTC), "offers": (ABLE, SQUARE), **facts}
    return ProvidersReported(default=default, fallbacks=fallbacks, **told)


async def refused(client: Client, **change: Any) -> tuple[int, str, str]:
    reply = await client.post(SCENE, {**ASKED, **change})
    return reply.status, reply.body["code"], reply.body["errors"][0]["pointer"]


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"aspect_ratio": "16:9"}, "aspect_ratio", "square cannot draw 16:9; it draws 1:1."),
        ({"seed": 4}, "seed", "square draws another picture each time"),
        ({"negative_prompt": "people"}, "negative_prompt", "square does not listen to a negative prompt"),
        ({"provider": "nobody"}, "provider", "There is no provider 'nobody'; choose one of able, square."),
        ({"provider": "able", "aspect_ratio": "9:16"}, "aspect_ratio", "able cannot draw 9:16"),
    ],
)
async def test_who_asks_for_more_than_is_offered_is_told_why(
    gateway: Gateway, ann: Client, change: dict[str, Any], field: str, reason: str
) -> None:
    await gateway.hear(reported())
    reply = await ann.post(SCENE, {**ASKED, **change})

    assert (reply.status, reply.body["code"]) == (422, "beyond_provider")
    assert reply.body["detail"].startswith(reason)
    assert [one["pointer"] for one in reply.body["errors"]] == [f"/body/{field}"]
    assert (await ann.get("/jobs")).body["items"] == [], "nothing was handed in"
    assert (await ann.post(SCENE, ASKED)).status == 202


async def test_an_event_that_asks_for_more_is_refused_and_so_is_its_batch(gateway: Gateway, ann: Client) -> None:
    await gateway.hear(reported())
    about = {"specversion": "1.0", "source": "shop", "type": GenerateImage.wire_name}
    events = [
        {**about, "id": str(number), "data": {"description": "a lake", **more}}
        for number, more in enumerate([{}, {"samples": 2}])
    ]
    headers = {"Content-Type": "application/cloudevents-batch+json"}
    reply = await ann.post("/events", events, headers=headers)

    assert (reply.status, reply.body["code"]) == (422, "beyond_provider")
    assert reply.body["errors"][0]["pointer"] == "/body/1/data/samples"
    assert (await ann.get("/jobs")).body["items"] == []
    assert (await ann.post("/events", events[:1], headers=headers)).status == 202


async def test_who_asks_again_by_the_same_key_is_told_the_same_whoever_draws_by_now(
    gateway: Gateway, ann: Client
) -> None:
    await gateway.hear(reported("able"))
    asked, key = {**ASKED, "aspect_ratio": "16:9"}, {"Idempotency-Key": "k"}
    first = await ann.post(SCENE, asked, headers=key)
    await gateway.hear(reported("square"))
    again = await ann.post(SCENE, asked, headers=key)
    assert (again.status, again.body["task_id"]) == (202, first.body["task_id"])
    for headers in ({}, {"Idempotency-Key": "another"}):
        other = await ann.post("/chapters/ch-1/images/scenes/4", asked, headers=headers)
        assert (other.status, other.body["code"]) == (422, "beyond_provider")
    assert len((await ann.get("/jobs")).body["items"]) == 1


async def test_what_says_nothing_of_a_picture_is_refused_wherever_it_is_said(gateway: Gateway, ann: Client) -> None:
    await gateway.hear(reported("able"))
    await made(ann, "/chapters", {"id": "ch-1"})
    await made(ann, "/chapters/ch-1/scenes", {"number": 3, "description": " "})
    event = {"specversion": "1.0", "source": "shop", "type": GenerateImage.wire_name, "id": "1"}
    headers = {"Content-Type": "application/cloudevents+json"}
    for nothing in (" ", "\n\t", "\u200b"):
        for path, asked in (
            (SCENE, {"scene_description": nothing}),
            ("/images/generate", {"description": nothing}),
            ("/chapters/ch-1/images", {"scenes": [{"number": 3, "scene_description": nothing}]}),
        ):
            assert (await ann.post(path, asked)).body["code"] == "validation_failed", (path, nothing)
        reply = await ann.post("/events", {**event, "data": {"description": nothing}}, headers=headers)
        assert reply.body["code"] == "validation_failed"
    assert (await ann.post(SCENE, {})).body["code"] == "validation_failed", "as it is registered"
    [scene] = (await ann.post("/chapters/ch-1/images", {})).body["items"]
    assert (scene["outcome"], scene["code"]) == ("skipped", "not_described")
    assert (await ann.get("/jobs")).body["items"] == []


async def test_what_a_stand_in_can_draw_is_taken(gateway: Gateway, ann: Client) -> None:
    await gateway.hear(reported("square", "able"))
    assert (await ann.post(SCENE, {**ASKED, "aspect_ratio": "16:9"})).status == 202
    assert await refused(ann, provider="square", aspect_ratio="16:9") == (422, "beyond_provider", "/body/aspect_ratio")


async def test_nothing_is_refused_while_nobody_was_heard_of(ann: Client) -> None:
    assert (await ann.post(SCENE, {**ASKED, "provider": "nobody", "seed": 4})).status == 202


async def test_what_was_said_last_counts_and_a_clock_that_is_ahead_does_not_outlast_it(
    gateway: Gateway, ann: Client
) -> None:
    now = datetime.now(UTC)
    await gateway.hear(reported("square", at=now + timedelta(hours=1)), reported("able", at=now))
    assert (await refused(ann, seed=4))[1] == "beyond_provider"
    await gateway.hear(reported("able"))
    await gateway.hear(reported("square", at=now - timedelta(hours=1)))
    assert (await ann.post(SCENE, {**ASKED, "seed": 4})).status == 202


async def test_a_worker_says_what_it_can_do_beside_how_it_does(ann: Client, house: House) -> None:
    async with house.worker("image_generation", works={GenerateImage: _draw}) as worker:
        worker.bus.reporting.also = reported
        await worker.bus.reporting._say("working")

        async def is_known() -> bool:
            return bool(await house.value("SELECT count(*) FROM gateway.image_offers"))

        await until(is_known)
    assert (await refused(ann, seed=4))[1] == "beyond_provider"


async def _draw(_job: Any) -> None: ...


async def drawn(gateway: Gateway, client: Client, seconds: float, number: int, **asked: Any) -> None:
    """Have a scene drawn that took so long."""
    reply = await client.post(f"/chapters/ch-1/images/scenes/{number}", {**ASKED, **asked})
    voice = Voice(await client.job(reply.body["task_id"]))
    facts = {"object_key": "a", "sha256": "0" * 64, "size_bytes": 1, "content_type": "image/png", "width_px": 1}
    provider = asked.get("provider", "square")
    fact = voice.states(
        ImageGenerated,
        **facts,
        height_px=1,
        provider=provider,
        model="a model",
        generation_seconds=seconds,
        description="A lighthouse",
    )
    done = voice.says(JobCompleted, attempt=1, started_at="2025-01-01T00:00:00Z")
    await gateway.hear(fact, done)


async def test_how_long_it_takes_is_learnt_for_each_provider_and_shape(gateway: Gateway, ann: Client) -> None:
    async def estimate(**asked: Any) -> float:
        reply = await ann.post(f"/chapters/ch-2/images/scenes/{len(told)}", {**ASKED, **asked})
        told.append(reply.body["estimated_time_seconds"])
        return float(told[-1])

    told: list[float] = []
    await gateway.hear(reported())
    assert await estimate() == UNMEASURED_SECONDS
    for number in range(3):
        await drawn(gateway, ann, 40, number)
        await drawn(gateway, ann, 4, 10 + number, provider="able", aspect_ratio="16:9")
    assert await estimate() == 40, "the default is meant where nobody is named"
    assert await estimate(provider="able", aspect_ratio="16:9") == 4
    assert await estimate(provider="able") == 22, "of what was not drawn yet only what all took is known"


async def test_images_of_the_project_are_shown_as_an_example_and_no_others(
    gateway: Gateway, ann: Client, bob: Client, house: House
) -> None:
    store = Voice((await ann.post("/media/store", {"url": "https://example.org/a.jpg"})).body)
    stored = media_stored(store, source_url="https://example.org/a.jpg")
    await gateway.hear(stored)
    image = str(stored.asset_id)
    assert (await bob.post(SCENE, {**ASKED, "references": [image]})).body["code"] == "image_not_found"
    assert (await ann.post(SCENE, {**ASKED, "references": [image, str(store.job["id"])]})).status == 404

    reply = await ann.post(SCENE, {**ASKED, "references": [image]})
    assert reply.status == 202, reply.body

    async def said() -> list[GenerateImage]:
        return [one for one in await house.heard("image_generation") if isinstance(one, GenerateImage)]

    assert [one.references for one in await until(said)] == [(stored.original_key,)]

    await gateway.hear(reported())
    refusal = await refused(ann, references=[image])
    assert refusal == (422, "beyond_provider", "/body/references")


async def test_an_outsider_names_no_object_of_the_store(ann: Client, house: House) -> None:
    event = {"specversion": "1.0", "id": "1", "source": "shop", "type": GenerateImage.wire_name}
    data = {"description": "a lake", "references": ["media/originals/of/another.png"]}
    headers = {"Content-Type": "application/cloudevents+json"}
    assert (await ann.post("/events", {**event, "data": data}, headers=headers)).status == 202

    async def said() -> list[GenerateImage]:
        return [one for one in await house.heard("image_generation") if isinstance(one, GenerateImage)]

    [command] = await until(said)
    assert command.references == ()
