import asyncio
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from typing import Any

import pytest
from PIL import Image
from pydantic import ValidationError

from services.image_generation.providers import (
    Capabilities,
    Done,
    GenerationRequest,
    Means,
    Provider,
    Submitted,
    Wish,
    chosen,
    open_providers,
    request_for,
)
from services.image_generation.rules import Pace
from shared.errors import Refused

Confined = Callable[[bytes, dict[str, Any]], tuple[dict[str, Any], list[bytes]]]
MODEST = Capabilities(
    costs_money=True,
    seeds=False,
    negative_prompts=False,
    most_samples=2,
    pace=Pace(1, 1),
    aspect_ratios=("1:1", "16:9"),
    longest_side_px=512,
)


async def run_here(function: Confined, payload: bytes, **options: Any) -> tuple[dict[str, Any], list[bytes]]:
    return await asyncio.to_thread(function, payload, options)


def sketch(**settings: Any) -> Provider:
    return open_providers({"sketch": settings}, Means(run_confined=run_here))["sketch"]


def asked(provider: Provider, wish: Wish) -> GenerationRequest:
    return request_for(provider.name, provider.capabilities, wish, seed=1)


async def test_a_request_is_drawn_as_often_as_asked_in_the_size_asked() -> None:
    provider = sketch(pixels=20_000)
    request = asked(provider, Wish("a boat on a lake", style="oil", aspect_ratio="16:9", seed=4, samples=2))

    done = await provider.poll(await provider.submit(request))

    assert isinstance(done, Done)
    assert [picture.seed for picture in done.pictures] == [4, 5]
    for picture in done.pictures:
        with Image.open(BytesIO(picture.body)) as image:
            assert image.format == "PNG"
            assert image.size == (picture.width_px, picture.height_px) == (request.width_px, request.height_px)
    assert done.pictures[0].body != done.pictures[1].body
    assert "procedural" in done.model
    assert len(done.provenance["samples"]) == 2


async def test_another_process_resumes_from_what_was_stored() -> None:
    request = asked(sketch(pixels=9_000), Wish("a lake", seed=4))
    submitted = await sketch().submit(request)
    stored = Submitted(str(submitted.request_id), dict(submitted.resume))

    first, second = await sketch().poll(submitted), await sketch().poll(stored)

    assert first == second


async def test_each_request_has_a_name_of_its_own() -> None:
    provider = sketch()
    request = asked(provider, Wish("a lake", seed=4))
    other = request.model_copy(update={"seed": 5})

    names = [(await provider.submit(one)).request_id for one in (request, request, other)]

    assert names[0] == names[1] != names[2]


async def test_letting_go_of_a_sketch_is_always_possible() -> None:
    provider = sketch()
    await provider.cancel(Submitted("sketch-unknown"))


def test_the_sketch_is_free_and_says_what_it_can() -> None:
    capabilities = sketch().capabilities

    assert not capabilities.costs_money
    assert capabilities.seeds
    assert capabilities.negative_prompts
    assert "watercolour" in capabilities.styles


async def test_notes_reach_the_person_who_asked() -> None:
    provider = sketch(pixels=9_000)
    request = asked(provider, Wish("a zorp", style="hyperreal", seed=1, samples=2))

    done = await provider.poll(await provider.submit(request))

    assert isinstance(done, Done)
    assert len(done.notes) == 2, "each is said once, not once per sample"


@pytest.mark.parametrize(
    ("wish", "code", "reason"),
    [
        (Wish("a lake", aspect_ratio="21:9"), "aspect_ratio_unsupported", "it draws 1:1, 16:9"),
        (Wish("a lake", negative_prompt="birds"), "negative_prompt_unsupported", "leave it out"),
        (Wish("a lake", seed=0), "seed_unsupported", "whatever the seed"),
        (Wish("a lake", samples=3), "samples_unsupported", "at most 2"),
        (Wish("a lake", references=1), "references_unsupported", "at most 0"),
    ],
)
def test_a_wish_for_more_than_a_provider_can_is_refused_with_the_reason(wish: Wish, code: str, reason: str) -> None:
    with pytest.raises(Refused, match=reason) as refusal:
        request_for("modest", MODEST, wish, seed=1)

    assert refusal.value.code == code
    assert "modest" in refusal.value.sentence


def test_a_wish_that_fits_is_asked_for_as_it_is() -> None:
    able = replace(MODEST, negative_prompts=True)
    wish = Wish("a lake", style="oil", aspect_ratio="16:9", negative_prompt="birds", samples=2)

    request = request_for("able", able, wish, seed=1, track_id="ours")

    assert (request.aspect_ratio, request.negative_prompt, request.style) == ("16:9", "birds", "oil")
    assert (request.seed, request.samples, request.track_id) == (1, 2, "ours")
    assert max(request.width_px, request.height_px) <= 512


def test_the_default_provider_draws_where_none_is_named() -> None:
    providers = open_providers({"sketch": {}}, Means(run_confined=run_here))

    assert chosen(providers, None, "sketch") is providers["sketch"]
    assert chosen(providers, "sketch", "other") is providers["sketch"]


def test_a_provider_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(Refused, match="midjourney") as refusal:
        open_providers({"midjourney": {}}, Means(run_confined=run_here))
    assert refusal.value.code == "provider_unknown"

    with pytest.raises(Refused, match="choose one of sketch"):
        chosen(open_providers({"sketch": {}}, Means(run_confined=run_here)), "flux", "sketch")


def test_each_is_called_as_the_settings_call_it() -> None:
    told = {"small": {"kind": "sketch", "pixels": 64 * 64}, "sketch": {"name": "other"}}
    providers = open_providers(told, Means(run_confined=run_here))
    assert {name: provider.name for name, provider in providers.items()} == {"small": "small", "sketch": "sketch"}
    with pytest.raises(ValidationError):
        open_providers({"not a name": {"kind": "sketch"}}, Means(run_confined=run_here))


def test_settings_that_make_no_sense_are_refused_at_the_start() -> None:
    with pytest.raises(ValidationError):
        sketch(pixels=3)
    with pytest.raises(ValidationError):
        sketch(colour="red")
