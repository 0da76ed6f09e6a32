from math import gcd
from uuid import UUID, uuid4

import pytest

from services.gateway.rules.retrying import NEVER_PAID_FOR
from services.image_generation.rules import (
    ASPECT_RATIOS,
    DESCRIPTION_LIMIT_CHARACTERS,
    PICTURE_PIXELS,
    SEED_LIMIT,
    Pace,
    Size,
    check,
    estimated_seconds,
    seed_of,
    size_of,
)
from shared.errors import Refused


@pytest.mark.parametrize("ratio", ASPECT_RATIOS)
def test_each_ratio_gives_sides_of_exactly_that_ratio(ratio: str) -> None:
    size = size_of(ratio)
    across, up = (int(part) for part in ratio.split(":"))

    assert size.width_px * up == size.height_px * across
    assert size.width_px % 8 == size.height_px % 8 == 0
    assert size.width_px * size.height_px == pytest.approx(PICTURE_PIXELS, rel=0.05)


def test_the_usual_sizes_are_the_ones_that_people_know() -> None:
    assert size_of("16:9") == Size(1024, 576)
    assert size_of("1:1") == Size(768, 768)
    assert size_of("9:16") == Size(576, 1024)


@pytest.mark.parametrize("ratio", ASPECT_RATIOS)
def test_no_side_is_longer_than_the_provider_allows(ratio: str) -> None:
    free, bound = size_of(ratio, pixels=4_000_000), size_of(ratio, pixels=4_000_000, longest_side_px=1024)

    assert max(free.width_px, free.height_px) > 1024
    assert max(bound.width_px, bound.height_px) <= 1024
    assert free.width_px // gcd(free.width_px, free.height_px) == bound.width_px // gcd(bound.width_px, bound.height_px)


@pytest.mark.parametrize("ratio", ["", "5:1", "16:0", "wide", "16x9", "1:1 "])
def test_a_ratio_that_is_not_known_is_refused_with_the_known_ones(ratio: str) -> None:
    with pytest.raises(Refused) as refusal:
        size_of(ratio)

    assert refusal.value.code == "aspect_ratio_unknown"
    assert "16:9" in refusal.value.sentence


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "\u200b", "\u200e\u200f"])
def test_a_description_without_a_visible_letter_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refusal:
        check(text)

    assert refusal.value.code == "description_empty"


@pytest.mark.parametrize("text", ["a", "🌊", "ב", "?", "x" * DESCRIPTION_LIMIT_CHARACTERS])
def test_a_description_with_anything_to_see_is_taken(text: str) -> None:
    check(text)


REFUSED_WISHES: list[tuple[dict[str, object], str]] = [
    ({"description": " "}, "description_empty"),
    ({"description": "x" * 10_000}, "description_too_long"),
    ({"style": "x" * 81}, "style_too_long"),
    ({"negative_prompt": "x" * 2001}, "negative_prompt_too_long"),
    ({"aspect_ratio": "7:5"}, "aspect_ratio_unknown"),
    ({"seed": -1}, "seed_out_of_range"),
    ({"seed": SEED_LIMIT}, "seed_out_of_range"),
]


@pytest.mark.parametrize(("wish", "code"), REFUSED_WISHES)
def test_each_wish_that_nobody_can_draw_has_its_own_code(wish: dict[str, object], code: str) -> None:
    with pytest.raises(Refused) as refusal:
        check(**{"description": "a lake", **wish})  # type: ignore[arg-type]  # a table of wishes

    assert refusal.value.code == code
    assert refusal.value.sentence.endswith(".")


def test_whatever_counts_as_never_paid_for_is_refused_before_anybody_is_asked() -> None:
    assert set(NEVER_PAID_FOR) <= {code for _, code in REFUSED_WISHES}


def test_a_job_keeps_its_seed_over_all_attempts_and_other_jobs_have_others() -> None:
    job_id = UUID("018f4e9a-0000-7000-8000-000000000001")

    assert seed_of(job_id) == seed_of(UUID(str(job_id)))
    assert 0 <= seed_of(job_id) < SEED_LIMIT
    assert len({seed_of(uuid4()) for _ in range(200)}) == 200


def test_more_pictures_and_more_pixels_take_longer() -> None:
    pace = Pace(start_seconds=1.0, megapixel_seconds=2.0)

    assert estimated_seconds(Size(1000, 1000), 1, pace) == 3.0
    assert estimated_seconds(Size(1000, 1000), 4, pace) == 9.0
    assert estimated_seconds(Size(2000, 1000), 1, pace) == 5.0
