"""Of a report about dead letters that is set aside itself nothing is reported, or there would be no end of it."""

from collections.abc import Sequence
from typing import Any

import pytest

from contracts.envelope import Message, Report
from contracts.jobs import DeadLettersSettled, MessageDeadLettered, SettledLetter
from shared import dead_letters
from shared.errors import Refused
from shared.handling import Heard
from shared.identifiers import uuid7
from shared.outbox import Transaction
from shared.topology import queue_of
from tests.living import House, until
from tests.shared.chores import all_said
from tests.shared.letters import letters_in, outcomes_are, redrive

REPORTS: list[Report] = [
    MessageDeadLettered(service="scraper", dead_letter_id=uuid7(), code="not_json", sentence="It is not JSON."),
    DeadLettersSettled(
        service="scraper",
        letters=(SettledLetter(dead_letter_id=uuid7(), state="dead"),),
        at="2026-11-21T00:00:00Z",
    ),
]
WHICH = pytest.mark.parametrize("report", REPORTS, ids=lambda report: type(report).__name__)


async def refuse(_tx: Transaction, _facts: Sequence[Heard[Any]]) -> None:
    raise Refused("not_ready", "It is not ready for that.")


async def tell(house: House, body: bytes, type_: str) -> None:
    await house.publisher.publish(queue_of("media"), body, message_id=uuid7(), type_=type_, exchange="")
    await until(lambda: letters_in(house))
    await until(lambda: all_said(house))


async def what_follows(house: House, report: Report) -> list[Message]:
    async with house.worker("media", hears={type(report): refuse}):
        await tell(house, house.outbox.encode(report).body, report.wire_name)
        await house.say(redrive(code="not_ready"))
        await until(lambda: outcomes_are(house, "dead_again"))
        await until(lambda: all_said(house))
    return [one for one in await house.heard() if isinstance(one, Report)]


@WHICH
async def test_a_report_that_cannot_be_taken_in_is_kept_in_silence(house: House, report: Report) -> None:
    assert await what_follows(house, report) == []
    assert len(await letters_in(house)) == 1


@pytest.mark.parametrize("type_", [REPORTS[0].wire_name, REPORTS[1].routing_key])
async def test_a_report_that_cannot_be_read_is_kept_in_silence(house: House, type_: str) -> None:
    async with house.worker("media"):
        await tell(house, b"not json", type_)
    assert await house.heard() == []


@WHICH
async def test_without_the_silence_more_would_be_reported(
    house: House, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "_REPORTS", frozenset())
    assert {type(one) for one in await what_follows(house, report)} == {MessageDeadLettered, DeadLettersSettled}
