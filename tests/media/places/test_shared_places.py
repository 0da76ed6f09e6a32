"""However many processes download, no host has more downloads open than it has places."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from services.media.places import sharing
from services.media.store import hosts as store
from services.media.store.hosts import HostRow
from shared.database import Pool
from tests.living import House, until
from tests.media.places.replicas import HASTY, NAMES, Opened, Replica, each_with_its_own, replicas, with_one_book
from tests.media.samples import SMALL_FILES
from tests.shared.strangers import Stranger, answer

MOST = 4
EACH = 12
PICTURE = answer(SMALL_FILES["jpeg"]())

Fetching = list[asyncio.Task[str]]


def begun(replica: Replica, count: int, path: str = "/a") -> Fetching:
    return [asyncio.create_task(replica.fetch(path)) for _ in range(count)]


async def ended(*fetching: Fetching) -> Counter[str]:
    return Counter(await asyncio.gather(*(one for some in fetching for one in some)))


async def shares_of(house: House) -> dict[str, Any]:
    shares: dict[str, Any] = await house.value("SELECT shares FROM media.hosts WHERE host = $1", NAMES[0])
    return shares


@pytest.mark.parametrize(("opened", "most_open"), [(with_one_book, MOST), (each_with_its_own, 2 * MOST)])
async def test_two_replicas_together_have_no_more_downloads_open_than_there_are_places(
    house: House, tmp_path: Path, opened: Opened, most_open: int
) -> None:
    async with (
        Stranger(hangs={"/a"}, otherwise=PICTURE) as host,
        opened(house, 2) as books,
        replicas(books, host, tmp_path, most=MOST) as (one, other),
    ):
        fetching = begun(one, EACH), begun(other, EACH)
        await host.until(lambda: host.open_now == most_open)
        host.release()
        assert await ended(*fetching) == {"here": 2 * EACH}
        assert host.most_open == most_open


async def test_places_that_one_replica_does_not_need_are_the_others(house: House, tmp_path: Path) -> None:
    async with (
        Stranger(hangs={"/a"}, otherwise=PICTURE) as host,
        with_one_book(house, 2) as books,
        replicas(books, host, tmp_path, most=MOST) as (one, other),
    ):
        first = begun(one, 1)
        await host.until(lambda: host.open_now == 1)
        second = begun(other, EACH)
        await host.until(lambda: host.open_now == MOST)
        host.release()
        assert await ended(first, second) == {"here": EACH + 1}
        assert host.most_open == MOST


class Gathering:
    """Keeps whoever is the first to write from writing until so many have decided on the same."""

    def __init__(self, count: int) -> None:
        self._barrier = asyncio.Barrier(count)
        self._been: set[int] = set()

    async def come(self, pool: Pool) -> None:
        if id(pool) not in self._been:
            self._been.add(id(pool))
            await self._barrier.wait()


@pytest.mark.parametrize("heedless", [False, True])
async def test_a_place_that_two_take_at_once_is_given_once(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, heedless: bool
) -> None:
    """With its negative control: who writes without a look at what others wrote gives all places away twice."""
    written, gathering = store.upsert_hosts, Gathering(2)

    async def both_have_decided(pool: Pool, rows: Sequence[HostRow]) -> dict[str, float]:
        await gathering.come(pool)
        done = await written(pool, rows)
        while heedless and not done:
            (row,) = rows
            (latest,) = await store.select_hosts(pool, [row.host])
            done = await written(pool, [HostRow(row.host, latest.version, row.now, row.facts)])
        return done

    monkeypatch.setattr(store, "upsert_hosts", both_have_decided)
    async with (
        Stranger(hangs={"/a"}, otherwise=PICTURE) as host,
        with_one_book(house, 2) as books,
        replicas(books, host, tmp_path, most=MOST) as (one, other),
    ):
        fetching = begun(one, MOST), begun(other, MOST)
        await host.until(lambda: host.open_now >= (2 * MOST if heedless else MOST))
        host.release()
        assert await ended(*fetching) == {"here": 2 * MOST}
        assert (host.most_open > MOST) is heedless


async def test_the_places_of_a_replica_that_was_killed_come_back(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "LEASE_SECONDS", 1.0)
    async with (
        Stranger(hangs={"/a"}, otherwise=PICTURE) as host,
        with_one_book(house, 2) as books,
        replicas(books, host, tmp_path, most=MOST) as (killed, other),
    ):
        lost = begun(killed, MOST)
        await host.until(lambda: host.open_now == MOST)
        ((name, (places, _, lease_until, _)),) = (await shares_of(house)).items()
        assert places == MOST
        for one in lost:  # it tells nobody any more
            one.cancel()
        assert await other.fetch("/b") == "here"
        assert await house.value("SELECT extract(epoch FROM clock_timestamp())::float8") >= lease_until
        assert name not in await shares_of(house)


async def test_a_long_download_keeps_its_place(house: House, tmp_path: Path) -> None:
    async with (
        Stranger(hangs={"/a"}, otherwise=PICTURE) as host,
        with_one_book(house, 2) as books,
        replicas(books, host, tmp_path, most=1, limits=HASTY) as (one, other),
    ):
        long = begun(one, 1)
        await host.until(lambda: host.open_now == 1)
        ((name, (_, _, before, _)),) = (await shares_of(house)).items()
        one.clock.by_seconds += sharing.LEASE_SECONDS / 2
        await one.places.look_after()
        assert (await shares_of(house))[name][2] > before
        assert await other.fetch() == "host_busy"
        host.release()
        assert await ended(long) == {"here": 1}


async def test_what_is_not_used_any_more_is_given_back(house: House, tmp_path: Path) -> None:
    async with (
        Stranger(otherwise=PICTURE) as host,
        with_one_book(house, 2) as books,
        replicas(books, host, tmp_path, most=1, limits=HASTY) as (one, other),
    ):
        assert await one.fetch() == "here"
        assert len(await shares_of(house)) == 1
        one.clock.by_seconds += 2
        await one.places.look_after()
        assert await shares_of(house) == {}
        assert await other.fetch() == "here"


async def test_a_replica_that_ends_gives_its_places_back_at_once(house: House, tmp_path: Path) -> None:
    async with (
        Stranger(otherwise=PICTURE) as host,
        with_one_book(house, 1) as books,
        replicas(books, host, tmp_path, most=1) as (one,),
    ):
        assert await one.fetch() == "here"
        await one.places.leave()
        assert await shares_of(house) == {}


async def test_another_host_is_not_disturbed(house: House, tmp_path: Path) -> None:
    async with (
        Stranger(hangs={"/a"}, otherwise=PICTURE) as host,
        with_one_book(house, 1) as books,
        replicas(books, host, tmp_path, most=MOST) as (one,),
    ):
        slow = begun(one, EACH)
        await host.until(lambda: host.open_now == MOST)
        assert await one.fetch("/b", NAMES[1]) == "here"
        assert host.open_now == MOST
        assert not any(each.done() for each in slow)
        host.release()
        assert await ended(slow) == {"here": EACH}


async def test_who_waits_is_not_starved_by_who_always_has_more(house: House, tmp_path: Path) -> None:
    """The greedy one never leaves a place unused; the other one asks for a single download."""
    async with (
        Stranger(otherwise=PICTURE) as host,
        with_one_book(house, 2) as books,
        replicas(books, host, tmp_path, most=1) as (greedy, modest),
    ):
        is_over = False

        async def never_enough() -> None:
            while not is_over:
                await greedy.fetch()

        eating = [asyncio.create_task(never_enough()) for _ in range(3)]
        await until(lambda: _true(len(host.asked) > EACH))
        assert await modest.fetch("/modest") == "here"
        is_over = True
        await asyncio.gather(*eating)
        assert host.most_open == 1


async def _true(condition: bool) -> bool:
    return condition
