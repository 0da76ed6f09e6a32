"""Depth from a learned model, over ONNX Runtime."""

import hashlib
from typing import Any, Final

import numpy as np

from services.depth_map.estimators.estimator import Plane
from services.depth_map.estimators.feeding import inverse_of, plane_of, tensor_of
from services.depth_map.estimators.model_files import OnnxModel
from services.depth_map.estimators.onnx_sessions import session_of, verified
from services.depth_map.rules import Kind, Provenance
from shared.errors import Refused

_NUMBERS: Final = "tensor(float)"
_AXES: Final = 4
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
    weights = verified(model.path, model.sha256, model.name)
    session = session_of(weights, model.name, threads=model.threads or 1, providers=model.providers)
    _must_fit(session, model)
    return session


def _must_fit(session: Any, model: OnnxModel) -> None:
    inputs = {tensor.name: (tensor.type, tensor.shape) for tensor in session.get_inputs()}
    outputs = [tensor.name for tensor in session.get_outputs()]
    if list(inputs) != [model.input_name] or model.output_name not in outputs:
        raise Refused(
            "model_unfit",
            f"{model.name} takes {sorted(inputs)} and gives {outputs}, "
            f"not {model.input_name} and {model.output_name} as configured.",
        )
    numbers, shape = inputs[model.input_name]
    if numbers != _NUMBERS:
        raise Refused("model_unfit", f"{model.name} takes {numbers}, and pictures are given as {_NUMBERS}.")
    if not shape:
        return  # it tells nothing of what it takes
    if len(shape) != _AXES:
        raise Refused("model_unfit", f"{model.name} takes tensors of {len(shape)} axes, and pictures have {_AXES}.")
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
