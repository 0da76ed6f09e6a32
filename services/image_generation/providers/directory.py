"""Which providers there are, and how each is opened."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from services.image_generation.providers.comfyui import ComfySettings, ComfyUI
from services.image_generation.providers.confined import RunConfined
from services.image_generation.providers.modelslab import ModelsLab, ModelsLabSettings
from services.image_generation.providers.openai_images import OpenAIImages, OpenAISettings
from services.image_generation.providers.provider import Provider
from services.image_generation.providers.sketch import SketchProvider, SketchSettings
from shared.errors import Refused
from shared.fetch import Outbound

ProviderSettings = Mapping[str, Any]


def _nowhere(_allow: frozenset[tuple[str, int]]) -> Outbound:
    raise Refused("provider_unreachable", "Nothing was given by which a provider could be asked.")


@dataclass(frozen=True, slots=True)
class Means:
    """What providers work with.

    Attributes:
        run_confined: runs a function in a process that can be killed (`shared.sandbox.Sandbox.run`).
        outbound: gives a way out that may also go to these `ip:port` pairs; one for each provider, so that what one
            of them answers can lead nobody to another.

    """

    run_confined: RunConfined
    outbound: Callable[[frozenset[tuple[str, int]]], Outbound] = _nowhere


def _sketch(settings: ProviderSettings, means: Means) -> Provider:
    return SketchProvider(SketchSettings.model_validate(settings), means.run_confined)


def _modelslab(settings: ProviderSettings, means: Means) -> Provider:
    own = ModelsLabSettings.model_validate(settings)
    return ModelsLab(own, means.outbound(own.allow), means.run_confined)


def _openai(settings: ProviderSettings, means: Means) -> Provider:
    own = OpenAISettings.model_validate(settings)
    return OpenAIImages(own, means.outbound(own.allow), means.run_confined)


def _comfyui(settings: ProviderSettings, means: Means) -> Provider:
    own = ComfySettings.model_validate(settings)
    return ComfyUI(own, means.outbound(own.allow), means.run_confined)


MAKERS: Mapping[str, Callable[[ProviderSettings, Means], Provider]] = {
    "sketch": _sketch,
    "modelslab": _modelslab,
    "openai": _openai,
    "comfyui": _comfyui,
}
_KIND: Final = "kind"


def open_providers(settings: Mapping[str, ProviderSettings], means: Means) -> dict[str, Provider]:
    """Open each provider that the settings name.

    Args:
        settings: the own settings of each provider under its name; `{"sketch": {}}` needs no key. A `kind` makes a
            provider of any name, for a second account or another endpoint: `{"ours": {"kind": "openai", ...}}`.
        means: what they work with.

    Raises:
        Refused: `provider_unknown`.
        pydantic.ValidationError: a provider's settings make no sense.

    """
    return {name: _opened(name, own, means) for name, own in settings.items()}


def _opened(name: str, own: ProviderSettings, means: Means) -> Provider:
    rest = {key: value for key, value in own.items() if key != _KIND}
    # By the same name it is found again, whatever it was asked for before.
    return _maker(own.get(_KIND, name))({**rest, "name": name}, means)


def chosen(providers: Mapping[str, Provider], wish: str | None, default: str) -> Provider:
    """Pick the provider that was asked for, or the default; raises Refused (`provider_unknown`)."""
    name = wish or default
    if name not in providers:
        raise _unknown(name, providers)
    return providers[name]


def _maker(name: str) -> Callable[[ProviderSettings, Means], Provider]:
    if name not in MAKERS:
        raise _unknown(name, MAKERS)
    return MAKERS[name]


def _unknown(name: str, known: Mapping[str, object]) -> Refused:
    return Refused("provider_unknown", f"There is no provider {name[:40]!r}; choose one of {', '.join(sorted(known))}.")
