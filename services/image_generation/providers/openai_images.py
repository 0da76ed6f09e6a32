"""Any endpoint that speaks OpenAI's images: it answers with the pictures or not at all, and nobody can ask later."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from pydantic import Field, field_validator

from services.image_generation.providers.confined import RunConfined
from services.image_generation.providers.gathering import SAMPLES, Patience, gathered
from services.image_generation.providers.provider import (
    Capabilities,
    Done,
    GeneratedPicture,
    GenerationRequest,
    Pending,
    Submitted,
)
from services.image_generation.providers.terms import Terms
from services.image_generation.providers.wire import Answer, Form, Wire, is_link, message_in
from services.image_generation.rules import ASPECT_RATIOS, Pace, Size
from services.image_generation.rules.trouble import Trouble
from shared.fetch import Outbound

_SIZES: Final = ("1024x1024", "1536x1024", "1024x1536")


class OpenAISettings(Terms):
    """Needs the key; the address and the sizes of another endpoint may differ."""

    name: str = "openai"
    base_url: str = "https://api.openai.com/v1"
    model: str = Field(default="gpt-image-1", max_length=100)
    sizes: tuple[str, ...] = Field(default=_SIZES, min_length=1, description="those that the model draws")
    most_samples: int = Field(default=4, ge=1, le=8)
    most_references: int | None = Field(
        default=None, ge=0, le=4, description="default: 4 for models that are called gpt-image, none for others"
    )
    paid: bool = Field(default=True, description="false for a server of one's own")
    deadline_seconds: float = Field(default=240, gt=0, le=600)

    @field_validator("sizes")
    @classmethod
    def _some_known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not any(map(ratio_of, value)):
            raise ValueError(f"name a size as in 1536x1024 that has one of the shapes {', '.join(ASPECT_RATIOS)}")
        return value


class OpenAIImages:
    """One call, which is answered when the pictures are there."""

    def __init__(self, settings: OpenAISettings, outbound: Outbound, run_confined: RunConfined) -> None:
        self.name = settings.name
        self._settings = settings
        self._patience = Patience()
        self._wire = Wire(
            settings.name,
            outbound,
            run_confined,
            key=settings.key,
            paid=settings.paid,
            deadline_seconds=settings.deadline_seconds,
        )
        self._sizes = {ratio: size for size in settings.sizes if (ratio := ratio_of(size))}
        self.capabilities = Capabilities(
            costs_money=settings.paid,
            seeds=False,
            negative_prompts=False,
            most_samples=settings.most_samples,
            pace=Pace(start_seconds=8, megapixel_seconds=8),
            aspect_ratios=tuple(ratio for ratio in ASPECT_RATIOS if ratio in self._sizes),
            most_in_flight=settings.most_in_flight,
            account=settings.account,
            price_micros=settings.price_micros,
            most_references=_most_references(settings),
        )

    async def submit(self, request: GenerationRequest) -> Submitted:
        """Ask for the pictures and wait for them; bytes that came with the answer are in `done`, links in `resume`."""
        key = self._settings.key.get_secret_value() if self._settings.key else ""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        path, asked = self._asked(request)
        answer = await self._wire.hand_in(self._settings.base_url + path, asked, headers)
        self._check(answer, request.words)
        given = [one for one in (answer.document or {}).get("data") or [] if isinstance(one, dict)]
        outputs = [output for one in given if (output := _output(one))]
        if not outputs:
            raise self._wire.trouble(Trouble.UNKNOWN, "It answered without a picture.")
        request_id, resume = request.track_id or "without a name", {SAMPLES: str(request.samples)}
        if all(map(is_link, outputs)):
            return Submitted(request_id, {**resume, "outputs": orjson.dumps(outputs[: request.samples]).decode()})
        submitted = Submitted(request_id, resume)
        pictures = await gathered(outputs, submitted, lambda output, _: self._read(output), self._patience)
        return Submitted(request_id, done=self._done(pictures or ()))

    async def poll(self, submitted: Submitted) -> Pending | Done:
        """Copy the pictures that the answer led to."""
        links = orjson.loads(submitted.resume.get("outputs", "[]"))
        pictures = await gathered(links, submitted, lambda link, _: self._wire.picture(link, None), self._patience)
        return Pending() if pictures is None else self._done(pictures)

    async def cancel(self, submitted: Submitted) -> None:
        """Nothing can be taken back: what has a name here is drawn already."""

    async def _read(self, output: str) -> GeneratedPicture | None:
        if is_link(output):  # among others that are here, so that it is known by no name either
            return await self._wire.picture_at_once(output)
        return await self._wire.decoded(output, None)

    def _done(self, pictures: tuple[GeneratedPicture, ...]) -> Done:
        return Done(pictures, self._settings.model, provenance={"model": self._settings.model})

    def _check(self, answer: Answer, own_words: Sequence[str]) -> None:
        document = answer.document or {}
        error = document.get("error")
        said = f"{message_in(error, 'message')} {message_in(error, 'code')}" if isinstance(error, dict) else error
        detail = "" if answer.is_success and document.get("data") else message_in(document, "detail")
        message = str(said).strip() if said else detail
        self._wire.check(answer, message, own_words=own_words)

    def _asked(self, request: GenerationRequest) -> tuple[str, dict[str, Any] | Form]:
        """Say where it is handed in, and as what."""
        document = self._document(request)
        if not request.references:
            return "/images/generations", document
        return "/images/edits", Form(
            {name: str(told) for name, told in document.items()}, "image[]", request.references
        )

    def _document(self, request: GenerationRequest) -> dict[str, Any]:
        return {
            "model": self._settings.model,
            "prompt": f"{request.description}\n\nStyle: {request.style}" if request.style else request.description,
            "n": request.samples,
            "size": self._sizes[request.aspect_ratio],
        }


def _output(one: Mapping[str, Any]) -> str:
    """Give the bytes of a picture, which are here, before a link, which may lead nowhere."""
    return next((one[name] for name in ("b64_json", "url") if isinstance(one.get(name), str) and one[name]), "")


def _most_references(settings: OpenAISettings) -> int:
    usual = 4 if settings.model.startswith("gpt-image") else 0
    return usual if settings.most_references is None else settings.most_references


def ratio_of(size: str) -> str | None:
    """Give the known ratio that is nearest to a size such as `1792x1024`; None where it is none."""
    across, _, up = size.partition("x")
    if not (across.isdigit() and up.isdigit() and int(up)):
        return None
    wanted = Size(int(across), int(up))
    nearest = min(ASPECT_RATIOS, key=lambda ratio: _distance(ratio, wanted))
    return nearest if _distance(nearest, wanted) < _NEAR_ENOUGH else None


_NEAR_ENOUGH: Final = 0.03


def _distance(ratio: str, size: Size) -> float:
    across, up = (int(part) for part in ratio.split(":"))
    return abs(size.width_px / size.height_px * up / across - 1)
