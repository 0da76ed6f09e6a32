"""What is to be said of an image: which steps its pipeline asks for, and how far each of them is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from services.gateway.rules.jobs import ENDED

STORE: Final = "store"
STEPS: Final = ("describe", "depth", "edges")
_MAP_STEPS: Final = ("depth", "edges")


@dataclass(frozen=True)
class Evidence:
    """What the read model knows of an image's processing.

    Attributes:
        pipeline: the steps that were asked for.
        described: a description is there.
        mapped: depth and edge maps are there.
        storing_state: of the job that stored it and describes it.
        mapping_state: of the latest job that draws its maps; None where there is none.

    """

    pipeline: Iterable[str]
    described: bool
    mapped: bool
    storing_state: str | None
    mapping_state: str | None


def step_states(evidence: Evidence) -> dict[str, str]:
    """Give the state of each step: a job's state, or `not_requested`."""
    mapping = "completed" if evidence.mapped and evidence.mapping_state in {None, *ENDED} else evidence.mapping_state
    asked = set(evidence.pipeline) | ({*_MAP_STEPS} if mapping else set())
    states = {STORE: "completed", "describe": _describing(evidence)}
    states |= dict.fromkeys(_MAP_STEPS, mapping or "pending")
    return {step: state if step in asked or state == "completed" else "not_requested" for step, state in states.items()}


def _describing(evidence: Evidence) -> str:
    if evidence.described:
        return "completed"
    # The job that stores an image describes it: once that has ended, no description will come.
    if evidence.storing_state in ENDED:
        return "failed" if evidence.storing_state == "completed" else str(evidence.storing_state)
    return evidence.storing_state or "pending"


def processing_status(states: Mapping[str, str]) -> str:
    """Sum up in one state the steps that were asked for."""
    asked = _asked(states)
    if any(state not in ENDED for state in asked):
        return "pending" if all(state == "pending" for state in asked) else "in_progress"
    return next((state for state in ("failed", "cancelled") if state in asked), "completed")


def ai_progress(states: Mapping[str, str]) -> dict[str, int]:
    """Count the steps that were asked for beyond storing, and those of them that have ended."""
    asked = _asked(states)
    return {"current": sum(state in ENDED for state in asked), "total": len(asked)}


def _asked(states: Mapping[str, str]) -> list[str]:
    return [state for step, state in states.items() if step != STORE and state != "not_requested"]
