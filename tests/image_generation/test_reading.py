import pytest

from services.image_generation.providers.sketch.reading import read


@pytest.mark.parametrize(
    ("description", "concepts"),
    [
        ("Mountains above a lake at dawn", {"mountains", "lake", "dawn"}),
        ("a foggy forest path", {"forest", "fog", "road"}),
        ("moonlit seashore", {"night", "beach"}),
        ("rainy skyscrapers downtown", {"city", "rain"}),
        ("snow-covered mountainside, wolves", {"winter", "mountains", "dog"}),
        ("poppies and daisies", {"flowers"}),
        ("northern lights, hot air balloons", {"aurora", "balloon"}),
        ("a cosy bedroom", {"room", "bed"}),
        ("🌊🌙", {"sea", "moon"}),
        ("THE CASTLE", {"castle"}),
    ],
)
def test_stems_plurals_compounds_phrases_and_emoji_are_understood(description: str, concepts: set[str]) -> None:
    assert concepts <= set(read(description).understood)


@pytest.mark.parametrize(
    ("description", "thing", "count"),
    [("two boats", "boat", 2), ("3 trees", "tree", 3), ("a dozen sheep", "sheep", 12), ("a house", "house", None)],
)
def test_things_are_counted(description: str, thing: str, count: int | None) -> None:
    assert read(description).mention(thing).count == count


def test_a_plural_without_a_number_is_several() -> None:
    assert read("boats").mention("boat").number(one=1, several=3) == 3
    assert read("a boat").mention("boat").number(one=1, several=3) == 1
    assert read("people").mention("person").number(one=1, several=4) == 4
    assert read("a flock of sheep").mention("sheep").number(one=1, several=5) == 5
    assert read("a white deer").mention("deer").number(one=1, several=5) == 1


def test_a_couple_is_two_people_or_two_of_something() -> None:
    assert read("a couple walking on the beach").has("person")
    assert read("a couple of boats").mention("boat").count == 2
    assert not read("a couple of boats").has("person")


def test_a_colour_belongs_to_the_thing_that_follows_it() -> None:
    scene = read("a red house under a purple sky, white boats")

    red, _, blue = scene.mention("house").colours[0]
    assert red > 0.5 > blue
    assert scene.mention("sky").colours != scene.mention("house").colours
    assert min(scene.mention("boat").colours[0]) > 0.8


def test_a_mood_between_a_colour_and_its_thing_does_not_part_them() -> None:
    assert read("tall snowy mountains").mention("mountains").size > 1
    assert read("red foggy house").mention("house").colours


def test_what_is_said_twice_adds_up() -> None:
    mention = read("two boats, red boats").mention("boat")

    assert mention.count == 2
    assert mention.colours


@pytest.mark.parametrize("words", ["a lake without birds", "a lake, no birds", "a lake without people or birds"])
def test_what_is_negated_is_not_drawn(words: str) -> None:
    scene = read(words)

    assert scene.has("lake")
    assert not scene.has("birds", "person")


def test_a_negative_prompt_takes_things_away() -> None:
    assert read("a lake with birds", "birds, people").understood == ("lake",)
    assert read("a lake with birds").has("birds")


def test_words_that_are_not_known_are_named_once_and_in_order() -> None:
    assert read("the gleeful zorp by the lake, zorp").unknown == ("gleeful", "zorp")


@pytest.mark.parametrize("text", ["", " ", "!!!", "\x00\ud800", "م" * 500, "a" * 4000, "🏝" * 300, "1 2 3", "no"])
def test_no_text_is_too_odd_to_be_read(text: str) -> None:
    scene = read(text)

    assert isinstance(scene.understood, tuple)
