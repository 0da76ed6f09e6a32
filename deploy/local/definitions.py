"""What a RabbitMQ starts with: user, vhost and policies. They die with its disk, so a file brings them back.

The one source of the policies, for the private node of one machine and for the containers alike.
"""

import base64
import hashlib
import json
import secrets
from typing import Any

from deploy.database import SERVICES

USER = "diorama"
VHOST = "diorama"
DEAD_LETTER_EXCHANGE = "diorama.dead"

DELIVERY_LIMIT = 20
"""RabbitMQ 4's own default; 3.10 knows no limit unless told."""
MAX_LENGTH_MESSAGES = 1_000_000
CONSUMER_TIMEOUT_MS = 1_800_000
_CONSUMER_TIMEOUT_POLICY_SINCE = (3, 12)


def definitions(password: str, broker: tuple[int, int]) -> str:
    """Write the definitions file of a broker of this version (major, minor); the password is only in it as a hash."""
    everything = ".*"
    permissions = {"user": USER, "vhost": VHOST, "configure": everything, "write": everything, "read": everything}
    user = {
        "name": USER,
        "password_hash": _hashed(password),
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": ["administrator"],
    }
    parts = {
        "users": [user],
        "vhosts": [{"name": VHOST}],
        "permissions": [permissions],
        "policies": [policy for service in SERVICES for policy in _policies(service, broker)],
    }
    return json.dumps(parts, indent=2) + "\n"


def _policies(service: str, broker: tuple[int, int]) -> list[dict[str, Any]]:
    """Two for each service, since a dead letter carries the name of the service that could not take it."""
    limits: dict[str, Any] = {"max-length": MAX_LENGTH_MESSAGES, "overflow": "reject-publish"}
    hearing = {
        **limits,
        "delivery-limit": DELIVERY_LIMIT,
        "dead-letter-exchange": DEAD_LETTER_EXCHANGE,
        "dead-letter-routing-key": service,
        "dead-letter-strategy": "at-least-once",
    }
    if broker >= _CONSUMER_TIMEOUT_POLICY_SINCE:
        hearing["consumer-timeout"] = CONSUMER_TIMEOUT_MS
    return [_policy(f"diorama.{service}", hearing), _policy(f"diorama.{service}.dead", limits)]


def _policy(queue: str, definition: dict[str, Any]) -> dict[str, Any]:
    pattern = f"^{queue.replace('.', '[.]')}$"
    return {
        "vhost": VHOST,
        "name": queue,
        "pattern": pattern,
        "apply-to": "queues",
        "priority": 0,
        "definition": definition,
    }


def _hashed(password: str) -> str:
    """RabbitMQ's own scheme: base64 of a 4-byte salt and the SHA-256 of salt and password."""
    salt = secrets.token_bytes(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
