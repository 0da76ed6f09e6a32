"""Points that no round comes to, each for a reason."""

from collections.abc import Iterable, Mapping
from typing import Final

_ONE_TRANSACTION: Final = (
    "A request of one transaction in which nothing is said: it is done or it is not, and its client asks once more."
)
_EDITING: Final = (
    *("access:select_membership_count:", "api_keys:", "chapter_scenes:", "chapters:", "customers:", "members:"),
    *("presenting:", "projects:", "tickets:"),
)
EXCUSED: Final[Mapping[str, str]] = {
    "shared.schema:migrate:": "Migrations are applied before any service starts; a service only looks at them.",
    "shared.schema:_analyze:": "The same.",
    "shared.objects:ObjectStore._create_bucket:": "Whoever runs the object store makes the bucket; no service does.",
    "shared.broker:Publisher.replace.delete:": (
        "Only a broker that was killed while it made a queue leaves one that has to be replaced;"
        " tests/shared/test_broken_queue.py breaks one."
    ),
    "services.gateway.store.webhooks:": (
        "This house tells nobody by webhook; tests/gateway/live/test_webhooks.py loses a gateway in the middle."
    ),
    "services.gateway.store.deliveries:insert_ping:": "The same.",
    "services.gateway.store.deliveries:update_attempted:": "The same.",
    "services.gateway.store.deliveries:update_receiver_": "The same.",
    "services.gateway.store.deliveries:update_resent:": "The same.",
    "services.gateway.rounds.webhooks:Courier._attempt:": "The same.",
    "services.gateway.rounds.webhooks:Courier._note:": "The same.",
    "shared.fetch.outbound:Outbound.deliver:": "The same.",
    "services.gateway.identity.published:": "It reads what issuers publish, and changes nothing.",
    **{f"services.gateway.store.{step}": _ONE_TRANSACTION for step in _EDITING},
}
"""By the beginning of the points' names."""


def excuse_of(point: str) -> str | None:
    """Give the beginning under which a point is excused, if it is."""
    return next((beginning for beginning in EXCUSED if point.startswith(beginning)), None)


def unexcused(points: Iterable[str]) -> list[str]:
    return [point for point in points if excuse_of(point) is None]
