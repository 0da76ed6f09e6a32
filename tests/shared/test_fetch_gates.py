"""Each host that is asked has a gate, those included that others send us on to."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from shared.addresses import Url
from shared.errors import Failure, Refused, TryAgain
from tests.shared.outer_world import World
from tests.shared.strangers import answer, redirect


class Gates:
    """Notes whom it lets in and what came of it, and closes when it is told to."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.closed = False

    @asynccontextmanager
    async def at(self, place: Url) -> AsyncIterator[None]:
        if self.closed:
            raise TryAgain("host_busy", "Later.", rate_limited=True)
        self.told.append(f"in {place.host}")
        try:
            yield
        except Failure as failure:
            self.told.append(f"{failure.code} {place.host}")
            raise
        self.told.append(f"out {place.host}")


async def test_each_host_is_entered_by_its_gate_and_left_before_the_next(world: World, tmp_path: Path) -> None:
    world.stranger.answers |= {"/": redirect("http://other.example/moved"), "/moved": answer(status=404)}
    gates = Gates()
    with pytest.raises(Refused, match="http_404"):
        await world.outbound.save(
            "http://example.com/", tmp_path / "a", max_bytes=100, deadline_seconds=10, gate=gates.at
        )
    assert gates.told == ["in example.com", "out example.com", "in other.example", "http_404 other.example"]


async def test_a_gate_that_closes_before_the_rest_is_asked_for_is_not_knocked_at_again(
    world: World, tmp_path: Path
) -> None:
    broken = b'HTTP/1.1 200 X\r\nETag: "v"\r\nConnection: close\r\nContent-Length: 9\r\n\r\nabc'
    world.stranger.answers["/"] = broken
    gates = Gates()

    def close(_received: int, _total: int | None) -> None:
        gates.closed = True

    with pytest.raises(TryAgain, match="host_busy"):
        await world.outbound.save(
            "http://example.com/",
            tmp_path / "a",
            max_bytes=100,
            deadline_seconds=10,
            progress=close,
            gate=gates.at,
        )
    assert gates.told == ["in example.com", "fetch_connection_failed example.com"]
    assert not (tmp_path / "a").exists()
