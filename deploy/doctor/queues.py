"""The queues: somebody listens on each, and each is bound to what its service hears."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

import aiohttp

from deploy.doctor.addresses import Addresses
from deploy.doctor.findings import Ill, Verdict
from deploy.doctor.servers import with_broker
from deploy.local.definitions import VHOST
from deploy.local.private_files import read_json
from deploy.local.rabbitmq_package import find_or_unpack
from shared.broker import Publisher, Unroutable
from shared.identifiers import uuid7
from shared.topology import EVENTS, MARK_TYPE, Topology, dead_queue_of, queue_of

_NODE: Final = "diorama@localhost"
_ANSWER_SECONDS: Final = 10.0
_NAMED_AT_MOST: Final = 4

Bindings = Mapping[str, frozenset[str]]
"""Routing keys by the queue that they lead to."""


async def check_queue(rabbitmq_url: str | None, service: str) -> str:
    """Count who listens and what waits; raises Ill where nobody listens."""
    (waiting, consumers), (dead, _) = await with_broker(
        rabbitmq_url, lambda connection: _counts(connection, (queue_of(service), dead_queue_of(service)))
    )
    if not consumers:
        sentence = f"nobody listens; {waiting} messages wait"
        raise Ill(sentence, f"Start {service}, or look whether its `/readyz` says that it lost its consumer.")
    if dead:
        raise Ill(f"{dead} messages lie in its dead queue", f"{service} takes them in as soon as it is well.")
    listening = "1 process listens" if consumers == 1 else f"{consumers} processes listen"
    return f"{listening}, {waiting} messages wait"


async def _counts(connection: Any, queues: Iterable[str]) -> list[tuple[int, int]]:
    """Give messages and consumers of each queue; a queue that is missing raises what the broker says of it."""
    counts = []
    for name in queues:
        async with connection.channel() as channel:
            queue = await channel.get_queue(name)
            counts.append((queue.declaration_result.message_count, queue.declaration_result.consumer_count))
    return counts


async def check_bindings(addresses: Addresses) -> str:
    """Compare what each queue is bound to with the handlers of its service (`contracts/topology.json`)."""
    hears = Topology.generated().hears
    bound = await _bindings(addresses)
    if bound is None:
        return await _check_that_each_is_heard(addresses.rabbitmq_url, hears)
    wanted = {queue_of(service): frozenset(keys) for service, keys in hears.items()}
    missing = [
        f"{queue} does not hear {key}" for queue, keys in wanted.items() for key in keys - bound.get(queue, set())
    ]
    stale = [f"{queue} still hears {key}" for queue, keys in wanted.items() for key in bound.get(queue, set()) - keys]
    if missing:
        raise Ill(_some(missing), "Restart any service: each declares all bindings when it connects.")
    if stale:
        todo = "A handler is gone and its binding is not: unbind it, or what comes ends among the dead letters."
        raise Ill(_some(stale), todo)
    return f"{sum(map(len, wanted.values()))} bindings, as contracts/topology.json has them"


async def _bindings(addresses: Addresses) -> Bindings | None:
    """Ask the private broker's own tool, or the management API; None where neither can be reached."""
    if addresses.broker_directory is not None:
        return await _of_private_broker(addresses.broker_directory)
    if addresses.rabbitmq_management_url:
        return await _of_management_api(addresses.rabbitmq_management_url, _vhost(addresses.rabbitmq_url))
    return None


async def _of_private_broker(directory: Path) -> Bindings:
    installation = await asyncio.to_thread(find_or_unpack, directory.parent.parent / "rabbitmq-package")
    arguments = ("-q", "-p", VHOST, "list_bindings", "source_name", "destination_name", "routing_key")
    process = await asyncio.create_subprocess_exec(
        str(installation.server.with_name("rabbitmqctl")),
        *(*arguments, "--formatter", "json"),
        env={
            "PATH": f"{installation.binaries}:/usr/bin:/bin",
            "HOME": str(directory / "home"),
            "LC_ALL": "C.UTF-8",
            "ERL_EPMD_PORT": str(read_json(directory.parent / "ports.json")["epmd"]),
            "RABBITMQ_NODENAME": _NODE,
            "RABBITMQ_CONF_ENV_FILE": str(directory / "environment"),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, complaint = await process.communicate()
    if process.returncode:
        raise Ill(f"rabbitmqctl does not list them: {complaint.decode(errors='replace').strip()[:200]}")
    return _by_queue(json.loads(output), "source_name", "destination_name")


async def _of_management_api(url: str, vhost: str) -> Bindings:
    address = urlsplit(url)
    login = aiohttp.encode_basic_auth(unquote(address.username or ""), unquote(address.password or ""))
    place = address._replace(netloc=address.netloc.rpartition("@")[2], path=f"/api/bindings/{quote(vhost, safe='')}")
    timeout, headers = aiohttp.ClientTimeout(total=_ANSWER_SECONDS), {"Authorization": login}
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.get(place.geturl(), headers=headers) as answer,
    ):
        if not answer.ok:
            raise Ill(f"the management API answers {answer.status}", "Check RABBITMQ_MANAGEMENT_URL.")
        return _by_queue(await answer.json(), "source", "destination")


def _by_queue(bindings: Iterable[Mapping[str, str]], source: str, destination: str) -> Bindings:
    found: dict[str, set[str]] = {}
    for binding in bindings:
        if binding[source] == EVENTS:
            found.setdefault(binding[destination], set()).add(binding["routing_key"])
    return {queue: frozenset(keys) for queue, keys in found.items()}


async def _check_that_each_is_heard(url: str | None, hears: Mapping[str, Iterable[str]]) -> str:
    """Send a mark, which every service passes over, by every routing key: the broker returns what leads nowhere."""
    if url is None:
        raise Ill("nobody has said where the broker is", "Set RABBITMQ_URL.")
    keys = sorted({key for heard in hears.values() for key in heard})
    publisher = Publisher(url, "diorama.doctor", Topology({}))  # one that declares no binding
    running = asyncio.create_task(publisher.run())
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            await publisher.up.wait()
        outcomes = await asyncio.gather(*(_is_heard(publisher, key) for key in keys))
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    unheard = [f"nobody hears {key}" for key, heard in zip(keys, outcomes, strict=True) if not heard]
    if unheard:
        raise Ill(_some(unheard), "Restart any service: each declares all bindings when it connects.")
    raise Ill(
        f"each of {len(keys)} routing keys is heard by somebody; by whom cannot be seen from here",
        "Set RABBITMQ_MANAGEMENT_URL to have every queue compared.",
        verdict=Verdict.WARN,
    )


async def _is_heard(publisher: Publisher, routing_key: str) -> bool:
    try:
        await publisher.publish(routing_key, b"{}", message_id=uuid7(), type_=MARK_TYPE)
    except Unroutable:
        return False
    return True


def _vhost(rabbitmq_url: str | None) -> str:
    return urlsplit(rabbitmq_url or "").path.removeprefix("/") or "/"


def _some(sentences: list[str]) -> str:
    every = sorted(sentences)
    more = f", and {len(every) - _NAMED_AT_MOST} more" if len(every) > _NAMED_AT_MOST else ""
    return ", ".join(every[:_NAMED_AT_MOST]) + more
