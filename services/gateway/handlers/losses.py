"""Jobs that went astray."""

from collections.abc import Sequence

from contracts.catalogue import CATALOGUE
from contracts.envelope import EVERYBODY, Command
from contracts.jobs import CancelJob, JobUnknown
from services.gateway.store import projection, silence
from shared.handling import Heard
from shared.outbox import Transaction


async def on_job_unknown(tx: Transaction, facts: Sequence[Heard[JobUnknown]]) -> None:
    """Say the commands again of jobs that their workers have never heard of."""
    await projection.lock_writers(tx.connection)
    for lost in await silence.update_unknown_jobs(tx.connection, {heard.message.job_id for heard in facts}):
        command = CATALOGUE[lost.kind].model_validate(lost.request)
        if not isinstance(command, Command):
            raise TypeError(f"{lost.kind} is no command")
        tx.say(command)
        if lost.cancelled_by is not None:
            tx.say(CancelJob(addressee=EVERYBODY, job_id=command.job_id, cancelled_by=lost.cancelled_by))
