from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from contracts.catalogue import CATALOGUE
from contracts.envelope import Message
from deploy.contracts.asyncapi import asyncapi, document
from deploy.contracts.tables import heard, said
from deploy.contracts.topology import topology
from tests.contracts.houses import tables

EVERY = pytest.mark.parametrize("message", CATALOGUE.values(), ids=CATALOGUE)
ALLOWED_AT_THE_ROOT = {"asyncapi", "info", "defaultContentType", "servers", "channels", "operations", "components"}


@pytest.fixture(scope="module")
def spec() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(asyncapi(CATALOGUE, tables()))
    return loaded


def references_in(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references_in(value)
    elif isinstance(node, list):
        for value in node:
            yield from references_in(value)


def resolve(spec: dict[str, Any], reference: str) -> Any:
    node: Any = spec
    for part in reference.removeprefix("#/").split("/"):
        node = node[part]
    return node


def dangling(spec: dict[str, Any]) -> list[str]:
    found = []
    for reference in references_in(spec):
        try:
            resolve(spec, reference)
        except KeyError:
            found.append(reference)
    return found


def test_what_is_written_is_what_was_built(spec: dict[str, Any]) -> None:
    assert spec == document(CATALOGUE, tables())
    assert spec["asyncapi"] == "3.0.0"
    assert spec.keys() == ALLOWED_AT_THE_ROOT


def test_the_same_code_writes_the_same_bytes() -> None:
    reordered = {service: (reactions[::-1], work[::-1]) for service, (reactions, work) in reversed(tables().items())}

    assert asyncapi(CATALOGUE, tables()) == asyncapi(dict(reversed(CATALOGUE.items())), reordered)


def test_every_reference_leads_somewhere(spec: dict[str, Any]) -> None:
    assert len(list(references_in(spec))) > 100
    assert dangling(spec) == []


def test_a_reference_that_leads_nowhere_is_found(spec: dict[str, Any]) -> None:
    assert dangling({**spec, "operations": {"x": {"$ref": "#/channels/nowhere"}}}) == ["#/channels/nowhere"]


def test_no_anchors_are_written() -> None:
    text = asyncapi(CATALOGUE, tables())

    assert not any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text))


@EVERY
def test_a_message_is_a_cloudevent_whose_data_is_its_schema(message: type[Message], spec: dict[str, Any]) -> None:
    described = spec["components"]["messages"][message.wire_name]
    envelope, own = described["payload"]["allOf"]

    assert described["contentType"] == "application/cloudevents+json"
    assert described["summary"] in (message.__doc__ or "")
    assert {"specversion", "id", "source", "type", "time", "data"} <= resolve(spec, envelope["$ref"])[
        "properties"
    ].keys()
    assert own["properties"]["type"] == {"const": message.wire_name}
    assert resolve(spec, own["properties"]["data"]["$ref"])["properties"].keys() == message.model_fields.keys()


@EVERY
def test_a_message_has_a_channel_a_voice_and_an_ear(message: type[Message], spec: dict[str, Any]) -> None:
    reference = {"$ref": f"#/components/messages/{message.wire_name}"}
    sent = messages_of(spec, "send")
    received = messages_of(spec, "receive")

    channel = spec["channels"][message.wire_name.rpartition(".")[0]]
    assert channel["messages"][message.wire_name] == reference
    assert resolve(spec, channel["bindings"]["$ref"])["amqp"]["exchange"]["name"] == "diorama.events"
    assert {service for service, names in sent.items() if message.wire_name in names} == {
        service for service, words in said(tables()).items() if message in words
    }
    assert {service for service, names in received.items() if message.wire_name in names} == {
        service for service, words in heard(tables()).items() if message in words
    }


def messages_of(spec: dict[str, Any], action: str) -> dict[str, set[str]]:
    """Give for each service the wire names that its operations send or receive."""
    found: dict[str, set[str]] = {}
    for name, operation in spec["operations"].items():
        if operation["action"] == action:
            names = {reference["$ref"].rpartition("/")[2] for reference in operation["messages"]}
            found.setdefault(name.partition(".")[0], set()).update(names)
    return found


def test_messages_of_an_operation_are_messages_of_its_channel(spec: dict[str, Any]) -> None:
    for operation in spec["operations"].values():
        for message in operation["messages"]:
            assert message["$ref"].startswith(f"{operation['channel']['$ref']}/messages/")


def test_a_queue_is_a_channel_that_tells_what_it_is_bound_to(spec: dict[str, Any]) -> None:
    for service, keys in topology(tables()).items():
        queue = spec["channels"][f"diorama.{service}"]
        assert queue["bindings"]["amqp"]["is"] == "queue"
        assert queue["bindings"]["amqp"]["queue"]["name"] == f"diorama.{service}"
        assert [key for key in keys if key not in queue["description"]] == []


def test_an_addressed_message_tells_whom_it_can_be_addressed_to(spec: dict[str, Any]) -> None:
    cancel, replay, check = (
        spec["channels"][f"jobs.{name}"] for name in ("cancel_job", "replay_outbox", "check_worker")
    )

    assert cancel["address"] == "jobs.cancel_job.{addressee}"
    assert cancel["parameters"]["addressee"]["enum"] == ["depth_map", "image_generation", "media", "scraper", "all"]
    assert "gateway" in replay["parameters"]["addressee"]["enum"]
    assert check["address"] == "jobs.check_worker.{service}"
    assert check["parameters"]["service"]["enum"] == ["depth_map", "image_generation", "media", "scraper"]


def test_every_parameter_of_an_address_is_described_and_no_other(spec: dict[str, Any]) -> None:
    for channel in spec["channels"].values():
        assert all(f"{{{name}}}" in channel["address"] for name in channel.get("parameters", {}))
        assert channel["address"].count("{") == len(channel.get("parameters", {}))
