import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.catalogue import CATALOGUE, open_envelope, understand
from contracts.envelope import (
    BINARY_PREFIXES,
    MAXIMUM_BODY_BYTES,
    Envelope,
    Instruction,
    Message,
    from_binary_mode,
    routing_key_of,
)
from contracts.jobs import CancelJob, CheckWorker, JobUnknown
from contracts.scraper import ScrapePages
from tests.contracts.spoken import QUICK, data_of

EVERY = pytest.mark.parametrize("message_class", CATALOGUE.values(), ids=CATALOGUE)
MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def wrapped(message: Message, message_id: UUID | None = None) -> Envelope:
    return Envelope.wrap(
        message, message_id=message_id or uuid4(), source="/media", time=MOMENT, traceparent=TRACEPARENT
    )


def scrape(*urls: str) -> ScrapePages:
    job_id = uuid4()
    return ScrapePages(job_id=job_id, root_job_id=job_id, project_id=uuid4(), submitted_by="ada", urls=urls)


def scrape_of_size(size_bytes: int) -> Envelope:
    empty = len(wrapped(scrape(*["u"] * 100)).encode())
    each, rest = divmod(size_bytes - empty, 100)
    urls = ["u" * (each + 1)] * 99 + ["u" * (each + 1 + rest)]
    return wrapped(scrape(*urls))


@EVERY
@QUICK
@given(st.data())
def test_what_is_said_is_understood_as_it_was_meant(message_class: type[Message], data: st.DataObject) -> None:
    message = message_class.model_validate(data.draw(data_of(message_class)))
    message_id = data.draw(st.uuids())

    envelope = open_envelope(json.loads(wrapped(message, message_id).encode()))

    assert understand(envelope) == message
    assert envelope.id == message_id
    assert envelope.time == MOMENT
    assert envelope.source == "/media"
    assert envelope.traceparent == TRACEPARENT
    assert envelope.subject == message.subject


@EVERY
@QUICK
@given(st.data())
def test_fields_that_nobody_here_knows_are_accepted_and_ignored(
    message_class: type[Message], data: st.DataObject
) -> None:
    body = data.draw(data_of(message_class))
    document = json.loads(wrapped(message_class.model_validate(body)).encode())

    newer = {**document, "data": with_unknown_fields(document["data"]), "newattribute": "x"}

    assert understand(open_envelope(newer)) == understand(open_envelope(document))


def with_unknown_fields(value: Any) -> Any:
    """Add a field to every record, but not to mappings whose keys belong to whoever said them."""
    if isinstance(value, list):
        return [with_unknown_fields(item) for item in value]
    if isinstance(value, dict):
        free = ("result", "quality")
        return {"a_newer_field": {"deep": [1]}} | {
            key: item if key in free else with_unknown_fields(item) for key, item in value.items()
        }
    return value


@EVERY
@QUICK
@given(st.data(), st.sampled_from(BINARY_PREFIXES))
def test_each_binary_mode_is_rebuilt_and_understood(
    message_class: type[Message], data: st.DataObject, prefix: str
) -> None:
    message = message_class.model_validate(data.draw(data_of(message_class)))
    document = json.loads(wrapped(message).encode())
    headers = {f"{prefix}{key}": value for key, value in document.items() if key not in {"data", "datacontenttype"}}

    rebuilt = from_binary_mode({**headers, "x-death": [{"count": 1}]}, document["data"])

    assert rebuilt == {key: value for key, value in document.items() if key != "datacontenttype"}
    assert understand(open_envelope(rebuilt)) == message


def test_a_time_that_the_client_library_has_already_decoded_is_understood() -> None:
    document = json.loads(wrapped(scrape("https://example.org")).encode())
    headers = {f"ce-{key}": value for key, value in document.items() if key != "data"} | {"ce-time": MOMENT}

    assert open_envelope(from_binary_mode(headers, document["data"])).time == MOMENT


@pytest.mark.parametrize("headers", [{}, {"content-type": "x"}, {"ce-id": "1"}, {"cloudEvents_": "1.0"}, {"ce-": "1"}])
def test_headers_without_a_specversion_are_no_binary_mode(headers: dict[str, str]) -> None:
    assert from_binary_mode(headers, {}) is None


def test_a_body_of_exactly_the_limit_is_said() -> None:
    assert len(scrape_of_size(MAXIMUM_BODY_BYTES).encode()) == MAXIMUM_BODY_BYTES


def test_a_body_of_one_byte_more_is_refused_at_its_source() -> None:
    with pytest.raises(ValueError, match=rf"a scraper\.scrape_pages\.v1 of {MAXIMUM_BODY_BYTES + 1} bytes is larger"):
        scrape_of_size(MAXIMUM_BODY_BYTES + 1).encode()


def test_a_body_is_measured_in_bytes_and_not_in_characters() -> None:
    envelope = wrapped(scrape(*["é" * 4096] * 35))

    assert len(envelope.model_dump_json(exclude_none=True)) < MAXIMUM_BODY_BYTES
    with pytest.raises(ValueError, match="is larger than"):
        envelope.encode()


def test_what_is_absent_is_not_written() -> None:
    document = json.loads(wrapped(scrape("https://example.org")).encode())

    assert "parent_job_id" not in document["data"]


@EVERY
@QUICK
@given(st.data())
def test_a_message_travels_under_its_name_and_an_addressed_one_under_its_addressee(
    message_class: type[Message], data: st.DataObject
) -> None:
    message = message_class.model_validate(data.draw(data_of(message_class)))
    addressee = getattr(message, "addressee", None) if isinstance(message, Instruction) else None
    if isinstance(message, CheckWorker):
        addressee = message.service

    assert message.routing_key == ".".join(filter(None, [routing_key_of(message_class), addressee]))


def test_the_subject_of_a_job_message_is_its_job_and_others_have_none() -> None:
    command = scrape("https://example.org")

    assert command.subject == str(command.job_id)
    assert CancelJob(addressee="all", job_id=command.job_id, cancelled_by="ada").subject is None
    assert JobUnknown(service="media", job_id=command.job_id).subject is None
