"""A host that blocks us is left alone, and asked by one at a time whether it still does."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from shared.manners import Host, Limits, breaker
from tests.shared import machines

LIMITS = Limits(blocks=3, open_seconds=10, longest_open_seconds=35, probe_seconds=20)
PROFILE = settings(machines.settings.get_profile("machines"), max_examples=150, stateful_step_count=40)
_run: Any = run_state_machine_as_test  # which has no types


class Guarded(RuleBasedStateMachine):
    """Many who ask one host, which now answers and now does not; and what an onlooker may expect."""

    def __init__(self) -> None:
        super().__init__()
        self.host, self.now = Host(), 0.0
        self.asking: list[float | None] = []
        """Of each request that has not ended, which probe it is, if it is one."""
        self.blocked = 0
        self.opened: list[float] = []
        """For how long the breaker opened each time, since it was closed."""
        self.probed_at: float | None = None
        self.probe: float | None = None
        """The one whose end is waited for."""

    @rule(seconds=st.sampled_from([0.1, 1, 5, 10, 20, 40]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(how_many=st.sampled_from([1, 4]))
    def some_come(self, how_many: int) -> None:
        for _ in range(how_many):
            self.somebody_comes()

    def somebody_comes(self) -> None:
        was_open = self.host.open_until is not None
        self.host, again_at = breaker.enter(self.host, self.now, LIMITS)
        if again_at is not None:
            assert was_open, "somebody was sent away from a host that blocks nobody"
            assert again_at > self.now, "somebody was sent away without a time to come again"
            return
        if was_open:
            assert self.now >= self.opened_until, "somebody passed while the breaker was open"
            recent = self.probed_at is not None and self.now < self.probed_at + LIMITS.probe_seconds
            assert not recent, "two probes at a time"
            self.probed_at = self.now
            self.probe = self.host.probe_until
        self.asking.append(self.host.probe_until if was_open else None)

    def ends(self, which: int) -> tuple[float | None, bool]:
        """Have a request end; tell which probe it was, and whether the host stays as it is whatever came of it."""
        probe = self.asking.pop(which % len(self.asking))
        is_half_open = self.host.open_until is not None and self.now >= self.host.open_until
        return probe, is_half_open and (probe is None or probe != self.probe)

    @precondition(lambda self: self.asking)
    @rule(which=st.integers(0, 99), patience=st.sampled_from([None, 1.0, 50.0]))
    def the_host_blocks(self, which: int, patience: float | None) -> None:
        before = self.host
        probe, is_stale = self.ends(which)
        self.host = breaker.note_block(self.host, self.now, "http_403", patience, LIMITS, probe=probe)
        if is_stale:
            assert self.host == before, "what was asked before it opened says nothing of whether we are welcome now"
            return
        self.blocked += 1
        if before.open_until is None:
            assert (self.host.open_until is not None) == (self.blocked >= LIMITS.blocks), "opened too soon or too late"
        if self.host.open_seconds != before.open_seconds or self._reopened(before):
            self.opened.append(self.host.open_seconds)
            self.probed_at = self.probe = None
        if patience and self.host.open_until is not None:
            assert self.host.open_until >= self.now + patience, "what the host asked for was not heard"

    def _reopened(self, before: Host) -> bool:
        return before.open_until is not None and self.now >= before.open_until

    @precondition(lambda self: self.asking)
    @rule(which=st.integers(0, 99))
    def the_host_answers(self, which: int) -> None:
        before = self.host
        probe, is_stale = self.ends(which)
        closes = before.open_until is None or (self.now >= before.open_until and not is_stale)
        self.host = breaker.note_answer(self.host, self.now, probe=probe)
        assert (self.host.open_until is None) == closes, "only the one that tries whether it answers can close it"
        if closes:
            self.blocked, self.opened, self.probed_at, self.probe = 0, [], None, None

    @precondition(lambda self: self.asking)
    @rule(which=st.integers(0, 99))
    def nobody_answers(self, which: int) -> None:
        before = self.host
        probe, is_stale = self.ends(which)
        self.host = breaker.note_silence(self.host, self.now, probe=probe)
        if is_stale:
            assert self.host == before, "who was asked before it opened is silent about now"
            return
        assert (self.host.open_until is None) == (before.open_until is None), "silence is neither a block nor a welcome"
        if self._reopened(before):
            assert self.host.open_seconds == before.open_seconds
            self.probed_at = self.probe = None

    @property
    def opened_until(self) -> float:
        return self.host.open_until or 0.0

    @invariant()
    def it_opens_for_twice_as_long_each_time(self) -> None:
        expected = [min(LIMITS.open_seconds * 2**turn, LIMITS.longest_open_seconds) for turn in range(len(self.opened))]
        assert self.opened == expected, "the pauses do not double"

    @invariant()
    def somebody_passes_at_last(self) -> None:
        last = max(self.opened_until, self.host.probe_until or 0.0, self.now)
        _, again_at = breaker.enter(self.host, last, LIMITS)
        assert again_at is None, "nobody is let in any more"


def test_the_breaker_keeps_its_promises_whatever_happens() -> None:
    _run(Guarded, settings=PROFILE)


def _lets_everybody_probe(host: Host, now: float, _limits: Limits) -> tuple[Host, float | None]:
    return host, host.open_until if host.open_until is not None and now < host.open_until else None


def _never_opens(host: Host, *_: object, probe: float | None) -> Host:  # noqa: ARG001 - as the decision has it
    return host


def _forgets_nothing(host: Host, _now: float, *, probe: float | None) -> Host:  # noqa: ARG001 - as the decision has it
    return host


@pytest.mark.parametrize(
    ("decision", "broken", "promise"),
    [
        ("enter", _lets_everybody_probe, "two probes at a time"),
        ("enter", lambda host, *_: (host, None), "somebody passed while|two probes at a time"),
        ("note_block", _never_opens, "opened too soon or too late"),
        ("note_answer", _forgets_nothing, "opened too soon or too late"),
    ],
)
def test_a_breaker_without_one_of_its_decisions_is_found_out(
    decision: str, broken: Callable[..., object], promise: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, decision, broken)
    with pytest.raises(AssertionError, match=promise):
        _run(Guarded, settings=settings(PROFILE, phases=[Phase.generate]))


Decides = Callable[[Host, float | None], bool]


@pytest.mark.parametrize("decides", [None, lambda *_: True, lambda _, probe: probe is not None, lambda *_: False])
def test_while_a_probe_tries_it_alone_decides(monkeypatch: pytest.MonkeyPatch, decides: Decides | None) -> None:
    """With its negative controls: whatever ends decides, or also a probe that was given up, or nothing ever does."""
    closed = Host(open_until=0.0, open_seconds=LIMITS.open_seconds, blocks=LIMITS.blocks, blocked_by="http_403")
    given_up, _ = breaker.enter(closed, 0.0, LIMITS)
    now = LIMITS.probe_seconds
    host, again_at = breaker.enter(given_up, now, LIMITS)
    assert again_at is None
    if decides:
        monkeypatch.setattr(breaker, "decides", decides)
    others = [
        after
        for probe in (None, given_up.probe_until)
        for after in (
            breaker.note_block(host, now, "http_403", 50.0, LIMITS, probe=probe),
            breaker.note_answer(host, now, probe=probe),
            breaker.note_silence(host, now, probe=probe),
        )
    ]
    answered = breaker.note_answer(host, now, probe=host.probe_until)
    keeps_the_promise = others == [host] * 6 and answered.open_until is None
    assert keeps_the_promise is (decides is None)
