"""Functions that touch hostile bytes, run in processes that may do nothing else."""

from shared.sandbox.pool import Rehearsal, Sandbox

__all__ = ["Rehearsal", "Sandbox"]
