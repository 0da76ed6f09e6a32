"""Points that no round comes to, each for a reason."""

from collections.abc import Iterable, Mapping
from typing import Final

EXCUSED: Final[Mapping[str, str]] = {
    "shared.schema:migrate:": "Migrations are applied before any service starts; a service only looks at them.",
    "shared.schema:_apply:": "The same.",
    "shared.schema:_analyze:": "The same.",
    "shared.objects:ObjectStore._create_bucket:": "Whoever runs the object store makes the bucket; no service does.",
    "shared.broker:Publisher.replace.delete:": (
        "Only a broker that was killed while it made a queue leaves one that has to be replaced;"
        " tests/shared/test_broken_queue.py breaks one."
    ),
    "shared.fetch.outbound:Outbound.ask:": (
        "Only providers of pictures elsewhere are asked so, of whom a round has none;"
        " tests/image_generation/test_paid_once.py dies before and after each word to three of them."
    ),
    "services.media.store.differences:": (
        "What is compared once a day is healed a day later, and no round is so long;"
        " tests/media/reconciling/test_orphans.py dies at each of these steps."
    ),
    "services.media.store.copies:": (
        "A round stores nothing that has no copy yet;"
        " tests/media/reconciling/test_copying.py dies at each step of whoever makes copies of what was stored before."
    ),
    "services.media.library:Library._copied:": "The same.",
    "services.media.copying:": "The same.",
    "services.gateway.store.facts:upsert_clean_copies:": (
        "The same; the gateway's part is one transaction, and tests/gateway/test_images.py hears it in any order."
    ),
    "services.media.handlers:_ask:": (
        "Nobody who says what images show is set up here, for a death while a paid one is asked shall end otherwise;"
        " tests/media/test_describing.py ends workers that ask."
    ),
    "services.media.handlers:_look_once:": "The same.",
    "services.media.store.blobs:insert_paid_look:": "The same.",
    "services.media.store.blobs:delete_paid_look:": "The same.",
    "services.media.library:Library._keep_track:": (
        "No round has a platform, whose program alone takes a second each time;"
        " tests/media/test_videos_stored.py breaks off before and after the step."
    ),
    "services.image_generation.store.going_on:upsert_generation_taken_over:": (
        "A round has nothing that is paid for and lost;"
        " tests/image_generation/test_resuming.py dies at any step of whoever goes on with such a picture."
    ),
    "services.gateway.store.resuming:": (
        "The same; the gateway's part is one transaction with what is said, and is told again as often as it is hinted."
    ),
    "services.image_generation.store.going_on:upsert_generation_retried:": (
        "Nor one that is done again after it was paid for; tests/image_generation/test_retried.py dies at each step."
    ),
    "shared.jobs:Job.without_lease:": (
        "Nobody freezes in a round while a provider answers him, and loses his job;"
        " tests/image_generation/test_told_late.py dies at each step of whoever is told something then."
    ),
    "services.image_generation.store.generations:update_generation_told_late:": "The same.",
    "services.image_generation.store.generations:update_generation_refused_late:": (
        "The same; tests/image_generation/test_refused_late.py dies at each step of whoever is refused then."
    ),
    "services.image_generation.store.generations:update_generation_gone_on:": (
        "The same; it is one transaction with the look at what is known."
    ),
    "services.image_generation.store.going_on:lock_name:": (
        "What is paid for has a round of its own, for a death while it is asked for shall end otherwise."
    ),
    "services.gateway.store.payments:": (
        "The same; the gateway's part is one transaction,"
        " and tests/gateway/drawing/test_payments.py hears it in any order."
    ),
    "services.gateway.store.usage:_upsert_losses:": "The same.",
    "services.gateway.identity.published:": "It reads what issuers publish, and changes nothing.",
}
"""By the beginning of the points' names."""


def excuse_of(point: str) -> str | None:
    """Give the beginning under which a point is excused, if it is."""
    return next((beginning for beginning in EXCUSED if point.startswith(beginning)), None)


def unexcused(points: Iterable[str]) -> list[str]:
    return [point for point in points if excuse_of(point) is None]
