"""From the command to pictures that lie in our own store."""

import time
from typing import Final

from contracts.image_generation import GenerateImage, ImageGenerated
from contracts.media import AcceptUpload
from services.image_generation import store
from services.image_generation.handlers.asking import ANOTHERS_NAME, Asked, ask_once
from services.image_generation.handlers.copying import Copies, copied
from services.image_generation.handlers.following import follow
from services.image_generation.providers import Wish
from services.image_generation.rules import check
from services.image_generation.rules.trouble import Trouble, failure_of
from services.image_generation.studio import Studio
from shared.identifiers import child_id
from shared.jobs import Completion, Job

_MODEL_CHARACTERS: Final = 120
"""So many of a model's name are told; the path of a checkpoint may have more."""


async def generate_image(job: Job[GenerateImage], studio: Studio) -> None:
    """Have a provider make images, copy them into our own store, and hand them to media."""
    asked = await ask_once(job, _wish(job.command), studio)
    # Also of what another attempt has asked for; but nobody waits so long for a picture as one may lie forgotten.
    begun = time.monotonic() - min(max(0.0, asked.asked_seconds_ago), studio.deadline_seconds)
    copies = asked.copies
    if copies is None:
        done = await follow(job, asked, studio.deadline_seconds)
        copies = await copied(job, done, studio)
    seconds = round(time.monotonic() - begun, 3)
    async with job.completing() as tx:
        if not await store.update_generation_done(tx.connection, job.id, copies.pictures[0].object_key, copies.facts):
            raise failure_of(asked.provider.name, Trouble.UNKNOWN, ANOTHERS_NAME)
        _say(tx, job.command, asked, copies, seconds)
        tx.result(
            provider=asked.provider.name,
            model=copies.model,
            seed=copies.pictures[0].seed,
            notes=[*asked.notes, *copies.notes],
        )


def _wish(command: GenerateImage) -> Wish:
    negative_prompt = command.negative_prompt or ""
    check(
        command.description,
        style=command.style,
        aspect_ratio=command.aspect_ratio,
        negative_prompt=negative_prompt,
        seed=command.seed,
    )
    return Wish(
        command.description,
        command.style,
        command.aspect_ratio,
        command.seed,
        negative_prompt,
        command.samples,
        len(command.references),
        command.seed_asked_for,
    )


def _say(tx: Completion, command: GenerateImage, asked: Asked, copies: Copies, seconds: float) -> None:
    for number, picture in enumerate(copies.pictures):
        key = picture.object_key
        tx.name_child(child_id(command.job_id, AcceptUpload.wire_name, key), AcceptUpload.wire_name)
        tx.say(
            ImageGenerated(
                **command.own_lineage(),
                object_key=key,
                sha256=picture.sha256,
                size_bytes=picture.size_bytes,
                content_type=picture.content_type,
                width_px=picture.width_px,
                height_px=picture.height_px,
                provider=asked.provider.name,
                model=copies.model[:_MODEL_CHARACTERS],
                seed=picture.seed,
                generation_seconds=seconds,
                description=command.description,
                paid=asked.paid,
                cost_micros=asked.cost_micros,
                sample=number,
            )
        )
