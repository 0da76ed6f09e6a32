"""Writing down what may be paid for and what is not, and how it stands with the accounts, for all replicas."""

from typing import Final
from uuid import UUID

from contracts.image_generation import GenerateImage, PaymentExpected, PaymentWaived
from services.image_generation import store
from services.image_generation.providers import Capabilities, Provider
from services.image_generation.rules.admission import closed_seconds, counts_as_failure
from services.image_generation.rules.trouble import NOT_TAKEN, Trouble, trouble_of
from shared.database import Connection, until_answered
from shared.errors import Failure, TryAgain
from shared.jobs import Job, LostLease
from shared.outbox import Transaction

_ANSWERED: Final = frozenset({Trouble.WISH, Trouble.BROKEN, Trouble.FAILED})
"""Of whoever says so, or sends so, nobody has to find out whether it is there."""


def is_guarded(can: Capabilities) -> bool:
    """Tell whether an account stands behind a provider, or only this machine."""
    return can.costs_money or can.most_in_flight is not None


async def note_refusal(job: Job[GenerateImage], provider: Provider, failure: Failure, version: int) -> None:
    """Let go of what the provider did not take, and tell the others how it stands with the account.

    Also where the lease is lost, of the very payment, by its `version`, that was asked for; LostLease is raised all the
    same.
    """
    try:
        await until_answered(lambda: _note(job, provider, failure), "note what a provider has refused")
    except LostLease:
        if provider.capabilities.costs_money:
            late = "note what a provider has refused late"
            await until_answered(lambda: _note_late(job, provider, failure, version), late)
        raise


async def _note(job: Job[GenerateImage], provider: Provider, failure: Failure) -> None:
    trouble = trouble_of(failure)
    async with job.recording() as tx:
        if _costs_nothing(trouble):
            await let_go(tx, job, failed=trouble is Trouble.FAILED)
        if is_guarded(provider.capabilities):
            await note_trouble(tx.connection, provider.name, trouble, failure)


async def _note_late(job: Job[GenerateImage], provider: Provider, failure: Failure, version: int) -> None:
    trouble = trouble_of(failure)
    async with job.without_lease() as tx:
        if _costs_nothing(trouble):
            failed = trouble is Trouble.FAILED
            _waive_payment(
                tx, job, await store.update_generation_refused_late(tx.connection, job.id, version, failed=failed)
            )
        await note_trouble(tx.connection, provider.name, trouble, failure)


def _costs_nothing(trouble: Trouble) -> bool:
    """Tell whether a request that ends so is not paid for."""
    return trouble in NOT_TAKEN or trouble is Trouble.FAILED


async def let_go(tx: Transaction, job: Job[GenerateImage], *, failed: bool) -> None:
    """Let go of what costs nothing, and tell so; it may be made again."""
    _waive_payment(tx, job, await store.update_generation_let_go(tx.connection, job.id, failed=failed))


def _waive_payment(tx: Transaction, job: Job[GenerateImage], version: int | None) -> None:
    if version is not None:
        tx.say(PaymentWaived(**job.command.own_lineage(), subject_version=version))


def expect_payment(
    tx: Transaction, job: Job[GenerateImage], charge: store.Charge, instead_of: UUID | None = None
) -> None:
    """Tell what is spent, in the transaction that counts it against the budget, and in whose.

    What was paid for stays with whoever asked for it, also where somebody else does the job again.
    """
    price = charge.price_micros
    lineage = job.command.own_lineage()
    tx.say(
        PaymentExpected(
            **{**lineage, "submitted_by": charge.submitted_by or lineage["submitted_by"]},
            subject_version=charge.version,
            provider=charge.provider,
            samples=charge.samples,
            cost_micros=None if price is None else price // charge.samples,
            asked_at=charge.asked_at,
            instead_of=instead_of,
        )
    )


async def note_trouble(connection: Connection, provider: str, trouble: Trouble, failure: Failure) -> None:
    """Count a failure of an account, and have nobody ask for a while where that follows from it."""
    if trouble in _ANSWERED:
        await store.delete_account_trouble(connection, provider)
        return
    requested = failure.retry_after_seconds if isinstance(failure, TryAgain) else None
    counts = counts_as_failure(trouble)
    if not counts and closed_seconds(trouble, 0, requested) is None:
        return
    failures = await store.upsert_account_trouble(connection, provider, counts=counts, reason=trouble.value)
    seconds = closed_seconds(trouble, failures, requested)
    if seconds is not None:
        await store.update_account_closed(connection, provider, seconds)
