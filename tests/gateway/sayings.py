"""Facts as the workers say them, about jobs of a test; and what the gateway says to them."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from contracts.depth_map import DepthMapped, StoredMap
from contracts.envelope import Message
from contracts.jobs import DeadLettersSettled, MessageDeadLettered, SettledLetter
from contracts.media import CleanCopy, MediaStored, Rendition, Track, Video
from contracts.scraper import ImageFound
from shared.identifiers import uuid7
from tests.gateway.living import Voice
from tests.living import House, until

SHA = "ab" * 32


def media_stored(voice: Voice, *, version: int = 1, sha256: str = SHA, **facts: Any) -> MediaStored:
    """Say that an image was stored in this job."""
    small = Rendition(
        name="250", key=f"media/renditions/{sha256}/250.webp", content_type="image/webp", width_px=250, height_px=187
    )
    key = f"media/originals/{sha256[:2]}/{sha256}.jpg"
    shape = {"content_type": "image/jpeg", "size_bytes": 1000, "width_px": 800, "height_px": 600}
    values = {
        "asset_id": uuid5(UUID(str(voice.job["project_id"])), sha256),
        "subject_version": version,
        "sha256": sha256,
        **shape,
        "original_key": key,
        "renditions": (small,),
        "clean_copy": CleanCopy(key=key, sha256=sha256, lossless=True, **shape),
        "source_url": "https://example.org/a.jpg",
        **facts,
    }
    return MediaStored(**{**voice.lineage(), **values})


def video_stored(voice: Voice, *, tracks: tuple[Track, ...] = (), sha256: str = SHA, **facts: Any) -> MediaStored:
    """Say that a video was stored in this job, with a poster and a preview."""
    names = ("250", "1440", "preview")
    pictures = (
        Rendition(
            name=name, key=f"media/renditions/{sha256}/{name}.webp", content_type="image/webp", width_px=250,
            height_px=187,
        )
        for name in names
    )  # fmt: skip
    video = Video(
        container="mp4", duration_seconds=72.4, frame_rate=25, video_codec="h264", audio_codec="aac", tracks=tracks
    )
    told = {"content_type": "video/mp4", "clean_copy": None, "renditions": tuple(pictures), "video": video, **facts}
    return media_stored(voice, sha256=sha256, **told)


def track_of(kind: str, language: str | None = None, *, sha256: str = SHA) -> Track:
    """Give sound or subtitles that lie beside a video."""
    key, content_type = f"media/tracks/{sha256}/{kind}{language or ''}", {"audio": "audio/mp4"}.get(kind, "text/vtt")
    return Track(kind=kind, key=key, content_type=content_type, size_bytes=2000, language=language)


def depth_mapped(voice: Voice, stored: MediaStored, *, version: int = 1, **facts: Any) -> DepthMapped:
    """Say that the maps of a stored image were drawn."""

    def drawn(name: str) -> StoredMap:
        return stored_map(stored, name, version=version)

    values = {
        "asset_id": stored.asset_id,
        "subject_version": version,
        "depth": drawn("depth"),
        "edges": drawn("edge"),
        "preview": drawn("preview"),
        "coloured": drawn("coloured"),
        "sidecar_key": f"training-data/maps/depth/{stored.asset_id}/{version}.json",
        "kind": "inverse_relative",
        "estimator": "test",
        "recipe": "default",
        **facts,
    }
    return DepthMapped(**{**voice.lineage(), **values})


def stored_map(stored: MediaStored, name: str, *, version: int = 1) -> StoredMap:
    """Give a map that was drawn of a stored image."""
    key = f"training-data/maps/{name}/{stored.asset_id}/{version}.png"
    return StoredMap(key=key, sha256=SHA, size_bytes=10, width_px=800, height_px=600)


def set_aside(service: str = "media", **facts: Any) -> MessageDeadLettered:
    """Say that a service could not take a message in."""
    told = {"code": "handler_failed", "sentence": "It failed.", "message_type": ImageFound.wire_name, **facts}
    return MessageDeadLettered(service=service, dead_letter_id=uuid7(), received_at=datetime.now(UTC), **told)


def command_of(job: Voice, **facts: Any) -> MessageDeadLettered:
    """Say that its service could not take the command of a job in."""
    about = {"message_type": job.job["kind"], "job_id": job.job["id"], "project_id": job.job["project_id"]}
    return set_aside(job.job["service"], **{**about, **facts})


def settled(letter: MessageDeadLettered, state: str, *, at: datetime | None = None) -> DeadLettersSettled:
    """Say what became of a letter."""
    about = SettledLetter(dead_letter_id=letter.dead_letter_id, state=state, job_id=letter.job_id)
    return DeadLettersSettled(service=letter.service, letters=(about,), at=at or datetime.now(UTC))


async def said_to(house: House, service: str = "media") -> list[Message]:
    """Give what the gateway has said to a service since this was last looked at, in its order."""

    async def all_said() -> bool:
        return not await house.value("SELECT count(*) FROM gateway.outbox")

    await until(all_said)
    return await house.heard(service)
