"""Settings that have no default, for processes of depth mapping that reach nobody."""

from typing import Any, Final

NEEDED: Final[dict[str, Any]] = {
    "database_url": "postgresql://x",
    "rabbitmq_url": "amqp://x",
    "s3_endpoint_url": "http://x",
    "s3_access_key_id": "x",
    "s3_secret_access_key": "x",
}
