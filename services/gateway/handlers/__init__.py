"""What the gateway hears."""

from contracts.depth_map import DepthMapped, DepthMapReviewed
from contracts.image_generation import ImageGenerated, PaymentExpected, PaymentWaived, ProvidersReported
from contracts.jobs import (
    DeadLettersSettled,
    JobAccepted,
    JobCancelled,
    JobChildrenNamed,
    JobCompleted,
    JobFailed,
    JobProgressed,
    JobRetryScheduled,
    JobStarted,
    JobUnknown,
    MessageDeadLettered,
    WorkerReported,
)
from contracts.media import CleanCopiesMade, MediaDeleted, MediaDescribed, MediaRejected, MediaStored
from contracts.scraper import ImageFound, PageScraped, UrlsAccounted
from services.gateway.handlers.copies import on_copies_made
from services.gateway.handlers.facts import on_facts
from services.gateway.handlers.letters import on_dead_letters
from services.gateway.handlers.losses import on_job_unknown
from services.gateway.handlers.news import on_job_news
from services.gateway.handlers.reports import on_providers_reported, on_reports
from shared.handling import Reactions, Works

REACTIONS: Reactions = {
    JobAccepted: on_job_news,
    JobStarted: on_job_news,
    JobProgressed: on_job_news,
    JobRetryScheduled: on_job_news,
    JobChildrenNamed: on_job_news,
    JobCompleted: on_job_news,
    JobFailed: on_job_news,
    JobCancelled: on_job_news,
    JobUnknown: on_job_unknown,
    MessageDeadLettered: on_dead_letters,
    DeadLettersSettled: on_dead_letters,
    WorkerReported: on_reports,
    ProvidersReported: on_providers_reported,
    ImageFound: on_facts,
    PageScraped: on_facts,
    UrlsAccounted: on_facts,
    MediaStored: on_facts,
    MediaDescribed: on_facts,
    MediaRejected: on_facts,
    MediaDeleted: on_facts,
    CleanCopiesMade: on_copies_made,
    ImageGenerated: on_facts,
    PaymentExpected: on_facts,
    PaymentWaived: on_facts,
    DepthMapped: on_facts,
    DepthMapReviewed: on_facts,
}
WORK: Works = {}
