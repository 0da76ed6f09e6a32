"""How every message is wrapped: a structured CloudEvents 1.0 JSON document.

Attributes and formats: CloudEvents 1.0 specification and its JSON event format.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

CONTENT_TYPE = "application/cloudevents+json"
MAXIMUM_BODY_BYTES = 256 * 1024
"""A larger body is refused at its source: large data goes to the object store, the message carries its key."""

EVERYBODY = "all"
"""The addressee of an instruction that every worker obeys."""

Step = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$")]
"""A step of a pipeline. Known today: `describe`, `depth`, `edges`; unknown ones are carried along untouched."""

SubjectVersion = Annotated[int, Field(ge=1)]
"""Counts the facts about one thing; a projection applies only what is newer than what it holds."""


class Record(BaseModel):
    """A value inside a message. Unknown fields are accepted and ignored, so that either side may be newer."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Message(Record):
    """What is said on the bus.

    `wire_name` is the CloudEvents `type`: owner, name and major version, such as `media.media_stored.v1`.
    """

    wire_name: ClassVar[str]
    fleeting: ClassVar[bool] = False
    """It tells how something is at the moment and the next one takes its place: it is said without the outbox, heard
    without the inbox, and may be lost."""

    @classmethod
    def addressed_service(cls) -> str:
        """Name the service whose module defines this message."""
        return cls.wire_name.split(".")[0]

    @property
    def routing_key(self) -> str:
        """The topic under which the message travels: the wire name without its version."""
        return routing_key_of(type(self))

    @property
    def subject(self) -> str | None:
        """The CloudEvents `subject`: what the message is about."""
        return None


class Lineage(Record):
    """Where a job stands in its tree, whose it is, and what should happen after it."""

    job_id: UUID
    parent_job_id: UUID | None = None
    root_job_id: UUID
    project_id: UUID
    submitted_by: str = Field(max_length=200, description="`sub` of the user or the name of the system")
    pipeline: tuple[Step, ...] = Field(default=(), max_length=16, description="what should happen next")

    def child_lineage(self, job_id: UUID) -> dict[str, Any]:
        """Give the lineage fields of a job that follows from this one."""
        return {
            "job_id": job_id,
            "parent_job_id": self.job_id,
            "root_job_id": self.root_job_id,
            "project_id": self.project_id,
            "submitted_by": self.submitted_by,
            "pipeline": self.pipeline,
        }

    def own_lineage(self) -> dict[str, Any]:
        """Give the lineage fields of a fact that happened in this job."""
        return {name: getattr(self, name) for name in Lineage.model_fields}


class Command(Message, Lineage):
    """Work that one service is asked to do. It has one addressee, its owner, and becomes a job there."""

    priority: int = Field(default=0, ge=-100, le=100, description="higher goes first; waiting makes it higher")

    @property
    def subject(self) -> str | None:
        """The job."""
        return str(self.job_id)


class Event(Message, Lineage):
    """A fact: something that has happened and is already visible to whoever looks."""

    @property
    def subject(self) -> str | None:
        """The job in which it happened."""
        return str(self.job_id)


class Instruction(Message):
    """What a worker is told about its work as a whole, or about a job that it may hold. Not a job itself."""

    addressee: str = Field(pattern=r"^[a-z_]{1,40}$", description="a service's name, or `all`")

    @property
    def routing_key(self) -> str:
        """The topic, closed by the addressee, so that one service alone can be told."""
        return f"{routing_key_of(type(self))}.{self.addressee}"


class Report(Message):
    """What a service says of itself, outside of any job."""

    service: str = Field(pattern=r"^[a-z_]{1,40}$")


class Envelope(BaseModel):
    """One CloudEvents 1.0 event in structured JSON mode."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    specversion: Literal["1.0"] = "1.0"
    id: UUID
    source: str = Field(min_length=1, max_length=200)
    type: str = Field(pattern=r"^[a-z_]+\.[a-z_]+\.v[0-9]+$", max_length=200)
    time: AwareDatetime
    subject: str | None = Field(default=None, max_length=1024)
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: str | None = Field(default=None, max_length=400)
    traceparent: str | None = Field(default=None, max_length=64)
    data: dict[str, Any]

    @classmethod
    def wrap(
        cls,
        message: Message,
        *,
        message_id: UUID,
        source: str,
        time: datetime,
        traceparent: str | None = None,
    ) -> "Envelope":
        """Wrap a message that was made in this house, so that nothing needs to be validated again."""
        return cls.model_construct(
            specversion="1.0",
            id=message_id,
            source=source,
            type=message.wire_name,
            time=time,
            subject=message.subject,
            datacontenttype="application/json",
            dataschema=f"/schemas/{message.wire_name}",
            traceparent=traceparent,
            data=message.model_dump(mode="json", exclude_none=True),
        )

    def encode(self) -> bytes:
        """Serialise to the bytes that travel; raise ValueError when they would be too many."""
        body = self.model_dump_json(exclude_none=True).encode()
        if len(body) > MAXIMUM_BODY_BYTES:
            raise ValueError(f"a {self.type} of {len(body)} bytes is larger than {MAXIMUM_BODY_BYTES}")
        return body


def routing_key_of(message_class: type[Message]) -> str:
    """Give the wire name without its version: `media.media_stored`."""
    return message_class.wire_name.rpartition(".")[0]


BINARY_PREFIXES = ("cloudEvents_", "cloudEvents:", "ce-")
"""Header prefixes of the binary modes that are in use on AMQP."""


def from_binary_mode(headers: Mapping[str, Any], data: Any) -> dict[str, Any] | None:
    """Rebuild a structured document from binary-mode headers; None where there are no such headers."""
    for prefix in BINARY_PREFIXES:
        attributes = {key[len(prefix) :]: value for key, value in headers.items() if key.startswith(prefix)}
        if "specversion" in attributes:
            return {**attributes, "data": data}
    return None
