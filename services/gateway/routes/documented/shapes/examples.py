"""Replies as they come, to show."""

from typing import Any, Final

_JOB_ID: Final = "01990b6e-6c4d-7d4e-9a52-1f0c8c1d2e3f"
_IMAGE_ID: Final = "5b7c2d1e-8f90-5a1b-8c2d-3e4f5a6b7c8d"
_PROJECT_ID: Final = "3f2a1b0c-9d8e-5f7a-8b6c-5d4e3f2a1b0c"
_RECORD_ID: Final = "01990b6e-6c50-7a11-8e21-77aa0b1c2d3e"
_AT: Final = "2025-09-01T12:00:00.123456+00:00"
_LATER: Final = "2025-09-01T12:00:02.500000+00:00"
_URL: Final = "https://store.example.org/diorama/media/originals/ab/abab.jpg?X-Amz-Expires=3600&X-Amz-Signature=0f"

JOB: Final[dict[str, Any]] = {
    "id": _JOB_ID,
    "kind": "scraper.scrape_pages.v1",
    "service": "scraper",
    "state": "in_progress",
    "project_id": _PROJECT_ID,
    "submitted_by": "7f0c6d2e-3a51-4a4e-9d0e-2f6f0f0c9c11",
    "parent_id": None,
    "root_id": _JOB_ID,
    "pipeline": ["describe", "depth", "edges"],
    "image_id": None,
    "about": "https://example.org/gallery",
    "progress": 0.5,
    "stage": "reading pages",
    "attempt": 1,
    "next_attempt_at": None,
    "waiting_for": None,
    "error": None,
    "result": None,
    "children_total": None,
    "cancel_requested_at": None,
    "retried_from": None,
    "retried_as": None,
    "created_at": _AT,
    "started_at": _AT,
    "finished_at": None,
    "updated_at": _LATER,
    "links": {
        "self": f"/api/v1/jobs/{_JOB_ID}",
        "events": f"/api/v1/jobs/{_JOB_ID}/events",
        "cancel": f"/api/v1/jobs/{_JOB_ID}/cancel",
    },
}
_COUNTS: Final[dict[str, Any]] = {
    "images_found": 3,
    "images_skipped": 1,
    "skipped": [{"url": "https://example.org/dot.gif", "code": "too_small", "sentence": "It is smaller than 32 px."}],
}
JOB_DETAIL: Final[dict[str, Any]] = {
    **JOB,
    "request": {"urls": ["https://example.org/gallery"]},
    "tree": {
        "total": 3,
        "pending": 1,
        "in_progress": 0,
        "completed": 1,
        "failed": 1,
        "cancelled": 0,
        "ended": False,
        "failures": [{"code": "http_not_found", "sentence": "The server answered 404.", "count": 1}],
    },
    "children": {"items": [], "next_cursor": None},
    "drawing": None,
    "pages": [
        {
            "job_id": _JOB_ID,
            "url": "https://example.org/gallery",
            "title": "Gallery",
            **_COUNTS,
        }
    ],
    "rejections": [],
}
_PAGE: Final = {
    "job_id": _JOB_ID,
    "url": "https://example.org/gallery",
    "title": "Gallery",
    "description": "Hills, seas and what lies between",
    "author": "Ada",
    "licence": "https://creativecommons.org/licenses/by/4.0/",
    "published_at": "2025-08-30",
    "modified_at": None,
    "site_name": "Example",
    "language": "en",
    "canonical_url": "https://example.org/gallery",
}
PAGE: Final[dict[str, Any]] = {**_PAGE, **_COUNTS, "at": _LATER}
_STEP: Final = {"state": "completed", "job_id": _JOB_ID, "error": None}
IMAGE: Final[dict[str, Any]] = {
    "id": _IMAGE_ID,
    "project_id": _PROJECT_ID,
    "job_id": _JOB_ID,
    "root_job_id": _JOB_ID,
    "sha256": "ab" * 32,
    "size_bytes": 123456,
    "content_type": "image/jpeg",
    "width_px": 1600,
    "height_px": 1200,
    "thumbhash": "3OcRJYB4d3h/iIeHeEh3eIhw+j2w",
    "source_url": "https://example.org/a.jpg",
    "context": {"title": "A view", "alt": "Hills at dusk", "page_url": "https://example.org/gallery"},
    "page": _PAGE,
    "video": None,
    "title": "A view",
    "alt": "Hills at dusk, a red house",
    "caption": None,
    "tags": ["dusk", "hills"],
    "credit": None,
    "licence": None,
    "version": 2,
    "edited_by": "7f0c6d2e-3a51-4a4e-9d0e-2f6f0f0c9c11",
    "edited_at": _LATER,
    "palette": [{"hex": "#224466", "name": "dark blue", "share": 0.42}],
    "perceptual_hash": "c3d4e5f60718293a",
    "described_by": "diorama.pixels",
    "seen": [
        {
            "origin": "onnx.mobilenet_v2.1ab9b9b14988",
            "tags": [{"name": "alp", "confidence": 0.83}],
            "objects": [],
            "caption": None,
        }
    ],
    "pipeline": ["describe", "depth", "edges"],
    "steps": {
        "store": _STEP,
        "describe": _STEP,
        "depth": {**_STEP, "state": "in_progress"},
        "edges": {**_STEP, "state": "in_progress"},
    },
    "processing_status": "in_progress",
    "ai_progress": {"current": 1, "total": 3},
    "urls": {"original": _URL, "250": _URL},
    "expires_at": "2025-09-01T13:00:00+00:00",
    "deletion": None,
    "created_at": _AT,
    "updated_at": _LATER,
}
REVIEW: Final[dict[str, Any]] = {
    "image_id": _IMAGE_ID,
    "recipe": "cues-0f1e2d3c4b5a69788796a5b4c3d2e1f0",
    "state": "rejected",
    "reasons": ["mirror_or_glass"],
    "note": "The window on the left.",
    "reviewed_by": "7f0c6d2e-3a51-4a4e-9d0e-2f6f0f0c9c11",
    "reviewed_at": _LATER,
    "version": 2,
    "job_id": _JOB_ID,
}
SCENE_TAKEN: Final[dict[str, Any]] = {
    "task_id": _JOB_ID,
    "record_id": _RECORD_ID,
    "status": "queued",
    "message": "Scene 3 will be drawn.",
    "estimated_time_seconds": 20,
    "scene_number": 3,
    "retry_count": 0,
}
GENERATION: Final[dict[str, Any]] = {
    "record_id": _RECORD_ID,
    "task_id": _JOB_ID,
    "chapter_id": "chapter-1",
    "script_id": None,
    "image_type": "scene",
    "status": "completed",
    "scene_number": 3,
    "retry_count": 0,
    "progress": 1.0,
    "image_url": _URL,
    "image_id": _IMAGE_ID,
    "generation_time_seconds": 6.5,
    "last_attempted_at": _AT,
    "error": None,
    "error_code": None,
    "metadata": {"model_used": "sketch-1", "service": "sketch", "generation_time": 6.5, "task_id": _JOB_ID},
    "created_at": _AT,
    "updated_at": _LATER,
}
LETTER: Final[dict[str, Any]] = {
    "id": _RECORD_ID,
    "service": "media",
    "state": "dead",
    "code": "handler_failed",
    "sentence": "It failed.",
    "message_type": "scraper.image_found.v1",
    "message_id": _JOB_ID,
    "topic": "scraper.image_found",
    "size_bytes": 812,
    "job_id": _JOB_ID,
    "project_id": _PROJECT_ID,
    "asked_by": None,
    "received_at": _AT,
    "updated_at": _LATER,
    "links": {"self": f"/api/v1/dead-letters/{_RECORD_ID}"},
}
PAUSE: Final[dict[str, Any]] = {
    "kind": "media.fetch_media.v1",
    "owner": "oz",
    "paused_at": _AT,
    "expires_at": "2025-09-01T13:00:00+00:00",
}
FOUND: Final[dict[str, Any]] = {**IMAGE, "match": {"by": "relevance", "score": 0.607927}}
DUPLICATES: Final[dict[str, Any]] = {
    "id": _IMAGE_ID,
    "total": 2,
    "images": [IMAGE, {**IMAGE, "id": _RECORD_ID, "width_px": 320, "height_px": 240}],
    "pairs": [
        {
            "image_ids": [_IMAGE_ID, _RECORD_ID],
            "tier": "resized",
            "score": 0.998,
            "similarity": 0.998,
            "hash_distance": 2,
        }
    ],
}

_FILE: Final = {"key": "training-data/maps/depth/5b7c.png", "sha256": "ab" * 32, "size_bytes": 81234, "url": _URL}
SEEN_URL: Final[dict[str, Any]] = {
    "kind": "image",
    "url": "https://example.org/gone.jpg",
    "outcome": "refused",
    "code": "http_404",
    "sentence": "The server answered 404.",
    "found_on": "https://example.org/gallery",
    "image_id": None,
    "at": _LATER,
}
EXPORT: Final = (
    {"type": "manifest", "maps": 1, "images": 1, "size_bytes": 285924, "made_at": _LATER, "behind": None},
    {
        "type": "map",
        "cursor": "WyJhIiwgMV0=",
        "image_id": _IMAGE_ID,
        "project_id": _PROJECT_ID,
        "recipe": "cues-0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "kind": "inverse_relative",
        "estimator": "cues",
        "image": {**_FILE, "content_type": "image/jpeg", "width_px": 1600, "height_px": 1200, "caption": "A view"},
        "depth": {**_FILE, "width_px": 1600, "height_px": 1200},
        "edges": {**_FILE, "width_px": 1600, "height_px": 1200},
        "sidecar": {"key": "training-data/maps/depth/5b7c.json", "url": _URL},
        "review": {"reviewed_by": "ann", "reviewed_at": _LATER, "note": None},
    },
    {"type": "end", "maps": 1, "cursor": "WyJhIiwgMV0="},
)
"""Lines of an export, not all that they hold."""
