"""What clients are promised of each operation: the shape of its replies, its headers, and what may go wrong."""

from services.gateway.routes.documented.operations import told

__all__ = ["told"]
