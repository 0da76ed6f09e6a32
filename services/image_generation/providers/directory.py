"""Which providers there are, and how each is opened."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from services.image_generation.providers.provider import Provider
from services.image_generation.providers.sketch import RunConfined, SketchProvider, SketchSettings
from shared.errors import Refused

ProviderSettings = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Means:
    """What providers work with.

    Attributes:
        run_confined: runs a function in a process that can be killed (`shared.sandbox.Sandbox.run`).

    """

    run_confined: RunConfined


def _sketch(settings: ProviderSettings, means: Means) -> Provider:
    return SketchProvider(SketchSettings.model_validate(settings), means.run_confined)


MAKERS: Mapping[str, Callable[[ProviderSettings, Means], Provider]] = {"sketch": _sketch}


def open_providers(settings: Mapping[str, ProviderSettings], means: Means) -> dict[str, Provider]:
    """Open each provider that the settings name.

    Args:
        settings: the own settings of each provider under its name; `{"sketch": {}}` needs no key.
        means: what they work with.

    Raises:
        Refused: `provider_unknown`.
        pydantic.ValidationError: a provider's settings make no sense.

    """
    return {name: _maker(name)(own, means) for name, own in settings.items()}


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
