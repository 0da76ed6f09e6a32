"""What a fact becomes in the read model: rows by the names of their columns, and what clients are told."""

from collections import Counter
from datetime import datetime
from typing import Any, Final

from contracts.depth_map import DepthMapped, DepthMapReviewed
from contracts.envelope import Event
from contracts.image_generation import ImageGenerated, PaymentExpected, PaymentWaived
from contracts.media import MediaDeleted, MediaDescribed, MediaRejected, MediaStored
from contracts.scraper import ImageFound, PageScraped, UrlsAccounted
from services.gateway.rules.births import upload_of_generated_image
from services.gateway.rules.happenings import Happening, fact_happening
from services.gateway.rules.reviewing import soundness_of

Row = dict[str, Any]


def asset_of(fact: MediaStored, at: datetime) -> Row:
    data = fact.model_dump(mode="json")
    copied = ("sha256", "size_bytes", "content_type", "width_px", "height_px", "original_key", "renditions")
    also = ("clean_copy", "video", "thumbhash", "source_url", "context", "pipeline")
    lineage = ("project_id", "job_id", "root_job_id")
    return {
        "id": fact.asset_id,
        "stored_version": fact.subject_version,
        "created_at": at,
        "updated_at": at,
        **{name: data[name] for name in (*copied, *also, *lineage)},
    }


def source_of(fact: MediaStored, at: datetime) -> Row:
    about = {"asset_id": fact.asset_id, "source_url": fact.source_url, "parent_job_id": fact.parent_job_id}
    return {**_in_job(fact, at), **about}


def tombstone_of(fact: MediaDeleted, at: datetime) -> Row:
    version = fact.subject_version
    return {"id": fact.asset_id, "project_id": fact.project_id, "stored_version": version, "deleted_at": at}


def description_of(fact: MediaDescribed, at: datetime) -> Row:
    names = {"asset_id", "origin", "project_id", "subject_version", "palette", "perceptual_hash"}
    names |= {"tags", "objects", "caption"}
    known = fact.embedding
    vector = {"embedding_origin": known.origin, "embedding": known.values} if known is not None else {}
    return {**fact.model_dump(mode="json", include=names), **vector, "at": at}


def map_of(fact: DepthMapped, at: datetime) -> Row:
    maps = {"depth", "edges", "preview", "coloured", "normals", "sidecar_key"}
    names = maps | {"kind", "estimator", "recipe", "quality", "asset_id", "project_id", "subject_version", "job_id"}
    return {**fact.model_dump(mode="json", include=names), "at": at, "soundness": soundness_of(fact.quality)}


def review_of(fact: DepthMapReviewed) -> Row:
    names = {"asset_id", "recipe", "project_id", "map_version", "verdict", "reasons", "note", "job_id"}
    row = fact.model_dump(mode="json", include=names | {"reviewed_by", "reviewed_at"})
    return {**row, "decision": fact.subject_version}


def found_of(fact: ImageFound, at: datetime) -> Row:
    row = fact.model_dump(mode="json", include={"fetch_job_id", "url", "found_in", "context"})
    return {**_in_job(fact, at), **row}


def page_of(fact: PageScraped, at: datetime) -> Row:
    names = {"url", "title", "description", "author", "licence", "published_at", "modified_at", "site_name", "language"}
    counts = {"images_found", "images_skipped", "skipped"}
    return {**_in_job(fact, at), **fact.model_dump(mode="json", include=names | counts | {"canonical_url"})}


def rejection_of(fact: MediaRejected, at: datetime) -> Row:
    row = fact.model_dump(mode="json", include={"url", "object_key", "code", "sentence"})
    return {**_in_job(fact, at), **row}


def picture_of(fact: ImageGenerated, at: datetime) -> Row:
    names = {"sample", "project_id", "object_key", "width_px", "height_px", "provider", "model", "seed", "paid"}
    return {
        **fact.model_dump(mode="json", include=names | {"cost_micros", "generation_seconds"}),
        "task_id": fact.job_id,
        "upload_job_id": upload_of_generated_image(fact).job_id,
        "generated_at": at,
    }


def payment_of(fact: PaymentExpected | PaymentWaived, at: datetime) -> Row:
    """Give a row of what is told of a payment; of one that was waived all else is known already."""
    around = {"task_id": fact.job_id, "project_id": fact.project_id, "submitted_by": fact.submitted_by}
    told: Row = {"subject_version": fact.subject_version, "waived": isinstance(fact, PaymentWaived), "asked_at": at}
    if isinstance(fact, PaymentExpected):
        told |= fact.model_dump(mode="json", include={"provider", "samples", "cost_micros", "asked_at", "instead_of"})
    return {**around, **told}


def stored_picture_of(fact: MediaStored) -> Row:
    return {"task_id": fact.parent_job_id, "upload_job_id": fact.job_id, "asset_id": fact.asset_id}


def _in_job(fact: Event, at: datetime) -> Row:
    return {"job_id": fact.job_id, "root_job_id": fact.root_job_id, "project_id": fact.project_id, "at": at}


_STANDING: Final = {"skipped": 0, "refused": 1, "duplicate": 2}


def url_lines_of(fact: UrlsAccounted, at: datetime) -> list[Row]:
    """Give a row for each URL; of several about one URL that which stands highest holds."""
    around = {"source_job_id": fact.source_job_id, "project_id": fact.project_id, "at": at}
    return [
        {**line.model_dump(mode="json"), **around, "standing": _STANDING.get(line.outcome, 3)} for line in fact.lines
    ]


def happening_of(fact: Event, at: datetime) -> Happening:
    """Tell clients a fact, with no more than they need to know where to look."""
    told: Row
    match fact:
        case ImageFound() | PageScraped() | UrlsAccounted():
            told = _told_by_scraper(fact)
        case MediaStored():
            told = {"type_": "image.stored", "image_id": fact.asset_id, "source_url": fact.source_url}
            told |= {"already_stored": fact.already_stored, "thumbhash": fact.thumbhash}
            told["size_bytes"] = fact.size_bytes
        case MediaDescribed():
            told = {"type_": "image.described", "image_id": fact.asset_id, "origin": fact.origin}
        case MediaRejected():
            told = {"type_": "image.rejected", "url": fact.url, "code": fact.code, "sentence": fact.sentence}
        case MediaDeleted():
            told = {"type_": "image.deleted", "image_id": fact.asset_id}
        case ImageGenerated():
            told = {"type_": "image.generated", "object_key": fact.object_key, "model": fact.model}
            told |= {"provider": fact.provider, "generation_seconds": fact.generation_seconds, "paid": fact.paid}
            told |= {"sample": fact.sample, "cost_micros": fact.cost_micros}
        case DepthMapped():
            told = {"type_": "image.mapped", "image_id": fact.asset_id, "recipe": fact.recipe}
        case DepthMapReviewed():
            told = {"type_": "image.reviewed", "image_id": fact.asset_id, "recipe": fact.recipe}
            told |= {"state": fact.verdict, "reviewed_by": fact.reviewed_by}
        case _:
            raise TypeError(f"nobody is told of {fact.wire_name}")
    return fact_happening(fact=fact, at=at, **told)


def _told_by_scraper(fact: ImageFound | PageScraped | UrlsAccounted) -> Row:
    match fact:
        case ImageFound():
            return {"type_": "image.found", "url": fact.url, "fetch_job_id": fact.fetch_job_id}
        case PageScraped():
            counts = {"images_found": fact.images_found, "images_skipped": fact.images_skipped}
            return {"type_": "page.scraped", "url": fact.url, **counts}
        case UrlsAccounted():
            outcomes = Counter(line.outcome for line in fact.lines)
            return {"type_": "urls.accounted", "source_job_id": fact.source_job_id, "outcomes": outcomes}
