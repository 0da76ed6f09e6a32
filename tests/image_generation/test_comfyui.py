"""ComfyUI over real HTTP and a real WebSocket."""

from collections.abc import AsyncIterator

import pytest

from services.image_generation.providers import (
    Done,
    GenerationRequest,
    Pending,
    Provider,
    Submitted,
    Watched,
    Wish,
    request_for,
)
from services.image_generation.providers.comfyui import WORKFLOW
from services.image_generation.rules.trouble import Delayed, Denied, Trouble
from tests.image_generation.ateliers import HTML, PICTURE, VANISHING, ComfyServer, Reply, opened
from tests.image_generation.painters import wish
from tests.image_generation.shift import Shift
from tests.living import House


@pytest.fixture
async def server() -> AsyncIterator[ComfyServer]:
    async with ComfyServer() as server:
        yield server


@pytest.fixture
async def comfyui(server: ComfyServer) -> AsyncIterator[Provider]:
    async with opened(server) as [provider]:
        yield provider


def lake(provider: Provider, *, seed_asked_for: bool = True) -> GenerationRequest:
    wish = Wish("a lake", seed=4, negative_prompt="birds", seed_asked_for=seed_asked_for)
    return request_for(provider.name, provider.capabilities, wish, seed=1)


async def test_a_workflow_is_filled_in_and_its_picture_copied(server: ComfyServer, comfyui: Provider) -> None:
    submitted = await comfyui.submit(lake(comfyui))
    waiting = await comfyui.poll(submitted)
    done = await comfyui.poll(submitted)

    assert isinstance(waiting, Pending)
    assert isinstance(done, Done)
    assert [picture.body for picture in done.pictures] == [PICTURE], "previews are no output"
    for told in ('"text":"a lake"', '"text":"birds"', '"seed":4', '"ckpt_name":"small.safetensors"'):
        assert told in server.seen[0]


@pytest.mark.parametrize(("seed", "told"), [("$seed", [4, None]), (5, [None, None])])
async def test_a_seed_is_told_where_it_leads_to_the_picture(
    server: ComfyServer, seed: object, told: list[int | None]
) -> None:
    sampler = {**WORKFLOW["sampler"], "inputs": {**WORKFLOW["sampler"]["inputs"], "seed": seed}}
    server.polls_until_done, server.pictures = 0, 2
    async with opened(server, workflow={**WORKFLOW, "sampler": sampler}) as [provider]:
        request = lake(provider, seed_asked_for=False).model_copy(update={"samples": 2})
        done = await provider.poll(await provider.submit(request))
    assert isinstance(done, Done)
    assert [picture.seed for picture in done.pictures] == told


async def test_the_sampler_s_steps_are_heard_and_nobody_else_s(comfyui: Provider) -> None:
    submitted = await comfyui.submit(lake(comfyui))
    told: list[Pending] = []

    assert isinstance(comfyui, Watched)
    await comfyui.watch(submitted, 20, told.append)

    assert [pending.progress for pending in told] == [0.25, 0.5, 0.75, 1.0]


async def test_another_process_hears_them_too(server: ComfyServer) -> None:
    async with opened(server) as [first]:
        submitted = await first.submit(lake(first))
    told: list[Pending] = []
    async with opened(server) as [second]:
        assert isinstance(second, Watched)
        await second.watch(Submitted(submitted.request_id, dict(submitted.resume)), 20, told.append)

    assert len(told) == 4


async def test_without_a_socket_the_time_is_waited_all_the_same(server: ComfyServer, comfyui: Provider) -> None:
    submitted = await comfyui.submit(lake(comfyui))
    await server.__aexit__()

    assert isinstance(comfyui, Watched)
    await comfyui.watch(submitted, 0.05, pytest.fail)


async def test_the_place_in_the_queue_is_told(server: ComfyServer, comfyui: Provider) -> None:
    server.polls_until_done, server.ahead = 10, 3
    submitted = await comfyui.submit(lake(comfyui))

    assert await comfyui.poll(submitted) == Pending(ahead=3)
    server.ahead = 0
    assert await comfyui.poll(submitted) == Pending(ahead=0)


async def test_an_error_of_the_workflow_is_told(server: ComfyServer, comfyui: Provider) -> None:
    server.error, server.polls_until_done = "CUDA out of memory", 0
    submitted = await comfyui.submit(lake(comfyui))

    with pytest.raises(Delayed, match="CUDA out of memory") as failure:
        await comfyui.poll(submitted)
    assert failure.value.trouble is Trouble.FAILED


async def test_what_it_forgot_in_a_restart_is_never_taken_for_done(server: ComfyServer, comfyui: Provider) -> None:
    server.forgets = True
    submitted = await comfyui.submit(lake(comfyui))

    with pytest.raises(Delayed) as failure:
        await comfyui.poll(submitted)
    assert failure.value.trouble is Trouble.FAILED


async def test_where_it_is_paid_a_forgotten_request_is_not_made_again(server: ComfyServer) -> None:
    server.forgets = True
    async with opened(server, paid=True) as [provider]:
        submitted = await provider.submit(lake(provider))
        with pytest.raises(Denied) as failure:
            await provider.poll(submitted)
    assert failure.value.code == "outcome_unknown"


@pytest.mark.parametrize(
    ("reply", "trouble"),
    [
        (
            Reply({"error": {"type": "prompt_outputs_failed_validation", "message": "bad"}, "node_errors": {}}, 400),
            "wish",
        ),
        (Reply({"node_errors": {"3": {"errors": ["no such checkpoint"]}}}, 400), "wish"),
        (HTML, "passing"),
        (VANISHING, "passing"),
    ],
)
async def test_errors_are_sorted(server: ComfyServer, comfyui: Provider, reply: Reply, trouble: str) -> None:
    server.next.append(reply)

    with pytest.raises((Denied, Delayed)) as failure:
        await comfyui.submit(lake(comfyui))

    assert failure.value.trouble == trouble


async def test_a_checkpoint_may_have_a_long_name(house: House) -> None:
    name = f"{'folder/' * 26}small.safetensors"
    async with ComfyServer() as server:
        server.polls_until_done = 0
        async with opened(server, checkpoint=name) as [provider]:
            outcomes = await Shift(house, {"comfyui": provider}).work([command := wish()])
    assert (outcomes[command.job_id].state, outcomes[command.job_id].code) == ("completed", None)


async def test_what_is_wrong_with_a_workflow_is_said(server: ComfyServer, comfyui: Provider) -> None:
    wrong = {"type": "value_not_in_list", "message": "Value not in list", "details": "ckpt_name: 'small' not in []"}
    error = {"type": "prompt_outputs_failed_validation", "message": "Prompt outputs failed validation", "details": ""}
    errors = {"model": {"errors": [wrong], "dependent_outputs": ["saved"], "class_type": "CheckpointLoaderSimple"}}
    for node_errors in (errors, {"model": 5}, [], None):
        server.next.append(Reply({"error": error, "node_errors": node_errors}, 400))
        with pytest.raises(Denied, match="Prompt outputs failed validation") as failure:
            await comfyui.submit(lake(comfyui))
        assert (failure.value.trouble, failure.value.code) == (Trouble.WISH, "provider_refused")
        told = "Value not in list: ckpt_name: 'small' not in []" in failure.value.sentence
        assert told == (node_errors is errors)


async def test_a_request_can_be_taken_back(server: ComfyServer, comfyui: Provider) -> None:
    await comfyui.cancel(await comfyui.submit(lake(comfyui)))

    assert server.cancelled == ["/queue", "/interrupt"]


async def test_who_takes_a_request_back_that_waits_interrupts_nobody(server: ComfyServer, comfyui: Provider) -> None:
    """Older servers interrupt what they draw, whoever is named."""
    server.ahead = 2
    await comfyui.cancel(await comfyui.submit(lake(comfyui)))

    assert server.cancelled == ["/queue"]
