"""Counting requests: who may do how much in a window, shared by all gateways, and alone where they cannot be asked."""

from services.gateway.limiting.leases import Leases
from services.gateway.limiting.limiter import Limiter, Standing, limiter_of

__all__ = ["Leases", "Limiter", "Standing", "limiter_of"]
