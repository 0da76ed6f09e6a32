"""ModelsLab's images (API v7, with the fetch of v6 where v7 does not know a request)."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

import orjson
from pydantic import Field, SecretStr

from services.image_generation.providers.confined import RunConfined
from services.image_generation.providers.gathering import SAMPLES, Patience, gathered, seed_of_sample
from services.image_generation.providers.provider import (
    Capabilities,
    Done,
    GeneratedPicture,
    GenerationRequest,
    Pending,
    Submitted,
)
from services.image_generation.providers.terms import Terms
from services.image_generation.providers.wire import Answer, Wire, is_link, message_in, number, whole_number
from services.image_generation.rules import Pace
from services.image_generation.rules.trouble import Trouble
from shared.addresses import Policy, parse_url
from shared.errors import Refused
from shared.fetch import Outbound

_SUBMIT: Final = "/api/v7/images/text-to-image"
_SUBMIT_WITH_REFERENCES: Final = "/api/v7/images/image-to-image"
_FETCH: Final = "/api/v7/images/fetch/{}"
_FETCH_BEFORE: Final = "/api/v6/images/fetch"
_LINK_CHARACTERS: Final = 8192


class ModelsLabSettings(Terms):
    """Needs only the key."""

    name: str = "modelslab"
    base_url: str = "https://modelslab.com"
    key: SecretStr
    model: str = Field(default="flux", max_length=100)
    steps: int = Field(default=31, ge=1, le=100)
    guidance: float = Field(default=7.5, ge=0, le=30)
    negative_prompts: bool | None = Field(default=None, description="default: all models but those of flux")
    by_aspect_ratio: bool = Field(default=False, description="models of third parties take a ratio instead of a size")
    most_references: int = Field(
        default=0, ge=0, le=4, description="of models that take pictures; it fetches them from S3_PUBLIC_ENDPOINT_URL"
    )
    most_in_flight: int | None = Field(default=5, ge=1, le=1000, description="5 is what paying as one goes allows")


class ModelsLab:
    """Answers at once or later; what it charges for is taken by `submit` alone."""

    def __init__(self, settings: ModelsLabSettings, outbound: Outbound, run_confined: RunConfined) -> None:
        self.name = settings.name
        self._settings = settings
        self._patience = Patience()
        self._wire = Wire(
            settings.name, outbound, run_confined, key=settings.key, deadline_seconds=settings.deadline_seconds
        )
        negative = settings.negative_prompts
        self.capabilities = Capabilities(
            costs_money=True,
            seeds=True,
            negative_prompts=not settings.model.startswith("flux") if negative is None else negative,
            most_samples=4,
            pace=Pace(start_seconds=5, megapixel_seconds=10),
            asked_by_name=True,
            longest_side_px=1024,
            most_in_flight=settings.most_in_flight,
            account=settings.account,
            price_micros=settings.price_micros,
            most_references=settings.most_references,
        )

    async def submit(self, request: GenerationRequest) -> Submitted:
        """Hand a request in; what is ready at once is fetched by `poll` all the same."""
        path = _SUBMIT_WITH_REFERENCES if request.references else _SUBMIT
        answer = await self._wire.hand_in(self._settings.base_url + path, self._document(request))
        self._check(answer, own_words=request.words)
        document = answer.document or {}
        resume = {"seed": str(request.seed), SAMPLES: str(request.samples)}
        if isinstance(document.get("fetch_result"), str):
            resume["fetch_result"] = document["fetch_result"][:_LINK_CHARACTERS]
        if eta := number(document.get("eta")):
            resume["eta"] = str(eta)
        links = _links(document)
        if links:
            resume["outputs"] = orjson.dumps(links).decode()
        request_id = document.get("id")
        if isinstance(request_id, str | int) and not isinstance(request_id, bool) and str(request_id):
            return Submitted(str(request_id)[:200], resume)
        if links:
            return Submitted(request.track_id or "without a name", resume)
        raise self._wire.trouble(Trouble.UNKNOWN, "It gave the request no name.")

    async def poll(self, submitted: Submitted) -> Pending | Done:
        """Ask once, and copy the pictures as soon as it tells where they are."""
        seed = whole_number(submitted.resume.get("seed"), None)
        if told := submitted.resume.get("outputs"):
            return await self._copied(orjson.loads(told), seed, submitted)
        answer = await self._fetch(submitted)
        self._check_whose(answer, submitted)
        self._check(answer, polled=True)
        document = answer.document or {}
        outputs = document.get("output")
        if document.get("status") != "success" or not outputs:
            return Pending(eta_seconds=number(document.get("eta")))
        meta = document.get("meta")
        drawn_from = whole_number(meta.get("seed"), seed) if isinstance(meta, dict) else seed
        return await self._copied(outputs, drawn_from, submitted)

    async def cancel(self, submitted: Submitted) -> None:
        """Nothing can be taken back there; it draws to the end, and what it has drawn is not fetched."""

    async def _fetch(self, submitted: Submitted) -> Answer:
        key = {"key": self._settings.key.get_secret_value()}
        told = submitted.resume.get("fetch_result", "")
        own = self._settings.base_url + _FETCH.format(quote(submitted.request_id, safe=""))
        answer = await self._wire.ask(told if self._is_its_own(told) else own, key)
        if answer.status != HTTPStatus.NOT_FOUND:
            return answer
        before = self._settings.base_url + _FETCH_BEFORE
        return await self._wire.ask(before, {**key, "request_id": submitted.request_id})

    def _is_its_own(self, url: str) -> bool:
        """Tell whether an address is at the configured origin: no other one is ever shown the key."""
        policy = Policy(frozenset({parse_port(self._settings.base_url), 443}), self._settings.allow)
        try:
            return parse_url(url, policy).origin == parse_url(self._settings.base_url, policy).origin
        except Refused:
            return False

    async def _copied(self, outputs: object, seed: int | None, submitted: Submitted) -> Pending | Done:
        pictures = await gathered(
            outputs if isinstance(outputs, list) else [outputs],
            submitted,
            lambda output, number_: self._picture(output, seed_of_sample(seed, number_)),
            self._patience,
        )
        if pictures is None:
            return Pending()
        return Done(pictures, f"modelslab {self._settings.model}", provenance={"model": self._settings.model})

    async def _picture(self, output: object, seed: int | None) -> GeneratedPicture | None:
        """Copy one output: a link, as is usual, or an object that holds one, or the bytes themselves as base64."""
        if isinstance(output, dict):
            output = next((output[name] for name in ("url", "image", "base64") if output.get(name)), "")
        text = output if isinstance(output, str) else ""
        if is_link(text):
            return await self._wire.picture(text, seed)
        return await self._wire.decoded(text, seed)

    def _check_whose(self, answer: Answer, submitted: Submitted) -> None:
        """Refuse what a stranger's word led to, unless it is ours; nobody asks anew for what may be drawn elsewhere."""
        ours, document = submitted.resume.get("track_id"), answer.document or {}
        if ours is None:
            return
        whose = document.get("track_id")
        if whose is None and document.get("status") != "failed":  # which it always says of what it gives up
            return
        if str(whose) != ours:
            raise self._wire.trouble(Trouble.UNKNOWN, "By that name it knows another request.")

    def _check(self, answer: Answer, *, polled: bool = False, own_words: Sequence[str] = ()) -> None:
        document = answer.document or {}
        status = document.get("status")
        message = message_in(document, "message", "messege", "error", "tip") or "nothing more"
        if polled and answer.is_success and status == "failed":
            raise self._wire.trouble(Trouble.FAILED, message)
        if answer.is_success and status not in {"error", "failed"}:
            return
        told = message if document else ""
        patience = document.get("retry_after")
        self._wire.check(answer, told, patience, may_be_repeated=polled, own_words=own_words)

    def _document(self, request: GenerationRequest) -> Mapping[str, Any]:
        size: dict[str, Any] = {"width": request.width_px, "height": request.height_px}
        document = {
            "key": self._settings.key.get_secret_value(),
            "model_id": self._settings.model,
            "prompt": f"{request.description}, {request.style}" if request.style else request.description,
            **({"aspect_ratio": request.aspect_ratio} if self._settings.by_aspect_ratio else size),
            "samples": request.samples,
            "num_inference_steps": self._settings.steps,
            "guidance_scale": self._settings.guidance,
            "seed": request.seed,
            "base64": False,
            "temp": False,
            "webhook": request.hint_url,
            "track_id": request.track_id,
        }
        if request.negative_prompt:
            document["negative_prompt"] = request.negative_prompt
        if request.references:
            document["init_image"] = [reference.url for reference in request.references]
        return document


def parse_port(base_url: str) -> int:
    """Give the port of a base URL."""
    authority = base_url.partition("://")[2].partition("/")[0]
    port = authority.rpartition("]")[2].rpartition(":")[2]
    return int(port) if port.isdigit() and port != authority else (443 if base_url.startswith("https") else 80)


def _links(document: Mapping[str, Any]) -> list[str]:
    """Give the links of an answer that is ready; never those of the future, which lead nowhere yet."""
    outputs = document.get("output")
    if document.get("status") != "success" or not isinstance(outputs, list):
        return []
    links = [one for one in outputs if isinstance(one, str) and is_link(one)]
    links = [link for link in links if len(link) <= _LINK_CHARACTERS]
    return links if len(links) == len(outputs) else []
