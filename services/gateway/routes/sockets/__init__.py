"""WebSocket: several parts of the feed over one connection."""

from services.gateway.routes.sockets.opening import routes

__all__ = ["routes"]
