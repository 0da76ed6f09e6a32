"""What clients and webhooks can be told of, and how they say which part of it they want."""

from collections.abc import Iterable
from typing import Final

PROGRESS: Final = "job.progressed"
"""The only event that may be left out: the next one says more, and nobody has it by webhook."""

EVENT_TYPES: Final = {
    "job.submitted": "A job was handed in.",
    "job.named": "A job has a child that is not done yet.",
    "job.accepted": "Its worker has taken a job in, and says what it waits for.",
    "job.started": "A worker has begun with a job.",
    PROGRESS: "How far a job is: at most twice a second for each job. Never sent to webhooks.",
    "job.retry_scheduled": "An attempt has failed; when the next one begins.",
    "job.completed": "A job is done.",
    "job.failed": "A job has failed for good; its error says why.",
    "job.cancelled": "A job was cancelled.",
    "job.cancel_requested": "Somebody has asked for the end of a job and of what follows from it.",
    "job.revived": "A job that counted as failed waits for its worker again.",
    "page.scraped": "A page was read; how many images it holds.",
    "urls.accounted": "It is known what became of URLs of a crawl; how many were read, found, skipped, refused.",
    "image.found": "A page shows an image, which is fetched now.",
    "image.generated": "An image of a scene was drawn.",
    "image.chosen": "A scene shows another of its versions; which one, and who has chosen it.",
    "image.stored": "An image is stored and can be shown.",
    "image.copied": "An image of before is handed out as `original` by now: there is a copy without metadata.",
    "image.described": "Colours and fingerprint of an image are known.",
    "image.mapped": "Depth and edge maps of an image are there.",
    "image.reviewed": "Somebody has approved or rejected the maps of an image, or has taken that back.",
    "image.rejected": "An image was not taken; its code says why.",
    "image.edited": "Somebody says something else of an image; its version.",
    "image.deleting": "Somebody has deleted an image: it is shown no more unless that fails.",
    "image.deleted": "An image is gone, with what was stored of it.",
    "webhook.disabled": "A webhook was switched off because its receiver is gone or has failed for days.",
}
"""Each with the moment at which it is told."""

FAMILIES: Final = frozenset(f"{type_.partition('.')[0]}.*" for type_ in EVENT_TYPES)


def check_event_type(wanted: str) -> str:
    """Give the type back; raise ValueError where nothing is ever told under it: `job.failed`, or `job.*` for all."""
    if wanted not in EVENT_TYPES and wanted not in FAMILIES:
        raise ValueError(f"there is no such event; there is {', '.join([*EVENT_TYPES, *sorted(FAMILIES)])}")
    return wanted


def types_meant(wanted: Iterable[str]) -> frozenset[str]:
    """Give every type that is meant by types and families."""
    families = {one.removesuffix("*") for one in wanted if one in FAMILIES}
    return frozenset(wanted) - FAMILIES | {type_ for type_ in EVENT_TYPES if type_.partition(".")[0] + "." in families}
