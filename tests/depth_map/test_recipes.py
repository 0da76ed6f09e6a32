"""A recipe names a way of drawing: the same way has the same name, for ever."""

from services.depth_map.estimators import Cues, provenance
from services.depth_map.rules import EdgeSettings, Provenance, recipe

CUES = provenance(Cues())


def test_equal_settings_have_one_recipe() -> None:
    assert recipe(CUES, EdgeSettings()) == recipe(CUES.model_copy(), EdgeSettings(low_threshold=100.0))


def test_every_change_that_a_map_would_show_makes_another_recipe() -> None:
    ways = [
        recipe(CUES, EdgeSettings()),
        recipe(CUES, EdgeSettings(high_threshold=201)),
        recipe(CUES, EdgeSettings(blur_sigma_px=0.5)),
        recipe(CUES, EdgeSettings(detect_short_side_px=512)),
        *(
            recipe(CUES.model_copy(update=change), EdgeSettings())
            for change in (
                {"weights_sha256": "1" * 64},
                {"model": "another"},
                {"kind": "metric_metres"},
                {"input_size": "long side 512 px"},
                {"settings_sha256": "2" * 64},
                {"code_version": CUES.code_version + 1},
            )
        ),
    ]
    assert len(set(ways)) == len(ways)


def test_a_recipe_is_short_and_starts_with_its_estimator() -> None:
    name = recipe(CUES, EdgeSettings())

    assert name.startswith("cues-")
    assert len(name) <= 57


def test_a_recipe_does_not_change_from_one_release_to_the_next() -> None:
    frozen = Provenance(
        estimator="cues", model="m", weights_sha256=None, kind="inverse_relative", input_size="s", code_version=1
    )

    assert recipe(frozen, EdgeSettings()) == "cues-0ebbd641b55df2a7f3f70e9ecca95930"
