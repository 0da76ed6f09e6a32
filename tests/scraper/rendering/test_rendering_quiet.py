"""A page is quiet when it awaits nothing any more that may come."""

from typing import Any

import pytest

from services.scraper.rendering.quiet import HANGING_SECONDS, QUIET_SECONDS, Quiet


class Watch:
    """A page that was loaded just now, in time that only passes here."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.quiet: Any = Quiet()
        monkeypatch.setattr(self.quiet, "now", lambda: self.now)
        self.quiet.load()

    def is_quiet_after(self, seconds: float) -> bool:
        self.now += seconds
        return bool(self.quiet.is_quiet())

    def let_out(self, number: str) -> None:
        self.quiet.announce(number)
        self.quiet.wait_for(number)
        self.quiet.change()


@pytest.fixture
async def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    return Watch(monkeypatch)


async def test_what_was_let_out_is_awaited_to_its_end_and_a_moment_longer(watch: Watch) -> None:
    watch.let_out("one")
    assert not watch.is_quiet_after(HANGING_SECONDS - 1)
    watch.quiet.end("one")
    assert not watch.is_quiet_after(QUIET_SECONDS / 2)
    assert watch.is_quiet_after(QUIET_SECONDS)


async def test_what_is_refused_again_and_again_is_not_awaited(watch: Watch) -> None:
    for number in map(str, range(10)):
        watch.quiet.announce(number)
        watch.quiet.wait_for(number)
        watch.quiet.forget(number)
        watch.now += QUIET_SECONDS / 5
        watch.quiet.end(number)
    assert watch.is_quiet_after(0)


async def test_what_never_ends_and_what_the_page_was_not_told_of_are_not_awaited(watch: Watch) -> None:
    watch.quiet.wait_for("of a worker")
    assert watch.is_quiet_after(QUIET_SECONDS)
    watch.let_out("news")
    assert not watch.is_quiet_after(HANGING_SECONDS - 1)
    assert watch.is_quiet_after(1)


async def test_another_document_is_awaited_and_what_the_one_before_wanted_is_given_up(watch: Watch) -> None:
    watch.let_out("of the first")
    watch.now += 1
    watch.quiet.begin(watch.now)
    assert not watch.is_quiet_after(10 * HANGING_SECONDS)
    watch.quiet.load()
    assert watch.is_quiet_after(QUIET_SECONDS)
