"""Users of the house, and the ledger of what the house has accepted from each."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from deploy.local.stack import Stack
from services.gateway.cli.client import Gateway
from services.gateway.identity import issuers_of, mint
from services.gateway.identity.issuers import LOCAL
from services.gateway.rules.people import personal_project_of
from services.gateway.settings import Settings
from tests.journeys.gallery import Exhibition, Picture

SCENE = {
    "scene_description": "a red house by a lake under tall mountains at dusk",
    "style": "watercolour",
    "aspect_ratio": "16:9",
    "script_id": "a-script",
    "user_tier": "free",
}


@dataclass
class Ledger:
    """What was accepted: for each of these an answer 202 was given, so each must come to its end.

    Attributes:
        scrapes: the exhibitions that were to be scraped, by job.
        scenes: the numbers of the scenes that were to be drawn, by job.

    """

    scrapes: dict[UUID, Exhibition] = field(default_factory=dict)
    scenes: dict[UUID, int] = field(default_factory=dict)

    @property
    def exhibitions(self) -> list[Exhibition]:
        return list(self.scrapes.values())

    @property
    def sound(self) -> list[Picture]:
        return [picture for exhibition in self.exhibitions for picture in exhibition.sound]

    @property
    def broken(self) -> list[Picture]:
        return [picture for exhibition in self.exhibitions for picture in exhibition.broken]


@dataclass
class Visitor:
    """A user with a project of his own and a ledger of what was promised to him."""

    user_id: str
    gateway: Gateway
    chapter: str = "a-chapter"
    ledger: Ledger = field(default_factory=Ledger)

    @property
    def project_id(self) -> UUID:
        return personal_project_of(self.user_id)

    async def scrapes(self, exhibition: Exhibition) -> UUID:
        job_id = UUID((await self.gateway.post("/scrapes", {"url": exhibition.url}))["id"])
        self.ledger.scrapes[job_id] = exhibition
        return job_id

    async def draws(self, scene_number: int) -> UUID:
        path = f"/chapters/{self.chapter}/images/scenes/{scene_number}"
        job_id = UUID((await self.gateway.post(path, SCENE))["task_id"])
        self.ledger.scenes[job_id] = scene_number
        return job_id

    async def scene(self, scene_number: int) -> dict[str, Any]:
        return await self.gateway.get(f"/chapters/{self.chapter}/images/scenes/{scene_number}/status")

    async def job(self, job_id: UUID) -> dict[str, Any]:
        return await self.gateway.get(f"/jobs/{job_id}")

    async def images(self) -> list[dict[str, Any]]:
        return await self.gateway.items("/images")


@asynccontextmanager
async def visiting(stack: Stack) -> AsyncIterator[Visitor]:
    """Let in somebody who was never here before."""
    environment = {name.lower(): value for name, value in stack.environment_of("gateway").items()}
    values = {name: environment[name] for name in Settings.model_fields.keys() & environment.keys()}
    user_id = f"visitor-{uuid4().hex[:12]}"
    token = mint(issuers_of(Settings.model_validate(values))[LOCAL], user_id, lifetime_seconds=3600)
    async with Gateway(stack.gateway_url, token) as gateway:
        yield Visitor(user_id, gateway)
