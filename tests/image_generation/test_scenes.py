import numpy as np
import pytest

from tests.image_generation.measures import (
    brightness,
    changed,
    drawn,
    hue_degrees,
    lower,
    mean_colour,
    saturation,
    share_of,
    upper,
)

SEEDS = (1, 2, 3)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_night_sea_is_dark_and_blue_and_a_desert_at_noon_is_bright_and_warm(seed: int) -> None:
    sea, desert = drawn("night sea with moon", seed=seed), drawn("desert at noon", seed=seed)

    assert brightness(sea) + 0.25 < brightness(desert)
    red, _, blue = mean_colour(lower(sea))
    assert blue > red * 1.3
    red, _, blue = mean_colour(lower(desert))
    assert red > blue * 1.3
    assert hue_degrees(lower(desert)) == pytest.approx(35, abs=20)


@pytest.mark.parametrize("seed", SEEDS)
def test_snow_is_bright_and_grey_and_a_meadow_is_green(seed: int) -> None:
    snow, meadow = drawn("snowy plain at noon", seed=seed), drawn("meadow at noon", seed=seed)

    assert brightness(lower(snow)) > brightness(lower(meadow)) + 0.15
    assert saturation(lower(snow)) < saturation(lower(meadow)) / 2
    assert hue_degrees(lower(meadow)) == pytest.approx(95, abs=35)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_forest_has_less_sky_than_a_plain(seed: int) -> None:
    forest, plain = drawn("forest at noon", seed=seed), drawn("meadow at noon", seed=seed)
    sky = {"red": 0.25, "green": 0.5, "blue": 0.85, "within": 0.25}

    assert share_of(forest, **sky) < share_of(plain, **sky) * 0.8


@pytest.mark.parametrize("seed", SEEDS)
def test_fog_takes_contrast_and_a_storm_takes_light(seed: int) -> None:
    clear, fog, storm = (drawn(f"hills at noon, {weather}", seed=seed) for weather in ("clear", "fog", "storm"))

    assert saturation(fog) < saturation(clear) * 0.7
    assert brightness(storm) < brightness(clear) * 0.7


def test_each_hour_has_its_own_sky() -> None:
    skies = {
        hour: mean_colour(upper(drawn(f"sea at {hour}, clear"))) for hour in ("dawn", "noon", "sunset", "midnight")
    }

    assert skies["midnight"] < skies["noon"]
    assert skies["noon"][2] > skies["noon"][0] + 0.2, "a clear noon is blue"
    assert sum(skies["midnight"]) < 0.5 * min(sum(sky) for hour, sky in skies.items() if hour != "midnight")
    assert len({tuple(round(part, 1) for part in sky) for sky in skies.values()}) == 4


@pytest.mark.parametrize(("season", "hue"), [("summer", 95), ("autumn", 40)])
def test_the_season_colours_the_ground(season: str, hue: float) -> None:
    assert hue_degrees(lower(drawn(f"{season} meadow at noon, no flowers"))) == pytest.approx(hue, abs=25)


def test_a_colour_in_the_words_is_a_colour_in_the_picture() -> None:
    red, blue = (drawn(f"a {colour} house on a meadow at noon") for colour in ("red", "blue"))
    spot = changed(red, blue)

    assert 0.002 < spot.mean() < 0.15, "only the house changes"
    assert red[spot][:, 0].mean() > blue[spot][:, 0].mean() + 0.15
    assert blue[spot][:, 2].mean() > red[spot][:, 2].mean() + 0.15


def test_a_purple_sky_is_purple() -> None:
    red, green, blue = mean_colour(upper(drawn("hills under a purple sky, noon")))

    assert green < red
    assert green < blue


def test_birds_change_the_sky_and_nothing_else() -> None:
    without, birds = drawn("hills at noon"), drawn("hills at noon, birds")
    spot = changed(without, birds)

    assert spot.any()
    assert not spot[len(spot) * 2 // 3 :].any()
    assert spot.mean() < 0.05


def test_a_boat_changes_the_water_line_and_nothing_at_the_edges() -> None:
    spot = changed(drawn("lake at noon"), drawn("lake at noon, a boat"))

    assert spot.any()
    assert not spot[:8].any()
    assert spot.mean() < 0.12


def test_more_boats_are_more_to_see() -> None:
    empty = drawn("sea at noon")
    shares = [changed(empty, drawn(f"sea at noon, {count} boats")).mean() for count in ("one", "four")]

    assert 0 < shares[0] < shares[1]


def test_lamps_burn_at_night_only() -> None:
    lit = {"red": 1.0, "green": 0.85, "blue": 0.5, "within": 0.18}

    assert share_of(drawn("city at night"), **lit) > 10 * share_of(drawn("city at noon"), **lit)


def test_tall_mountains_rise_over_small_ones() -> None:
    small, tall = drawn("small mountains at noon, clear"), drawn("tall mountains at noon, clear")
    sky = {"red": 0.25, "green": 0.5, "blue": 0.85, "within": 0.25}

    assert share_of(tall, **sky) < share_of(small, **sky)


@pytest.mark.parametrize(
    "description",
    [
        "living room with a sofa and a lamp", "kitchen with a table", "saturn in space", "coral reef with fish",
        "volcano at night", "aurora over pines", "milky way over dunes", "island with palms", "castle on a cliff",
        "stone bridge over a river", "wheat field with a barn and cows", "village in winter, snowing",
        "city street in the rain with lanterns", "pyramids", "hot air balloons", "galleon in a storm",
    ],
)  # fmt: skip
def test_every_kind_of_scene_fills_the_sheet_with_something(description: str) -> None:
    pixels = drawn(description)

    assert np.isfinite(pixels).all()
    assert pixels.std() > 0.05
    assert len(np.unique((pixels * 15).astype(int).reshape(-1, 3), axis=0)) > 40


def test_no_two_of_many_descriptions_look_alike() -> None:
    descriptions = (
        "sea at sunset", "desert at noon", "forest in fog", "city at night", "snowy mountains", "beach with palms",
        "living room", "coral reef", "space with planets", "wheat field", "volcano at night", "spring meadow",
    )  # fmt: skip
    pictures = [drawn(description, size=(160, 96)) for description in descriptions]

    for number, one in enumerate(pictures):
        for other in pictures[number + 1 :]:
            assert changed(one, other).mean() > 0.5


def test_words_that_mean_nothing_still_choose_the_composition() -> None:
    assert changed(drawn("zorp"), drawn("blick")).mean() > 0.2
    assert not changed(drawn("zorp"), drawn("the zorp")).any()


def test_a_seed_moves_things_and_keeps_the_subject() -> None:
    pictures = [drawn("snowy mountains above a lake at dawn, clear", seed=seed) for seed in range(4)]

    for other in pictures[1:]:
        assert changed(pictures[0], other).mean() > 0.1
        assert brightness(upper(other)) == pytest.approx(brightness(upper(pictures[0])), abs=0.12)
        assert brightness(lower(other)) == pytest.approx(brightness(lower(pictures[0])), abs=0.15)
