"""News of jobs: what the workers say becomes what clients see."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from contracts.image_generation import GenerateImage
from contracts.jobs import JobChildrenNamed, JobNews, JobProgressed
from services.gateway.handlers.births import bear
from services.gateway.rules.happenings import Happening, job_happening
from services.gateway.rules.jobs import EVENT_TYPES, JobRow, apply_news, job_of_child, job_of_news
from services.gateway.rules.retrying import OUTCOME_UNKNOWN
from services.gateway.store import facts as fact_store
from services.gateway.store import projection, silence
from services.gateway.store.resuming import insert_resumptions
from services.gateway.stream import Stream
from shared.handling import Heard
from shared.outbox import Transaction

_DRAWS_SCENES: Final = GenerateImage.wire_name


async def on_job_news(tx: Transaction, facts: Sequence[Heard[JobNews]], stream: Stream) -> None:
    """Apply what is newer than what is known; jobs that are first heard of here are born."""
    news = _without_overtaken_progress([heard.message for heard in facts])
    await projection.lock_writers(tx.connection)
    await _bear_children(tx, [one for one in news if isinstance(one, JobChildrenNamed)])
    jobs = await _known_or_born(tx, news)
    happenings = _apply(jobs, news)
    changed = {happening.job_id for happening in happenings}
    if answered := [job.id for job in jobs.values() if job.unanswered_since and job.id not in changed]:
        await silence.update_answered_jobs(tx.connection, answered)
    if happenings:
        await projection.update_jobs(tx.connection, [job for job in jobs.values() if job.id in changed])
        await projection.insert_events(tx.connection, happenings)
        scenes = [job.id for job in jobs.values() if job.kind == _DRAWS_SCENES and job.id in changed]
        if scenes:
            await fact_store.update_generation_states(tx.connection, scenes)
        if lost := [job.id for job in jobs.values() if job.error_code == OUTCOME_UNKNOWN and job.id in changed]:
            for command in await insert_resumptions(tx.connection, lost):
                tx.say(command)
    tx.after_commit(stream.wake)


def _without_overtaken_progress(news: Iterable[JobNews]) -> list[JobNews]:
    """Keep of each job's progress in the batch only the last, for nobody could see the others."""
    kept: list[JobNews] = []
    measured = set()
    for one in reversed(list(news)):
        if isinstance(one, JobProgressed):
            if one.job_id in measured:
                continue
            measured.add(one.job_id)
        kept.append(one)
    return kept[::-1]


async def _bear_children(tx: Transaction, named: Sequence[JobChildrenNamed]) -> None:
    if not named:
        return
    rows = [
        {"parent_id": one.job_id, "child_id": child.job_id, "project_id": one.project_id, "kind": child.kind}
        for one in named
        for child in one.children
    ]
    await projection.insert_job_children(tx.connection, rows)
    await bear(tx, [job_of_child(child, one) for one in named for child in one.children])


async def _known_or_born(tx: Transaction, news: Sequence[JobNews]) -> dict[Any, JobRow]:
    jobs = await projection.select_job_rows(tx.connection, {one.job_id for one in news})
    unheard = {one.job_id: job_of_news(one) for one in news if one.job_id not in jobs}
    await bear(tx, unheard.values(), silently=True)
    return jobs | unheard


def _apply(jobs: dict[Any, JobRow], news: Sequence[JobNews]) -> list[Happening]:
    happenings = []
    for one in news:
        job = jobs[one.job_id]
        presumed = job.presumed
        if type(one) in EVENT_TYPES and apply_news(job, one):
            if presumed and not job.presumed:
                happenings.append(job_happening("job.revived", job))
            happenings.append(job_happening(EVENT_TYPES[type(one)], job))
    return happenings
