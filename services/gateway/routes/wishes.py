"""What those send who look after the work: which jobs and dead letters they mean, and which kinds shall rest."""

from datetime import datetime, timedelta
from typing import Annotated, Final, Literal, Protocol, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictBool, model_validator

from contracts.catalogue import CATALOGUE
from contracts.envelope import Command
from services.gateway.routes.models import MANY, Moment, Name, Page, exactly_one

_LONGEST_PAUSE_SECONDS: Final = 30 * 24 * 3600
_KINDS: Final = sorted(name for name, message in CATALOGUE.items() if issubclass(message, Command))

Kind = Annotated[
    Name, Field(description="wire name of a command", json_schema_extra={"enum": _KINDS, "pattern": r"^\S+$"})
]


class _EitherWay(Protocol):
    """What names things or has a filter for them."""

    @property
    def ids(self) -> tuple[UUID, ...] | None: ...
    @property
    def filter(self) -> BaseModel | None: ...


_Way = TypeVar("_Way", bound=_EitherWay)


def _either(asked: _Way) -> _Way:
    if [asked.ids, asked.filter].count(None) != 1:
        raise ValueError("give exactly one of `ids` and `filter`")
    return asked


class FailedJobs(BaseModel):
    """Failed jobs by what is known of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    project_id: UUID | None = Field(default=None, description="default: all in which you may change something")
    everybody: StrictBool = Field(default=False, description="of all projects; for operators")
    kind: Name | None = None
    service: Name | None = None
    error_code: Name | None = None
    parent_id: UUID | None = None
    root_id: UUID | None = None
    created_after: Moment | None = None
    created_before: Moment | None = None


class RetryAsked(BaseModel):
    """Failed jobs that shall be done again: those that are named, or those that a filter finds."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            **exactly_one("ids", "filter"),
            "examples": [
                {"ids": ["01990b6e-6c4d-7d4e-9a52-1f0c8c1d2e3f"]},
                {"filter": {"error_code": "http_server_error"}, "dry_run": True},
            ],
        },
    )

    ids: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=MANY)] | None = None
    filter: FailedJobs | None = None
    dry_run: StrictBool = Field(default=False, description="only say what would be done")

    @model_validator(mode="after")
    def _one_way(self) -> "RetryAsked":
        return _either(self)


class LettersAsked(BaseModel):
    """Dead letters by what is known of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    service: Name | None = None
    code: Name | None = None
    message_type: Name | None = None
    job_id: UUID | None = None
    received_after: Moment | None = None
    received_before: Moment | None = None


class LettersPage(Page, LettersAsked):
    """A page of dead letters."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    state: list[Literal["dead", "redriving", "taken_in", "said_again", "discarding", "discarded", "unknown"]] | None = (
        Field(default=None, description="repeat it for several")
    )


class LettersMeant(BaseModel):
    """Dead letters that are named, or those that a filter finds."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            **exactly_one("ids", "filter"),
            "examples": [
                {"ids": ["01990b6e-6c50-7a11-8e21-77aa0b1c2d3e"]},
                {"filter": {"service": "media"}, "dry_run": True},
            ],
        },
    )

    ids: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=MANY)] | None = None
    filter: LettersAsked | None = Field(default=None, description="an empty one finds all")
    dry_run: StrictBool = Field(default=False, description="only say what would be done")

    @model_validator(mode="after")
    def _one_way(self) -> "LettersMeant":
        return _either(self)


class PauseAsked(BaseModel):
    """A kind of work that shall rest for a while."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            **exactly_one("seconds", "expires_at"),
            "examples": [{"kind": "media.fetch_media.v1", "seconds": 3600}],
        },
    )

    kind: Kind
    seconds: Annotated[float, Field(gt=0, le=_LONGEST_PAUSE_SECONDS, strict=True)] | None = None
    expires_at: Moment | None = None
    take_over: StrictBool = Field(default=False, description="also where somebody else has paused it")

    @model_validator(mode="after")
    def _one_end(self) -> "PauseAsked":
        if [self.seconds, self.expires_at].count(None) != 1:
            raise ValueError("give exactly one of `seconds` and `expires_at`")
        return self

    def end(self, now: datetime) -> datetime:
        """Give the moment at which the pause ends; raises ValueError where it is past, or too far away."""
        end = self.expires_at or now + timedelta(seconds=self.seconds or 0)
        if not now < end <= now + timedelta(seconds=_LONGEST_PAUSE_SECONDS):
            raise ValueError("it must end within the next thirty days")
        return end


class ResumeAsked(BaseModel):
    """A kind of work that shall go on."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"kind": "media.fetch_media.v1"}]},
    )

    kind: Kind
    take_over: StrictBool = Field(default=False, description="also where somebody else has paused it")
