"""The only way out to hosts that strangers name."""

from shared.fetch.answers import Answered, Fetched, Progress, retry_after_seconds, was_sent
from shared.fetch.bodies import CheckHeaders
from shared.fetch.outbound import Gate, Outbound
from shared.fetch.proxy import Proxy
from shared.fetch.redirects import REDIRECT_LIMIT, too_many_redirects

__all__ = [
    "REDIRECT_LIMIT",
    "Answered",
    "CheckHeaders",
    "Fetched",
    "Gate",
    "Outbound",
    "Progress",
    "Proxy",
    "retry_after_seconds",
    "too_many_redirects",
    "was_sent",
]
