"""What image generation hears: the command to make an image."""

import asyncio
import hashlib
import time

from contracts.image_generation import GenerateImage, ImageGenerated
from contracts.media import AcceptUpload
from services.image_generation import store
from services.image_generation.providers import (
    Done,
    GenerationRequest,
    Provider,
    Submitted,
    Wish,
    chosen,
    request_for,
)
from services.image_generation.rules import check, seed_of
from services.image_generation.studio import Studio
from shared.errors import Refused, TryAgain
from shared.handling import Reactions, Works
from shared.identifiers import child_id
from shared.jobs import Job
from shared.object_keys import generated_key

_SHORTEST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 10.0


async def generate_image(job: Job[GenerateImage], studio: Studio) -> None:
    """Have a provider make one image, copy it into our own store, and hand it to media."""
    command, begun = job.command, time.monotonic()
    check(
        command.description,
        style=command.style,
        aspect_ratio=command.aspect_ratio,
        negative_prompt=command.negative_prompt or "",
        seed=command.seed,
    )
    provider = chosen(studio.providers, command.provider, studio.default)
    wish = Wish(
        command.description,
        style=command.style,
        aspect_ratio=command.aspect_ratio,
        seed=command.seed,
        negative_prompt=command.negative_prompt or "",
    )
    request = request_for(provider.name, provider.capabilities, wish, seed=seed_of(job.id), track_id=str(job.id))
    job.progress(0.05, f"asking {provider.name}")
    provider, submitted = await _ask_once(job, provider, request, studio)
    done = await _follow(job, provider, submitted, studio.deadline_seconds)
    picture = done.pictures[0]
    # Numbered by the lease: whoever lost it can never write where its successor does.
    key = generated_key(job.id, job.lease_epoch, 0)
    job.progress(0.95, "storing")
    await studio.objects.put_once(key, picture.body, content_type=picture.content_type)
    async with job.completing() as tx:
        await store.update_generation_done(tx.connection, job.id, key, dict(done.provenance))
        tx.name_child(child_id(job.id, AcceptUpload.wire_name, key), AcceptUpload.wire_name)
        tx.say(
            ImageGenerated(
                **command.own_lineage(),
                object_key=key,
                sha256=hashlib.sha256(picture.body).hexdigest(),
                size_bytes=len(picture.body),
                content_type=picture.content_type,
                width_px=picture.width_px,
                height_px=picture.height_px,
                provider=provider.name,
                model=done.model,
                seed=picture.seed,
                generation_seconds=round(time.monotonic() - begun, 3),
                description=command.description,
                paid=provider.capabilities.costs_money,
            )
        )
        tx.result(provider=provider.name, model=done.model, seed=picture.seed, notes=list(done.notes))


async def _ask_once(
    job: Job[GenerateImage], provider: Provider, request: GenerationRequest, studio: Studio
) -> tuple[Provider, Submitted]:
    """Hand the request in, unless it was handed in before; a paid call is never repeated on a guess.

    Returns who was asked, which after a change of settings may not be who would be asked now.
    """
    paid = provider.capabilities.costs_money
    async with job.recording() as tx:
        generation = await store.insert_generation(
            tx.connection, job.id, job.command.project_id, provider.name, paid=paid
        )
    if generation.request_id is not None:
        asked = chosen(studio.providers, generation.provider, studio.default)
        return asked, Submitted(generation.request_id, generation.resume)
    if generation.begun_before and paid:
        raise Refused(
            "outcome_unknown",
            f"{provider.name} was asked, but its answer was lost; asking again might be paid for twice.",
        )
    try:
        submitted = await provider.submit(request)
    except TryAgain as error:
        if error.rate_limited:  # it said that it did not take the request
            async with job.recording() as tx:
                await store.delete_generation(tx.connection, job.id)
        raise
    async with job.recording() as tx:
        await store.update_generation_request(tx.connection, job.id, submitted.request_id, dict(submitted.resume))
    return provider, submitted


async def _follow(job: Job[GenerateImage], provider: Provider, submitted: Submitted, deadline_seconds: float) -> Done:
    pause_seconds = _SHORTEST_PAUSE_SECONDS
    try:
        async with asyncio.timeout(deadline_seconds):
            while True:
                answer = await provider.poll(submitted)
                if isinstance(answer, Done):
                    return answer
                job.progress(answer.progress, f"{provider.name} is drawing")
                wait_seconds = min(max(answer.eta_seconds or pause_seconds, pause_seconds), _LONGEST_PAUSE_SECONDS)
                await asyncio.sleep(wait_seconds)
                pause_seconds = min(pause_seconds * 1.5, _LONGEST_PAUSE_SECONDS)
    except TimeoutError:
        raise TryAgain("provider_slow", f"{provider.name} gave no picture within {deadline_seconds:.0f} s.") from None
    except asyncio.CancelledError:
        if job.cancel_requested:  # otherwise another process goes on with what may be paid for
            await provider.cancel(submitted)
        raise


REACTIONS: Reactions = {}
WORK: Works = {GenerateImage: generate_image}
