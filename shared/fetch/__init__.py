"""The only way out to hosts that strangers name."""

from shared.fetch.answers import Fetched, Progress
from shared.fetch.outbound import Outbound

__all__ = ["Fetched", "Outbound", "Progress"]
