"""Something is delivered to a stranger: once, wherever it leads, and whatever he answers is told."""

import pytest

from shared.errors import Refused, TryAgain
from tests.shared.inner_places import INNER_URLS
from tests.shared.outer_world import INNER_NAMES, World
from tests.shared.strangers import answer, redirect


async def deliver(world: World, path: str = "/", **options: float) -> tuple[int, bytes]:
    limits = {"keep_bytes": 10, "deadline_seconds": 10.0, **options}
    headers = {"Content-Type": "text/plain"}
    done = await world.outbound.deliver(f"http://example.com{path}", b"news", headers=headers, **limits)  # type: ignore[arg-type]  # options are passed on as they are
    return done.status, done.beginning


@pytest.mark.parametrize("status", [200, 204, 301, 400, 410, 500, 599])
async def test_whatever_is_answered_is_told_with_how_it_begins(world: World, status: int) -> None:
    world.stranger.otherwise = answer(b"" if status == 204 else b"0123456789abc", status=status)
    assert await deliver(world) == (status, b"" if status == 204 else b"0123456789")
    (asked,) = world.stranger.asked
    assert (asked.method, asked.body, asked.headers["content-type"]) == ("POST", b"news", "text/plain")


async def test_patience_that_is_asked_for_is_told(world: World) -> None:
    world.stranger.otherwise = answer(status=503, headers=[("Retry-After", "120")])
    told = await world.outbound.deliver("http://example.com/", b"", keep_bytes=1, deadline_seconds=10)
    assert (told.retry_after_seconds, told.is_success, told.is_redirect) == (120, False, False)


async def test_a_redirect_is_told_and_not_followed(world: World) -> None:
    world.stranger.answers["/"] = redirect("http://other.example/", 307)
    assert (await deliver(world))[0] == 307
    assert len(world.dialled) == 1


async def test_a_body_without_end_is_left_where_it_is(world: World) -> None:
    world.stranger.otherwise = answer(b"x" * 5_000_000)
    assert await deliver(world) == (200, b"x" * 10)


async def test_a_body_that_does_not_come_is_not_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.fetch.answers._BEGINNING_SECONDS", 0.1)
    world.stranger.otherwise = answer(b"", headers=[("Content-Length", "10")], declared=False)
    assert (await deliver(world))[0] == 200


async def test_who_does_not_answer_in_time_may_be_asked_again(world: World) -> None:
    world.stranger.hangs.add("/")
    with pytest.raises(TryAgain) as failure:
        await deliver(world, deadline_seconds=0.1)
    assert failure.value.code == "fetch_timeout"


async def test_nothing_is_delivered_to_an_inner_place(world: World) -> None:
    for url in [*INNER_URLS, *(f"http://{name}/" for name in INNER_NAMES)]:
        with pytest.raises(Refused):
            await world.outbound.deliver(url, b"news", keep_bytes=1, deadline_seconds=10)
    assert world.dialled == []
    assert world.stranger.connections == 0
