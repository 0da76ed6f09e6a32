"""From a description to a scene: what is named, how many, in which colour, and what is not known."""

import re
import unicodedata
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field, replace

from services.image_generation.providers.sketch import vocabulary as words
from services.image_generation.providers.sketch.palette import Colour

PENDING_WORDS = 3
"""A count, colour or size waits for at most so many words for the thing that it belongs to."""

SHORTEST_STEM = 3
"""Letters that are left of a word when its ending is cut."""

_TOKEN = re.compile(r"[^\W_]+", re.UNICODE)


_MOODS = words.HOUR_WORDS.keys() | words.WEATHER_WORDS.keys() | words.SEASON_WORDS.keys()
"""Concepts that describe; a count or colour before them belongs to the thing that follows."""


@dataclass(frozen=True)
class Mention:
    """How a thing was named."""

    count: int | None = None
    plural: bool = False
    size: float = 1.0
    colours: tuple[Colour, ...] = ()
    words: frozenset[str] = frozenset()
    """The stems by which it was named, such as `poppy` for flowers."""

    def after(self, earlier: "Mention") -> "Mention":
        """Add what this mention says to what was said of the same thing before."""
        return Mention(
            count=self.count or earlier.count,
            plural=self.plural or earlier.plural,
            size=earlier.size if self.size == 1.0 else self.size,
            colours=self.colours or earlier.colours,
            words=self.words | earlier.words,
        )

    def number(self, *, one: int, several: int) -> int:
        """How many to draw: as counted, else `several` for a plural and `one` for a singular."""
        return self.count or (several if self.plural else one)


@dataclass(frozen=True)
class Scene:
    """What a description asks for, as far as it was understood."""

    hour: str | None = None
    weather: str | None = None
    season: str | None = None
    places: tuple[str, ...] = ()
    things: dict[str, Mention] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()

    @property
    def understood(self) -> tuple[str, ...]:
        """Every concept that the picture will show, in a stable order."""
        named = (self.hour, self.weather, self.season, *self.places, *self.things)
        return tuple(dict.fromkeys(concept for concept in named if concept))

    def has(self, *concepts: str) -> bool:
        """Whether any of the concepts is in the scene."""
        return any(concept in self.places or concept in self.things for concept in concepts)

    def mention(self, thing: str) -> Mention:
        """How a thing or place was named; a plain mention when it was not."""
        return self.things.get(thing, Mention())


@dataclass
class _Pending:
    mention: Mention = field(default_factory=Mention)
    negated: bool = False
    words_left: int = 0

    def keep(self, mention: Mention, *, negated: bool = False) -> None:
        self.mention, self.negated, self.words_left = mention, self.negated or negated, PENDING_WORDS

    def pass_by(self) -> None:
        self.words_left -= 1
        if self.words_left < 0:
            self.mention, self.negated = Mention(), False


def read(description: str, negative_prompt: str = "") -> Scene:
    """Understand a description of any length and script; what is not known is kept in `unknown`."""
    found, refused, unknown = _collect(_tokens(description))
    unwanted = set(_collect(_tokens(negative_prompt))[0]) | refused
    kept = {concept: mention for concept, mention in found.items() if concept not in unwanted}
    return Scene(
        hour=_first(kept, words.HOUR_WORDS),
        weather=_strongest([concept for concept in kept if concept in words.WEATHER_WORDS]),
        season=_first(kept, words.SEASON_WORDS),
        places=tuple(concept for concept in kept if concept in words.PLACE_WORDS),
        things={c: m for c, m in kept.items() if c in words.THING_WORDS or c in words.PLACE_WORDS},
        unknown=tuple(dict.fromkeys(unknown)),
    )


def _first(kept: Iterable[str], table: Container[str]) -> str | None:
    return next((concept for concept in kept if concept in table), None)


def _strongest(weathers: list[str]) -> str | None:
    order = ("storm", "snowfall", "rain", "fog", "mist", "overcast", "cloudy", "clear")
    return next((weather for weather in order if weather in weathers), None)


def _collect(tokens: list[str]) -> tuple[dict[str, Mention], set[str], list[str]]:
    found: dict[str, Mention] = {}
    refused: set[str] = set()
    unknown: list[str] = []
    pending = _Pending()
    for position, token in enumerate(tokens):
        concept, plural, stem = concept_of(token)
        plural = plural and not (token in words.PLURALS and {"a", "an"} & set(tokens[max(0, position - 2) : position]))
        following = tokens[position + 1] if position + 1 < len(tokens) else ""
        if _qualifies(token, following, pending):
            continue
        if concept is None:
            if token not in words.STOP_WORDS:
                unknown.append(token)
            pending.pass_by()
        elif pending.negated:
            refused.add(concept)
            pending.keep(Mention())
            pending.negated = following in {"or", "and", "nor"}
        else:
            mention = replace(pending.mention, plural=plural, words=frozenset({stem}))
            found[concept] = mention.after(found[concept]) if concept in found else mention
            if token in words.ROOM_KINDS:
                found.setdefault(words.ROOM_KINDS[token], Mention())
            if concept not in _MOODS:
                pending = _Pending()
    return found, refused, unknown


def _qualifies(token: str, following: str, pending: _Pending) -> bool:
    """Take a count, colour, size or negation as belonging to the next thing; say whether it was one."""
    mention = pending.mention
    if token in words.NEGATIONS:
        pending.keep(mention, negated=True)
    elif token.isdecimal():
        pending.keep(replace(mention, count=max(1, min(20, int(token[:3])))))
    elif token in words.COUNTS and following:
        pending.keep(replace(mention, count=words.COUNTS[token]))
        return token not in words.CONCEPTS or following == "of" or concept_of(following)[0] is not None
    elif token in words.COLOURS:
        pending.keep(replace(mention, colours=(*mention.colours, words.COLOURS[token])))
        return token not in words.CONCEPTS
    elif token in words.SIZES:
        pending.keep(replace(mention, size=words.SIZES[token]))
    else:
        return False
    return True


def _tokens(text: str) -> list[str]:
    """Words in lower case, known phrases joined, emoji as the words they stand for."""
    spelled = "".join(f" {words.EMOJI[char]} " if char in words.EMOJI else char for char in text)
    plain = unicodedata.normalize("NFKC", spelled).casefold()
    tokens = _TOKEN.findall(plain)
    joined: list[str] = []
    for token in tokens:
        phrase = words.PHRASES.get((joined[-1], token)) if joined else None
        if phrase is not None:
            joined[-1] = phrase
        else:
            joined.append(token)
    return joined


def concept_of(word: str) -> tuple[str | None, bool, str]:
    """Find what a word means, through its stem and compounds; whether it is a plural; and the stem."""
    if word in words.CONCEPTS:
        return words.CONCEPTS[word], word in words.PLURALS, word
    if word not in words.STOP_WORDS:
        for stem, plural in _stems(word):
            if stem in words.CONCEPTS:
                return words.CONCEPTS[stem], plural, stem
    return None, False, word


def _stems(word: str) -> Iterator[tuple[str, bool]]:
    """Cut plurals, then endings that derive a word, then the second half of a compound."""
    if len(word) > SHORTEST_STEM:
        for ending, instead in (("ies", "y"), ("ves", "f"), ("es", ""), ("s", "")):
            if word.endswith(ending):
                yield word.removesuffix(ending) + instead, True
    for ending in ("ing", "ed", "y", "ly", "ish", "en", "er", "ous", "al", "ic"):
        root = word.removesuffix(ending)
        if root != word and len(root) >= SHORTEST_STEM:
            yield root, False
            yield root + "e", False
            if root[-1] == root[-2]:
                yield root[:-1], False
    for cut in range(SHORTEST_STEM, len(word) - 1):
        if word[cut:] in words.COMPOUND_ENDS:
            yield word[:cut], False
