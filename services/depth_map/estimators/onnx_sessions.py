"""Sessions of ONNX Runtime, made of weights that are the ones they should be.

ONNX Runtime is imported when the first session is made: a process that draws without a model need not hold it.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from shared.errors import Refused, printable

RUNTIME: Final = "onnxruntime"
"""The module that a confined process imports beforehand where it shall make a session."""


def verified(path: Path, sha256: str, name: str) -> bytes:
    """Read weights; a session is made from the very bytes that were hashed, so the file cannot change in between.

    Raises:
        Refused: `model_missing` or `model_altered`.

    """
    try:
        weights = path.read_bytes()
    except OSError as error:
        raise Refused("model_missing", f"The weights of {name} are not at {path}: {error.strerror}.") from error
    if hashlib.sha256(weights).hexdigest() != sha256:
        raise Refused("model_altered", f"The file {path} is not the {name} whose hash is configured.")
    return weights


def session_of(
    weights: bytes, name: str, *, threads: int = 1, providers: Sequence[str] = ("CPUExecutionProvider",)
) -> Any:
    """Make a session of ONNX Runtime.

    Raises:
        Refused: `model_unfit`, where ONNX Runtime cannot run it, or `accelerator_missing`.

    """
    import onnxruntime  # noqa: PLC0415 - 25 MB that only whoever runs a model needs

    _must_be_there(name, providers, onnxruntime.get_available_providers(), "this build of ONNX Runtime has")
    if "CUDAExecutionProvider" in providers:
        onnxruntime.preload_dlls()  # from packages beside it, where the system has none
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that have nothing to do look for work for 50 ms, on the processors that are to draw what the model saw.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    # The arena keeps the peak of every input size it has seen, which a process with limited memory cannot afford; where
    # its process is given large pages, to take memory anew for every run costs no more.
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(weights, options, providers=list(providers))
    except Exception as error:
        # The hash is right, so it is no passing damage: ONNX Runtime cannot run this file, and says why at length.
        raise Refused("model_unfit", f"ONNX Runtime cannot run {name}: {printable(str(error), 300)}") from error
    # It falls back to the processor, with a warning that nobody reads, where an accelerator's libraries do not load.
    _must_be_there(name, providers, session.get_providers(), "it could start only")
    return session


def _must_be_there(name: str, wanted: Sequence[str], present: Sequence[str], told: str) -> None:
    if missing := [provider for provider in wanted if provider not in present]:
        raise Refused(
            "accelerator_missing",
            f"{name} is to run on {', '.join(missing)}, but {told} {', '.join(present)}. Install "
            "its lock in services/depth_map/accelerators and its drivers, or take it out of `providers`.",
        )
