"""What a job is known to be never goes back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.jobs import (
    JobAccepted,
    JobCancelled,
    JobChildrenNamed,
    JobCompleted,
    JobFailed,
    JobNews,
    JobProgressed,
    JobRetryScheduled,
    JobStarted,
)
from services.gateway.rules.jobs import JobRow, apply_news, job_of_news, tree_has_ended

JOB = UUID(int=1)
NOW = datetime(2025, 6, 1, tzinfo=UTC)


def said(news: type[JobNews], place: tuple[int, int], **facts: Any) -> JobNews:
    epoch, sequence = place
    about = {"job_id": JOB, "root_job_id": JOB, "project_id": JOB, "submitted_by": "ann", "kind": "k", "service": "s"}
    return news(
        **about, lease_epoch=epoch, sequence=sequence, at=NOW + timedelta(seconds=epoch, milliseconds=sequence), **facts
    )


ACCEPTED = said(JobAccepted, (0, 1))
STARTED = said(JobStarted, (1, 1), attempt=1, started_at=NOW, worker="w")
HALF = said(JobProgressed, (1, 2), progress=0.5, stage="reading")
RETRY = said(JobRetryScheduled, (1, 3), attempt=1, next_attempt_at=NOW, code="timeout", sentence="It took too long.")
AGAIN = said(JobStarted, (2, 1), attempt=2, started_at=NOW, worker="w")
DONE = said(JobCompleted, (2, 2), attempt=2, started_at=NOW, children_total=3, result={"images": 3})
FAILED = said(JobFailed, (2, 2), attempt=2, started_at=NOW, code="broken", sentence="It broke.")
CANCELLED = said(JobCancelled, (2, 2), attempt=2, started_at=NOW)
LATE_FAILURE = said(JobFailed, (1, 4), attempt=1, code="zombie", sentence="A worker that lost its lease says so.")


def after(*news: JobNews) -> JobRow:
    job = job_of_news(news[0])
    for one in news:
        apply_news(job, one)
    return job


def test_a_job_goes_its_way() -> None:
    assert after(ACCEPTED).state == "pending"
    assert after(ACCEPTED, STARTED).state == "in_progress"
    retried = after(ACCEPTED, STARTED, HALF, RETRY)
    assert (retried.state, retried.waiting_for, retried.error_code) == ("pending", "retry", "timeout")
    done = after(ACCEPTED, STARTED, HALF, RETRY, AGAIN, DONE)
    assert (done.state, done.error_code, done.children_total, done.progress) == ("completed", None, 3, 1.0)


@pytest.mark.parametrize("end", [DONE, FAILED, CANCELLED], ids=lambda end: type(end).__name__)
def test_the_order_of_arrival_changes_nothing_of_the_end(end: JobNews) -> None:
    ends = {
        (job.state, job.attempt, job.started_at, job.children_total, job.error_code, job.waiting_for, job.finished_at)
        for order in permutations([ACCEPTED, STARTED, HALF, RETRY, AGAIN, end])
        for job in [after(*order)]
    }
    assert len(ends) == 1


def test_a_zombie_hides_nothing() -> None:
    assert after(STARTED, AGAIN, LATE_FAILURE).state == "in_progress"
    assert after(STARTED, AGAIN, DONE, LATE_FAILURE).state == "completed"


def test_what_has_ended_never_changes() -> None:
    for end in (DONE, FAILED, CANCELLED):
        job = after(end)
        state = job.state
        for later in (
            said(JobStarted, (9, 9), attempt=9, started_at=NOW, worker="w"),
            said(JobCancelled, (9, 9)),
            HALF,
        ):
            assert not apply_news(job, later)
        assert job.state == state


@pytest.mark.parametrize("news", [ACCEPTED, STARTED, RETRY, DONE, CANCELLED])
def test_an_end_that_was_only_presumed_gives_way_to_what_its_worker_says(news: JobNews) -> None:
    job, waiting = presumed_failed(), job_of_news(ACCEPTED)
    assert apply_news(job, news)
    assert apply_news(waiting, news)
    assert job == waiting


def test_a_presumed_end_stands_while_its_worker_says_nothing_of_its_state() -> None:
    job, before = presumed_failed(), presumed_failed()
    assert not apply_news(job, HALF)
    assert not apply_news(job, said(JobChildrenNamed, (1, 2), children=()))
    assert job == before


def presumed_failed() -> JobRow:
    job = replace(job_of_news(ACCEPTED), state="failed", waiting_for=None, finished_at=NOW, presumed=True)
    job.error_code, job.error_sentence = "handler_failed", "It failed."
    return job


def test_progress_never_outranks_a_state() -> None:
    job = after(STARTED, said(JobProgressed, (1, 9), progress=0.9))
    assert job.progress == pytest.approx(0.9)
    assert apply_news(job, RETRY), "news of a state must not be hidden by progress that was said after it"
    assert job.state == "pending"
    assert not apply_news(job, said(JobProgressed, (1, 2), progress=0.1))


def test_progress_of_a_lost_lease_is_not_shown() -> None:
    job = after(STARTED, AGAIN)
    assert not apply_news(job, said(JobProgressed, (1, 50), progress=0.9))


NEWS = st.lists(st.sampled_from([ACCEPTED, STARTED, HALF, RETRY, AGAIN, DONE, LATE_FAILURE]), min_size=1, max_size=12)


@given(NEWS)
def test_repeats_and_disorder_never_move_a_job_back(news: list[JobNews]) -> None:
    job = job_of_news(news[0])
    places = [(job.lease_epoch, job.sequence)]
    ended = False
    for one in news:
        changed = apply_news(job, one)
        assert not (ended and changed)
        ended = job.ended
        places.append((job.lease_epoch, job.sequence))
    assert places == sorted(places)


def test_a_tree_has_not_ended_before_its_last_named_child() -> None:
    assert tree_has_ended("completed", {"completed": 3, "failed": 1}, unnamed_children=0)
    assert not tree_has_ended("completed", {"completed": 3}, unnamed_children=1)
    assert not tree_has_ended("completed", {"completed": 3, "pending": 1}, unnamed_children=0)
    assert not tree_has_ended("in_progress", {"completed": 3}, unnamed_children=0)
