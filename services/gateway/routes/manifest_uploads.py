"""Manifests that are uploaded: lists of images, which the scraper reads where they lie in the object store."""

from typing import Any, Final
from uuid import UUID

from contracts.scraper import MANIFEST_LIMIT_BYTES
from services.gateway.routes.problems import Problem, not_found
from services.gateway.store.reading import Row
from services.gateway.store.uploads import select_upload, update_accepted
from shared.database import Connection
from shared.object_keys import upload_key

MANIFEST_TYPES: Final = (
    *("text/csv", "application/x-ndjson", "application/jsonl", "application/gzip"),
    "application/vnd.apache.parquet",
)


def check_announced(size_bytes: int) -> None:
    """Refuse a manifest that is too large to be read."""
    if size_bytes > MANIFEST_LIMIT_BYTES:
        raise Problem(413, "file_too_large", f"A manifest has at most {MANIFEST_LIMIT_BYTES} bytes; please divide it.")


def check_sent(upload: Row, size_bytes: int | None) -> None:
    """Refuse an upload that has not arrived as it was announced."""
    if size_bytes is None:
        raise Problem(409, "upload_missing", "Nothing has arrived yet: PUT the bytes to the upload's `url` first.")
    if size_bytes != upload["size_bytes"]:
        sentence = (
            f"{size_bytes} bytes have arrived and {upload['size_bytes']} were announced: PUT the whole file again."
        )
        raise Problem(409, "upload_size_differs", sentence)


def check_in_time(upload: Row) -> None:
    """Refuse an upload that was not completed while it could be."""
    if upload["expired"]:
        raise Problem(410, "upload_expired", "The time for this upload is over; announce it anew.")


def is_manifest(upload: Row) -> bool:
    """Tell whether an upload is a list of images, and no image."""
    return upload["content_type"] in MANIFEST_TYPES


def key_of(upload: Row) -> str | None:
    """Name an upload as whoever asks for its manifest to be read has to; None for an image."""
    return upload_key(upload["id"]) if is_manifest(upload) else None


def id_in(object_key: str) -> UUID:
    """Give the upload whose object has a key; raises a 404 problem where that can be of none."""
    try:
        upload_id = UUID(object_key.rpartition("/")[2])
    except ValueError as error:
        raise not_found("upload") from error
    if upload_key(upload_id) != object_key:
        raise not_found("upload")
    return upload_id


async def hand_over(
    connection: Connection, project_id: UUID, object_key: str, job_id: UUID, size_bytes: int | None
) -> None:
    """Hand a manifest that was uploaded into a project over to the job that reads it; of other projects there is none.

    It may be read several times, and is kept for a day after the last job of that kind was asked for.
    """
    upload: dict[str, Any] | None = await select_upload(connection, [project_id], id_in(object_key), locked=True)
    if upload is None or not is_manifest(upload):
        raise not_found("upload")
    check_in_time(upload)
    check_sent(upload, size_bytes)
    await update_accepted(connection, [{**upload, "job_id": job_id}])
