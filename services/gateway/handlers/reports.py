"""What the processes say of themselves."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from contracts.image_generation import ProvidersReported
from contracts.jobs import WorkerReported
from services.gateway.store import offers, workers
from shared.handling import Heard
from shared.outbox import Transaction


async def on_reports(tx: Transaction, facts: Sequence[Heard[WorkerReported]]) -> None:
    """Keep of each process what it said last."""
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    for heard in sorted(facts, key=_said_at):
        newest[heard.message.service, heard.message.worker] = heard.message.model_dump(mode="json")
    await workers.upsert_workers(tx.connection, list(newest.values()))


async def on_providers_reported(tx: Transaction, facts: Sequence[Heard[ProvidersReported]]) -> None:
    """Keep who draws, as was said last."""
    newest = max((heard.message for heard in facts), key=lambda report: report.at)
    await offers.upsert_offers(tx.connection, newest)


def _said_at(heard: Heard[WorkerReported]) -> datetime:
    return heard.message.at
