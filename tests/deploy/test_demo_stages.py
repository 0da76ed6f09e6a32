"""The bars show what the gateway says, and are full only when a stage is over."""

from io import StringIO

import pytest
from rich.console import Console

from deploy.demo.closing import tell_addresses, tell_result
from deploy.demo.screen import Bars, Lines, screen_for
from deploy.demo.stages import Stage, stages_of
from deploy.demo.standing import Standing
from deploy.local.stack import Ready
from tests.deploy.standings import changed, complete

TOKEN = "t" * 300


def by_name(standing: Standing) -> dict[str, Stage]:
    return {stage.name: stage for stage in stages_of(standing)}


def test_every_stage_of_a_complete_demo_is_over_with_its_seconds() -> None:
    stages = by_name(complete())
    assert list(stages) == ["scraped", "stored", "described", "mapped", "scene"]
    assert all(stage.is_over and stage.done == stage.total for stage in stages.values())
    assert {stage.seconds for stage in stages.values()} == {2.5}
    assert stages["stored"].note == "2 stored, 1 copy, 1 refused"


def test_a_fetch_that_runs_keeps_every_later_stage_open() -> None:
    stages = by_name(changed("jobs", 3, "state", to="in_progress"))
    assert (stages["stored"].count, stages["stored"].is_over) == ("3/4", False)
    assert (stages["mapped"].count, stages["mapped"].is_over) == ("2/3", False)


def test_a_page_that_is_not_read_yet_shows_what_it_waits_for() -> None:
    standing = changed("scrape", "pages", to=[])
    standing.scrape.update(state="pending", waiting_for="worker")
    assert by_name(standing)["scraped"].note == "waiting for worker"
    assert by_name(standing)["stored"].total is None


@pytest.mark.parametrize("columns", [80, 120])
def test_nothing_that_is_told_is_wider_than_the_terminal_but_the_token(columns: int) -> None:
    output = StringIO()
    console = Console(file=output, width=columns, force_terminal=True, color_system=None, highlight=False)
    bars = screen_for(console)
    assert isinstance(bars, Bars)
    with bars as screen:
        screen.prepare(1, 0)
        screen.part_is_ready(Ready("image_generation", "http://127.0.0.1:31415", 12.5))
        screen.show(stages_of(complete()))
    tell_result(console, complete(), ["Something is missing, and the sentence that says so is a rather long one. " * 2])
    tell_addresses(console, dashboard="http://127.0.0.1:20000", token=TOKEN, gallery="http://127.0.0.1:20001/")
    lines = [line for part in output.getvalue().split("\n") for line in part.split("\r")]
    shown = [line for line in lines if "\x1b" not in line]
    assert [line for line in shown if TOKEN in line]
    assert not [line for line in shown if len(line) > columns and TOKEN not in line]
    told = output.getvalue()
    for word in ("✓ scraped", "broken.png", "image_truncated", "tracking_pixel", "16-bit depth and edges"):
        assert word in told


def test_without_a_terminal_a_line_is_printed_only_when_something_has_changed() -> None:
    output = StringIO()
    lines = screen_for(Console(file=output, width=80))
    assert isinstance(lines, Lines)
    with lines as screen:
        screen.prepare(0, None)
        screen.show(stages_of(complete()))
        screen.show(stages_of(complete()))
    said = output.getvalue().splitlines()
    assert len(said) == 2
    assert "stack: already running" in said[0]
    assert "scraped 1/1 page, stored 4/4, described 2/2, mapped 2/2, scene 100%" in said[1]
