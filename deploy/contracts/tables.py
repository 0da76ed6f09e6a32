"""Who hears and says what, read from the handler tables of the services."""

import importlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from contracts.catalogue import CATALOGUE
from contracts.envelope import Command, Event, Instruction, Message, Report
from contracts.jobs import (
    CheckWorker,
    DeadLettersSettled,
    DiscardDeadLetters,
    JobNews,
    JobUnknown,
    MessageDeadLettered,
    RedriveDeadLetters,
    ReplayOutbox,
    WorkerReported,
)

Table = tuple[Iterable[type[Message]], Iterable[type[Command]]]
"""What a service hears: the keys of its REACTIONS and of its WORK."""

Tables = Mapping[str, Table]
"""Service to table."""

GATEWAY = "gateway"
_EVERYBODYS_WORDS = (ReplayOutbox, MessageDeadLettered, DeadLettersSettled, WorkerReported)


class ContractBrokenError(Exception):
    """What the code says contradicts a promise of the contracts.

    Attributes:
        sentences: one for each contradiction, each with what to do about it.

    """

    def __init__(self, sentences: Iterable[str]) -> None:
        self.sentences = tuple(sentences)
        super().__init__("\n".join(self.sentences))


def read_tables(root: Path) -> dict[str, Table]:
    """Import `handlers` of every service under `root/services`; raise ContractBrokenError where one has no tables."""
    services = sorted(init.parent.name for init in (root / "services").glob("*/__init__.py"))
    missing = [service for service in services if not _has_handlers(root / "services" / service)]
    if missing:
        raise ContractBrokenError(
            f"services.{service} has no handlers module: write services/{service}/handlers.py with the tables "
            "REACTIONS and WORK, from which the topology is derived"
            for service in missing
        )
    return {service: _read_table(service) for service in services}


def _has_handlers(service: Path) -> bool:
    return (service / "handlers.py").is_file() or (service / "handlers" / "__init__.py").is_file()


def _read_table(service: str) -> Table:
    handlers = importlib.import_module(f"services.{service}.handlers")
    absent = [name for name in ("REACTIONS", "WORK") if not isinstance(getattr(handlers, name, None), Mapping)]
    if absent:
        raise ContractBrokenError(
            f"services.{service}.handlers has no table {name}: write `{name} = {{...}}`, empty where nothing is heard"
            for name in absent
        )
    return tuple(handlers.REACTIONS), tuple(handlers.WORK)


def workers(tables: Tables) -> list[str]:
    """Name the services that do work, and so hold jobs."""
    return sorted(service for service, (_, work) in tables.items() if tuple(work))


def heard(tables: Tables) -> dict[str, list[type[Message]]]:
    """Give for each service the messages of its tables and those that `shared` hears for it, by wire name.

    Whoever has an outbox and dead letters obeys what is said of them; whoever holds jobs obeys every other instruction
    and CheckWorker too.
    """
    instructions = {message for message in CATALOGUE.values() if issubclass(message, Instruction)}
    everybodys: set[type[Message]] = {ReplayOutbox, RedriveDeadLetters, DiscardDeadLetters}
    built_in = dict.fromkeys(tables, everybodys) | {
        service: {*instructions, CheckWorker} for service in workers(tables)
    }
    return {
        service: _by_wire_name({*reactions, *work, *built_in[service]})
        for service, (reactions, work) in sorted(tables.items())
    }


def own_words(tables: Tables) -> dict[str, list[type[Message]]]:
    """Give for each service what it says on its own account: facts of its module; the gateway asks, so commands."""
    catalogue = CATALOGUE.values()
    asked: list[type[Message]] = [message for message in catalogue if issubclass(message, Command | Instruction)]
    facts: list[type[Message]] = [message for message in catalogue if issubclass(message, Event | Report)]
    return {
        service: _by_wire_name(
            [fact for fact in facts if fact.addressed_service() == service] + (asked if service == GATEWAY else [])
        )
        for service in sorted(tables)
    }


def said(tables: Tables) -> dict[str, list[type[Message]]]:
    """Give for each service its own words and those that `shared` says for it, by wire name.

    Every service reports how it does, what it dead-lettered and what became of it, and asks for a replay when its queue
    was created anew; every worker tells the news of its jobs.
    """
    news = {message for message in CATALOGUE.values() if issubclass(message, JobNews | JobUnknown)}
    holders = workers(tables)
    return {
        service: _by_wire_name(
            {*own, *_EVERYBODYS_WORDS, *(news if service in holders else ())},
        )
        for service, own in own_words(tables).items()
    }


def _by_wire_name(messages: Iterable[type[Message]]) -> list[type[Message]]:
    return sorted(messages, key=lambda message: message.wire_name)
