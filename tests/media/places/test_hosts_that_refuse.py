"""What a host asks of one process, all obey; what it refuses one, all stop asking for."""

import asyncio
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from services.media import manners
from services.media.manners import SharedDoors
from services.media.places import Door
from shared.database import DatabaseAway
from shared.errors import TryAgain
from shared.manners import Decide, Limits, T, breaker
from shared.retry import judge
from tests.living import House
from tests.media.places.replicas import (
    HASTY,
    NAMES,
    Notebook,
    Opened,
    Replica,
    each_with_its_own,
    replicas,
    with_one_book,
)
from tests.media.samples import SMALL_FILES
from tests.shared.strangers import Stranger, answer

PICTURE = answer(SMALL_FILES["jpeg"]())
FORBIDDEN = answer(status=403)


async def patience_of(replica: Replica) -> TryAgain:
    """Try to enter; give what is said instead."""
    url = f"http://{NAMES[0]}:{replica.stranger.port}/a"
    with pytest.raises(TryAgain) as caught:
        await replica.outbound.save(
            url, replica.folder / "x", max_bytes=1000, deadline_seconds=10, gate=replica.places.at
        )
    return caught.value


@pytest.mark.parametrize(("opened", "asked"), [(with_one_book, 1), (each_with_its_own, 2)])
async def test_a_host_that_asks_one_replica_for_patience_is_left_alone_by_all(
    house: House, tmp_path: Path, opened: Opened, asked: int
) -> None:
    busy = answer(status=429, headers=[("Retry-After", "600")])
    async with (
        Stranger(otherwise=busy) as host,
        opened(house, 2) as books,
        replicas(books, host, tmp_path, most=4) as (one, other),
    ):
        assert await one.fetch() == "http_429"
        told = await patience_of(other)
        assert len(host.asked) == asked
        if asked == 1:
            assert (told.code, told.rate_limited) == ("host_busy", True)
            assert 500 < (told.retry_after_seconds or 0) < 700
        host.otherwise = PICTURE
        assert await one.fetch() == "host_busy", "nor does the one that was told"
        assert await one.fetch(host=NAMES[1]) == "here"


class LostBook(Notebook):
    """Can be reached once, when its host is entered, and not when it is told what came of that."""

    async def change(self, name: str, decide: Decide[Door, T]) -> T:
        if self.changes:
            raise TimeoutError("the database is away")
        return await super().change(name, decide)


async def test_what_a_host_has_said_stands_though_nobody_can_write_it_down(tmp_path: Path) -> None:
    async with Stranger(otherwise=FORBIDDEN) as host, replicas([LostBook()], host, tmp_path, most=4) as (one,):
        assert await one.fetch() == "http_403", "and not that it took too long"


class Unreachable:
    """A pool whose database does not answer in time, or not at all."""

    def __init__(self, error: OSError) -> None:
        self._error = error

    async def fetch(self, *_: object) -> list[object]:
        raise self._error


UNREACHABLE = [TimeoutError("nobody answers"), ConnectionRefusedError("nobody is there")]


@pytest.mark.parametrize("error", UNREACHABLE, ids=lambda error: type(error).__name__)
async def test_a_book_that_cannot_be_reached_is_not_taken_for_a_slow_host(tmp_path: Path, error: OSError) -> None:
    pool: Any = Unreachable(error)
    async with Stranger() as host, replicas([SharedDoors(pool)], host, tmp_path, most=4) as (one,):
        with pytest.raises(DatabaseAway) as caught:
            await one.fetch()
        assert judge(caught.value, 1).attempts_used == 0
        assert not host.asked


async def test_without_a_name_of_its_own_it_would_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control."""
    monkeypatch.setattr(manners, "blaming_the_database", lambda _: nullcontext())
    pool: Any = Unreachable(UNREACHABLE[0])
    async with Stranger() as host, replicas([SharedDoors(pool)], host, tmp_path, most=4) as (one,):
        assert await one.fetch() == "fetch_timeout"


async def test_a_short_patience_is_waited_for(house: House, tmp_path: Path) -> None:
    busy = answer(status=429, headers=[("Retry-After", "1")])
    async with (
        Stranger(answers={"/busy": busy}, otherwise=PICTURE) as host,
        with_one_book(house, 2) as books,
        replicas(books, host, tmp_path, most=4) as (one, other),
    ):
        assert await one.fetch("/busy") == "http_429"
        asked_until = await house.value("SELECT next_at FROM media.hosts")
        assert set(await asyncio.gather(*(other.fetch() for _ in range(3)))) == {"here"}
        assert await house.value("SELECT clock_timestamp() >= $1", asked_until)


async def times_up(house: House) -> None:
    """Let the breaker's time be over, as if somebody had written that."""
    await house.rows("UPDATE media.hosts SET open_until = now(), version = version + 1")


@pytest.mark.parametrize(("opened", "asked"), [(with_one_book, 3), (each_with_its_own, 6)])
async def test_the_breaker_opens_for_all(house: House, tmp_path: Path, opened: Opened, asked: int) -> None:
    async with (
        Stranger(otherwise=FORBIDDEN) as host,
        opened(house, 2) as books,
        replicas(books, host, tmp_path, most=4) as (one, other),
    ):
        opened_before = REGISTRY.get_sample_value("diorama_media_hosts_blocked_total", {"code": "http_403"}) or 0
        codes = [await one.fetch() for _ in range(5)] + [await other.fetch() for _ in range(5)]
        assert codes.count("http_403") == len(host.asked) == asked
        assert codes.count("host_blocked") == 10 - asked
        counted = REGISTRY.get_sample_value("diorama_media_hosts_blocked_total", {"code": "http_403"})
        assert counted == opened_before + asked / 3
        told = await patience_of(other)
        assert (told.code, told.rate_limited) == ("host_blocked", True)
        assert f"{NAMES[0]} has refused us 3 times in a row (403 Forbidden)" in told.sentence


async def test_one_download_tries_whether_the_host_answers_again_and_opens_it_for_all(
    house: House, tmp_path: Path
) -> None:
    async with (
        Stranger(otherwise=FORBIDDEN, hangs={"/probe"}) as host,
        with_one_book(house, 2) as books,
        replicas(books, host, tmp_path, most=4) as (one, other),
    ):
        assert [await one.fetch() for _ in range(4)] == [*["http_403"] * 3, "host_blocked"]
        assert await other.fetch() == "host_blocked"
        for replica in (one, other):
            replica.clock.by_seconds += 3  # they look again
        await times_up(house)
        host.otherwise = PICTURE
        probing = asyncio.create_task(other.fetch("/probe"))
        await host.until(lambda: len(host.asked) == 4)
        assert [await replica.fetch() for replica in (one, other)] == ["host_blocked"] * 2
        assert len(host.asked) == 4
        host.release()
        assert await probing == "here"
        for replica in (one, other):
            replica.clock.by_seconds += 3
        assert [await replica.fetch() for replica in (one, other)] == ["here"] * 2


async def breaker_of(house: House) -> dict[str, Any]:
    (row,) = await house.rows("SELECT blocks, open_until, open_seconds, probe_until FROM media.hosts")
    return dict(row)


@pytest.mark.parametrize("heedless", [False, True])
@pytest.mark.parametrize("ending", ["here", "http_403", "broken off"])
async def test_a_download_that_was_begun_before_a_host_was_closed_decides_nothing_while_another_probes(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, *, heedless: bool
) -> None:
    """With its negative control: whatever ends is taken for the probe."""
    async with (
        Stranger(otherwise=FORBIDDEN, hangs={"/late"}) as host,
        Stranger(otherwise=PICTURE, hangs={"/probe"}) as later,
        with_one_book(house, 2) as books,
        replicas(books[:1], host, tmp_path, most=4) as (one,),
        replicas(books[1:], later, tmp_path, most=4) as (other,),
    ):
        late = asyncio.create_task(one.fetch("/late"))
        await host.until(lambda: host.open_now == 1)
        assert [await one.fetch() for _ in range(3)] == ["http_403"] * 3
        await times_up(house)
        probing = asyncio.create_task(other.fetch("/probe"))
        await later.until(lambda: later.open_now == 1)
        probed = await breaker_of(house)
        assert probed["probe_until"] is not None
        if heedless:
            monkeypatch.setattr(breaker, "decides", lambda *_: True)
        if ending == "broken off":
            late.cancel()
        else:
            host.otherwise = PICTURE if ending == "here" else FORBIDDEN
            host.release()
        (ended,) = await asyncio.gather(late, return_exceptions=True)
        assert ended == ending or isinstance(ended, asyncio.CancelledError)
        is_as_probed = await breaker_of(house) == probed
        if ending == "broken off":
            assert is_as_probed, "nobody is told of a download that was broken off, unless it was the probe"
        else:
            assert is_as_probed is not heedless
        later.release()
        assert await probing == "here"
        if not heedless:
            assert (await breaker_of(house))["open_until"] is None


async def test_a_probe_that_is_broken_off_lets_others_try_when_the_time_is_over_again(
    house: House, tmp_path: Path
) -> None:
    async with (
        Stranger(otherwise=FORBIDDEN, hangs={"/probe"}) as host,
        with_one_book(house, 1) as books,
        replicas(books, host, tmp_path, most=4) as (one,),
    ):
        assert [await one.fetch() for _ in range(3)] == ["http_403"] * 3
        await times_up(house)
        one.clock.by_seconds += 3
        probing = asyncio.create_task(one.fetch("/probe"))
        await host.until(lambda: len(host.asked) == 4)
        probing.cancel()
        await asyncio.gather(probing, return_exceptions=True)
        assert await house.value("SELECT probe_until IS NULL AND open_until > now() FROM media.hosts")
        assert await one.fetch() == "host_blocked"


async def test_a_probe_that_is_refused_leaves_the_host_alone_for_twice_as_long(house: House, tmp_path: Path) -> None:
    async with (
        Stranger(otherwise=FORBIDDEN) as host,
        with_one_book(house, 1) as books,
        replicas(books, host, tmp_path, most=4) as (one,),
    ):
        assert [await one.fetch() for _ in range(3)] == ["http_403"] * 3
        await times_up(house)
        one.clock.by_seconds += 3
        assert [await one.fetch() for _ in range(2)] == ["http_403", "host_blocked"]
        assert await house.value("SELECT open_seconds FROM media.hosts") == 2 * Limits().open_seconds


async def test_only_blocks_in_a_row_close_a_host(house: House, tmp_path: Path) -> None:
    async with (
        Stranger(answers={"/good": PICTURE, "/gone": answer(status=404)}, otherwise=FORBIDDEN) as host,
        with_one_book(house, 1) as books,
        replicas(books, host, tmp_path, most=4) as (one,),
    ):
        paths = ["/a", "/a", "/good", "/a", "/a", "/gone", "/a", "/a"]
        told = [await one.fetch(path) for path in paths]
        assert told == ["http_403", "http_403", "here", "http_403", "http_403", "http_404", "http_403", "http_403"]


async def test_who_waits_too_long_comes_again_later_than_the_one_before(house: House, tmp_path: Path) -> None:
    async with (
        Stranger(otherwise=PICTURE, hangs={"/a"}) as host,
        with_one_book(house, 1) as books,
        replicas(books, host, tmp_path, most=1, limits=HASTY) as (one,),
    ):
        long = asyncio.create_task(one.fetch())
        await host.until(lambda: host.open_now == 1)
        now = one.clock()
        one.places._clock = lambda: now  # however long each of them is asked for patience
        told = [await patience_of(one) for _ in range(3)]
        assert {each.code for each in told} == {"host_busy"}
        waits = [each.retry_after_seconds or 0 for each in told]
        assert waits == sorted(waits)
        assert waits[2] > 2 * waits[0]
        host.release()
        assert await long == "here"
