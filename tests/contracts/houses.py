"""The services of the plan, told by hand, so that the generators are tried without any service."""

from contracts.catalogue import CATALOGUE
from contracts.depth_map import DepthMapped, DepthMapReviewed, MapDepth, ReviewDepthMap
from contracts.envelope import Command, Message
from contracts.image_generation import GenerateImage, ImageGenerated, PaymentExpected, PaymentWaived, ProvidersReported
from contracts.jobs import DeadLettersSettled, JobFailed, JobNews, JobUnknown, MessageDeadLettered, WorkerReported
from contracts.media import (
    AcceptUpload,
    CleanCopiesMade,
    DeleteMedia,
    DescribeMedia,
    DrawRendition,
    FetchMedia,
    MediaDeleted,
    MediaDescribed,
    MediaRejected,
    MediaStored,
)
from contracts.scraper import (
    AskRobots,
    ContinueCrawl,
    CrawlSite,
    ImageFound,
    ImportManifest,
    PageScraped,
    ReadManifest,
    RetryCrawl,
    ScheduleCrawl,
    ScrapePages,
    UrlsAccounted,
)

Table = tuple[list[type[Message]], list[type[Command]]]


def tables() -> dict[str, Table]:
    """Give fresh tables, so that a test may change them."""
    news: list[type[Message]] = [message for message in CATALOGUE.values() if issubclass(message, JobNews)]
    media_facts: list[type[Message]] = [MediaStored, MediaDescribed, MediaRejected, MediaDeleted]
    map_facts: list[type[Message]] = [DepthMapped, DepthMapReviewed]
    reports: list[type[Message]] = [
        MessageDeadLettered,
        DeadLettersSettled,
        WorkerReported,
        ProvidersReported,
        CleanCopiesMade,
    ]
    pictures: list[type[Message]] = [ImageGenerated, PaymentExpected, PaymentWaived]
    facts: list[type[Message]] = [ImageFound, PageScraped, UrlsAccounted, *media_facts, *pictures, *map_facts]
    return {
        "gateway": ([*news, JobUnknown, *reports, *facts], []),
        "scraper": (
            [MediaStored, MediaRejected, JobFailed],
            [ScrapePages, ImportManifest, CrawlSite, ContinueCrawl, ReadManifest, RetryCrawl, ScheduleCrawl, AskRobots],
        ),
        "media": ([ImageFound, ImageGenerated], [FetchMedia, AcceptUpload, DescribeMedia, DrawRendition, DeleteMedia]),
        "image_generation": ([], [GenerateImage]),
        "depth_map": ([MediaStored, MediaDeleted], [MapDepth, ReviewDepthMap]),
    }
