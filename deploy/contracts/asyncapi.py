"""`asyncapi.yaml`: what is said on the bus, for people and for the tools of other systems.

Follows AsyncAPI 3.0 with the AMQP 0-9-1 bindings 0.3.0. A routing key is a channel that is sent to; a service's queue
is a channel that is received from.
"""

from collections.abc import Mapping
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from contracts.envelope import CONTENT_TYPE, EVERYBODY, Envelope, Instruction, Message, routing_key_of
from contracts.jobs import CheckWorker
from deploy.contracts.schemas import SchemaWriter
from deploy.contracts.tables import Tables, heard, said, workers
from deploy.contracts.topology import EXCHANGE, queue_of, topology

_BINDING_VERSION = "0.3.0"
_DESCRIPTION = """
Every message is a structured CloudEvents 1.0 document. Facts and news reach every service that hears them; a command
reaches its one owner; an instruction reaches the service that it names, or all. Messages are delivered at least once
and carry an id by which a repeated one is known. Readers ignore fields that they do not know.
"""

_EXCHANGE = {"name": EXCHANGE, "type": "topic", "durable": True, "autoDelete": False, "vhost": "/"}

Node = dict[str, Any]


def asyncapi(catalogue: Mapping[str, type[Message]], tables: Tables) -> str:
    """Write the document; the same code gives the same bytes."""
    return yaml.dump(document(catalogue, tables), Dumper=_Writer, sort_keys=False, allow_unicode=True, width=110)


def document(catalogue: Mapping[str, type[Message]], tables: Tables) -> Node:
    """Build the document as plain values."""
    messages = [message for _, message in sorted(catalogue.items())]
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Diorama", "version": "1.0.0", "description": _one_line(_DESCRIPTION)},
        "defaultContentType": CONTENT_TYPE,
        "servers": {
            "broker": {
                "host": "rabbitmq:5672",
                "protocol": "amqp",
                "protocolVersion": "0-9-1",
                "description": "RabbitMQ 3.10 or later; the real address is the setting RABBITMQ_URL.",
            }
        },
        "channels": {**_routing_key_channels(messages, tables), **_queue_channels(tables)},
        "operations": {**_sends(tables), **_receives(tables)},
        "components": {
            "messages": {message.wire_name: _message(message) for message in messages},
            "schemas": _schemas(messages),
            "channelBindings": {"events": _amqp({"is": "routingKey", "exchange": _EXCHANGE})},
            "operationBindings": {"said": _amqp({"deliveryMode": 2, "mandatory": True}), "heard": _amqp({"ack": True})},
        },
    }


class _Writer(yaml.SafeDumper):
    """Writes no anchors, so that every part reads on its own."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  the signature is PyYAML's
        return True


def _routing_key_channels(messages: list[type[Message]], tables: Tables) -> Node:
    channels: Node = {}
    for message in messages:
        key = routing_key_of(message)
        channel = channels.setdefault(key, _routing_key_channel(message, tables))
        channel["messages"][message.wire_name] = _reference("components", "messages", message.wire_name)
    return channels


def _routing_key_channel(message: type[Message], tables: Tables) -> Node:
    key = routing_key_of(message)
    address: Node = {"address": key}
    parameter = _addressed_by(message, tables)
    if parameter is not None:
        name, names = parameter
        address = {
            "address": f"{key}.{{{name}}}",
            "parameters": {name: {"description": "the service that shall obey", "enum": names}},
        }
    return {
        **address,
        "servers": [_reference("servers", "broker")],
        "messages": {},
        "bindings": _reference("components", "channelBindings", "events"),
    }


def _addressed_by(message: type[Message], tables: Tables) -> tuple[str, list[str]] | None:
    """Give the field that closes the routing key and the values that somebody hears."""
    hearers = [service for service, messages in heard(tables).items() if message in messages]
    if issubclass(message, Instruction):
        return "addressee", [*hearers, EVERYBODY]
    return ("service", workers(tables)) if issubclass(message, CheckWorker) else None


def _queue_channels(tables: Tables) -> Node:
    bound_to = topology(tables)
    return {
        queue_of(service): {
            "address": queue_of(service),
            "description": f"What {service} hears, bound to: {', '.join(bound_to[service])}.",
            "servers": [_reference("servers", "broker")],
            "messages": {m.wire_name: _reference("components", "messages", m.wire_name) for m in messages},
            "bindings": _amqp({"is": "queue", "queue": _queue(service)}),
        }
        for service, messages in heard(tables).items()
    }


def _queue(service: str) -> Node:
    return {"name": queue_of(service), "durable": True, "exclusive": False, "autoDelete": False, "vhost": "/"}


def _sends(tables: Tables) -> Node:
    operations: Node = {}
    for service, messages in said(tables).items():
        for message in messages:
            key = routing_key_of(message)
            operation = operations.setdefault(f"{service}.says.{key}", _send(message))
            operation["messages"].append(_reference("channels", key, "messages", message.wire_name))
    return operations


def _send(message: type[Message]) -> Node:
    return {
        "action": "send",
        "channel": _reference("channels", routing_key_of(message)),
        "messages": [],
        "bindings": _reference("components", "operationBindings", "said"),
    }


def _receives(tables: Tables) -> Node:
    return {
        f"{service}.hears": {
            "action": "receive",
            "channel": _reference("channels", queue_of(service)),
            "messages": [_reference("channels", queue_of(service), "messages", m.wire_name) for m in messages],
            "bindings": _reference("components", "operationBindings", "heard"),
        }
        for service, messages in heard(tables).items()
    }


def _message(message: type[Message]) -> Node:
    correlation = {"correlationId": {"location": "$message.payload#/data/job_id"}}
    summary, _, more = (message.__doc__ or "").partition("\n")
    return {
        "name": message.wire_name,
        "title": message.__name__,
        "summary": summary,
        **({"description": _one_line(more)} if more.strip() else {}),
        "contentType": CONTENT_TYPE,
        **(correlation if "job_id" in message.model_fields else {}),
        "payload": {
            "allOf": [
                _reference("components", "schemas", Envelope.__name__),
                {
                    "type": "object",
                    "properties": {
                        "type": {"const": message.wire_name},
                        "data": _reference("components", "schemas", message.__name__),
                    },
                },
            ]
        },
    }


def _schemas(messages: list[type[Message]]) -> Node:
    models: list[type[BaseModel]] = [Envelope, *messages]
    _, schema = models_json_schema(
        [(model, "validation") for model in models],
        ref_template="#/components/schemas/{model}",
        schema_generator=SchemaWriter,
    )
    return dict(sorted(schema["$defs"].items()))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _amqp(binding: Node) -> Node:
    return {"amqp": {**binding, "bindingVersion": _BINDING_VERSION}}


def _reference(*path: str) -> Node:
    return {"$ref": "#/" + "/".join(path)}
