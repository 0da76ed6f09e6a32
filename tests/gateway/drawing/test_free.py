"""Pictures that belong to no scene are drawn with all that can be said of them."""

from uuid import UUID

import pytest

from contracts.image_generation import GenerateImage
from tests.gateway.drawing.studios import complete, draw, fail, keep, reported
from tests.gateway.living import Client, Gateway, Voice
from tests.gateway.people.asking import refused
from tests.gateway.sayings import media_stored, said_to, video_stored
from tests.living import House


async def test_a_picture_is_drawn_as_it_is_asked_for(gateway: Gateway, ann: Client, house: House) -> None:
    await gateway.hear(reported())
    asked = {"description": "A lake", "style": "ink", "aspect_ratio": "16:9", "negative_prompt": "people", "seed": 3}
    asked |= {"samples": 2, "provider": "seeding", "user_tier": "premium", "pipeline": ["describe"]}
    reply = await ann.post("/images/generate", asked, headers={"Idempotency-Key": "k"})
    assert reply.status == 202, reply.body
    again = await ann.post("/images/generate", asked, headers={"Idempotency-Key": "k"})
    assert again.body == reply.body
    [said] = await said_to(house, "image_generation")
    assert isinstance(said, GenerateImage)
    heard = said.model_dump(include={"description", "style", "aspect_ratio", "negative_prompt", "seed", "samples"})
    assert heard == {name: asked[name] for name in heard}
    assert (said.provider, said.priority, said.pipeline) == ("seeding", 30, ("describe",))

    await complete(gateway, ann, reply.body["job"]["id"], samples=2)
    assert (await ann.job(reply.body["job"]["id"]))["state"] == "completed"


async def test_it_is_drawn_anew_by_what_was_said_before(
    gateway: Gateway, ann: Client, bob: Client, house: House
) -> None:
    await gateway.hear(reported())
    first = (await ann.post("/images/generate", {"description": "A lake", "style": "ink", "seed": 3})).body["job"]["id"]
    voice = await complete(gateway, ann, first)
    image = str((await keep(gateway, voice)).asset_id)
    await said_to(house, "image_generation")
    taken = await ann.post("/images/generate", {"from_job_id": first, "references": [image]})
    assert (taken.status, taken.body["from_job_id"]) == (202, first)
    [said] = await said_to(house, "image_generation")
    assert isinstance(said, GenerateImage)
    assert (said.description, said.style, len(said.references)) == ("A lake", "ink", 1)
    assert said.seed not in {None, 3}
    assert refused(await bob.post("/images/generate", {"from_job_id": first})) == (404, "job_not_found")
    probe = (await ann.post("/probes", {"service": "media"})).body["id"]
    assert refused(await ann.post("/images/generate", {"from_job_id": probe})) == (404, "job_not_found")


async def test_what_is_left_out_is_as_it_was_before_and_what_is_said_is_not(
    gateway: Gateway, ann: Client, house: House
) -> None:
    await gateway.hear(reported())
    first = (await ann.post("/images/generate", {"description": "A hill"})).body["job"]["id"]
    image = str((await keep(gateway, await complete(gateway, ann, first))).asset_id)
    asked = {"description": "A lake", "samples": 2, "user_tier": "pro", "pipeline": ["describe"], "references": [image]}
    before = (await ann.post("/images/generate", asked)).body["job"]["id"]
    await said_to(house, "image_generation")

    await ann.post("/images/generate", {"from_job_id": before})
    otherwise = {"samples": 1, "user_tier": "free", "pipeline": [], "references": []}
    await ann.post("/images/generate", {"from_job_id": before, **otherwise})
    same, other = [one for one in await said_to(house, "image_generation") if isinstance(one, GenerateImage)]
    assert (same.samples, same.priority, same.pipeline, len(same.references)) == (2, 20, ("describe",), 1)
    assert (other.samples, other.priority, other.pipeline, other.references) == (1, 0, (), ())


async def test_nobody_is_shown_an_original_as_an_example(gateway: Gateway, ann: Client, house: House) -> None:
    photograph, film = [
        Voice((await ann.post("/media/store", {"url": f"https://example.org/{name}"})).body) for name in ("a", "b")
    ]
    stored = media_stored(photograph)
    assert stored.clean_copy is not None
    copy = stored.clean_copy.model_copy(update={"key": "media/renditions/a/clean.jpg"})
    stored = stored.model_copy(update={"clean_copy": copy})
    filmed = video_stored(film, sha256="cd" * 32)
    await gateway.hear(stored, filmed)
    shown = [str(one.asset_id) for one in (filmed, stored)]
    await ann.post("/images/generate", {"description": "A lake", "references": shown})
    said = [one for one in await said_to(house, "image_generation") if isinstance(one, GenerateImage)]
    assert [key.rpartition("/")[2] for key in said[0].references] == ["250.webp", "clean.jpg"]


async def shown_anew(house: House) -> list[str]:
    said = [one for one in await said_to(house, "image_generation") if isinstance(one, GenerateImage)]
    return [key.rpartition("/")[2] for key in said[-1].references]


async def of_old(house: House, task: str, *keys: str) -> None:
    """Have a request name originals, as they did before clean copies were made."""
    await house.admin.execute(
        "UPDATE gateway.jobs SET request = jsonb_set(request, '{references}', $2) WHERE id = $1", UUID(task), list(keys)
    )


@pytest.mark.parametrize("how", ["anew", "retried", "a version"])
async def test_a_request_that_was_kept_before_there_were_clean_copies_shows_no_original_either(
    gateway: Gateway, ann: Client, house: House, how: str
) -> None:
    await gateway.hear(reported())
    photograph = Voice((await ann.post("/media/store", {"url": "https://example.org/a"})).body)
    stored = media_stored(photograph)
    assert stored.clean_copy is not None
    copy = stored.clean_copy.model_copy(update={"key": "media/renditions/a/clean.jpg"})
    await gateway.hear(stored.model_copy(update={"clean_copy": copy}))
    gone = f"media/originals/ef/{'ef' * 32}.png"
    task = (await draw(ann)).body["task_id"]
    await of_old(house, task, gone, stored.original_key, "media/renditions/b/250.webp")
    if how == "retried":
        await fail(gateway, ann, task)
        assert (await ann.post("/jobs/retry", {"ids": [task]})).status == 202
    else:
        await keep(gateway, await complete(gateway, ann, task))
        again = ("/images/generate", {"from_job_id": task})
        version = ("/chapters/c/images/scenes/1/versions/1/regenerate", {})
        assert (await ann.post(*(version if how == "a version" else again))).status == 202
    assert await shown_anew(house) == ["clean.png", "clean.jpg", "250.webp"]


async def test_what_nobody_draws_is_refused_and_what_says_nothing_too(gateway: Gateway, ann: Client) -> None:
    await gateway.hear(reported())
    for wrong in ({}, {"description": ""}, {"description": "x", "samples": 9}, {"description": "x", "samples": "2"}):
        assert (await ann.post("/images/generate", wrong)).status == 422, wrong
    reply = await ann.post("/images/generate", {"description": "A lake", "samples": 5})
    assert (refused(reply), reply.body["errors"][0]["pointer"]) == ((422, "beyond_provider"), "/body/samples")
