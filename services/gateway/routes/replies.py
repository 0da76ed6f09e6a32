"""What clients get: rows become JSON here and nowhere else."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

import orjson
from fastapi import Response

from services.gateway.links import File, Links
from services.gateway.rules.happenings import error_of
from services.gateway.rules.jobs import STATES, JobRow, tree_has_ended
from services.gateway.rules.pictures import Evidence, ai_progress, processing_status, step_states
from services.gateway.rules.reviewing import SOUNDEST, warnings_of

API: Final = "/api/v1"
_RETRY_SECONDS: Final = 1
_LINEAGE: Final = frozenset({"job_id", "parent_job_id", "root_job_id", "project_id", "submitted_by", "pipeline"})
_TYPES_OF_MAPS: Final = {"png": "image/png", "webp": "image/webp"}
_MAP_FILES: Final = {
    "depth": "depth",
    "edges": "edges",
    "depth_preview": "preview",
    "depth_coloured": "coloured",
    "normals": "normals",
}
_JOB_FIELDS: Final = tuple(field.name for field in fields(JobRow))


class Json(Response):
    """A JSON response of what orjson can write: also UUIDs and times."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content, default=str)  # the driver's UUIDs are a class of its own


def accepted(
    body: Mapping[str, Any],
    location: str,
    *,
    status: int = 202,
    replayed: bool = False,
    waited_seconds: int | None = None,
) -> Response:
    """Say that work was taken in, where to look, and when to look first, or next where its end was waited for.

    What was made at once (201) needs no second look.
    """
    headers = {"Location": location}
    if status != HTTPStatus.CREATED:
        headers["Retry-After"] = str(_RETRY_SECONDS)
    if replayed:
        headers["Idempotency-Replayed"] = "true"
    if waited_seconds is not None:
        headers["Preference-Applied"] = f"wait={waited_seconds}"
    return Json(body, status, headers)


def page(items: Sequence[Any], next_cursor: str | None) -> Response:
    return Json({"items": items, "next_cursor": next_cursor})


def job_location(job_id: UUID) -> str:
    return f"{API}/jobs/{job_id}"


def submitted_job(job: JobRow) -> dict[str, Any]:
    """Give the reply of a job that was made just now."""
    return job_reply({name: getattr(job, name) for name in (*_JOB_FIELDS, "about")})


def job_reply(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give a job as every list and page shows it."""
    location = job_location(row["id"])
    return {
        "id": row["id"],
        "kind": row["kind"],
        "service": row["service"],
        "state": row["state"],
        "project_id": row["project_id"],
        "submitted_by": row["submitted_by"],
        "parent_id": row["parent_id"],
        "root_id": row["root_id"],
        "pipeline": row["pipeline"],
        "image_id": row["asset_id"],
        "about": row["about"],
        "progress": row["progress"],
        "stage": row["stage"],
        "attempt": row["attempt"],
        "next_attempt_at": row["next_attempt_at"],
        "waiting_for": None if row["state"] != "pending" else row["waiting_for"],
        "error": error_of(row["error_code"], row["error_sentence"]),
        "result": row["result"],
        "children_total": row["children_total"],
        "cancel_requested_at": row.get("cancel_requested_at"),
        "retried_from": row.get("retried_from"),
        "retried_as": row.get("superseded_by"),
        "created_at": row["created_at"],
        "started_at": row["started_at"],
        "finished_at": row["finished_at"],
        "updated_at": row["updated_at"],
        "links": {"self": location, "events": f"{location}/events", "cancel": f"{location}/cancel"},
    }


def drawing_reply(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a job has drawn, what that cost, and how long it will take."""
    costs, paid = [picture["cost_micros"] for picture in row["pictures"]], row["payment_micros"]
    same = ("chapter_id", "scene_number", "from_task_id", "pictures", "left_seconds", "waiting_before")
    return {
        **{name: row[name] for name in same},
        "cost_micros": paid if not costs else None if None in costs else max(sum(costs), paid or 0),
        "estimated_seconds": row["seconds"],
    }


def letter_reply(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give a dead letter as every list and page shows it."""
    same = ("id", "service", "state", "code", "sentence", "message_type", "message_id", "topic", "size_bytes", "job_id")
    return {
        **{name: row[name] for name in (*same, "project_id", "asked_by")},
        "received_at": row["created_at"],
        "updated_at": row["updated_at"],
        "links": {"self": f"{API}/dead-letters/{row['id']}"},
    }


def plain(body: Mapping[str, Any]) -> dict[str, Any]:
    """Give a reply as those read it who get it again from the database: ids and times as texts."""
    read: dict[str, Any] = orjson.loads(orjson.dumps(body, default=str))
    return read


def request_reply(request: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Give what was asked for, without what the job itself says already."""
    return None if request is None else {name: value for name, value in request.items() if name not in _LINEAGE}


def tree_reply(own_state: str, counts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Sum up a job's descendants: how many there are, in which states, and why some failed."""
    descendants = [row for row in counts if not row["own"]]
    by_state = {state: sum(row["jobs"] for row in descendants if row["state"] == state) for state in STATES}
    failures = [
        {"code": row["error_code"], "sentence": row["error_sentence"], "count": row["jobs"]}
        for row in descendants
        if row["state"] == "failed"
    ]
    unnamed = sum(int(row["unnamed"] or 0) for row in counts)
    return {
        "total": sum(by_state.values()) + unnamed,
        **by_state,
        "pending": by_state["pending"] + unnamed,
        "ended": tree_has_ended(own_state, by_state, unnamed_children=unnamed),
        "failures": sorted(failures, key=lambda failure: -failure["count"]),
    }


async def image_reply(row: Mapping[str, Any], links: Links) -> dict[str, Any]:
    """Give an image with the state of each step, and URLs of its files."""
    steps = _steps(row)
    states = {name: step["state"] for name, step in steps.items()}
    files = image_files(row)
    made = {name: await links.to(file) for name, file in files.items()}
    video = await _video(row["video"], links)
    return {
        "id": row["id"],
        "project_id": row["project_id"],
        "job_id": row["job_id"],
        "root_job_id": row["root_job_id"],
        "sha256": row["sha256"],
        "size_bytes": row["size_bytes"],
        "content_type": row["content_type"],
        "width_px": row["width_px"],
        "height_px": row["height_px"],
        "thumbhash": row["thumbhash"],
        "source_url": row["source_url"],
        "context": {name: value for name, value in (row["context"] or {}).items() if value is not None},
        "page": row["page"],
        "video": video,
        **_words(row),
        "palette": row["palette"] or [],
        "perceptual_hash": row["perceptual_hash"],
        "described_by": row["described_by"],
        "seen": row["seen"],
        "pipeline": row["pipeline"],
        "steps": steps,
        "processing_status": processing_status(states),
        "ai_progress": ai_progress(states),
        "urls": {name: link.url for name, link in made.items()},
        "expires_at": links.earliest_end(made.values()),
        "deletion": _deletion(row),
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }


async def _video(video: Mapping[str, Any] | None, links: Links) -> dict[str, Any] | None:
    """Give what is known of a video, with the addresses of its sound and subtitles."""
    return None if video is None else {**video, "tracks": [await _track(track, links) for track in video["tracks"]]}


async def _track(track: Mapping[str, Any], links: Links) -> dict[str, Any]:
    link = await links.to(File(track["key"], track["content_type"]))
    shape = {name: value for name, value in track.items() if name != "key"}
    return {**shape, "url": link.url, "expires_at": link.expires_at}


def _words(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give what is said about an image: what people wrote wins over what was found with it."""
    found = row["context"] or {}
    edited = {name: row[f"edited_{name}"] for name in ("title", "alt", "caption")}
    return {
        **{name: found.get(name) if value is None else value for name, value in edited.items()},
        "tags": row["tags"],
        "credit": found.get("credit"),
        "licence": found.get("licence"),
        "version": row["version"],
        "edited_by": row["edited_by"],
        "edited_at": row["edited_at"],
    }


def _deletion(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """Say why an image that somebody deleted is still there."""
    if row["deleting_job_id"] is None:
        return None
    return {
        "job_id": row["deleting_job_id"],
        "state": row["deleting_state"],
        "error": error_of(row["deleting_code"], row["deleting_sentence"]),
    }


def image_files(row: Mapping[str, Any]) -> dict[str, File]:
    """Give an image's files by the names under which clients know them."""
    files = served_files(row)
    drawn = {name: row[column] for name, column in _MAP_FILES.items() if row[column] is not None}
    return files | {name: _map_file(stored["key"]) for name, stored in drawn.items()}


def served_files(row: Mapping[str, Any]) -> dict[str, File]:
    """Give the pictures of an image: never the original itself, which may tell where it was taken."""
    copy = row["clean_copy"]
    files = {} if copy is None else {"original": File(copy["key"], copy["content_type"])}
    return files | {one["name"]: File(one["key"], one["content_type"]) for one in row["renditions"]}


def _map_file(key: str) -> File:
    return File(key, _TYPES_OF_MAPS.get(key.rpartition(".")[2]))


def _steps(row: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    states = step_states(
        Evidence(
            pipeline=row["pipeline"],
            described=row["described_by"] is not None,
            mapped=row["depth"] is not None,
            storing_state=row["storing_state"],
            mapping_state=row["mapping_state"],
        )
    )
    storing = {"job_id": row["job_id"], "error": error_of(row["storing_code"], row["storing_sentence"])}
    mapping = {"job_id": row["mapping_job_id"], "error": error_of(row["mapping_code"], row["mapping_sentence"])}
    around = {"store": storing, "describe": storing, "depth": mapping, "edges": mapping}
    return {step: {"state": state, **around[step]} for step, state in states.items()}


async def map_reply(row: Mapping[str, Any], links: Links) -> dict[str, Any]:
    """Give the maps of one recipe with URLs of their files."""
    files = {name: await _drawn_reply(row[name], links) for name in _MAP_FILES.values()}
    sidecar = await links.to(File(row["sidecar_key"], "application/json"))
    return {
        "recipe": row["recipe"],
        "kind": row["kind"],
        "estimator": row["estimator"],
        "quality": row["quality"],
        "job_id": row["job_id"],
        **files,
        "sidecar": {"url": sidecar.url, "expires_at": sidecar.expires_at},
        "suspicion": (SOUNDEST - row["soundness"]) / SOUNDEST,
        "warnings": warnings_of(row["quality"]),
        "review": review_reply(row),
        "created_at": row["at"],
    }


async def _drawn_reply(stored: Mapping[str, Any] | None, links: Links) -> dict[str, Any] | None:
    if stored is None:
        return None
    link = await links.to(_map_file(stored["key"]))
    shape = {name: value for name, value in stored.items() if name != "key"}
    return {**shape, "url": link.url, "expires_at": link.expires_at}


def review_reply(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give what was decided of maps; of maps that were drawn anew since, nothing is."""
    is_reviewed = bool(row["reviewed"])
    return {
        "image_id": row["asset_id"],
        "recipe": row["recipe"],
        "state": row["review_state"],
        "reasons": row["reasons"] if is_reviewed else [],
        "note": row["note"] if is_reviewed else None,
        "reviewed_by": row["reviewed_by"] if is_reviewed else None,
        "reviewed_at": row["reviewed_at"] if is_reviewed else None,
        "version": row["version"],
        "job_id": row["review_job_id"],
    }


async def mapped_image_reply(row: Mapping[str, Any], links: Links) -> dict[str, Any]:
    """Give of an image what is shown beside its maps."""
    files = served_files(row)
    made = {name: await links.to(file) for name, file in files.items()}
    found = row["context"] or {}
    return {
        "id": row["asset_id"],
        "project_id": row["project_id"],
        "width_px": row["width_px"],
        "height_px": row["height_px"],
        "thumbhash": row["thumbhash"],
        "title": found.get("title") if row["edited_title"] is None else row["edited_title"],
        "urls": {name: link.url for name, link in made.items()},
        "expires_at": links.earliest_end(made.values()),
    }


async def generation_reply(row: Mapping[str, Any], links: Links) -> dict[str, Any]:
    """Give the image of a scene as its readers know it."""
    key = row["copy_key"] or row["object_key"]
    return {
        "record_id": row["record_id"],
        "task_id": row["task_id"],
        "chapter_id": row["chapter_id"],
        "script_id": row["script_id"],
        "image_type": row["image_type"],
        "status": row["status"],
        "scene_number": row["scene_number"],
        "retry_count": row["retry_count"],
        "progress": row["progress"],
        "image_url": (await links.to(File(key, None))).url if key else None,
        "image_id": row["asset_id"],
        "generation_time_seconds": row["generation_time_seconds"],
        "last_attempted_at": row["last_attempted_at"],
        "error": row["error_sentence"],
        "error_code": row["error_code"],
        "metadata": {
            "model_used": row["model_used"],
            "service": row["provider"],
            "generation_time": row["generation_time_seconds"],
            "task_id": row["task_id"],
        },
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }
