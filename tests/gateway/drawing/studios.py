"""What tests of drawing say as the workers do: that scenes were drawn, and that their pictures are in the library."""

from typing import Any
from uuid import UUID

from contracts.image_generation import ImageGenerated, Offer, ProvidersReported
from contracts.jobs import JobCompleted, JobFailed
from contracts.media import AcceptUpload, MediaStored
from shared.identifiers import child_id
from tests.gateway.living import Client, Gateway, Reply, Voice
from tests.gateway.sayings import media_stored

BEGAN: dict[str, Any] = {"attempt": 1, "started_at": "2025-01-01T00:00:00Z"}
SEEDING = Offer(
    name="seeding", aspect_ratios=("1:1", "16:9"), seeds=True, negative_prompts=True, most_samples=4, most_references=4
)
RANDOM = Offer(name="random", aspect_ratios=("1:1",), seeds=False, negative_prompts=False, most_samples=1)


def reported(default: str = "seeding", *fallbacks: str) -> ProvidersReported:
    at = "2025-01-01T00:00:00Z"
    return ProvidersReported.model_validate(
        {
            "service": "image_generation",
            "at": at,
            "default": default,
            "fallbacks": fallbacks,
            "offers": (SEEDING, RANDOM),
        }
    )


def drawn(voice: Voice, sample: int = 0, **facts: Any) -> ImageGenerated:
    """Say that a picture of this job was drawn."""
    values = {
        "object_key": f"generated/{voice.job['id']}/1/{sample}.png",
        "sha256": "ab" * 32,
        "size_bytes": 9,
        "content_type": "image/png",
        "width_px": 8,
        "height_px": 8,
        "provider": "seeding",
        "model": "a model",
        "seed": 7,
        "generation_seconds": 2.0,
        "description": "A view",
        "paid": True,
        "cost_micros": 3000,
        "sample": sample,
        **facts,
    }
    fact: ImageGenerated = voice.states(ImageGenerated, **values)
    return fact


async def complete(gateway: Gateway, client: Client, task_id: str, *, samples: int = 1, **facts: Any) -> Voice:
    """Have a job draw its pictures and end."""
    voice = Voice(await client.job(task_id))
    pictures = [drawn(voice, sample, **facts) for sample in range(samples)]
    await gateway.hear(*pictures, voice.says(JobCompleted, **BEGAN))
    return voice


async def fail(gateway: Gateway, client: Client, task_id: str, code: str = "provider_away") -> None:
    voice = Voice(await client.job(task_id))
    await gateway.hear(voice.says(JobFailed, attempt=1, code=code, sentence="It is away."))


async def keep(gateway: Gateway, voice: Voice, sample: int = 0, **facts: Any) -> MediaStored:
    """Have a picture of a job taken into the library."""
    key = f"generated/{voice.job['id']}/1/{sample}.png"
    upload = child_id(UUID(voice.job["id"]), AcceptUpload.wire_name, key)
    job = {**voice.job, "id": str(upload), "parent_id": voice.job["id"]}
    stored = media_stored(Voice(job), source_url=None, **facts)
    await gateway.hear(stored)
    return stored


async def draw(client: Client, number: int = 1, chapter: str = "c", **asked: Any) -> Reply:
    return await client.post(f"/chapters/{chapter}/images/scenes/{number}", {"scene_description": "A view", **asked})


async def status(client: Client, number: int = 1, chapter: str = "c") -> dict[str, Any]:
    return dict((await client.get(f"/chapters/{chapter}/images/scenes/{number}/status")).body)
