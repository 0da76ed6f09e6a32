"""One step of a crawl: a few URLs are asked, and what each gives is recorded as soon as it is read."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from contracts.media import FetchMedia
from contracts.scraper import ContinueCrawl, CrawlScope, UrlLine
from services.scraper.crawler import UNTOLD, Untold
from services.scraper.extraction import FoundImage, Page
from services.scraper.handlers.accounts import account, line_of
from services.scraper.handlers.pages import image_found, page_scraped
from services.scraper.handlers.permits import waiting
from services.scraper.handlers.remembering import Known, keep
from services.scraper.handlers.room import Budget, budget_of, fitting, left_to_take, room_of
from services.scraper.rules import FETCH_RECIPE, image_subject
from services.scraper.sources import Harvest, Harvester, Scope
from services.scraper.sources.scopes import key_of
from services.scraper.store import crawls as store
from services.scraper.store.crawls import Claimed, CrawlRow, Line
from services.scraper.store.known import select_images_known, select_lines_known
from services.scraper.store.untold import insert_untold
from shared.errors import Failure, Refused, TryAgain
from shared.identifiers import child_id
from shared.jobs import Job
from shared.manners import HOST_BUSY
from shared.outbox import Transaction
from shared.retry import ATTEMPTS, backoff_seconds

_AT_ONCE: Final = 4
_LIMITS: Final[Mapping[Budget, Refused]] = {
    "page": Refused("page_limit", "The crawl has as many pages as it was allowed."),
    "list": Refused("page_limit", "The crawl reads as many lists of pages as it was allowed pages, and no more."),
    "image": Refused("image_limit", "The crawl has as many images as it was allowed."),
}
_KNOWN: Final = Refused("found_before", "An earlier crawl of this source has found it.")
_OURS: Final = frozenset({HOST_BUSY, "renderers_busy"})
"""Turns that are late here, and come: of that a URL's host is innocent."""
_READ: Final = ("read", None, None)
_UNCHANGED: Final = ("duplicate", "unchanged", "Its server says that it is as an earlier crawl has read it.")
_SAME_PAGE: Final = Refused("duplicate_page", "It leads to a page that is read under its own name.")


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one source names, each once: pages and lists, images, and what is known of these by their keys.

    Those that are `untold` wait until their sites can tell whether robots may have them.
    """

    places: list[Line]
    pictures: list[Line]
    images: Mapping[bytes, FoundImage]
    untold: Mapping[bytes, Untold]
    page: Page | None

    @property
    def lines(self) -> list[Line]:
        """All of them; images first."""
        return [*self.pictures, *self.places]

    def cut(self, lines: Sequence[Line]) -> "_Seen":
        """Give no others than these."""
        left = {(line.kind, line.key) for line in lines}
        pictures, places = (
            [one for one in some if (one.kind, one.key) in left] for some in (self.pictures, self.places)
        )
        return replace(self, pictures=pictures, places=places)


class Step:
    """The asking part of one step."""

    def __init__(self, job: Job[ContinueCrawl], harvester: Harvester, crawl: CrawlRow) -> None:
        self._job = job
        self._harvester = harvester
        self._crawl_id = crawl.id
        self._previous_id = crawl.previous_id
        self._rendered = crawl.rendered
        self._scope = Scope(CrawlScope.model_validate(crawl.scope), crawl.seeds)
        self.left_out = 0
        """URLs that were seen when the crawl had noted as many as it may."""

    async def ask(self, claimed: Sequence[Known]) -> None:
        """Ask a few at once; whoever has recorded one asks the next.

        Raises what the first of them raised, as it is: a lost lease or an absent database is not the page's fault.
        """
        waiting = iter(claimed)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(_AT_ONCE, len(claimed))):
                    group.create_task(self._ask_all(waiting))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed

    async def _ask_all(self, waiting: Iterator[Known]) -> None:
        for line, known in waiting:
            try:
                harvest = await self._harvester.harvest(line.kind, line.url, known, rendered=self._rendered)
            except Refused as refusal:
                await self._refuse(line, refusal)
            except TryAgain as passing:
                await self._postpone(line, passing)
            else:
                await self._record(line, harvest)

    async def _refuse(self, line: Claimed, refusal: Failure) -> None:
        async with self._job.recording() as tx:
            await self._settle(tx, line, "refused", refusal)

    async def _postpone(self, line: Claimed, passing: TryAgain) -> None:
        if not passing.rate_limited and line.tries + 1 >= ATTEMPTS:
            await self._refuse(line, passing)
            return
        asked_for = passing.retry_after_seconds
        seconds = backoff_seconds(line.tries + 1) if asked_for is None else asked_for
        put_off = passing.rate_limited and passing.code not in _OURS
        if put_off and line.put_off_seconds + seconds > self._harvester.patience_seconds:
            await self._refuse(line, _out_of_patience(passing, self._harvester.patience_seconds))
            return
        async with self._job.recording() as tx:
            await store.update_line_postponed(
                tx.connection,
                self._crawl_id,
                line,
                seconds=seconds,
                counts=not passing.rate_limited,
                put_off=put_off,
            )

    async def _settle(self, tx: Transaction, line: Claimed, outcome: str, why: Failure) -> None:
        reason = {"code": why.code, "sentence": why.sentence}
        await store.update_line_settled(tx.connection, self._crawl_id, line, outcome=outcome, **reason)
        await store.update_counts(tx.connection, self._crawl_id, done=1)
        self._account(tx, [line_of(line.kind, line.url, outcome, code=why.code, sentence=why.sentence)])

    async def _record(self, line: Claimed, harvest: Harvest) -> None:
        # A sitemap may name fifty thousand URLs, and the loop has heartbeats to keep.
        seen = await asyncio.to_thread(self._seen, line.depth, harvest)
        async with self._job.recording() as tx:
            crawl = await store.select_crawl(tx.connection, self._crawl_id)
            assert crawl is not None  # noqa: S101 - it was there when the step began, and nobody deletes one
            redirect = await self._redirect(tx, line, harvest)
            if isinstance(redirect, Refused):
                await self._settle(tx, line, "duplicate" if redirect is _SAME_PAGE else "skipped", redirect)
                return
            done = 2 if redirect == "waiting" else 1
            await keep(tx, self._job.command.project_id, line, harvest)
            outcome, code, sentence = _outcome_of(harvest)
            await store.update_line_settled(
                tx.connection, self._crawl_id, line, outcome=outcome, code=code, sentence=sentence
            )
            seen, left_out = await self._fitting(tx, seen, crawl)
            noted = await self._note(tx, harvest.url, seen, crawl)
            taken, found = _count(noted, "waiting"), _count(noted, "found")
            lists = sum(one.outcome == "waiting" and one.kind != "page" for one in noted)
            counts = {"pages": taken, "lists": lists, "images": found, "noted": len(noted), "left_out": left_out}
            await store.update_counts(tx.connection, self._crawl_id, done=done, **counts)
            self.left_out += left_out
            settled = [_told(one, harvest.url) for one in noted if one.outcome != "waiting"]
            read = [line_of("page", harvest.url, "read", found_on=line.url)] if redirect else []
            self._account(tx, [line_of(line.kind, line.url, outcome, code=code, sentence=sentence), *read, *settled])
            if harvest.page is not None and not harvest.is_unchanged:
                tx.say(page_scraped(self._job.command, line.url, harvest.page))
        done, pages = crawl.pages_done + done, crawl.pages_taken + taken
        self._job.progress(done / pages, f"{done} of {pages} pages")

    async def _redirect(self, tx: Transaction, line: Claimed, harvest: Harvest) -> Refused | str | None:
        """Say why what a redirect led to is not taken; or note that it has been read, and give what it was before.

        None where there was no redirect.
        """
        target = key_of(harvest.url)
        if line.kind != "page" or target == line.key:
            return None
        if line.depth and (refusal := self._scope.refusal(harvest.url, line.depth)) is not None:
            return refusal
        before = await store.upsert_line_read(
            tx.connection, self._crawl_id, target, harvest.url, depth=line.depth, found_on=line.url, job_id=self._job.id
        )
        return before or _SAME_PAGE

    def _seen(self, depth: int, harvest: Harvest) -> _Seen:
        images = {key_of(image.url): image for image in reversed(harvest.images)}
        untold = {key_of(one.image.url): one for one in reversed(harvest.untold)}
        places, pictures = _once(_places(self._scope, depth, harvest)), _once(self._images(depth, harvest))
        return _Seen(places, pictures, images, untold, harvest.page)

    async def _fitting(self, tx: Transaction, seen: _Seen, crawl: CrawlRow) -> tuple[_Seen, int]:
        """Leave out what there is no room for; tell how much that is."""
        seen = replace(seen, pictures=await self._without_known(tx, seen.pictures))
        lines, limits = seen.lines, self._scope.limits
        if len(lines) <= room_of(crawl, limits):
            return seen, 0
        known = await select_lines_known(tx.connection, self._crawl_id, lines)
        fit = fitting(lines, known, crawl, limits)
        return seen.cut(fit), len(lines) - len(fit)

    async def _note(self, tx: Transaction, url: str, seen: _Seen, crawl: CrawlRow) -> list[Line]:
        """Let into the frontier, and have fetched, what no page of this crawl has shown before, within the limits."""
        new = await self._note_new(tx, url, [*seen.places, *seen.pictures])
        for budget, room in left_to_take(crawl, self._scope.limits).items():
            new = await self._note_surplus(tx, new, budget, room)
        for one in new:
            if one.outcome == "found" and one.fetch_job_id is not None:
                tx.say(image_found(self._job.command, one.fetch_job_id, url, seen.images[one.key], seen.page))
        await self._have_wait(tx, url, seen, [one for one in new if one.code == UNTOLD])
        return new

    async def _have_wait(self, tx: Transaction, url: str, seen: _Seen, lines: Sequence[Line]) -> None:
        """Keep images that wait; when the step ends, a job for each of their sites asks it again."""
        if not lines:
            return
        rows = []
        for line in lines:
            one = seen.untold[line.key]
            found = image_found(self._job.command, self._fetch_job_id(one.image), url, one.image, seen.page)
            rows.append(waiting(one, found, line.depth))
        command = self._job.command
        await insert_untold(tx.connection, self._crawl_id, command.project_id, command.job_id, rows)

    async def _without_known(self, tx: Transaction, lines: list[Line]) -> list[Line]:
        """Say of images that the crawl before has found that they are not fetched again."""
        if self._previous_id is None:
            return lines
        # What is skipped here was mostly skipped before, too: it would be looked for in all of them, each time.
        keys = [line.key for line in lines if line.outcome != "skipped"]
        known = await select_images_known(tx.connection, self._previous_id, keys) if keys else set()
        return [_left_out(one, "duplicate", _KNOWN) if one.key in known else one for one in lines]

    async def _note_new(self, tx: Transaction, url: str, lines: Sequence[Line]) -> list[Line]:
        new = await store.insert_lines(tx.connection, self._crawl_id, lines, found_on=url, job_id=self._job.id)
        return [line for line in lines if (line.kind, line.key) in new]

    async def _note_surplus(self, tx: Transaction, new: Sequence[Line], budget: Budget, room: int) -> list[Line]:
        """Take back what is over a limit; give all lines as they are then."""
        taken = [line for line in new if line.outcome in {"waiting", "found"} and budget_of(line) == budget]
        surplus = {(line.kind, line.key) for line in taken[max(0, room) :]}
        why = _LIMITS[budget]
        reason = {"code": why.code, "sentence": why.sentence}
        if surplus:
            await store.update_lines_skipped(tx.connection, self._crawl_id, sorted(surplus), **reason)
        return [_left_out(one, "skipped", why) if (one.kind, one.key) in surplus else one for one in new]

    def _images(self, depth: int, harvest: Harvest) -> Iterator[Line]:
        for image in harvest.images:
            yield Line("image", key_of(image.url), image.url, depth, "found", fetch_job_id=self._fetch_job_id(image))
        for wait in harvest.untold:
            url, sentence = wait.image.url, wait.failure.sentence
            yield Line("image", key_of(url), url, depth, "refused", UNTOLD, sentence)
        for one in harvest.skipped:
            try:
                yield Line("image", key_of(one.url), one.url, depth, "skipped", one.code, one.sentence)
            except Refused:
                continue  # a data URL and the like, of which the page's own fact tells

    def _fetch_job_id(self, image: FoundImage) -> UUID:
        return child_id(self._crawl_id, FetchMedia.wire_name, image_subject(image.url), FETCH_RECIPE)

    def _account(self, tx: Transaction, lines: Sequence[UrlLine]) -> None:
        account(tx, self._job.command, self._crawl_id, lines)


def _out_of_patience(passing: TryAgain, patience_seconds: float) -> Refused:
    """Say that a crawl no longer waits for what may pass; whoever has it asked once more begins anew."""
    waited = f"A crawl waits no longer than {patience_seconds / 3600:.2g} hours for that; have it retried later."
    return Refused(passing.code, f"{passing.sentence} {waited}")


def _outcome_of(harvest: Harvest) -> tuple[str, str | None, str | None]:
    """Tell what became of a source, with the code and the sentence of why, where it was not all read now."""
    if harvest.broken is not None:
        return "refused", harvest.broken.code, f"{harvest.broken.sentence} What stands before that is taken."
    return _UNCHANGED if harvest.is_unchanged else _READ


def _places(scope: Scope, depth: int, harvest: Harvest) -> Iterator[Line]:
    for one in harvest.listed:
        yield from _place(scope, one.kind, one.url, depth)
    for url in harvest.links:
        yield from _place(scope, "page", url, depth + 1)


def _place(scope: Scope, kind: str, url: str, depth: int) -> Iterator[Line]:
    try:
        key = key_of(url)
        refusal = scope.refusal(url, depth) if kind == "page" else scope.refusal_of_list(url)
    except Refused:
        return  # no web address, so that there is nothing to account for
    if refusal is None:
        yield Line(kind, key, url, depth, "waiting")
    else:
        yield Line(kind, key, url, depth, "skipped", refusal.code, refusal.sentence)


def _left_out(line: Line, outcome: str, why: Refused) -> Line:
    return Line(line.kind, line.key, line.url, line.depth, outcome, why.code, why.sentence)


def _once(lines: Iterator[Line]) -> list[Line]:
    first: dict[tuple[str, bytes], Line] = {}
    for line in lines:
        first.setdefault((line.kind, line.key), line)
    return list(first.values())


def _count(lines: Sequence[Line], outcome: str) -> int:
    return sum(line.outcome == outcome for line in lines)


def _told(line: Line, found_on: str) -> UrlLine:
    reason = {"code": line.code, "sentence": line.sentence}
    return line_of(line.kind, line.url, line.outcome, **reason, found_on=found_on, fetch_job_id=line.fetch_job_id)
