"""What the host of an image asks of robots with the image itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shared.errors import Refused
from shared.robots_tags import AGAINST_TRAINING, directives_in

_FORBIDS: Final = ("noimageindex", "noindex", "none")


@dataclass(frozen=True, slots=True)
class Wishes:
    """Knows by which X-Robots-Tag an image is not ours to take.

    Attributes:
        token: our product token, as hosts name us.
        honour_noai: images that shall not be used to train models are left alone as well.

    """

    token: str
    honour_noai: bool = True

    def check(self, headers: Mapping[str, str]) -> None:
        """Raise Refused (`robots_tag_disallowed`) where the headers of an answer forbid us what it holds."""
        said = directives_in(headers, self.token)
        forbidding = (*_FORBIDS, *AGAINST_TRAINING) if self.honour_noai else _FORBIDS
        for rule in forbidding:
            if rule in said:
                sentence = f"Its host asks robots not to take this image (X-Robots-Tag: {rule})."
                raise Refused("robots_tag_disallowed", sentence)
