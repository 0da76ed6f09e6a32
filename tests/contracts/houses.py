"""The services of the plan, told by hand, so that the generators are tried without any service."""

from contracts.catalogue import CATALOGUE
from contracts.depth_map import DepthMapped, MapDepth
from contracts.envelope import Command, Message
from contracts.image_generation import GenerateImage, ImageGenerated
from contracts.jobs import DeadLettersSettled, JobNews, JobUnknown, MessageDeadLettered, WorkerReported
from contracts.media import (
    AcceptUpload,
    DeleteMedia,
    FetchMedia,
    MediaDeleted,
    MediaDescribed,
    MediaRejected,
    MediaStored,
)
from contracts.scraper import ImageFound, PageScraped, ScrapePages

Table = tuple[list[type[Message]], list[type[Command]]]


def tables() -> dict[str, Table]:
    """Give fresh tables, so that a test may change them."""
    news: list[type[Message]] = [message for message in CATALOGUE.values() if issubclass(message, JobNews)]
    media_facts: list[type[Message]] = [MediaStored, MediaDescribed, MediaRejected, MediaDeleted]
    facts: list[type[Message]] = [ImageFound, PageScraped, *media_facts, ImageGenerated, DepthMapped]
    return {
        "gateway": ([*news, JobUnknown, MessageDeadLettered, DeadLettersSettled, WorkerReported, *facts], []),
        "scraper": ([], [ScrapePages]),
        "media": ([ImageFound, ImageGenerated], [FetchMedia, AcceptUpload, DeleteMedia]),
        "image_generation": ([], [GenerateImage]),
        "depth_map": ([MediaStored], [MapDepth]),
    }
