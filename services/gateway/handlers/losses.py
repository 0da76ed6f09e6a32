"""Jobs and messages that went astray."""

from collections.abc import Sequence

from contracts.catalogue import CATALOGUE
from contracts.envelope import EVERYBODY, Command
from contracts.jobs import CancelJob, JobUnknown, MessageDeadLettered
from services.gateway.rules.happenings import job_happening
from services.gateway.store import facts as fact_store
from services.gateway.store import projection, silence
from services.gateway.stream import Stream
from shared.handling import Heard
from shared.outbox import Transaction


async def on_job_unknown(tx: Transaction, facts: Sequence[Heard[JobUnknown]]) -> None:
    """Say the commands again of jobs that their workers have never heard of."""
    for lost in await silence.select_lost_commands(tx.connection, {heard.message.job_id for heard in facts}):
        command = CATALOGUE[lost.kind].model_validate(lost.request)
        if not isinstance(command, Command):
            raise TypeError(f"{lost.kind} is no command")
        tx.say(command)
        if lost.cancelled_by is not None:
            tx.say(CancelJob(addressee=EVERYBODY, job_id=command.job_id, cancelled_by=lost.cancelled_by))


async def on_message_dead_lettered(
    tx: Transaction, facts: Sequence[Heard[MessageDeadLettered]], stream: Stream
) -> None:
    """End a job whose command was set aside, with the reason: a job that no worker has would never end by itself."""
    rows = {
        heard.message.job_id: {
            "id": heard.message.job_id,
            "kind": heard.message.message_type,
            "error_code": heard.message.code,
            "error_sentence": heard.message.sentence,
        }
        for heard in facts
        if heard.message.job_id is not None
    }
    if not rows:
        return
    await projection.lock_writers(tx.connection)
    ended = await silence.update_dead_lettered_jobs(tx.connection, list(rows.values()))
    if ended:
        jobs = await projection.select_job_rows(tx.connection, ended)
        await projection.insert_events(tx.connection, [job_happening("job.failed", job) for job in jobs.values()])
        await fact_store.update_generation_states(tx.connection, ended)
    tx.after_commit(stream.wake)
