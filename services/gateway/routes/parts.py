"""What the routes work with; `app.py` puts it together."""

import asyncio
from dataclasses import dataclass

from services.gateway.identity import Tokens
from services.gateway.limiting import Limiter
from services.gateway.links import Drawings, Links, SizedLinks
from services.gateway.queues import Queues
from services.gateway.routes.desk import Desk
from services.gateway.settings import Settings
from services.gateway.store.access import Memberships
from services.gateway.store.api_keys import ApiKeys
from services.gateway.stream import Stream
from services.gateway.uploads import Uploads
from shared.bus import Bus
from shared.database import Pool
from shared.fetch import Outbound
from shared.health import Health


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a running gateway.

    Attributes:
        pool: as the role `gateway`, which row-level security holds to the projects that a transaction names.
        outbound: the only way to addresses that users name.
        waiters: how many more may wait for the end of a job; whoever comes when it is locked is answered at once.

    """

    settings: Settings
    tokens: Tokens
    memberships: Memberships
    api_keys: ApiKeys
    pool: Pool
    bus: Bus
    desk: Desk
    stream: Stream
    links: Links
    sized_links: SizedLinks
    drawings: Drawings
    outbound: Outbound
    uploads: Uploads
    queues: Queues
    health: Health
    limiter: Limiter
    waiters: asyncio.Semaphore
