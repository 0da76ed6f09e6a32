"""What is asked of those who draw, held against what they can do."""

from contracts.image_generation import GenerateImage, ProvidersReported
from services.gateway.routes.problems import Problem


def check_drawable(offers: ProvidersReported | None, command: GenerateImage, *place: str | int) -> None:
    """Refuse at the door what nobody who may be asked can draw; raises a problem that points below `/body/{place}`.

    While nothing was heard of those who draw, they judge for themselves.
    """
    if (refusal := beyond_provider(offers, command, *place)) is not None:
        raise refusal


def beyond_provider(offers: ProvidersReported | None, command: GenerateImage, *place: str | int) -> Problem | None:
    """Give the problem that nobody who may be asked can draw this; None: somebody can, or nobody is known yet."""
    if offers is None or (lack := offers.lack(command)) is None:
        return None
    errors = [{"pointer": "/".join(["/body", *map(str, place), lack.field]), "message": lack.sentence}]
    return Problem(422, "beyond_provider", lack.sentence, errors=errors)
