"""How things are broken, and how it is seen that they were: what was not observed did not happen."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from signal import SIGKILL
from urllib.parse import urlsplit

from deploy.local.errors import CannotRun
from deploy.local.ports import LOOPBACK
from deploy.local.program import http_status
from deploy.local.servers import RABBITMQ
from shared.broker import BROKER_AWAY
from shared.topology import queue_of
from tests.living import until
from tests.reliability.laboratory.broker import (
    MARKER,
    BrokerRefused,
    consumers_of,
    delete_queue,
    mark,
    missing,
    told,
    until_declared,
)
from tests.reliability.laboratory.premises import Premises, log_of
from tests.reliability.laboratory.proxies import BLACK_HOLE, FAIR, LATENCY, SLOW_DRIP, Weather, Wire
from tests.reliability.laboratory.schedule import Kind, Planned

_STOPPED = "T"
_WAIT_SECONDS = 60.0
_NOTICED_SECONDS = 10.0
_SILENT_SECONDS = 10.0
"""The longest that a link of those who speak to the object store is silent under load."""
_CANCELLED = "consumer_was_cancelled"
CREATED_ANEW = "queue_was_created_anew"
"""What a service logs when its queue is not the one that it was."""
_ALARMS = "rabbit_alarm:get_alarms()"

Inflict = Callable[[Premises, Planned], Awaitable[str]]


class NotObserved(Exception):
    """What was to go wrong did not, as far as anybody could see."""


class Disorderly(Exception):
    """A service that was told to end did not end in order."""


@dataclass(frozen=True, slots=True)
class Inflicted:
    """A fault that was seen to happen, or was not.

    Attributes:
        ended_at: when it was taken back, or what was killed had its end.
        seen: how it was observed.
        missed: why it does not count.
        disorderly: how a service ended that should have ended in order.

    """

    planned: Planned
    began_at: datetime
    ended_at: datetime
    seen: str | None = None
    missed: str | None = None
    disorderly: str | None = None


async def inflict(premises: Premises, planned: Planned) -> Inflicted:
    """Let something go wrong, once more where it was not observed the first time; return when it is taken back."""
    inflicted = await _inflict_once(premises, planned)
    return await _inflict_once(premises, planned) if inflicted.missed else inflicted


async def _inflict_once(premises: Premises, planned: Planned) -> Inflicted:
    began_at = datetime.now(UTC)
    seen = missed = disorderly = None
    try:
        seen = await _INFLICT[planned.kind](premises, planned)
    except Disorderly as error:
        disorderly = str(error)
    except (NotObserved, BrokerRefused, CannotRun, TimeoutError, *BROKER_AWAY) as error:
        missed = str(error) or type(error).__name__
    return Inflicted(planned, began_at, datetime.now(UTC), seen, missed, disorderly)


async def _kill(premises: Premises, planned: Planned) -> str:
    supervisor = premises.supervisor_of(planned.target)
    await _until_runs(premises, planned.target)
    await supervisor.kill(planned.target)
    error = supervisor.child(planned.target).last_error
    _observe(error == f"it ended with exit status {-SIGKILL}", f"{error}")
    return str(error)


async def _kill_server(premises: Premises, planned: Planned) -> str:
    """Kill a server and wait for its return, so that the next fault meets one that is there."""
    seen = await _kill(premises, planned)
    await premises.servers.supervisor.ready(planned.target)
    return seen


async def _freeze(premises: Premises, planned: Planned) -> str:
    supervisor = premises.services.supervisor
    await _until_runs(premises, planned.target)
    supervisor.pause(planned.target)
    try:
        await until(lambda: _is_stopped(premises, planned.target), seconds=2)
        await asyncio.sleep(planned.lasting_seconds)
        _observe(await _is_stopped(premises, planned.target), "it went on by itself")
    finally:
        supervisor.resume(planned.target)
    return f"state {_STOPPED} in /proc"


async def _restart(premises: Premises, planned: Planned) -> str:
    supervisor = premises.services.supervisor
    await until(lambda: _has_started(premises, planned.target))
    await supervisor.hold(planned.target)
    error = str(supervisor.child(planned.target).last_error)
    supervisor.child(planned.target).release()
    if error != "it ended with exit status 0":
        raise Disorderly(f"{planned}: {error}")
    return error


async def _reset(premises: Premises, planned: Planned) -> str:
    assert planned.server is not None
    wire = premises.wires[planned.target, planned.server]
    with suppress(TimeoutError):
        await until(lambda: _is_connected(wire), seconds=_SILENT_SECONDS)
    cut = wire.reset()
    _observe(cut > 0, "there was no connection")
    return f"{cut} connections cut"


def _turned(weather: Weather) -> Inflict:
    async def turn(premises: Premises, planned: Planned) -> str:
        assert planned.server is not None
        wire = premises.wires[planned.target, planned.server]
        wire.turn(weather)
        try:
            await asyncio.sleep(planned.lasting_seconds)
            with suppress(TimeoutError):  # where little is said it lasts until something is
                await until(lambda: _is_touched(wire), seconds=_SILENT_SECONDS)
            touched = wire.touched
        finally:
            wire.turn(FAIR)
        _observe(touched > 0, "nothing was on its way")
        return f"{touched} chunks touched"

    return turn


async def _is_touched(wire: Wire) -> bool:
    return wire.touched > 0


async def _is_connected(wire: Wire) -> bool:
    return wire.connections > 0


def _alarm(resource: str, raise_it: str, end_it: str) -> Inflict:
    async def alarm(premises: Premises, planned: Planned) -> str:
        try:
            await told(premises.servers, raise_it)
            await asyncio.sleep(planned.lasting_seconds)
            alarms = await told(premises.servers, _ALARMS)
        finally:
            await until(lambda: _has_ended(premises, resource, end_it), seconds=_WAIT_SECONDS)
        _observe(resource in alarms, f"alarms: {alarms}")
        return f"alarms: {alarms}"

    return alarm


async def _has_ended(premises: Premises, resource: str, end_it: str) -> bool:
    """End an alarm and tell whether that was understood: one that stayed would block every publisher for ever."""
    try:
        await told(premises.servers, end_it)
        return resource not in await told(premises.servers, _ALARMS)
    except (BrokerRefused, TimeoutError):
        return False


async def _erase(premises: Premises, _planned: Planned) -> str:
    supervisor = premises.servers.supervisor
    await mark(premises.servers)
    supervisor.child(RABBITMQ).hold_at_once()
    await premises.servers.erase_broker()
    _observe(bool(await missing(premises.servers, MARKER)), "it remembers what it held")
    await until_declared(premises.servers, seconds=_WAIT_SECONDS)
    return f"{MARKER} is gone"


async def _delete_queue(premises: Premises, planned: Planned) -> str:
    before = _times_logged(premises, planned.target, CREATED_ANEW)
    await delete_queue(premises.servers, queue_of(planned.target))
    await until(lambda: _logged_since(premises, planned.target, CREATED_ANEW, before), seconds=_WAIT_SECONDS)
    await until_declared(premises.servers, seconds=_WAIT_SECONDS)
    return f"{CREATED_ANEW!r} in its log"


async def _cancel_consumer(premises: Premises, planned: Planned) -> str:
    """Have the broker cancel a consumer that it keeps otherwise; as records of RabbitMQ 3.10 lie in memory."""
    before = _times_logged(premises, planned.target, _CANCELLED)
    writer = "element(6, element(2, element(4, sys:get_state(element(1, C)))))"
    send = f"rabbit_writer:send_command({writer}, {{'basic.cancel', element(2, C), true}})"

    async def is_sent() -> bool:  # a lane beside this one may have killed the consumer a moment ago
        return "ok" in await told(premises.servers, consumers_of(queue_of(planned.target), send))

    await until(is_sent)
    await until(lambda: _logged_since(premises, planned.target, _CANCELLED, before), seconds=_NOTICED_SECONDS)
    return f"{_CANCELLED!r} in its log"


def _times_logged(premises: Premises, service: str, what: str) -> int:
    return log_of(premises.services, service).count(what)


async def _logged_since(premises: Premises, service: str, what: str, before: int) -> bool:
    return _times_logged(premises, service, what) > before


async def _until_runs(premises: Premises, part: str) -> None:
    """Wait until a part has a process, which a lane beside this one may have killed a moment ago."""

    async def runs() -> bool:
        return premises.supervisor_of(part).pid(part) is not None

    await until(runs)


async def _has_started(premises: Premises, service: str) -> bool:
    """Tell whether a service would end in order: one that has barely begun ends like any other program."""
    address = urlsplit(premises.services.supervisor.child(service).program.address)
    assert address.port is not None
    return await http_status(LOOPBACK, address.port, "/startupz") == HTTPStatus.OK


async def _is_stopped(premises: Premises, part: str) -> bool:
    pid = premises.supervisor_of(part).pid(part)
    return pid is not None and _state_of(pid) == _STOPPED


def _state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def _observe(seen: bool, otherwise: str) -> None:
    if not seen:
        raise NotObserved(otherwise)


_INFLICT: dict[Kind, Inflict] = {
    Kind.SERVICE_KILLED: _kill,
    Kind.SERVICE_FROZEN: _freeze,
    Kind.SERVICE_RESTARTED: _restart,
    Kind.LINK_RESET: _reset,
    Kind.LINK_BLACK_HOLE: _turned(BLACK_HOLE),
    Kind.LINK_LATENCY: _turned(LATENCY),
    Kind.LINK_SLOW_DRIP: _turned(SLOW_DRIP),
    Kind.DATABASE_KILLED: _kill_server,
    Kind.OBJECT_STORE_KILLED: _kill_server,
    Kind.BROKER_KILLED: _kill_server,
    Kind.BROKER_ERASED: _erase,
    Kind.MEMORY_ALARM: _alarm(
        "{resource_limit, memory,",
        "vm_memory_monitor:set_vm_memory_high_watermark(0.0001)",
        "vm_memory_monitor:set_vm_memory_high_watermark(0.25)",
    ),
    Kind.DISK_ALARM: _alarm(
        "{resource_limit, disk,",
        "rabbit_disk_monitor:set_disk_free_limit(1000000000000000)",
        "rabbit_disk_monitor:set_disk_free_limit(512000000)",
    ),
    Kind.QUEUE_DELETED: _delete_queue,
    Kind.CONSUMER_CANCELLED: _cancel_consumer,
}
