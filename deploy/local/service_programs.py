"""How the five services are started: which module, on which port, with which environment."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from deploy.database import PROJECTION_ROLE
from deploy.local.object_store import ObjectStoreAccess
from deploy.local.ports import LOOPBACK
from deploy.local.private_files import private_directory
from deploy.local.program import Program, http_status
from deploy.local.settings import REPOSITORY

GATEWAY = "gateway"
FETCHERS = frozenset({"scraper", "media"})
"""The services that fetch what strangers name."""
_OK = 200


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the services of a stack live on."""

    database_url: Callable[[str], str]
    rabbitmq_url: str
    object_store: ObjectStoreAccess
    secret_key: str = field(repr=False)
    scratch: Path
    inherited: Mapping[str, str] = field(repr=False)
    extra: Mapping[str, Mapping[str, str]] = field(repr=False)
    sample_site: str | None = None
    """`ip:port` that may be fetched although it is not public: where `make demo` serves its gallery."""


LOCAL_RATE_LIMITS = ",".join(
    f"{name}=1000000/minute" for name in ("read", "write", "submit", "search", "stream", "anonymous")
)
"""On one machine whoever measures is one user, and shall meet the machine's limits; RATE_LIMITS wins."""


def service_names(service: str, processes: int) -> list[str]:
    """Name the processes of a service: `media`, then `media-2` and so on."""
    return [service, *(f"{service}-{number}" for number in range(2, processes + 1))]


_OWNERS: Mapping[str, frozenset[str]] = {
    "AZURE_VISION_": frozenset({"media"}),
    "IMAGE_HINTS_": frozenset({"gateway", "image_generation"}),
    "IMAGE_PROVIDER": frozenset({"image_generation"}),
    "MODELSLAB_": frozenset({"image_generation"}),
    "RATE_LIMIT_REDIS_": frozenset({"gateway"}),
    "SUPABASE_": frozenset({"gateway"}),
    # Of the operator who asks: the doctor and the command line.
    "GATEWAY_TOKEN": frozenset(),
    "RABBITMQ_MANAGEMENT_": frozenset(),
}
"""Whose keys are whose, by how their variables begin; who fetches strangers' pages holds no key of others."""


def theirs(service: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Take what a service may hold of what a person has set: no key of its neighbours or of an operator."""
    return {
        name: value
        for name, value in environment.items()
        if not any(name.startswith(prefix) and service not in owners for prefix, owners in _OWNERS.items())
    }


def service_environment(service: str, name: str, port: int, around: Surroundings) -> dict[str, str]:
    """Give one process of a service what it needs: the gateway's keys only to the gateway."""
    store = around.object_store
    own = {
        "ENVIRONMENT": "local",
        "HTTP_HOST": LOOPBACK,
        "HTTP_PORT": str(port),
        "DATABASE_URL": around.database_url(service),
        "RABBITMQ_URL": around.rabbitmq_url,
        "S3_ENDPOINT_URL": store.endpoint_url,
        "S3_PUBLIC_ENDPOINT_URL": store.public_endpoint_url or store.endpoint_url,
        "S3_BUCKET": store.bucket,
        "S3_REGION": store.region,
        "S3_ACCESS_KEY_ID": store.access_key_id,
        "S3_SECRET_ACCESS_KEY": store.secret_access_key,
        "SCRATCH_DIRECTORY": str(private_directory(around.scratch / name)),
        "PYTHONUNBUFFERED": "1",
    }
    if service == GATEWAY:
        own["PROJECTION_DATABASE_URL"] = around.database_url(PROJECTION_ROLE)
        own["SECRET_KEY"] = around.secret_key
        own["RATE_LIMITS"] = around.inherited.get("RATE_LIMITS") or LOCAL_RATE_LIMITS
    if service in FETCHERS and around.sample_site:
        allowed = (around.inherited.get("OUTBOUND_ALLOW"), around.sample_site)
        own["OUTBOUND_ALLOW"] = ",".join(pair for pair in allowed if pair)
    return {**theirs(service, around.inherited), **own, **around.extra.get(service, {})}


def service_program(
    service: str, name: str, port: int, around: Surroundings, launcher: Sequence[str] | None = None
) -> Program:
    """Run `python -m services.<service>`, or what the launcher names; ready when its `/readyz` answers 200."""
    return Program(
        name=name,
        command=(sys.executable, *(launcher or ("-m", f"services.{service}"))),
        environment=service_environment(service, name, port, around),
        address=f"http://{LOOPBACK}:{port}",
        is_ready=partial(_is_ready, port),
        directory=REPOSITORY,
        grace_seconds=30,
    )


async def _is_ready(port: int) -> bool:
    return await http_status(LOOPBACK, port, "/readyz") == _OK
