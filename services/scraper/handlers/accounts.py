"""Accounts: for every URL that was seen, one line that says what became of it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final
from uuid import UUID

from contracts.envelope import Lineage
from contracts.jobs import JobCancelled, JobFailed
from contracts.media import FetchMedia, MediaRejected, MediaStored
from contracts.scraper import UrlLine, UrlsAccounted
from services.scraper.store import accounts as store
from services.scraper.store.accounts import Fate
from shared.errors import printable
from shared.handling import Heard
from shared.outbox import Transaction

_LINES_A_MESSAGE: Final = 200
_LINES_BYTES: Final = 160 * 1024  # of a message of 256 KiB at most
_DUPLICATE: Final = ("duplicate_image", "The project has an image of the same bytes already.")
_CANCELLED: Final = ("cancelled", "Its fetch was cancelled; a later crawl may take it.")

Fact = MediaStored | MediaRejected | JobFailed | JobCancelled


async def on_media(tx: Transaction, facts: Sequence[Heard[Fact]]) -> None:
    """Note what became of images that were found here."""
    fates = sorted(
        (fate for heard in facts for fate in _fates(heard.message)), key=lambda fate: fate.outcome != "refused"
    )
    if fates:
        # An attempt that was thought lost may have failed after all: what is stored counts, in whatever order it comes.
        await store.update_lines_of_fetches(tx.connection, list({fate.fetch_job_id: fate for fate in fates}.values()))


def may_be_found_here(fact: Fact) -> bool:
    """Tell whether a fact may be of an image that was found here: of the jobs of other sources there is no line."""
    return fact.parent_job_id is not None and any(_fates(fact))


def _fates(fact: Fact) -> Iterator[Fate]:
    match fact:
        case MediaStored(already_stored=True):
            yield Fate(fact.job_id, "duplicate", *_DUPLICATE)
        case MediaStored():
            yield Fate(fact.job_id, "stored")
        case MediaRejected() | JobFailed(kind=FetchMedia.wire_name):
            yield Fate(fact.job_id, "refused", fact.code, fact.sentence)
        case JobCancelled(kind=FetchMedia.wire_name):
            yield Fate(fact.job_id, "refused", *_CANCELLED)
        case _:
            pass


def line_of(
    kind: str,
    url: str,
    outcome: str,
    *,
    code: str | None = None,
    sentence: str | None = None,
    found_on: str | None = None,
    fetch_job_id: UUID | None = None,
) -> UrlLine:
    """Write a line."""
    told: dict[str, Any] = {"url": url, "kind": kind, "outcome": outcome, "code": code, "found_on": found_on}
    told |= {"sentence": None if sentence is None else printable(sentence), "fetch_job_id": fetch_job_id}
    return UrlLine.model_validate(told)


def account(tx: Transaction, command: Lineage, source_job_id: UUID, lines: Iterable[UrlLine]) -> None:
    """Say what became of URLs, in as many messages as they need."""
    for page in _pages(lines):
        tx.say(UrlsAccounted(**_lineage(command), source_job_id=source_job_id, lines=tuple(page)))


def _lineage(command: Lineage) -> dict[str, Any]:
    return {name: getattr(command, name) for name in Lineage.model_fields}


def _pages(lines: Iterable[UrlLine]) -> Iterator[list[UrlLine]]:
    page: list[UrlLine] = []
    size_bytes = 0
    for line in lines:
        line_bytes = len(line.model_dump_json().encode())
        if page and (len(page) == _LINES_A_MESSAGE or size_bytes + line_bytes > _LINES_BYTES):
            yield page
            page, size_bytes = [], 0
        page.append(line)
        size_bytes += line_bytes
    if page:
        yield page
