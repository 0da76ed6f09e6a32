"""Functions that touch hostile bytes, run in processes that may do nothing else."""

from shared.sandbox.pool import Rehearsal, Sandbox
from shared.sandbox.process import Killed

__all__ = ["Killed", "Rehearsal", "Sandbox"]
