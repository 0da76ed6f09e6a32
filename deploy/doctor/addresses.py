"""Where the parts are: those of the stack that runs here, or those that the environment names."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.database import SERVICES
from deploy.doctor.settings import Settings
from deploy.local.control import ask
from deploy.local.object_store import ObjectStoreAccess
from deploy.local.passwords import Passwords
from deploy.local.servers import RABBITMQ
from deploy.local.service_programs import GATEWAY
from deploy.local.state import StackState, running


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """How to reach each part; None where nobody has said.

    Attributes:
        processes: base URL of each process by its name: `media`, `media-2`.
        broker_directory: of a private broker, which can then be asked by its own tools.
        state: of the local stack, where that is what is examined.
        chromium: its scraper's, where the settings name one.

    """

    database_admin_url: str | None = field(repr=False)
    rabbitmq_url: str | None = field(repr=False)
    rabbitmq_management_url: str | None = field(repr=False)
    object_store: ObjectStoreAccess | None
    gateway_url: str | None
    gateway_token: str | None = field(repr=False)
    processes: Mapping[str, str]
    broker_directory: Path | None = None
    state: StackState | None = None
    chromium: Path | None = None

    def todo(self, part: str, variable: str) -> str:
        """Say what helps where a part does not answer."""
        if self.state is None:
            return f"Check {variable}, and whether the part runs there."
        if part in self.state.parts:
            return (
                f"Its log, {short(self.state.parts[part].log)}, says why. `make down`, then `make up` starts it anew."
            )
        return f"It runs elsewhere: check {variable}."


async def find_addresses(settings: Settings) -> Addresses | None:
    """Look for the local stack, then into the environment; None where neither names anything."""
    state = None if settings.gateway_url else running(settings.directory)
    if state is not None:
        return await _of_stack(settings, state)
    named = (settings.gateway_url, settings.database_admin_url, settings.rabbitmq_url, settings.object_store)
    return _of_environment(settings) if any(named) else None


async def _of_stack(settings: Settings, state: StackState) -> Addresses:
    token = str(await ask(state, "token")) if state.ready and GATEWAY in state.parts else None
    return Addresses(
        database_admin_url=state.urls["database_admin"],
        rabbitmq_url=state.urls["rabbitmq"],
        rabbitmq_management_url=settings.rabbitmq_management_url,
        object_store=settings.object_store or _own_store(settings.directory, state),
        gateway_url=state.urls["gateway"],
        gateway_token=token,
        processes={name: part.address for name, part in state.parts.items() if service_of(name) in SERVICES},
        broker_directory=settings.directory / RABBITMQ if RABBITMQ in state.parts else None,
        state=state,
        chromium=settings.chromium,
    )


def _own_store(directory: Path, state: StackState) -> ObjectStoreAccess:
    passwords = Passwords.kept_in(directory / "secrets.json")
    return ObjectStoreAccess(state.urls["object_store"], passwords.s3_access_key_id, passwords.s3_secret_access_key)


def _of_environment(settings: Settings) -> Addresses:
    gateway = {GATEWAY: settings.gateway_url} if settings.gateway_url else {}
    return Addresses(
        database_admin_url=settings.database_admin_url,
        rabbitmq_url=settings.rabbitmq_url,
        rabbitmq_management_url=settings.rabbitmq_management_url,
        object_store=settings.object_store,
        gateway_url=settings.gateway_url,
        gateway_token=settings.gateway_token,
        processes={**gateway, **settings.service_urls},
    )


def service_of(process: str) -> str:
    """Name the service that a process (`media-2`) belongs to."""
    return process.partition("-")[0]


def short(path: Path) -> str:
    """Name a path as a person in this folder would."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
