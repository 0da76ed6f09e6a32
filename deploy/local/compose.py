"""What `compose.yaml` needs beside itself: secrets made once, and the same broker definitions as the private node."""

import json
from collections.abc import Mapping
from pathlib import Path

from deploy.database import ROLES, SERVICES
from deploy.local.definitions import CONSUMER_TIMEOUT_MS, definitions
from deploy.local.errors import CannotRun
from deploy.local.passwords import Passwords
from deploy.local.private_files import private_directory, write_private
from deploy.local.service_programs import theirs
from deploy.local.settings import without_given

BROKER_VERSION = (4, 2)
MODELS = "models"
"""The folder beside these files into which `make models` fetches weights; it is mounted, empty or not."""

READABLE_INSIDE = 0o644
"""Containers read these as users of their own; on the machine the folder keeps everybody else out."""

_BROKER_CONFIGURATION = f"""\
load_definitions = /etc/rabbitmq/definitions.json
disk_free_limit.absolute = 512MB
consumer_timeout = {CONSUMER_TIMEOUT_MS}
"""


def write_compose_files(directory: Path, kept: Mapping[str, str] | None = None) -> None:
    """Write the files that compose.yaml mounts and the variables that it names; what was made before is kept.

    `kept` is what a person keeps in `.env`: each service is told of it what it may hold. Raises CannotRun
    `value_unwritable`.
    """
    private_directory(directory)
    passwords = Passwords.kept_in(directory / "secrets.json")
    variables = compose_variables(passwords)
    write_private(directory / "compose.env", "".join(f"{name}={value}\n" for name, value in variables.items()))
    for service in SERVICES:
        told = theirs(service, without_given(kept or {}))
        lines = (f"{name}={_quoted(name, told[name])}\n" for name in sorted(told))
        write_private(directory / f"{service}.env", "".join(lines))
    mounted = {
        "definitions.json": definitions(passwords.rabbitmq, BROKER_VERSION),
        "rabbitmq.conf": _BROKER_CONFIGURATION,
        "passwords.json": json.dumps(dict(passwords.roles)),
        "object-store.json": json.dumps({"identities": [_identity(passwords)]}),
    }
    for name, text in mounted.items():
        write_private(directory / name, text, READABLE_INSIDE)
    # Where it is missing one engine refuses to start, and another makes it for root alone to fill.
    (directory.parent / MODELS).mkdir(exist_ok=True)


def compose_variables(passwords: Passwords) -> dict[str, str]:
    """Name every secret that compose.yaml asks for."""
    return {
        "POSTGRES_PASSWORD": passwords.postgres,
        "RABBITMQ_PASSWORD": passwords.rabbitmq,
        "S3_ACCESS_KEY_ID": passwords.s3_access_key_id,
        "S3_SECRET_ACCESS_KEY": passwords.s3_secret_access_key,
        "SECRET_KEY": passwords.secret_key,
        **{f"{role.upper()}_PASSWORD": passwords.roles[role] for role in ROLES},
    }


def _quoted(name: str, value: str) -> str:
    """Write a value so that nothing in it is expanded; raises CannotRun where engines read it in different ways."""
    if value.endswith("\\") or "\\'" in value or "\\\\" in value:
        sentence = (
            f"{name} has a backslash at its end, twice or before a quote, which container engines read each in its way."
        )
        raise CannotRun("value_unwritable", sentence)
    escaped = value.replace("'", r"\'")
    return f"'{escaped}'"


def _identity(passwords: Passwords) -> dict[str, object]:
    keys = {"accessKey": passwords.s3_access_key_id, "secretKey": passwords.s3_secret_access_key}
    return {"name": "diorama", "credentials": [keys], "actions": ["Admin", "Read", "Write", "List", "Tagging"]}
