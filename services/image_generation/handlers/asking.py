"""Handing a request in, once: what is paid for is never asked for on a guess."""

import asyncio
import time
from dataclasses import dataclass, replace
from typing import Any, Final

import structlog

from contracts.image_generation import GenerateImage
from services.image_generation import store
from services.image_generation.handlers.copying import Copies, copied
from services.image_generation.handlers.hearing_out import heard_out
from services.image_generation.handlers.noting import expect_payment, is_guarded, note_refusal
from services.image_generation.handlers.showing import shown
from services.image_generation.handlers.telling import Telling
from services.image_generation.providers import (
    Capabilities,
    GenerationRequest,
    Provider,
    Submitted,
    Wish,
    request_for,
)
from services.image_generation.rules import Size, estimated_seconds, seed_of
from services.image_generation.rules.admission import (
    PROBE_SECONDS,
    objection,
    passes_on,
)
from services.image_generation.rules.trouble import Trouble, failure_of
from services.image_generation.studio import Studio
from shared.database import Connection, until_answered
from shared.errors import Failure, Refused, TryAgain
from shared.jobs import Job, LostLease

MOST_FAILURES: Final = 3
"""So often a request is taken and given up by the provider before nobody makes it again."""

ANOTHERS_NAME: Final = "By that name it draws for another job."
_UNTIL_NAMED_SECONDS: Final = 60.0
_OVERDUE_SECONDS: Final = 5.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that a provider has taken.

    Attributes:
        copies: its pictures, where they came with the answer and are stored already.
        notes: who could not be asked before, and why.
        asked_seconds_ago: when it was asked for.
        estimate_seconds: how long such a picture takes.
        failures: how often it was given up before.
        paid: whether it is paid for, by the terms on which it was asked for.
        cost_micros: of each picture, in millionths of a US dollar; None where nobody knows it.

    """

    provider: Provider
    submitted: Submitted
    copies: Copies | None
    estimate_seconds: float
    paid: bool
    cost_micros: int | None
    asked_seconds_ago: float = 0.0
    failures: int = 0
    notes: tuple[str, ...] = ()


async def ask_once(job: Job[GenerateImage], wish: Wish, studio: Studio) -> Asked:
    """Hand the request in, unless it was handed in before.

    Returns who was asked, which after a change of settings may not be who would be asked now.
    """
    command = job.command
    looks = job.lease_epoch > 1 or command.resumes is not None or command.retries is not None
    known = await _known(job) if looks else None
    if job.command.resumes is not None and (known is None or not _can_go_on(known, studio)):
        name = "The provider" if known is None else known.provider
        raise failure_of(name, Trouble.UNKNOWN, "It cannot be asked about a request by that name.")
    if known is not None and known.request_id is not None:
        return _resumed(known, known.request_id, studio)
    if known is not None and known.paid and not known.let_go:
        told = ANOTHERS_NAME if _is_guessed(known) else ""
        raise failure_of(known.provider, Trouble.UNKNOWN, told)
    failures = known.failures if known is not None else 0
    if failures >= MOST_FAILURES:
        raise Refused("generation_failed", f"The request was taken and given up {failures} times; word it otherwise.")
    return replace(await _ask_in_turn(job, wish, studio), failures=failures)


async def _known(job: Job[GenerateImage]) -> store.Generation | None:
    resumes = job.command.resumes
    async with job.recording() as tx:
        if resumes is not None:
            charge = await store.upsert_generation_taken_over(
                tx.connection, job.id, job.command.project_id, resumes.job_id, resumes.request_id
            )
            if charge is not None:
                expect_payment(tx, job, charge, instead_of=resumes.job_id)
        elif job.command.retries is not None:
            taken = await store.upsert_generation_retried(
                tx.connection, job.id, job.command.project_id, job.command.retries
            )
            if taken is not None:
                before, charge = taken
                expect_payment(tx, job, charge, instead_of=before)
        known = await store.select_generation(tx.connection, job.id)
        if known is not None and known.told_late:
            await store.update_generation_gone_on(tx.connection, job.id)
        return known


def _can_go_on(known: store.Generation, studio: Studio) -> bool:
    """Tell whether who was asked can be asked about a request of which nobody but a stranger has told the name."""
    provider = studio.providers.get(known.provider)
    return not _is_guessed(known) or provider is None or provider.capabilities.asked_by_name


def _is_guessed(known: store.Generation) -> bool:
    return "track_id" in known.resume


def _resumed(known: store.Generation, request_id: str, studio: Studio) -> Asked:
    provider = studio.providers.get(known.provider)
    if provider is None:  # it is drawn and may be paid for: the job waits until the settings name who draws it again
        sentence = f"{known.provider} draws it, and is no longer in the settings; name it there until this is done."
        raise TryAgain("provider_missing", sentence, retry_after_seconds=_UNTIL_NAMED_SECONDS, rate_limited=True)
    copies = None if known.kept is None else Copies.model_validate(known.kept)
    size = Size(known.width_px, known.height_px)
    estimate = estimated_seconds(size, known.samples, provider.capabilities.pace)
    price = known.price_micros
    return Asked(
        provider,
        Submitted(request_id, known.resume),
        copies,
        estimate,
        known.paid,
        None if price is None else price // known.samples,
        known.asked_seconds_ago,
        known.failures,
    )


async def _ask_in_turn(job: Job[GenerateImage], wish: Wish, studio: Studio) -> Asked:
    """Ask the first of the candidates who is there; why the others were passed over becomes a note.

    Where none is, the job waits for one of them who may be there later, before it fails for one who will not.
    """
    passed: list[Failure] = []
    for provider in studio.candidates(job.command.provider, wish):
        try:
            asked = await _asked(job, provider, wish, studio)
        except Failure as failure:
            if not passes_on(failure):
                raise
            passed.append(failure)
        else:
            return replace(asked, notes=tuple(failure.sentence for failure in passed))
    raise next((failure for failure in reversed(passed) if isinstance(failure, TryAgain)), passed[-1])


async def _asked(job: Job[GenerateImage], provider: Provider, wish: Wish, studio: Studio) -> Asked:
    can = provider.capabilities
    request = request_for(provider.name, can, wish, seed=seed_of(job.id), track_id=str(job.id))
    references = await shown(job.command.references, studio)
    request = request.model_copy(update={"hint_url": studio.hints(job.id), "references": references})
    job.progress(0.05, f"asking {provider.name}")
    asking = _asking(job, provider, request, studio)
    version, estimate = 0, 0.0
    async with job.recording() as tx:
        refusal = await _admit(tx.connection, asking, can, studio) if is_guarded(can) else None
        if refusal is None:
            charge = await store.upsert_generation(tx.connection, asking)
            if charge is None:  # its task was forgotten, and came once more
                sentence = "What became of it is looked up."
                raise TryAgain("asked_before", sentence, retry_after_seconds=0, rate_limited=True)
            if can.costs_money:
                expect_payment(tx, job, charge)
            version = charge.version
            estimate = await _estimate(tx.connection, asking, can)
    if refusal is not None:  # what was noted of others stays
        raise refusal
    work = _ask(job, provider, request, studio, version=version, estimate_seconds=estimate)
    if not can.costs_money:
        return await work
    return await heard_out(job, provider.name, work, studio.deadline_seconds)


async def _ask(
    job: Job[GenerateImage],
    provider: Provider,
    request: GenerationRequest,
    studio: Studio,
    *,
    version: int,
    estimate_seconds: float,
) -> Asked:
    """Ask, and have what was answered written down; `version` is that of the payment.

    That is done also where the lease is lost meanwhile, for whoever goes on with this payment, or need not.
    """
    begun = time.monotonic()
    try:
        async with Telling(job, provider.name, estimate_seconds).by_the_clock():
            submitted = await provider.submit(request)
    except Failure as failure:
        await note_refusal(job, provider, failure, version)
        raise
    except asyncio.CancelledError:
        if job.overdue and provider.capabilities.costs_money:  # it may be taken, and a retry would pay once more
            raise failure_of(provider.name, Trouble.UNKNOWN, "") from None
        raise
    can, copies = provider.capabilities, None
    comes_again = submitted.done is None or can.asked_by_name
    if comes_again:
        await _write_down(job, provider, submitted, None, version)
    if submitted.done is not None:
        copies = await copied(job, submitted.done, studio, only_here=can.costs_money and not comes_again)
    if not comes_again:
        await _write_down(job, provider, submitted, copies, version)
    cost = _cost_of(can)
    taken = replace(submitted, done=None)
    return Asked(provider, taken, copies, estimate_seconds, can.costs_money, cost, time.monotonic() - begun)


async def _write_down(
    job: Job[GenerateImage], provider: Provider, submitted: Submitted, copies: Copies | None, version: int
) -> None:
    """Write down what a provider calls our request and what came with its answer, for it is told only once.

    Where the database is away, or its own answer is lost, that is done when it is back. Where the lease is lost it is
    left for whoever does the job again; this attempt ends with `LostLease` all the same. Where the deadline passes
    meanwhile a few seconds more are taken, since whoever retries what nobody has written down would pay once more.
    """
    kept = None if copies is None else copies.model_dump(mode="json")
    writing = asyncio.create_task(_written_down(job, provider, submitted, kept, version))
    try:
        await asyncio.shield(writing)
    except asyncio.CancelledError:
        if job.overdue:
            await asyncio.wait((writing,), timeout=_OVERDUE_SECONDS)
        raise
    finally:
        writing.cancel()
        await asyncio.wait((writing,))
        if provider.capabilities.costs_money and not _is_written(writing):
            # A person who looks into the account finds it by this name.
            name = submitted.request_id
            _log.warning("name_not_kept", job_id=str(job.id), provider=provider.name, request_id=name)


def _is_written(writing: asyncio.Task[None]) -> bool:
    return not writing.cancelled() and (writing.exception() is None or isinstance(writing.exception(), LostLease))


async def _written_down(
    job: Job[GenerateImage], provider: Provider, submitted: Submitted, kept: dict[str, Any] | None, version: int
) -> None:
    try:
        await until_answered(lambda: _keep(job, provider, submitted, kept), "keep what a provider calls a request")
    except LostLease:
        if provider.capabilities.costs_money:
            late = "keep what a provider has told late"
            await until_answered(lambda: _leave(job, provider.name, submitted, kept, version), late)
        raise


async def _keep(job: Job[GenerateImage], provider: Provider, submitted: Submitted, kept: dict[str, Any] | None) -> None:
    """Write it down under the lease; twice is as good as once."""
    can = provider.capabilities
    async with job.recording() as tx:
        if can.costs_money:
            await store.lock_name(tx.connection, submitted.request_id)
        await store.update_generation_request(tx.connection, job.id, submitted.request_id, dict(submitted.resume), kept)
        if is_guarded(can):
            await store.delete_account_trouble(tx.connection, provider.name)


async def _leave(
    job: Job[GenerateImage], provider: str, submitted: Submitted, kept: dict[str, Any] | None, version: int
) -> None:
    """Write it down without the lease, for whoever goes on with this payment; where nobody does it is told."""
    name, resume = submitted.request_id, dict(submitted.resume)
    async with job.without_lease() as tx:
        await store.lock_name(tx.connection, name)
        known = await store.update_generation_told_late(
            tx.connection, job.id, provider, name, version=version, resume=resume, kept=kept
        )
    if not known:  # a person who looks into the account finds it by this name
        _log.warning("told_too_late", job_id=str(job.id), provider=provider, request_id=name)


def _cost_of(can: Capabilities) -> int | None:
    return can.price_micros if can.costs_money else 0


def _asking(job: Job[GenerateImage], provider: Provider, request: GenerationRequest, studio: Studio) -> store.Asking:
    can = provider.capabilities
    price = _cost_of(can)
    return store.Asking(
        job_id=job.id,
        project_id=job.command.project_id,
        submitted_by=job.command.submitted_by,
        provider=provider.name,
        paid=can.costs_money,
        price_micros=None if price is None else price * request.samples,
        size=Size(request.width_px, request.height_px),
        samples=request.samples,
        sharing=studio.sharing(provider),
    )


async def _admit(connection: Connection, asking: store.Asking, can: Capabilities, studio: Studio) -> Failure | None:
    """Take a place at the account and a part of today's budget, or say why there is none."""
    standing = await store.select_standing(connection, asking)
    refusal = objection(
        asking.provider,
        standing,
        studio.budgets,
        price_micros=asking.price_micros or 0,
        most_in_flight=can.most_in_flight,
    )
    if refusal is None and standing.may_be_tried:
        await store.update_account_probed(connection, asking.provider, asking.job_id, PROBE_SECONDS)
    return refusal


async def _estimate(connection: Connection, asking: store.Asking, can: Capabilities) -> float:
    learnt = None
    if is_guarded(can):
        learnt = await store.select_pace(connection, asking.provider, asking.size, asking.samples)
    return estimated_seconds(asking.size, asking.samples, can.pace) if learnt is None else learnt
