import pytest

from services.image_generation.providers.sketch import draw
from shared.errors import Refused


@pytest.mark.parametrize(
    "text",
    [
        "🌊🌙✨", "بحر في الليل", "夜の海と月", "\u202ereversed\u202c lake", "a\u0301 lake\u0000", "\ud800 lake",
        "<script>alert(1)</script>",
        "'; DROP TABLE jobs; --", "%s %d {0} {description}", "no no no", "1000000 boats on a lake", "sea " * 900,
        "two two two red red red red boat", "forest sea city room desert mountains volcano beach river lake",
    ],
)  # fmt: skip
def test_any_text_becomes_a_picture(text: str) -> None:
    assert draw(text, width_px=96, height_px=64, seed=1).image.size == (96, 64)


@pytest.mark.parametrize(("text", "code"), [("", "description_empty"), ("lake " * 2000, "description_too_long")])
def test_nothing_and_too_much_are_refused(text: str, code: str) -> None:
    with pytest.raises(Refused) as refusal:
        draw(text, width_px=96, height_px=64, seed=1)

    assert refusal.value.code == code


def test_a_number_of_things_has_a_limit() -> None:
    many, most = (draw(f"{count} boats on a lake", width_px=96, height_px=64, seed=1) for count in (999_999, 20))

    assert many.png() == most.png() or many.image.tobytes() == most.image.tobytes()


def test_words_that_were_not_understood_are_said() -> None:
    assert draw("a zorp by the lake", width_px=96, height_px=64, seed=1).notes == ("The sketch did not know: zorp.",)
    assert "none of these words" in draw("zorp", width_px=96, height_px=64, seed=1).notes[0]
    assert draw("a lake", width_px=96, height_px=64, seed=1).notes == ()
