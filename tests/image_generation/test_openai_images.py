"""Endpoints that speak OpenAI's images, over real HTTP."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import ValidationError

from services.image_generation.providers import Done, GenerationRequest, Provider, Wish, request_for, wire
from services.image_generation.providers.openai_images import OpenAISettings
from services.image_generation.rules.trouble import Delayed, Denied, Trouble
from shared.errors import Failure, Refused, TryAgain
from tests.image_generation.ateliers import HTML, KEY, PICTURE, VANISHING, OpenAIServer, Reply, opened


@pytest.fixture
async def server() -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer() as server:
        yield server


@pytest.fixture
async def openai(server: OpenAIServer) -> AsyncIterator[Provider]:
    async with opened(server) as [provider]:
        yield provider


def lake(provider: Provider, **wish: object) -> GenerationRequest:
    return request_for(provider.name, provider.capabilities, Wish("a lake", **wish), seed=1)  # type: ignore[arg-type]  # fields of a wish


async def test_pictures_that_come_with_the_answer_are_all_there(server: OpenAIServer, openai: Provider) -> None:
    submitted = await openai.submit(lake(openai, samples=2))

    assert submitted.done is not None
    assert [picture.body for picture in submitted.done.pictures] == [PICTURE, PICTURE]
    assert server.keys == {f"Bearer {KEY}"}


async def test_no_more_is_read_than_was_asked_for_and_what_is_whole_is_kept(
    server: OpenAIServer, openai: Provider
) -> None:
    one = {"b64_json": base64.b64encode(PICTURE).decode()}
    server.next += [Reply({"data": [one] * 9}), Reply({"data": [one, {"b64_json": "AAAA"}]})]
    for samples in (1, 2):
        submitted = await openai.submit(lake(openai, samples=samples))
        assert submitted.done is not None
        assert [picture.body for picture in submitted.done.pictures] == [PICTURE]


async def test_what_is_said_beside_the_pictures_is_no_refusal(server: OpenAIServer, openai: Provider) -> None:
    one = {"b64_json": base64.b64encode(PICTURE).decode()}
    server.next.append(Reply({"data": [one], "error": None, "detail": "drawn in 3 s"}))
    submitted = await openai.submit(lake(openai))
    assert submitted.done is not None
    assert len(submitted.done.pictures) == 1


async def test_links_are_kept_and_their_pictures_copied_without_the_key(server: OpenAIServer, openai: Provider) -> None:
    server.links, server.missing_pictures = True, 1
    submitted = await openai.submit(lake(openai))

    assert submitted.done is None
    assert not isinstance(await openai.poll(submitted), Done)
    done = await openai.poll(submitted)
    assert isinstance(done, Done)
    assert done.pictures[0].body == PICTURE


BYTES = base64.b64encode(PICTURE).decode()


@pytest.mark.parametrize(
    "one",
    [
        {"b64_json": BYTES, "url": ""},
        {"b64_json": BYTES, "url": "https://127.0.0.1:9/which-leads-nowhere.png"},
        {"url": f"data:image/png;base64,{BYTES}"},
    ],
)
async def test_bytes_that_are_here_are_read_whatever_stands_beside_them(
    server: OpenAIServer, openai: Provider, one: dict[str, str]
) -> None:
    server.next.append(Reply({"data": [one]}))
    submitted = await openai.submit(lake(openai))
    assert submitted.done is not None
    assert [picture.body for picture in submitted.done.pictures] == [PICTURE]


@pytest.mark.parametrize("turned", [False, True])
async def test_of_an_answer_that_mixes_links_and_bytes_both_are_kept(
    server: OpenAIServer, openai: Provider, *, turned: bool
) -> None:
    data = [{"b64_json": BYTES}, {"url": f"{server.origin}/out/a.png"}]
    server.next.append(Reply({"data": data[::-1] if turned else data}))
    server.missing_pictures = 1
    submitted = await openai.submit(lake(openai, samples=2))
    assert submitted.done is not None
    assert [picture.body for picture in submitted.done.pictures] == [PICTURE, PICTURE]


@pytest.mark.parametrize("link", ["/out/never.png", "http://127.0.0.1:9/a.png"])
async def test_a_link_among_bytes_that_leads_nowhere_loses_nothing_else_and_is_no_reason_to_pay_again(
    server: OpenAIServer, openai: Provider, monkeypatch: pytest.MonkeyPatch, link: str
) -> None:
    monkeypatch.setattr(wire, "_PAUSES_SECONDS", (0, 0, 0))
    server.never_there = {"never.png"}
    leading = link if link.startswith("http") else server.origin + link
    server.next.append(Reply({"data": [{"url": leading}, {"b64_json": BYTES}]}))
    submitted = await openai.submit(lake(openai, samples=2))
    assert submitted.done is not None
    assert [picture.body for picture in submitted.done.pictures] == [PICTURE]


@pytest.mark.parametrize("size", ["auto", "1024*1024", "1000x300"])
def test_sizes_in_which_nothing_can_be_drawn_end_the_start(size: str) -> None:
    with pytest.raises(ValidationError, match="name a size"):
        OpenAISettings(sizes=(size,))
    assert OpenAISettings(sizes=(size, "1024x1024")).sizes[1] == "1024x1024"


async def test_the_size_is_one_that_the_model_draws(server: OpenAIServer, openai: Provider) -> None:
    await openai.submit(lake(openai, aspect_ratio="3:2"))

    assert '"size":"1536x1024"' in server.seen[0]
    assert openai.capabilities.aspect_ratios == ("1:1", "3:2", "2:3")
    with pytest.raises(Refused) as refusal:
        lake(openai, seed=4)
    assert refusal.value.code == "seed_unsupported"


@pytest.mark.parametrize("failures", [2, 99])
async def test_a_picture_that_was_paid_for_is_not_given_up_because_this_machine_is_busy(
    monkeypatch: pytest.MonkeyPatch, *, failures: int
) -> None:
    monkeypatch.setattr(wire, "_PAUSES_SECONDS", (0, 0, 0))
    tried: list[bytes] = []

    async def busy(function: Any, payload: bytes, **_: Any) -> Any:
        tried.append(payload)
        if len(tried) <= failures:
            raise TryAgain("machine_too_busy", "It has no time.")
        return function(payload, {})

    nobody: Any = None
    looking = wire.Wire("openai", nobody, busy)
    if failures < len(wire._PAUSES_SECONDS):
        assert (await looking.measured(PICTURE, None)).width_px == 64
    else:
        with pytest.raises(TryAgain, match="machine_too_busy"):
            await looking.measured(PICTURE, None)
        assert len(tried) == 4


@pytest.mark.parametrize(
    ("reply", "trouble"),
    [
        (Reply({"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}}, 401), Trouble.KEY),
        (Reply({"error": {"message": "Billing hard limit has been reached"}}, 400), Trouble.CREDIT),
        (Reply({"error": {"message": "blocked by our safety system", "code": "moderation"}}, 400), Trouble.WISH),
        (Reply({"error": {"message": "Rate limit reached"}}, 429), Trouble.BUSY),
        (Reply({"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}, 429), Trouble.CREDIT),
        (Reply({"error": {"message": "The server had an error"}}, 500), Trouble.PASSING),
        (Reply({"detail": "no such model"}, 422), Trouble.WISH),
        (HTML, Trouble.PASSING),
        (Reply({"created": 1, "data": []}), Trouble.UNKNOWN),
        (Reply({"created": 1, "data": [{"b64_json": "bm90aGluZw=="}]}), Trouble.BROKEN),
        (VANISHING, Trouble.UNKNOWN),
    ],
)
async def test_errors_are_sorted(server: OpenAIServer, openai: Provider, reply: Reply, trouble: Trouble) -> None:
    server.next.append(reply)

    with pytest.raises(Failure) as failure:
        await openai.submit(lake(openai))

    assert isinstance(failure.value, Denied | Delayed)
    assert failure.value.trouble is trouble
    assert KEY not in failure.value.sentence


async def test_a_server_of_ones_own_may_be_asked_again(server: OpenAIServer) -> None:
    server.next.append(VANISHING)
    async with opened(server, paid=False) as [provider]:
        with pytest.raises(Delayed) as failure:
            await provider.submit(lake(provider))

    assert failure.value.trouble is Trouble.PASSING
