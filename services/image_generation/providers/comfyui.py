"""ComfyUI, over its HTTP and WebSocket API: a workflow is queued, tells how far it is, and leaves pictures behind."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote, urlencode
from uuid import uuid4

import orjson
from pydantic import Field

from services.image_generation.providers.confined import RunConfined
from services.image_generation.providers.gathering import SAMPLES, Patience, gathered
from services.image_generation.providers.provider import (
    Capabilities,
    Done,
    GeneratedPicture,
    GenerationRequest,
    Pending,
    Reference,
    Submitted,
)
from services.image_generation.providers.terms import Terms
from services.image_generation.providers.wire import Answer, Form, Wire, message_in, whole_number
from services.image_generation.rules import Pace
from services.image_generation.rules.trouble import Trouble
from shared.errors import Failure
from shared.fetch import Outbound

_MESSAGE_LIMIT_BYTES: Final = 16 * 1024 * 1024
_OPEN_WITHIN_SECONDS: Final = 5.0
_ENDS: Final = frozenset({"execution_success", "execution_error", "execution_interrupted"})
_REFERENCES: Final = ("$reference", "$reference_2", "$reference_3", "$reference_4")
_LISTED: Final = 2  # an entry of its queue: a number, then the name of the request

WORKFLOW: Final[Mapping[str, Any]] = {
    "model": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "$checkpoint"}},
    "positive": {"class_type": "CLIPTextEncode", "inputs": {"text": "$prompt", "clip": ["model", 1]}},
    "negative": {"class_type": "CLIPTextEncode", "inputs": {"text": "$negative_prompt", "clip": ["model", 1]}},
    "canvas": {
        "class_type": "EmptyLatentImage",
        "inputs": {"width": "$width", "height": "$height", "batch_size": "$samples"},
    },
    "sampler": {
        "class_type": "KSampler",
        "inputs": {
            "model": ["model", 0],
            "positive": ["positive", 0],
            "negative": ["negative", 0],
            "latent_image": ["canvas", 0],
            "seed": "$seed",
            "steps": "$steps",
            "cfg": "$guidance",
            "sampler_name": "euler",
            "scheduler": "normal",
            "denoise": 1.0,
        },
    },
    "picture": {"class_type": "VAEDecode", "inputs": {"samples": ["sampler", 0], "vae": ["model", 2]}},
    "saved": {"class_type": "SaveImage", "inputs": {"images": ["picture", 0], "filename_prefix": "diorama"}},
}
"""A plain one, in the API's format. In any workflow a value `$prompt` and the like is filled in."""


class ComfySettings(Terms):
    """Needs to know where the server is, and which checkpoint or workflow is used."""

    name: str = "comfyui"
    checkpoint: str = Field(default="sd_xl_base_1.0.safetensors", max_length=200)
    workflow: dict[str, Any] = Field(default_factory=lambda: dict(WORKFLOW))
    steps: int = Field(default=25, ge=1, le=200)
    guidance: float = Field(default=7, ge=0, le=30)
    most_samples: int = Field(default=4, ge=1, le=8)
    paid: bool = Field(default=False, description="true where somebody bills each request")
    most_in_flight: int | None = Field(default=4, ge=1, le=1000)


class ComfyUI:
    """Names each request, so that any process can ask for it; also hears how far it is while it waits."""

    def __init__(self, settings: ComfySettings, outbound: Outbound, run_confined: RunConfined) -> None:
        self.name = settings.name
        self._settings = settings
        self._patience = Patience()
        key = settings.key.get_secret_value() if settings.key else ""
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._wire = Wire(
            settings.name,
            outbound,
            run_confined,
            key=settings.key,
            paid=settings.paid,
            deadline_seconds=settings.deadline_seconds,
        )
        told = orjson.dumps(settings.workflow)
        references = sum(f'"{name}"'.encode() in told for name in _REFERENCES)
        self.capabilities = Capabilities(
            costs_money=settings.paid,
            seeds=b'"$seed"' in told,
            negative_prompts=b'"$negative_prompt"' in told,
            most_samples=settings.most_samples if b'"$samples"' in told else 1,
            pace=Pace(start_seconds=2, megapixel_seconds=10),
            most_in_flight=settings.most_in_flight,
            account=settings.account,
            price_micros=settings.price_micros,
            most_references=references,
            least_references=references,
        )

    async def submit(self, request: GenerationRequest) -> Submitted:
        """Queue the workflow with the request filled in."""
        client = uuid4().hex
        references = [await self._uploaded(reference) for reference in request.references]
        document = {"prompt": self._filled(request, references), "client_id": client}
        answer = await self._wire.hand_in(self._url("/prompt"), document, self._headers)
        self._check(answer, own_words=request.words)
        document = answer.document or {}
        request_id = document.get("prompt_id")
        if not isinstance(request_id, str) or not request_id:
            raise self._wire.trouble(Trouble.UNKNOWN, "It gave the request no name.")
        return Submitted(request_id, {"client": client, "seed": str(request.seed), SAMPLES: str(request.samples)})

    async def poll(self, submitted: Submitted) -> Pending | Done:
        """Ask for the result, and where there is none for the place in the queue."""
        answer = await self._wire.ask(self._history_of(submitted), headers=self._headers)
        self._check(answer, asked=True)
        entry = (answer.document or {}).get(submitted.request_id)
        if isinstance(entry, dict):
            return await self._ended(entry, submitted)
        answer = await self._wire.ask(self._url("/queue"), headers=self._headers)
        self._check(answer, asked=True)
        queue = answer.document or {}
        if submitted.request_id in _names(queue.get("queue_running")):
            return Pending(ahead=0)
        waiting = _names(queue.get("queue_pending"))
        if submitted.request_id in waiting:
            return Pending(ahead=waiting.index(submitted.request_id) + len(_names(queue.get("queue_running"))))
        return await self._gone(submitted)

    async def watch(self, submitted: Submitted, seconds: float, report: Callable[[Pending], None]) -> None:
        """Hear the steps that the sampler counts; without the WebSocket the time is waited all the same."""
        until = asyncio.get_running_loop().time() + seconds
        url = self._url(f"/ws?{urlencode({'clientId': submitted.resume.get('client', '')})}")
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                with suppress(Failure):
                    async with self._wire.outbound.listen(
                        url,
                        max_bytes=_MESSAGE_LIMIT_BYTES,
                        deadline_seconds=_OPEN_WITHIN_SECONDS,
                        headers=self._headers,
                    ) as messages:
                        async for message in messages:
                            if _heard(message, submitted.request_id, report):
                                return
                await asyncio.sleep(seconds)

    async def cancel(self, submitted: Submitted) -> None:
        """Take it out of the queue, or interrupt it where it is being drawn; what cannot be reached is let go.

        Older servers interrupt whatever they draw, so that this one has to be it.
        """
        with suppress(Failure):
            await self._wire.ask(self._url("/queue"), {"delete": [submitted.request_id]}, self._headers)
            answer = await self._wire.ask(self._url("/queue"), headers=self._headers)
            if submitted.request_id in _names((answer.document or {}).get("queue_running")):
                await self._wire.ask(self._url("/interrupt"), {"prompt_id": submitted.request_id}, self._headers)

    async def _ended(self, entry: Mapping[str, Any], submitted: Submitted) -> Pending | Done:
        status = entry.get("status")
        status = status if isinstance(status, dict) else {}
        if status.get("status_str") == "error":
            raise self._wire.trouble(Trouble.FAILED, _reason(status))
        outputs = entry.get("outputs")
        files = [
            file
            for node in (outputs if isinstance(outputs, dict) else {}).values()
            for file in (node.get("images") or [] if isinstance(node, dict) else [])
            if isinstance(file, dict) and file.get("type") == "output"
        ]
        if not files:
            raise self._wire.trouble(Trouble.BROKEN, "It left no picture behind.")
        seed = whole_number(submitted.resume.get("seed"), None) if self.capabilities.seeds else None
        # All grow from one seed: whoever asks for one picture with it gets the first, and no seed gives the others.
        pictures = await gathered(
            files, submitted, lambda file, number: self._picture(file, None if number else seed), self._patience
        )
        model = f"comfyui {self._settings.checkpoint}"
        return Pending() if pictures is None else Done(pictures, model, provenance={"seed": seed})

    async def _picture(self, file: Mapping[str, Any], seed: int | None) -> GeneratedPicture | None:
        place = {name: str(file.get(name, "")) for name in ("filename", "subfolder", "type")}
        return await self._wire.picture(self._url(f"/view?{urlencode(place)}"), seed, self._headers)

    async def _gone(self, submitted: Submitted) -> Pending | Done:
        """Look once more, for it may have ended between the two looks; what is nowhere was lost by a restart."""
        answer = await self._wire.ask(self._history_of(submitted), headers=self._headers)
        self._check(answer, asked=True)
        entry = (answer.document or {}).get(submitted.request_id)
        if isinstance(entry, dict):
            return await self._ended(entry, submitted)
        lost = Trouble.UNKNOWN if self._settings.paid else Trouble.FAILED
        raise self._wire.trouble(lost, "It does not know the request any more.")

    def _check(self, answer: Answer, *, asked: bool = False, own_words: Sequence[str] = ()) -> None:
        error = (answer.document or {}).get("error")
        said = message_in(error, "message", "details") if isinstance(error, dict) else str(error or "")
        if answer.status == HTTPStatus.BAD_REQUEST and not said:
            said = message_in(answer.document, "node_errors")
        details = _first_wrong((answer.document or {}).get("node_errors"))
        self._wire.check(answer, said, may_be_repeated=asked, own_words=own_words, details=details)

    def _history_of(self, submitted: Submitted) -> str:
        return self._url(f"/history/{quote(submitted.request_id, safe='')}")

    def _url(self, path: str) -> str:
        return self._settings.base_url + path

    async def _uploaded(self, reference: Reference) -> str:
        """Lay a picture into its folder of inputs, under a name that is the same for the same picture."""
        form = Form({"overwrite": "true"}, "image", [reference])
        answer = await self._wire.ask(self._url("/upload/image"), form, self._headers)
        self._check(answer, asked=True)
        name, folder = message_in(answer.document, "name"), message_in(answer.document, "subfolder")
        if not name:
            raise self._wire.trouble(Trouble.PASSING, "It gave the picture that it was shown no name.")
        return f"{folder}/{name}" if folder else name

    def _filled(self, request: GenerationRequest, references: Sequence[str]) -> Any:
        words = {
            "$prompt": f"{request.description}, {request.style}" if request.style else request.description,
            "$negative_prompt": request.negative_prompt,
            "$width": request.width_px,
            "$height": request.height_px,
            "$samples": request.samples,
            "$seed": request.seed,
            "$steps": self._settings.steps,
            "$guidance": self._settings.guidance,
            "$checkpoint": self._settings.checkpoint,
            **dict(zip(_REFERENCES, references, strict=False)),
        }
        return _fill(self._settings.workflow, words)


def _fill(part: Any, words: Mapping[str, Any]) -> Any:
    if isinstance(part, dict):
        return {name: _fill(value, words) for name, value in part.items()}
    if isinstance(part, list):
        return [_fill(value, words) for value in part]
    return words.get(part, part) if isinstance(part, str) else part


def _names(entries: object) -> list[str]:
    """Give the names of the requests in one of its two queues, the next one first."""
    listed = (
        [one for one in entries if isinstance(one, list) and len(one) >= _LISTED] if isinstance(entries, list) else []
    )
    ordered = sorted(listed, key=lambda one: one[0] if isinstance(one[0], int | float) else 0)
    return [str(one[1]) for one in ordered]


def _reason(status: Mapping[str, Any]) -> str:
    told = [one[1] for one in status.get("messages") or [] if isinstance(one, list) and len(one) == _LISTED]
    return next((said for one in told if isinstance(one, dict) and (said := message_in(one, "exception_message"))), "")


def _first_wrong(node_errors: object) -> str:
    """Say what is wrong with the first node of a workflow that it does not take."""
    nodes = node_errors.values() if isinstance(node_errors, dict) else ()
    listed = [errors for node in nodes if isinstance(node, dict) and isinstance(errors := node.get("errors"), list)]
    for first in [error for errors in listed for error in errors if isinstance(error, dict)][:1]:
        return ": ".join(filter(None, (message_in(first, "message"), message_in(first, "details"))))
    return ""


def _heard(message: str, request_id: str, report: Callable[[Pending], None]) -> bool:
    """Report what a message tells of a request; return whether it has ended."""
    try:
        told = orjson.loads(message)
        kind, data = told["type"], told["data"]
        if data.get("prompt_id") != request_id:
            return False
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return False  # of other requests, or of a version of the server that says more than is understood here
    if kind == "progress":
        step, steps = data.get("value"), data.get("max")
        if isinstance(step, int | float) and isinstance(steps, int | float) and steps > 0:
            report(Pending(progress=min(1.0, max(0.0, step / steps))))
    return kind in _ENDS or (kind == "executing" and data.get("node") is None)
