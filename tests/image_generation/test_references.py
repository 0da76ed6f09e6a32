"""Pictures that are shown as an example reach the provider, each in its way, before anything is paid for."""

from typing import Any

import pytest

from contracts.image_generation import GenerateImage
from services.image_generation.providers import (
    Done,
    GenerationRequest,
    Provider,
    Reference,
    Wish,
    offer_of,
    request_for,
)
from services.image_generation.providers.comfyui import WORKFLOW
from shared.errors import Refused
from tests.image_generation.ateliers import PICTURE, ComfyServer, ModelsLabServer, OpenAIServer, drawn, opened
from tests.image_generation.painters import Painter
from tests.image_generation.shift import Outcome, Shift
from tests.living import House, lineage

FIRST, SECOND = (
    Reference(drawn(colour), "image/png", f"https://objects.example/{colour}.png") for colour in ("red", "blue")
)


def shown(provider: Provider, *references: Reference) -> GenerationRequest:
    wish = Wish("a lake", references=len(references))
    request = request_for(provider.name, provider.capabilities, wish, seed=1, track_id="ours")
    return request.model_copy(update={"references": references})


async def test_openai_is_sent_their_files_in_order() -> None:
    async with OpenAIServer() as server, opened(server) as [provider]:
        submitted = await provider.submit(shown(provider, FIRST, SECOND))

    assert server.shown == [FIRST.body, SECOND.body]
    assert server.said == {"model": "gpt-image-1", "prompt": "a lake", "n": "1", "size": "1024x1024"}
    assert submitted.done is not None
    assert [picture.body for picture in submitted.done.pictures] == [PICTURE]


async def test_modelslab_is_told_where_they_are() -> None:
    async with ModelsLabServer() as server, opened(server, most_references=2) as [provider]:
        submitted = await provider.submit(shown(provider, FIRST, SECOND))
        assert isinstance(await provider.poll(submitted), Done)

    assert server.seen[0].startswith("POST /api/v7/images/image-to-image")
    assert f'"init_image":["{FIRST.url}","{SECOND.url}"]' in server.seen[0]


async def test_comfyui_loads_what_was_laid_into_its_inputs() -> None:
    load = {"class_type": "LoadImage", "inputs": {"image": "$reference"}}
    async with ComfyServer() as server, opened(server, workflow={**WORKFLOW, "example": load}) as [provider]:
        await provider.submit(shown(provider, FIRST))

    [(name, body)] = server.uploads.items()
    assert body == FIRST.body
    assert server.workflows[0]["example"]["inputs"]["image"] == f"inputs/{name}"


async def test_a_workflow_that_loads_a_picture_is_not_begun_without_one() -> None:
    load = {"class_type": "LoadImage", "inputs": {"image": "$reference"}}
    async with ComfyServer() as server, opened(server, workflow={**WORKFLOW, "example": load}) as [provider]:
        with pytest.raises(Refused, match="has to be shown a picture") as refusal:
            shown(provider)
        assert (refusal.value.code, offer_of("comfyui", provider.capabilities).least_references) == (
            "references_needed",
            1,
        )


@pytest.mark.parametrize(("server", "most"), [(OpenAIServer(), 4), (ModelsLabServer(), 0), (ComfyServer(), 0)])
async def test_each_says_how_many_it_takes(server: Any, most: int) -> None:
    async with server, opened(server) as [provider]:
        assert provider.capabilities.most_references == most


class Curious(Painter):
    """Remembers what it was shown."""

    shown: tuple[Reference, ...] = ()

    async def submit(self, request: GenerationRequest) -> Any:
        self.shown = request.references
        return await super().submit(request)


async def made(house: House, painter: Painter, objects: dict[str, bytes], *keys: str) -> Outcome:
    shift = Shift(house, {"painter": painter}, objects=objects)
    command = GenerateImage(**lineage(), description="a lake", references=keys)
    return (await shift.work([command]))[command.job_id]


async def test_stored_pictures_are_shown(house: House) -> None:
    painter = Curious(most_references=1)
    outcome = await made(house, painter, {"media/a.png": PICTURE}, "media/a.png")

    assert outcome.state == "completed"
    assert [(one.body, one.content_type) for one in painter.shown] == [(PICTURE, "image/png")]
    assert painter.shown[0].url.startswith("https://objects.example/media/a.png")


@pytest.mark.parametrize(
    ("held", "code"),
    [
        ({}, "reference_missing"),
        ({"media/a.png": b"<html>"}, "reference_unreadable"),
        ({"media/a.png": PICTURE + bytes(20 * 1024 * 1024)}, "reference_too_large"),
    ],
)
async def test_what_cannot_be_shown_is_said_before_anything_is_paid_for(
    house: House, held: dict[str, bytes], code: str
) -> None:
    painter = Curious(most_references=1)
    outcome = await made(house, painter, held, "media/a.png")
    assert (outcome.state, outcome.code, painter.asked) == ("failed", code, 0)


async def test_who_takes_none_is_not_asked(house: House) -> None:
    painter = Curious()
    outcome = await made(house, painter, {"media/a.png": PICTURE}, "media/a.png")
    assert (outcome.code, painter.asked) == ("references_unsupported", 0)
