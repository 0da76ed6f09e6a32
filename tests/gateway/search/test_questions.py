"""What people write into a search box becomes a question that the database understands, whatever they write."""

import asyncpg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some

from services.gateway.rules.queries import parse_query
from tests.gateway.living import Client
from tests.gateway.search.exhibits import found
from tests.living import House

HOSTILE = [
    "'", '"', "''", "\\", "\\'", "a'b", "a\\b", "'; DROP TABLE jobs; --", "!!", "&", "| |", "(", "((a)", "<->",
    "a <-> b", ":*", "a:*", "a:ABCD", "*", "**", "-", "--", "- -", "-a", "-*", '-"', '"-"', "OR", "OR OR", "a OR",
    "OR a", "a OR -", "a OR OR b", '"" ""', '"a', 'a"b"c', "🙂", "ﷺ", "\u202e", "\ufffe", "a\tb\n", "%", "_", "-1",
    "https://a.example/b?c=d", "a.b@c.example", "1e999", "x" * 500, "a " * 250, "(" * 500, "-a " * 166, "'" * 500,
    '"' * 499,
]  # fmt: skip


@pytest.mark.parametrize(
    ("written", "question", "says_what"),
    [
        ("Red House", "('Red') & ('House')", True),
        ('"red house" sea', "('red house') & ('sea')", True),
        ("house -garden", "('house') & (!'garden')", True),
        ("cat OR dog red", "('cat' | 'dog') & ('red')", True),
        ("moun*", "('moun*':*)", True),
        ("-cat", "(!'cat')", False),
        ("it's", "('it''s')", True),
        ("OR", "", False),
        ("!!!", "", False),
        ('"open ended', "('open ended')", True),
    ],
)
def test_words_phrases_absence_choice_and_beginnings(written: str, question: str, says_what: bool) -> None:
    query = parse_query(written)
    assert query is not None
    assert (query.text, query.says_what) == (question, says_what)


def test_nothing_written_is_no_question() -> None:
    assert parse_query("  \t") is None


async def test_whatever_is_written_is_a_question(house: House) -> None:
    """The database parses each; none is an error."""
    texts = [query.text for one in HOSTILE if (query := parse_query(one)) is not None]
    assert len(texts) > 40, len(texts)
    for text in texts:
        await house.value("SELECT numnode(to_tsquery('gateway.image_words', $1))", text)
    with pytest.raises(asyncpg.PostgresSyntaxError):  # what is not quoted would be one
        await house.value("SELECT to_tsquery('gateway.image_words', $1)", "((a)")


async def test_hostile_searches_are_answered(ann: Client) -> None:
    for written in HOSTILE:
        assert await found(ann, q=written, limit=1) == []
    refused = await ann.get("/search/images", params={"q": "a\x00b"})
    assert (refused.status, refused.body["code"]) in {(422, "validation_failed"), (400, "bad_request")}
    assert (await ann.get("/search/images", params={"q": "x" * 501})).status == 422


@given(some.text(max_size=60))
@example("'\\'")
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_operand_stays_within_its_quotes(written: str) -> None:
    """Outside of quotes there is nothing but what we put there."""
    query = parse_query(written)
    outside = "" if query is None else "".join(query.text.replace("\\\\", "").replace("''", "").split("'")[::2])
    assert set(outside) <= set("()&|!:* ")
