"""Jobs that the gateway did not make: how they enter the read model, and what a cancelled parent means for them."""

from collections.abc import Iterable

from contracts.envelope import EVERYBODY
from contracts.jobs import CancelJob
from services.gateway.rules.happenings import job_happening
from services.gateway.rules.jobs import JobRow
from services.gateway.store import cancelling, projection
from shared.outbox import Transaction


async def bear(tx: Transaction, jobs: Iterable[JobRow], *, silently: bool = False) -> None:
    """Insert jobs that are not known yet and tell clients of them; cancel those whose parents are to be cancelled.

    The caller holds the lock of the writers.
    """
    by_id = {job.id: job for job in jobs}
    if not by_id:
        return
    born = await projection.insert_jobs(tx.connection, list(by_id.values()))
    children = [job_id for job_id in born if by_id[job_id].parent_id is not None]
    doomed = await cancelling.update_born_cancelled(tx.connection, children) if children else []
    for job_id, cancelled_by in doomed:
        tx.say(CancelJob(addressee=EVERYBODY, job_id=job_id, cancelled_by=cancelled_by))
    if born and not silently:
        happenings = [job_happening("job.named", by_id[job_id]) for job_id in by_id if job_id in born]
        await projection.insert_events(tx.connection, happenings)
