"""The doctor's rounds: which parts are examined, and in which order they are told."""

from collections.abc import Iterator
from functools import partial

from deploy.database import SERVICES, WORKERS
from deploy.doctor import browsers, processes, queues, schemas, servers
from deploy.doctor.addresses import Addresses, service_of
from deploy.doctor.findings import Examination, Ill
from deploy.local.servers import OBJECT_STORE, POSTGRES, RABBITMQ
from deploy.local.service_programs import GATEWAY
from deploy.local.state import StackState


def waves(addresses: Addresses) -> Iterator[list[Examination]]:
    """List every examination, servers first, one by one so that their milliseconds are theirs alone.

    What is in one wave is examined at the same time.
    """
    if addresses.state is not None:
        yield [Examination("stack", partial(_check_stack, addresses.state), "`make down`, then `make up`.")]
    for server in _of_servers(addresses):
        yield [server]
    yield [*_of_schemas(addresses), *_of_services(addresses), *_of_flow(addresses)]
    yield list(_of_jobs(addresses))


async def _check_stack(state: StackState) -> str:
    down = [name for name, part in state.parts.items() if part.process is None or not part.process.lives()]
    if down:
        raise Ill(f"down: {', '.join(down)}")
    if not state.ready:
        raise Ill("it is still starting", "Wait a moment and ask again.")
    crashes = {name: part.crashes for name, part in state.parts.items() if part.crashes}
    told = ", ".join(f"{name} {number}" for name, number in crashes.items())
    return f"{len(state.parts)} parts run" + (f"; restarted after crashes: {told}" if told else "")


def _of_servers(addresses: Addresses) -> Iterator[Examination]:
    database, broker, store = addresses.database_admin_url, addresses.rabbitmq_url, addresses.object_store
    todo = addresses.todo
    yield Examination(POSTGRES, partial(servers.check_database, database), todo(POSTGRES, "DATABASE_ADMIN_URL"))
    yield Examination(RABBITMQ, partial(servers.check_broker, broker), todo(RABBITMQ, "RABBITMQ_URL"))
    yield Examination(OBJECT_STORE, partial(servers.check_object_store, store), todo(OBJECT_STORE, "S3_ENDPOINT_URL"))


def _of_schemas(addresses: Addresses) -> Iterator[Examination]:
    for service in SERVICES:
        check = partial(schemas.check_schema, addresses.database_admin_url, service)
        yield Examination(f"schema {service}", check, addresses.todo(POSTGRES, "DATABASE_ADMIN_URL"))


def _of_services(addresses: Addresses) -> Iterator[Examination]:
    for name, url in sorted(addresses.processes.items(), key=lambda item: SERVICES.index(service_of(item[0]))):
        yield Examination(
            f"process {name}", partial(processes.check_process, url), addresses.todo(name, "SERVICE_URLS")
        )
    for service in SERVICES:
        check = partial(queues.check_queue, addresses.rabbitmq_url, service)
        yield Examination(f"queue {service}", check, f"Restart {service}: it declares its queue when it connects.")
    if addresses.state is not None:
        check = partial(browsers.check_browser, addresses.chromium)
        yield Examination("browser", check, "Set CHROMIUM to where a Chromium is that starts, and restart the scraper.")
    check = partial(queues.check_bindings, addresses)
    yield Examination("bindings", check, addresses.todo(RABBITMQ, "RABBITMQ_MANAGEMENT_URL"))


def _of_flow(addresses: Addresses) -> Iterator[Examination]:
    database, todo = addresses.database_admin_url, addresses.todo(POSTGRES, "DATABASE_ADMIN_URL")
    yield Examination("outboxes", partial(schemas.check_outboxes, database), todo)
    yield Examination("dead letters", partial(schemas.check_dead_letters, database), todo)
    yield Examination("library", partial(schemas.check_library, database), todo)
    yield Examination("gateway", partial(processes.check_gateway, addresses), addresses.todo(GATEWAY, "GATEWAY_URL"))


def _of_jobs(addresses: Addresses) -> Iterator[Examination]:
    for service in WORKERS:
        check = partial(processes.check_job, addresses, service)
        yield Examination(f"job {service}", check, addresses.todo(service, "SERVICE_URLS"))
