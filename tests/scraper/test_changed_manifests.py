"""A manifest that changes between two attempts to read it loses no row, and none is told of twice."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from contracts.jobs import JobChildrenNamed, JobCompleted, JobFailed
from contracts.scraper import ImageFound, ReadManifest, UrlsAccounted
from services.scraper.handlers import manifests
from services.scraper.sources import Manifests
from services.scraper.sources.manifests import ROWS_A_PAGE, ReadRow
from services.scraper.store.manifests import Reading
from shared.errors import TryAgain
from tests.living import House, lineage
from tests.scraper.site import Site
from tests.scraper.test_read_manifests import read

LIST = "/list.csv"
BEFORE = range(ROWS_A_PAGE + 200)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with Site() as site:
        yield site


def listing(numbers: Iterable[int]) -> str:
    return "url\n" + "".join(f"{url_of(number)}\n" for number in numbers)


def url_of(number: int) -> str:
    return f"https://a.org/{number}.jpg"


def break_off_once(
    monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], Awaitable[None]], *, after_rows: int
) -> None:
    """Have the first attempt end when it has recorded so many rows, and something happen before the second."""
    pages = Manifests.pages
    attempts: list[int] = []

    async def breaking(self: Manifests, path: Path, columns: Any, *, begin: int) -> AsyncIterator[list[ReadRow]]:
        attempts.append(begin)
        read_rows = begin
        async for page in pages(self, path, columns, begin=begin):
            yield page
            read_rows += len(page)
            if len(attempts) == 1 and read_rows >= after_rows:
                await meanwhile()
                raise TryAgain("broken_off", "The first attempt ends here.", retry_after_seconds=0)

    monkeypatch.setattr(Manifests, "pages", breaking)


def becoming(site: Site, text: str) -> Callable[[], Awaitable[None]]:
    """Have another list lie there."""

    async def become() -> None:
        site.say(LIST, text, content_type="text/csv")

    return become


def told_in(said: Sequence[Any]) -> Counter[str]:
    return Counter(one.url for one in said if isinstance(one, ImageFound))


def accounted_in(said: Sequence[Any]) -> Counter[str]:
    return Counter(line.url for one in said if isinstance(one, UrlsAccounted) for line in one.lines)


CHANGES = {
    "grown": [*BEFORE, *range(len(BEFORE), 3 * ROWS_A_PAGE)],
    "grown at its top": [*range(len(BEFORE), 3 * ROWS_A_PAGE), *BEFORE],
    "another one": [*range(3, len(BEFORE), 7), *range(10_000, 10_000 + 2 * ROWS_A_PAGE)],
    "shorter": [*range(5_000, 5_003), *BEFORE[:20]],
}


@pytest.mark.parametrize("after_rows", [ROWS_A_PAGE, len(BEFORE)])
@pytest.mark.parametrize("after", CHANGES.values(), ids=CHANGES)
async def test_every_row_of_it_is_told_once_as_it_was_and_as_it_is(
    house: House, site: Site, monkeypatch: pytest.MonkeyPatch, after: list[int], after_rows: int
) -> None:
    site.say(LIST, listing(BEFORE), content_type="text/csv")
    break_off_once(monkeypatch, becoming(site, listing(after)), after_rows=after_rows)
    command = ReadManifest(**lineage(), url=f"{site.origin}{LIST}")
    said = await read(house, site, command)
    told = {url_of(number) for number in [*BEFORE[:after_rows], *after]}
    assert told_in(said) == accounted_in(said) == dict.fromkeys(told, 1)
    [result] = [one.result for one in said if isinstance(one, JobCompleted) and one.job_id == command.job_id]
    assert result == {"rows": len(after), "images": len(told), "refused": 0, "cut": False, "changed": True}
    made = await house.rows("SELECT id FROM scraper.tasks WHERE parent_job_id = $1", command.job_id)
    named = [
        child.job_id
        for one in said
        if isinstance(one, JobChildrenNamed) and one.job_id == command.job_id
        for child in one.children
    ]
    assert sorted(named) == sorted(row["id"] for row in made)


@pytest.mark.parametrize("after", [CHANGES["grown at its top"], CHANGES["another one"]])
async def test_who_did_not_look_whether_it_is_the_same_would_lose_rows(
    house: House, site: Site, monkeypatch: pytest.MonkeyPatch, after: list[int]
) -> None:
    """Negative control."""
    monkeypatch.setattr(Reading, "of", lambda reading, _: reading)
    site.say(LIST, listing(BEFORE), content_type="text/csv")
    break_off_once(monkeypatch, becoming(site, listing(after)), after_rows=len(BEFORE))
    said = await read(house, site, ReadManifest(**lineage(), url=f"{site.origin}{LIST}"))
    assert {url_of(number) for number in after} - set(told_in(said))


@pytest.mark.parametrize("by_rows_alone", [False, True])
async def test_another_row_that_names_no_image_is_told_though_one_stood_in_its_place(
    house: House, site: Site, monkeypatch: pytest.MonkeyPatch, *, by_rows_alone: bool
) -> None:
    """With its negative control: a row that is known by its number alone hides what stands there later."""
    if by_rows_alone:
        monkeypatch.setattr(manifests, "_key_of_refused", lambda row: sha256(f"row {row.number}".encode()).digest())
    before, after = ["ftp://a.org/1", url_of(2), "ftp://a.org/3"], ["ftp://b.org/1", url_of(2), "ftp://a.org/3"]
    site.say(LIST, "\n".join(["url", *before]), content_type="text/csv")
    break_off_once(monkeypatch, becoming(site, "\n".join(["url", *after])), after_rows=3)
    command = ReadManifest(**lineage(), url=f"{site.origin}{LIST}")
    said = await read(house, site, command)
    told = {*before, *after} - ({"ftp://b.org/1"} if by_rows_alone else set())
    assert accounted_in(said) == dict.fromkeys(told, 1)
    [result] = [one.result for one in said if isinstance(one, JobCompleted) and one.job_id == command.job_id]
    assert (result["images"], result["refused"]) == (1, len(told) - 1)


async def test_imports_that_were_numbered_by_their_rows_would_lose_a_page_of_what_has_grown(
    house: House, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control."""
    monkeypatch.setattr(Reading, "of", lambda reading, _: reading)
    made, now_at = manifests._import, [0]

    def by_rows(job: Any, _: int, rows: tuple[Any, ...]) -> Any:
        now_at.append(now_at[-1] + len(rows))
        return made(job, now_at[-2] // ROWS_A_PAGE, rows)

    monkeypatch.setattr(manifests, "_import", by_rows)
    site.say(LIST, listing(BEFORE), content_type="text/csv")
    break_off_once(monkeypatch, becoming(site, listing(CHANGES["grown"])), after_rows=len(BEFORE))
    said = await read(house, site, ReadManifest(**lineage(), url=f"{site.origin}{LIST}"))
    assert len(told_in(said)) == len(CHANGES["grown"]) - ROWS_A_PAGE


async def test_one_that_is_the_same_is_read_on_where_it_was_left(
    house: House, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.say(LIST, listing(BEFORE), content_type="text/csv")
    break_off_once(monkeypatch, becoming(site, listing(BEFORE)), after_rows=ROWS_A_PAGE)
    taken: list[int] = []
    take = manifests._take

    async def counting(job: Any, page: Sequence[ReadRow], before: Reading) -> Reading:
        taken.append(len(page))
        return await take(job, page, before)

    monkeypatch.setattr(manifests, "_take", counting)
    command = ReadManifest(**lineage(), url=f"{site.origin}{LIST}")
    said = await read(house, site, command)
    assert taken == [ROWS_A_PAGE, len(BEFORE) - ROWS_A_PAGE]
    assert told_in(said) == dict.fromkeys(map(url_of, BEFORE), 1)
    [result] = [one.result for one in said if isinstance(one, JobCompleted) and one.job_id == command.job_id]
    assert result == {"rows": len(BEFORE), "images": len(BEFORE), "refused": 0, "cut": False, "changed": False}


async def test_one_that_cannot_be_read_any_more_ends_with_its_reason_and_what_was_taken_is_named(
    house: House, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.say(LIST, listing(BEFORE), content_type="text/csv")
    break_off_once(monkeypatch, becoming(site, "no list at all"), after_rows=ROWS_A_PAGE)
    command = ReadManifest(**lineage(), url=f"{site.origin}{LIST}")
    said = await read(house, site, command)
    [failed] = [one for one in said if isinstance(one, JobFailed)]
    assert failed.code == "manifest_unreadable"
    assert failed.sentence.endswith("what was read of it as it was before is taken as well.")
    [named] = [one for one in said if isinstance(one, JobChildrenNamed) and one.job_id == command.job_id]
    assert len(named.children) == 1
    assert told_in(said) == dict.fromkeys(map(url_of, BEFORE[:ROWS_A_PAGE]), 1)


async def test_what_an_older_program_has_read_of_it_is_not_told_again(
    house: House, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It numbered its imports by their rows, and did not write down of which file they are."""
    site.say(LIST, listing(BEFORE), content_type="text/csv")

    async def forget() -> None:
        await house.rows("UPDATE scraper.crawls SET manifest_digest = NULL, imports_begun = 0")

    break_off_once(monkeypatch, forget, after_rows=ROWS_A_PAGE)
    command = ReadManifest(**lineage(), url=f"{site.origin}{LIST}")
    said = await read(house, site, command)
    assert told_in(said) == dict.fromkeys(map(url_of, BEFORE), 1)
    [named] = [one for one in said if isinstance(one, JobChildrenNamed) and one.job_id == command.job_id]
    assert len(named.children) == 2
