"""Hosts are asked as often as they bear, and never more often than the limits say."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from shared.errors import TryAgain
from shared.manners import Host, Limits, Outcome, noted
from shared.manners.throttle import note_latency, note_struggle, take_turns

LIMITS = Limits(spacing_seconds=0.25, longest_delay_seconds=60, concurrency=1, patience_seconds=15)
SECONDS = st.floats(0, 1000, allow_nan=False)
HOSTS = st.builds(Host, next_at=SECONDS, delay_seconds=st.floats(0, 60))


@given(HOSTS, st.lists(st.tuples(st.floats(0, 30), st.floats(-10, 1000)), min_size=2, max_size=30))
def test_two_turns_are_never_closer_than_the_limits_the_host_and_its_latency_ask(
    host: Host, visits: list[tuple[float, float]]
) -> None:
    now, taken = 0.0, []
    for pause, asked in visits:
        now += pause
        host, wait = take_turns(host, now, asked, LIMITS)
        if wait <= LIMITS.patience_seconds:
            wanted = max(LIMITS.spacing_seconds, min(max(asked, host.delay_seconds), LIMITS.longest_delay_seconds))
            taken.append((now + wait, wanted))
    assert all(later - earlier >= wanted - 1e-9 for (earlier, wanted), (later, _) in pairwise(taken))


@given(HOSTS, SECONDS)
def test_who_would_wait_for_too_long_takes_no_turn(host: Host, now: float) -> None:
    after, wait = take_turns(host, now, 0, LIMITS)
    assert (after == host) == (wait > LIMITS.patience_seconds)


@given(HOSTS, st.lists(st.tuples(st.floats(0, 300), st.booleans()), max_size=30))
def test_the_delay_stays_within_its_bounds_and_no_error_shortens_it(
    host: Host, answers: list[tuple[float, bool]]
) -> None:
    for latency, sound in answers:
        before, host = host, note_latency(host, latency, LIMITS, sound=sound)
        assert 0 <= host.delay_seconds <= LIMITS.longest_delay_seconds
        assert sound or host.delay_seconds >= before.delay_seconds


@given(st.floats(0, 60), st.floats(0.01, 50), st.sampled_from([0.5, 1, 2, 8]))
def test_the_delay_comes_to_what_the_latency_asks(delay: float, latency: float, concurrency: float) -> None:
    host, limits = Host(delay_seconds=delay), Limits(concurrency=concurrency)
    for _ in range(40):
        host = note_latency(host, latency, limits, sound=True)
    settled = max(min(latency / concurrency, limits.longest_delay_seconds), limits.spacing_seconds)
    assert abs(max(host.delay_seconds, limits.spacing_seconds) - settled) < 1e-6


def test_no_answer_closes_a_host_that_many_ask_for_longer_than_the_breaker_would() -> None:
    asked = TryAgain("http_503", "Come back tomorrow.", retry_after_seconds=86_400)
    assert noted(Host(), 0.0, Outcome(0.1, asked), LIMITS).next_at == LIMITS.longest_open_seconds


def test_a_slower_host_is_spared_at_once_and_a_faster_one_is_trusted_by_and_by() -> None:
    slow = note_latency(Host(delay_seconds=1), 4, LIMITS, sound=True)
    assert slow.delay_seconds == 4
    assert note_latency(slow, 1, LIMITS, sound=True).delay_seconds == 2.5
    assert note_latency(slow, 1, LIMITS, sound=False).delay_seconds == 4


@given(HOSTS, SECONDS, st.one_of(st.none(), st.floats(0, 86400)))
def test_a_host_that_struggles_is_asked_half_as_often_and_not_before_it_wants(
    host: Host, now: float, retry_after: float | None
) -> None:
    after = note_struggle(host, now, retry_after, LIMITS)
    doubled = 2 * max(host.delay_seconds, LIMITS.spacing_seconds)
    assert after.delay_seconds == min(doubled, LIMITS.longest_delay_seconds)
    assert after.next_at == max(host.next_at, now + (retry_after or 0))


@given(st.lists(st.floats(0, 0.25), max_size=10))
def test_a_host_that_is_faster_than_it_is_asked_costs_no_writing(latencies: list[float]) -> None:
    host = Host()
    for latency in latencies:
        assert note_latency(host, latency, LIMITS, sound=True) is host
