"""How hosts of strangers are asked: no more than they bear, not before they want, and not at all while they refuse us.

Pure rules; each service writes down in a book of its own what all its processes know of a host.
"""

from shared.manners.book import Book, Decide, T
from shared.manners.hosts import BLOCKS, Host, Limits
from shared.manners.outcomes import Outcome, noted
from shared.manners.patience import HOST_BUSY, PATIENCE, host_blocked, host_busy, moment
from shared.manners.turns import Turns, how_many

__all__ = [
    "BLOCKS",
    "HOST_BUSY",
    "PATIENCE",
    "Book",
    "Decide",
    "Host",
    "Limits",
    "Outcome",
    "T",
    "Turns",
    "host_blocked",
    "host_busy",
    "how_many",
    "moment",
    "noted",
]
