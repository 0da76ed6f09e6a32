"""How things are broken, and how it is seen that they were: what was not observed did not happen."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from signal import SIGKILL
from urllib.parse import urlsplit

import aio_pika

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
    mark,
    missing,
    told,
    until_declared,
)
from tests.reliability.laboratory.premises import Premises, log_of
from tests.reliability.laboratory.proxies import BLACK_HOLE, FAIR, LATENCY, SLOW_DRIP, Weather
from tests.reliability.laboratory.schedule import Kind, Planned

_STOPPED = "T"
_WAIT_SECONDS = 60.0
_NOTICED_SECONDS = 10.0
_CANCELLED = "consumer_was_cancelled"

Inflict = Callable[[Premises, Planned], Awaitable[str]]


class NotObserved(Exception):
    """What was to go wrong did not, as far as anybody could see."""


@dataclass(frozen=True, slots=True)
class Inflicted:
    """A fault that was seen to happen, or was not.

    Attributes:
        ended_at: when it was taken back, or what was killed had its end.
        seen: how it was observed.
        missed: why it does not count.

    """

    planned: Planned
    began_at: datetime
    ended_at: datetime
    seen: str | None = None
    missed: str | None = None


async def inflict(premises: Premises, planned: Planned) -> Inflicted:
    """Let something go wrong; return when it is taken back."""
    began_at = datetime.now(UTC)
    seen = missed = None
    try:
        seen = await _INFLICT[planned.kind](premises, planned)
    except (NotObserved, BrokerRefused, CannotRun, TimeoutError, *BROKER_AWAY) as error:
        missed = str(error) or type(error).__name__
    return Inflicted(planned, began_at, datetime.now(UTC), seen, missed)


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
    error = supervisor.child(planned.target).last_error
    supervisor.child(planned.target).release()
    _observe(error == "it ended with exit status 0", f"{error}")
    return str(error)


async def _reset(premises: Premises, planned: Planned) -> str:
    assert planned.server is not None
    cut = premises.wires[planned.target, planned.server].reset()
    _observe(cut > 0, "there was no connection")
    return f"{cut} connections cut"


def _turned(weather: Weather) -> Inflict:
    async def turn(premises: Premises, planned: Planned) -> str:
        assert planned.server is not None
        wire = premises.wires[planned.target, planned.server]
        wire.turn(weather)
        await asyncio.sleep(planned.lasting_seconds)
        touched = wire.touched
        wire.turn(FAIR)
        _observe(touched > 0, "nothing was on its way")
        return f"{touched} chunks touched"

    return turn


def _alarm(raise_it: str, end_it: str) -> Inflict:
    async def alarm(premises: Premises, planned: Planned) -> str:
        await told(premises.servers, raise_it)
        try:
            await asyncio.sleep(planned.lasting_seconds)
            alarms = await told(premises.servers, "rabbit_alarm:get_alarms()")
        finally:
            await told(premises.servers, end_it)
        _observe("resource_limit" in alarms, f"alarms: {alarms}")
        return f"alarms: {alarms}"

    return alarm


async def _erase(premises: Premises, _planned: Planned) -> str:
    supervisor = premises.servers.supervisor
    await mark(premises.servers)
    supervisor.child(RABBITMQ).hold_at_once()
    await premises.servers.erase_broker()
    _observe(bool(await missing(premises.servers, MARKER)), "it remembers what it held")
    await until_declared(premises.servers, seconds=_WAIT_SECONDS)
    return f"{MARKER} is gone"


async def _delete_queue(premises: Premises, planned: Planned) -> str:
    queue = queue_of(planned.target)
    async with await aio_pika.connect(premises.servers.rabbitmq_url, timeout=5) as connection:
        await (await connection.channel()).queue_delete(queue)
    gone = await missing(premises.servers, queue)
    await until_declared(premises.servers, seconds=_WAIT_SECONDS)
    _observe(bool(gone), "it was declared again too soon to be missed")
    return f"{queue} was gone, and is there again"


async def _cancel_consumer(premises: Premises, planned: Planned) -> str:
    """Have the broker cancel a consumer that it keeps otherwise; as records of RabbitMQ 3.10 lie in memory."""
    before = _cancels_in_log(premises, planned.target)
    writer = "element(6, element(2, element(4, sys:get_state(element(1, C)))))"
    send = f"rabbit_writer:send_command({writer}, {{'basic.cancel', element(2, C), true}})"
    sent = await told(premises.servers, consumers_of(queue_of(planned.target), send))
    _observe("ok" in sent, "it had no consumer")
    await until(lambda: _cancelled_since(premises, planned.target, before), seconds=_NOTICED_SECONDS)
    return f"{_CANCELLED!r} in its log"


def _cancels_in_log(premises: Premises, service: str) -> int:
    return log_of(premises.services, service).count(_CANCELLED)


async def _cancelled_since(premises: Premises, service: str, before: int) -> bool:
    return _cancels_in_log(premises, service) > before


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
        "vm_memory_monitor:set_vm_memory_high_watermark(0.0001)",
        "vm_memory_monitor:set_vm_memory_high_watermark(0.25)",
    ),
    Kind.DISK_ALARM: _alarm(
        "rabbit_disk_monitor:set_disk_free_limit(1000000000000000)",
        "rabbit_disk_monitor:set_disk_free_limit(512000000)",
    ),
    Kind.QUEUE_DELETED: _delete_queue,
    Kind.CONSUMER_CANCELLED: _cancel_consumer,
}
