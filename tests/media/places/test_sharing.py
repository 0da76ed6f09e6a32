"""Places are divided so that there are never too many, nobody has more than a part, and nobody waits for ever."""

from dataclasses import dataclass, field

from hypothesis import example, given
from hypothesis import strategies as st

from services.media.places.sharing import LEASE_SECONDS, WAIT_SECONDS, Door, Share, claim, divide

MOST = st.integers(1, 12)
WANTED = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 20), min_size=1)


def wanting(wanted: dict[str, int]) -> dict[str, Share]:
    return {name: Share(0, number, 100.0, float(ord(name))) for name, number in wanted.items()}


@given(WANTED, MOST)
def test_all_is_given_that_is_wanted_and_there_and_no_more(wanted: dict[str, int], most: int) -> None:
    parts = divide(wanting(wanted), most)
    assert sum(parts.values()) == min(most, sum(wanted.values()))
    assert all(parts[name] <= number for name, number in wanted.items())


@given(WANTED, MOST)
def test_whoever_has_less_than_another_wants_no_more_or_waits_less_long(wanted: dict[str, int], most: int) -> None:
    parts = divide(wanting(wanted), most)
    for one, part in parts.items():
        if part < wanted[one]:
            assert all(other <= part + 1 for other in parts.values())
            assert all(other <= part for name, other in parts.items() if name > one), "who has waited longer has more"


def test_what_cannot_be_divided_goes_to_who_was_let_in_the_longest_ago() -> None:
    shares = {"in": Share(1, 1, 100.0, 3.0), "late": Share(0, 1, 100.0, 2.0), "early": Share(0, 1, 100.0, 1.0)}
    assert divide(shares, 1) == {"in": 0, "late": 0, "early": 1}


@dataclass
class Process:
    """One that begins what it may, and ends a download when it is told to."""

    wants: int = 0
    used: int = 0
    allowed: int = 0


@dataclass
class Crowd:
    """Some processes before one door, and a clock."""

    most: int
    door: Door = field(default_factory=Door)
    now: float = 1000.0
    processes: dict[str, Process] = field(default_factory=lambda: {name: Process() for name in "abc"})

    def open_now(self) -> int:
        return sum(process.used for process in self.processes.values())

    def ask(self, name: str) -> None:
        one = self.processes[name]
        self.door, one.allowed = claim(
            self.door, name, one.used, max(one.used, one.wants), now=self.now, most=self.most
        )
        one.used = max(one.used, min(one.allowed, one.wants))


STEPS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["want", "ask", "end", "stop"]), st.integers(0, 8)), max_size=80
)


@given(STEPS, st.integers(1, 6))
def test_never_more_are_open_than_there_are_places_while_all_tell_in_time(
    steps: list[tuple[str, str, int]], most: int
) -> None:
    crowd = Crowd(most)
    for name, what, number in steps:
        one = crowd.processes[name]
        crowd.now += number / 10
        match what:
            case "want":
                one.wants = number
            case "ask":
                crowd.ask(name)
            case "end":
                one.used = max(0, one.used - number)
            case "stop":
                one.wants = 0
        for other, process in crowd.processes.items():  # heartbeats: whoever uses places tells of it
            if process.used and crowd.door.shares[other].until - crowd.now < LEASE_SECONDS / 2:
                process.wants, kept = 0, process.wants
                crowd.ask(other)
                process.wants = kept
        assert crowd.open_now() <= most
        assert sum(share.places for share in crowd.door.shares.values() if share.until > crowd.now) <= most


ROUNDS_AT_MOST = 8
"""Two for each process: one that it lets others pass, and one that others have told of themselves once more."""


@given(st.integers(1, 4), st.lists(st.tuples(st.text("abc", max_size=3), st.permutations("abc")), max_size=60))
@example(2, [("a", list("abc"))] * 60)  # who asks twice is not passed over by two that leave it to each other
def test_whoever_keeps_asking_is_let_in_whatever_others_want(most: int, rounds: list[tuple[str, list[str]]]) -> None:
    """All want more than there is; in each round each asks, some more than once, and what it had open has ended."""
    crowd = Crowd(most)
    let_in = dict.fromkeys("abc", 0)
    for process in crowd.processes.values():
        process.wants = 8
    for number, (more, order) in enumerate(rounds):
        for name in (*more, *order):
            crowd.now += WAIT_SECONDS / 20
            crowd.processes[name].used = 0
            crowd.ask(name)
            if crowd.processes[name].used:
                let_in[name] = number
        assert number - min(let_in.values()) <= ROUNDS_AT_MOST


@given(MOST)
def test_a_process_that_is_silent_for_too_long_is_forgotten(most: int) -> None:
    door, _ = claim(Door(), "silent", most, most, now=0.0, most=most)
    assert claim(door, "other", 0, 1, now=LEASE_SECONDS - 1, most=most)[1] == 0
    after, allowed = claim(door, "other", 0, 1, now=LEASE_SECONDS, most=most)
    assert allowed == 1
    assert set(after.shares) == {"other"}


@given(MOST)
def test_who_neither_uses_nor_wants_anything_is_forgotten(most: int) -> None:
    door, _ = claim(Door(), "one", 1, 1, now=0.0, most=most)
    assert claim(door, "one", 0, 0, now=1.0, most=most) == (Door(), 0)
