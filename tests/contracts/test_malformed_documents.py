import json
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.catalogue import CATALOGUE, NotUnderstoodError, open_envelope, understand
from contracts.envelope import BINARY_PREFIXES, Message, from_binary_mode
from shared.intake import _document
from tests.contracts.spoken import QUICK, data_of

CODES = {"not_json", "not_cloudevents", "message_unknown", "message_invalid"}
EVERY = pytest.mark.parametrize("message_class", CATALOGUE.values(), ids=CATALOGUE)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(), max_size=8), inner, max_size=4)
    ),
    max_leaves=10,
)
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [
        None,
        True,
        0,
        -1,
        2**70,
        1e308,
        float("nan"),
        float("inf"),
        "",
        "\ud800",
        "\x00",
        "9" * 5000,
        [],
        [[]],
        {},
        {"": {}},
    ]
)


def document(**changes: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": str(uuid4()),
        "source": "/elsewhere",
        "type": "jobs.job_unknown.v1",
        "time": datetime.now(UTC).isoformat(),
        "data": {"service": "media", "job_id": str(uuid4())},
    } | changes


def listen(heard: Any) -> Message:
    return understand(open_envelope(heard))


def refusal_of(heard: Any) -> NotUnderstoodError:
    with pytest.raises(NotUnderstoodError) as caught:
        listen(heard)
    return caught.value


def test_the_document_under_test_is_understood_when_nothing_is_wrong_with_it() -> None:
    assert listen(document()).wire_name == "jobs.job_unknown.v1"


@pytest.mark.parametrize("heard", [None, 1, "text", [], {}, {"specversion": "1.0"}], ids=repr)
def test_what_is_no_cloudevent_is_told_as_such(heard: Any) -> None:
    assert refusal_of(heard).code == "not_cloudevents"


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("specversion", "0.3"),
        ("id", "not-a-uuid"),
        ("source", ""),
        ("type", "media.stored"),
        ("type", "media.media_stored.v1\n"),
        ("type", None),
        ("time", "2026-01-02T03:04:05"),
        ("time", "yesterday"),
        ("datacontenttype", "text/plain"),
        ("traceparent", "0" * 65),
        ("data", None),
        ("data", "text"),
        ("data", []),
    ],
)
def test_a_wrong_attribute_is_named(attribute: str, value: Any) -> None:
    refusal = refusal_of(document(**{attribute: value}))

    assert refusal.code == "not_cloudevents"
    assert refusal.sentence.startswith(f"{attribute}: ")


def test_a_type_that_nobody_knows_is_named() -> None:
    refusal = refusal_of(document(type="jobs.job_forgotten.v1"))

    assert (refusal.code, "jobs.job_forgotten.v1" in refusal.sentence) == ("message_unknown", True)


def test_a_version_that_nobody_knows_is_another_type() -> None:
    assert refusal_of(document(type="jobs.job_unknown.v9")).code == "message_unknown"


def test_a_field_that_is_wrong_is_named() -> None:
    refusal = refusal_of(document(data={"service": "media", "job_id": "seven"}))

    assert refusal.code == "message_invalid"
    assert refusal.sentence.startswith("job_id: ")
    assert str(refusal) == f"message_invalid: {refusal.sentence}"


def test_a_reason_is_short_whatever_was_sent() -> None:
    assert len(refusal_of(document(type="x" * 100_000)).sentence) <= 500


def test_a_reason_does_not_repeat_what_was_sent() -> None:
    assert "secret-token" not in str(refusal_of(document(data={"service": "secret-token", "job_id": "secret-token"})))


@settings(max_examples=200, deadline=None)
@given(JSON)
def test_any_document_is_understood_or_refused_with_a_known_code(heard: Any) -> None:
    refused_or_understood(heard)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.sampled_from([*document(), "subject", "datacontenttype", "traceparent"]), ODD | JSON, max_size=4)
)
def test_any_attributes_are_understood_or_refused_with_a_known_code(changes: dict[str, Any]) -> None:
    refused_or_understood(document(**changes))


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"{'a': 1}", b"NaN", b"[" * 5000], ids=repr)
def test_a_body_that_is_not_json_is_told_as_such(body: bytes) -> None:
    with pytest.raises(NotUnderstoodError) as caught:
        read(body)

    assert caught.value.code == "not_json"


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_understood_or_refused_with_a_known_code(body: bytes) -> None:
    refusal = refusal_or_none(lambda: listen(read(body)))

    assert refusal is not None
    assert refusal.code in CODES


def read(body: bytes) -> Any:
    """Read a body as a service does that takes it from its queue."""
    return _document(SimpleNamespace(body=body, headers={}))  # type: ignore[arg-type]


@EVERY
@QUICK
@given(st.data())
def test_any_damage_to_a_message_is_understood_or_refused_with_a_known_code(
    message_class: type[Message], data: st.DataObject
) -> None:
    body = data.draw(data_of(message_class))
    field = data.draw(st.sampled_from(sorted(message_class.model_fields)))
    damaged = {**body, field: data.draw(ODD | JSON)}

    refused_or_understood(document(type=message_class.wire_name, data=damaged))


@pytest.mark.parametrize("prefix", BINARY_PREFIXES)
@QUICK
@given(st.dictionaries(st.sampled_from(["id", "type", "time", "source", "data", ""]), ODD | JSON), JSON)
def test_any_binary_mode_is_understood_or_refused_with_a_known_code(
    prefix: str, attributes: dict[str, Any], data: Any
) -> None:
    headers = {f"{prefix}{key}": value for key, value in {"specversion": "1.0", **attributes}.items()}

    refused_or_understood(from_binary_mode(headers, data))


def test_a_deeply_nested_document_is_understood_or_refused_with_a_known_code() -> None:
    deep: Any = "bottom"
    for _ in range(50_000):
        deep = [deep]
    body = {"kind": "x", "result": {"deep": deep}}

    refused_or_understood(deep)
    refused_or_understood(document(type="jobs.job_completed.v1", data=body))


def refused_or_understood(heard: Any) -> None:
    """Anything but NotUnderstoodError passes through and fails the test."""
    refusal = refusal_or_none(lambda: listen(heard))
    if refusal is not None:
        assert refusal.code in CODES
        assert 0 < len(refusal.sentence.encode()) <= 1500


def refusal_or_none(hear: Callable[[], Message]) -> NotUnderstoodError | None:
    try:
        hear()
    except NotUnderstoodError as refusal:
        return refusal
    return None
