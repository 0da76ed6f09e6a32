"""What people are told of the WebSocket, since OpenAPI has no place for it."""

from typing import Final

from services.gateway.routes.sockets.closing import Close
from services.gateway.routes.sockets.words import SUBSCRIPTIONS_LIMIT, WORD_LIMIT_BYTES

_CLOSE_CODES: Final = "\n".join(f"- `{int(code)}` {code.meaning}" for code in Close)

MANUAL: Final = f"""
**WebSocket.** `/api/v1/ws` tells the same events with the same sequences, several parts of the feed over one
connection. Sign in with an `Authorization` header, with `?ticket=` (see `POST /tickets`), or with the first message,
within 5 s: `{{"type": "authenticate", "token": "…"}}`. Sent again later with a newer token of the same user it lets the
connection last longer.

You send JSON texts of at most {WORD_LIMIT_BYTES} bytes (a token may be longer):

- `{{"type": "subscribe", "id": "a", "project_id": …, "job_id": …, "types": ["job.*"], "after": 4711}}`: all but
  `id` may be left out. `id` is yours; at most {SUBSCRIPTIONS_LIMIT} at a time. Without `after` a job is told from its
  beginning and everything else from now on.
- `{{"type": "unsubscribe", "id": "a"}}`
- `{{"type": "ping"}}`

You get:

- `{{"type": "hello", "user_id": …, "sequence": …, "expires_at": …, "heartbeat_seconds": 15, "subscriptions_limit": …}}`
- `{{"type": "subscribed", "subscription": "a", "after": …}}`, `{{"type": "unsubscribed", "subscription": "a"}}`
- `{{"type": "event", "subscription": "a", "sequence": 4712, "event": {{…}}}}`: `event` is what server-sent events have
  as `data`. Subscribe again with the last `sequence` as `after`, here or at another gateway, and you miss nothing and
  get nothing twice.
- `{{"type": "gap", "subscription": "a", "after": …, "detail": …}}` where not all that lay behind `after` can be told
  any more: read anew what you know
- `{{"type": "caught_up", "subscription": "a", "sequence": …}}` once everything that lay behind `after` has been told
- `{{"type": "authenticated", "expires_at": …}}`, `{{"type": "pong"}}`, and `{{"type": "ping"}}` every 15 s
- `{{"type": "error", "code": …, "detail": …, "subscription": …}}`: what you sent was not done; where the connection
  ends, this comes before its close code

Close codes:

{_CLOSE_CODES}
"""
