"""Functions that touch hostile bytes, run in processes that may do nothing else."""

from shared.sandbox.pool import Sandbox

__all__ = ["Sandbox"]
