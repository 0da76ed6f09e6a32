"""What other systems may say through the gateway: commands for workers, in projects of whoever says them."""

from collections.abc import Mapping
from typing import Any, Final

from contracts.catalogue import CATALOGUE
from contracts.depth_map import MapDepth
from contracts.envelope import Command, Lineage
from contracts.image_generation import GenerateImage
from contracts.media import DescribeMedia, FetchMedia
from contracts.scraper import CrawlSite, ReadManifest, RetryCrawl, ScheduleCrawl, ScrapePages
from shared.errors import Refused

MAY_SAY: Final[Mapping[str, type[Command]]] = {
    command.wire_name: command
    for command in (
        *(ScrapePages, CrawlSite, RetryCrawl, ScheduleCrawl, ReadManifest),
        *(FetchMedia, DescribeMedia, GenerateImage, MapDepth),
    )
}
"""Facts belong to the services that establish them: nobody else is believed. What names objects of the store is said
of images of the project, by the gateway itself, and of manifests that were uploaded into it."""

_OF_GATEWAY: Final = frozenset(Lineage.model_fields) - {"project_id", "pipeline"} | {"references", "resumes", "retries"}


def command_class_of(type_: str) -> type[Command]:
    """Find what a type of event asks for; raises Refused `event_type_unknown` or `event_type_refused`."""
    if type_ in MAY_SAY:
        return MAY_SAY[type_]
    allowed = ", ".join(MAY_SAY)
    if type_ in CATALOGUE:
        raise Refused("event_type_refused", f"Other systems do not say {type_}; they say {allowed}.")
    raise Refused("event_type_unknown", f"There is no message of the type {type_}; other systems say {allowed}.")


def own_words(data: Mapping[str, Any]) -> dict[str, Any]:
    """Give what an outsider may say himself: not whose job it is, nor where it stands in a tree, nor ahead of whom.

    What names objects of images is left out as well.
    """
    own = {name: value for name, value in data.items() if name not in _OF_GATEWAY}
    priority = own.get("priority")
    return {**own, "priority": min(priority, 0)} if isinstance(priority, int) else own


def holds_nul(held: Any) -> bool:
    """Tell whether some text holds what no database does."""
    if isinstance(held, str):
        return "\x00" in held
    if isinstance(held, Mapping):
        return any(holds_nul(name) or holds_nul(value) for name, value in held.items())
    return isinstance(held, list) and any(map(holds_nul, held))
