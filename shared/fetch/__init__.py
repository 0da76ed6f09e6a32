"""The only way out to hosts that strangers name."""

from shared.fetch.answers import Answered, Fetched, Progress, retry_after_seconds, was_sent
from shared.fetch.outbound import Outbound

__all__ = ["Answered", "Fetched", "Outbound", "Progress", "retry_after_seconds", "was_sent"]
