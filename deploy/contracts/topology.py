"""Which routing keys the queue of each service is bound to."""

from collections.abc import Iterator

from contracts.catalogue import CATALOGUE
from contracts.envelope import EVERYBODY, Command, Instruction, Message, routing_key_of
from contracts.jobs import CheckWorker
from deploy.contracts.tables import ContractBrokenError, Tables, heard

EXCHANGE = "diorama.events"


def queue_of(service: str) -> str:
    """Name the queue from which a service hears."""
    return f"diorama.{service}"


def topology(tables: Tables) -> dict[str, list[str]]:
    """Give the routing keys that each service hears, sorted; raise ContractBrokenError for unlawful tables."""
    problems = [*_misplaced(tables), *_unheard(tables)]
    if problems:
        raise ContractBrokenError(problems)
    return {
        service: sorted(key for message in messages for key in routing_keys(message, service))
        for service, messages in heard(tables).items()
    }


def routing_keys(message: type[Message], service: str) -> list[str]:
    """Give the keys under which a message reaches this service: an instruction by its name and by everybody's."""
    key = routing_key_of(message)
    if issubclass(message, Instruction):
        return [f"{key}.{service}", f"{key}.{EVERYBODY}"]
    if issubclass(message, CheckWorker):
        return [f"{key}.{service}"]
    return [key]


def _misplaced(tables: Tables) -> Iterator[str]:
    for service, (reactions, work) in sorted(tables.items()):
        for message in reactions:
            if issubclass(message, Command | Instruction):
                yield (
                    f"services.{service}.handlers lists {message.__name__} in REACTIONS: commands belong in the WORK "
                    "of their owner, and instructions are obeyed by `shared`"
                )
        for command in work:
            if not issubclass(command, Command) or command.addressed_service() != service:
                yield (
                    f"services.{service}.handlers lists {command.__name__} in WORK: a service works only on the "
                    f"commands of contracts/{service}.py; react to the fact and make a task of your own"
                )


def _unheard(tables: Tables) -> Iterator[str]:
    ears = {message for messages in heard(tables).values() for message in messages}
    for wire_name, message in sorted(CATALOGUE.items()):
        if message not in ears:
            yield (
                f"nobody hears {wire_name}, so saying it would fail as unroutable: list {message.__name__} in the "
                "table of a service, or take it out of the contracts"
            )
