"""The schedule of faults is the same for the same seed, and holds what it promises whatever the seed."""

from collections import Counter
from itertools import chain, pairwise, product

from tests.reliability.laboratory.schedule import LANES, Kind, Planned, plan

SEEDS = range(200)


def all_of(seed: int, seconds: float) -> list[Planned]:
    return list(chain.from_iterable(plan(seed, seconds).values()))


def test_the_same_seed_gives_the_same_faults() -> None:
    assert plan(7, 300) == plan(7, 300)
    assert len({tuple(all_of(seed, 300)) for seed in SEEDS}) == len(SEEDS)


def test_a_minute_holds_every_kind() -> None:
    for seed in SEEDS:
        assert {planned.kind for planned in all_of(seed, 60)} == set(Kind), seed


def test_five_minutes_hold_far_more_than_a_hundred_faults_and_three_erasures() -> None:
    for seed in SEEDS:
        counts = Counter(planned.kind for planned in all_of(seed, 300))
        assert counts.total() > 150, seed
        assert counts[Kind.BROKER_ERASED] >= 3, seed


def test_five_minutes_strike_every_service_and_every_link_with_every_kind() -> None:
    for seed in SEEDS:
        struck = {(one.kind, (one.target, one.server)) for one in all_of(seed, 300)}
        for lane in LANES[:2]:
            assert struck >= set(product(lane.kinds, lane.targets)), seed


def test_the_faults_of_a_lane_keep_their_distance_and_are_over_in_time() -> None:
    for seed in SEEDS:
        for lane, faults in plan(seed, 120).items():
            for earlier, later in pairwise(faults):
                assert later.at_seconds - earlier.at_seconds >= 0.9 * lane.pace_seconds, seed
            assert all(one.at_seconds + one.lasting_seconds <= 120 for one in faults), seed


def test_the_broker_rests_between_its_faults() -> None:
    [broker] = [lane for lane in LANES if Kind.BROKER_KILLED in lane.kinds]
    assert {Kind.BROKER_ERASED, Kind.QUEUE_DELETED} < set(broker.kinds)
    assert broker.rest_seconds >= 2
