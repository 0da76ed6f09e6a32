"""Depth from a learned model, over ONNX Runtime."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime

from services.depth_map.estimators.estimator import Plane
from services.depth_map.estimators.feeding import inverse_of, plane_of, tensor_of
from services.depth_map.estimators.model_files import OnnxModel
from services.depth_map.rules import Kind, Provenance
from shared.errors import Refused, printable

# What decides where and how fast a model runs, but not what it is.
_NOT_THE_MODEL = {"path", "object_key", "url", "threads", "batch"}


class OnnxEstimator:
    """Runs the model that an `OnnxModel` describes; one inference at a time.

    Raises:
        Refused: `model_missing`, `model_altered` (another file than described), `model_unfit` (its tensors are
            not those described) or `accelerator_missing`, each when it is made.

    """

    def __init__(self, model: OnnxModel) -> None:
        self._model = model
        self._session = _session(model)

    @property
    def name(self) -> str:
        return self._model.name

    @property
    def kind(self) -> Kind:
        return self._model.kind

    def provenance(self) -> Provenance:
        return onnx_provenance(self._model)

    def input_size(self, width_px: int, height_px: int) -> tuple[int, int]:
        return self._model.input_size.sides(width_px, height_px)

    def estimate(self, rgb: Plane) -> Plane:
        """Draw inverse depth at the size of the picture; may hold what is not finite where the model does."""
        (values,) = self.infer(tensor_of(self._model, rgb))
        return inverse_of(self._model, values, rgb.shape[0], rgb.shape[1])

    def infer(self, tensors: Plane) -> list[Plane]:
        """Run the model on a batch as `tensor_of` makes them; give what it says of each, height x width."""
        (output,) = self._session.run([self._model.output_name], {self._model.input_name: tensors})
        values = np.asarray(output, np.float32)
        if len(tensors) == 1:
            return [plane_of(values)]
        if len(values) != len(tensors):
            raise Refused("model_unfit", f"{self._model.name} gave {len(values)} maps of {len(tensors)} pictures.")
        return [plane_of(one) for one in values]


def onnx_provenance(model: OnnxModel) -> Provenance:
    """Tell what a described model would draw by, without loading it."""
    settings = model.model_dump_json(exclude=_NOT_THE_MODEL)
    return Provenance(
        estimator=model.estimator,
        model=model.name,
        weights_sha256=model.sha256,
        kind=model.kind,
        input_size=str(model.input_size),
        settings_sha256=hashlib.sha256(settings.encode()).hexdigest(),
    )


def _session(model: OnnxModel) -> Any:
    if model.path is None:
        raise Refused("model_missing", f"The weights of {model.name} have not been fetched.")
    try:
        weights = model.path.read_bytes()
    except OSError as error:
        raise Refused(
            "model_missing", f"The weights of {model.name} are not at {model.path}: {error.strerror}."
        ) from error
    # The session is made from the bytes that were hashed, so the file cannot change in between.
    if hashlib.sha256(weights).hexdigest() != model.sha256:
        raise Refused("model_altered", f"The file {model.path} is not the {model.name} whose hash is configured.")
    _must_be_accelerated(model, onnxruntime.get_available_providers(), "this build of ONNX Runtime has")
    if "CUDAExecutionProvider" in model.providers:
        onnxruntime.preload_dlls()  # from packages beside it, where the system has none
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = model.threads or 1
    options.inter_op_num_threads = 1
    # Threads that have nothing to do look for work for 50 ms, on the processors that are to draw what the model saw.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    # The arena keeps the peak of every input size it has seen, which a process with limited memory cannot afford; where
    # its process is given large pages, to take memory anew for every run costs no more.
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(weights, options, providers=list(model.providers))
    except Exception as error:
        # The hash is right, so it is no passing damage: ONNX Runtime cannot run this file, and says why at length.
        raise Refused("model_unfit", f"ONNX Runtime cannot run {model.name}: {printable(str(error), 300)}") from error
    # It falls back to the processor, with a warning that nobody reads, where an accelerator's libraries do not load.
    _must_be_accelerated(model, session.get_providers(), "it could start only")
    _must_fit(session, model)
    return session


def _must_be_accelerated(model: OnnxModel, present: Sequence[str], told: str) -> None:
    if missing := [name for name in model.providers if name not in present]:
        raise Refused(
            "accelerator_missing",
            f"{model.name} is to run on {', '.join(missing)}, but {told} {', '.join(present)}. Install "
            "its lock in services/depth_map/accelerators and its drivers, or take it out of `providers`.",
        )


def _must_fit(session: Any, model: OnnxModel) -> None:
    inputs = {tensor.name: tensor.shape for tensor in session.get_inputs()}
    outputs = [tensor.name for tensor in session.get_outputs()]
    if list(inputs) != [model.input_name] or model.output_name not in outputs:
        raise Refused(
            "model_unfit",
            f"{model.name} takes {sorted(inputs)} and gives {outputs}, "
            f"not {model.input_name} and {model.output_name} as configured.",
        )
    shape = inputs[model.input_name]
    if isinstance(shape[0], int) and (shape[0], model.batch) != (1, 1):  # nobody waits for a batch to fill
        raise Refused(
            "model_unfit", f"{model.name} takes {shape[0]} pictures at once, and not 1 to {model.batch} as configured."
        )
    down, across = shape[2:4] if model.layout == "nchw" else shape[1:3]
    wanted = model.input_size
    fixed = isinstance(down, int) or isinstance(across, int)
    if fixed and (wanted.rule == "lower_bound" or (across, down) != (wanted.width_px, wanted.height_px)):
        raise Refused(
            "model_unfit", f"{model.name} takes pictures of {across}x{down} px only, not {wanted} as configured."
        )
