"""How often services have heard what they were told: by their own count, at `/metrics`, and by what they know of it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self

import aiohttp
import prometheus_client
from prometheus_client.parser import text_string_to_metric_families

from contracts.catalogue import CATALOGUE
from contracts.envelope import Command
from deploy.database import SERVICES, WORKERS
from shared import metrics
from tests.journeys.end_state import Books
from tests.reliability.figures.ground import Ground


@dataclass(frozen=True)
class Heard:
    """What one service has heard.

    Attributes:
        messages: how many of each wire name, again and again included.
        absorbed: how many its inbox has kept from having their effect again.

    """

    messages: Counter[str]
    absorbed: int

    def since(self, before: Self) -> "Heard":
        return Heard(self.messages - before.messages, self.absorbed - before.absorbed)

    @property
    def commands(self) -> Counter[str]:
        """Count what becomes a task; whether it was heard before is known by its job and not by the inbox."""
        return Counter({name: count for name, count in self.messages.items() if issubclass(CATALOGUE[name], Command)})

    @property
    def absorbed_percent(self) -> float:
        """Tell how much of what the service reacts to was kept from having its effect again."""
        return 100 * self.absorbed / (self.messages - self.commands).total()


async def heard_by_all(ground: Ground) -> dict[str, Heard]:
    """Ask each service what it has heard since it was started."""
    async with aiohttp.ClientSession() as session:
        return {service: await _heard_by(session, ground, service) for service in SERVICES}


async def _heard_by(session: aiohttp.ClientSession, ground: Ground, service: str) -> Heard:
    texts = []
    for part in map(ground.stack.supervisor.child, ground.parts_of(service)):
        if not part.held:
            async with session.get(f"{part.program.address}/metrics") as answer:
                texts.append(await answer.text())
    return heard_of(texts)


def heard_of(texts: Iterable[str]) -> Heard:
    """Add up what the processes of one service tell."""
    messages: Counter[str] = Counter()
    absorbed = 0
    for text in texts:
        for labels, count in _counted(text, metrics.HEARD):
            messages[labels["type"]] += count
        absorbed += sum(count for _, count in _counted(text, metrics.DUPLICATES))
    return Heard(messages, absorbed)


def _counted(text: str, counter: prometheus_client.Counter) -> Iterator[tuple[Mapping[str, str], int]]:
    [described] = counter.describe()
    for family in text_string_to_metric_families(text):
        if family.name == described.name:
            yield from ((sample.labels, int(sample.value)) for sample in family.samples)


async def known_since(books: Books, begun_at: datetime, heard: Mapping[str, Heard]) -> Counter[str]:
    """Count the different messages that each service has written down since then: in its inbox, and as its tasks."""
    known: Counter[str] = Counter()
    for service, of_service in heard.items():
        known[service] += await books.value(f"SELECT count(*) FROM {service}.inbox WHERE heard_at >= $1", begun_at)
        if service in WORKERS:
            known[service] += await books.value(
                f"SELECT count(*) FROM {service}.tasks WHERE created_at >= $1 AND kind = ANY ($2)",
                begun_at,
                list(of_service.commands),
            )
    return known
