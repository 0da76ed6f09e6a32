"""Depth from a learned model, over ONNX Runtime."""

import hashlib
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import onnxruntime
from PIL import Image

from services.depth_map.estimators.estimator import Plane
from services.depth_map.estimators.model_files import OnnxModel
from services.depth_map.estimators.resampling import enlarged
from services.depth_map.rules import Kind, Provenance
from shared.errors import Refused, printable

# What decides where and how fast a model runs, but not what it is.
_NOT_THE_MODEL = {"path", "object_key", "url", "threads"}
# Depth without unit has no natural floor; one percent of the farthest keeps its inverse within a factor of 100.
_NEAREST_SHARE = 0.01


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
        height, width = rgb.shape[:2]
        shown, (shown_width, shown_height) = self._shown(rgb)
        tensor = _normalised(shown, self._model)
        (output,) = self._session.run([self._model.output_name], {self._model.input_name: tensor})
        values = _plane(output)
        if self._model.input_size.rule == "padded":
            values = _cropped(values, shown.shape[:2], (shown_height, shown_width))
        # A metric map is enlarged in metres and inverted last, as the published figures are measured.
        aligned = self._model.enlarging == "corners_aligned"
        return _inverse(enlarged(values, height, width, corners_aligned=aligned), self._model)

    def _shown(self, rgb: Plane) -> tuple[Plane, tuple[int, int]]:
        """Make the picture as large as the model wants it; tell how much of that is no padding (width, height)."""
        height, width = rgb.shape[:2]
        across, down = self.input_size(width, height)
        if self._model.input_size.rule != "padded":
            return _resized(rgb, across, down, self._model.resampling), (across, down)
        scale = min(across / width, down / height)
        inner = max(1, round(width * scale)), max(1, round(height * scale))
        small = _resized(rgb, *inner, self._model.resampling)
        return np.pad(small, ((0, down - inner[1]), (0, across - inner[0]), (0, 0)), mode="edge"), inner


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
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = model.threads or 1
    options.inter_op_num_threads = 1
    # The arena keeps the peak of every input size it has seen, which a process with limited memory cannot afford.
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
            f"{model.name} is to run on {', '.join(missing)}, but {told} {', '.join(present)}. Install what brings it "
            "and its drivers, or take it out of `providers`.",
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
    down, across = shape[2:4] if model.layout == "nchw" else shape[1:3]
    wanted = model.input_size
    fixed = isinstance(down, int) or isinstance(across, int)
    if fixed and (wanted.rule == "lower_bound" or (across, down) != (wanted.width_px, wanted.height_px)):
        raise Refused(
            "model_unfit", f"{model.name} takes pictures of {across}x{down} px only, not {wanted} as configured."
        )


def _resized(rgb: Plane, width: int, height: int, resampling: str) -> Plane:
    if resampling == "triangle":
        planes = [
            Image.fromarray(np.ascontiguousarray(rgb[..., k])).resize((width, height), Image.Resampling.BILINEAR)
            for k in range(3)
        ]
        return np.stack([np.asarray(plane, np.float32) for plane in planes], axis=-1)
    method = cv2.INTER_CUBIC if resampling == "cubic" else cv2.INTER_AREA
    return np.asarray(cv2.resize(rgb, (width, height), interpolation=method), np.float32)


def _normalised(rgb: Plane, model: OnnxModel) -> Plane:
    mean, std = np.array(model.mean, np.float32), np.array(model.std, np.float32)
    values = (rgb * np.float32(model.value_range) - mean) / std
    ordered = values.transpose(2, 0, 1) if model.layout == "nchw" else values
    return np.ascontiguousarray(ordered[None], np.float32)


def _plane(output: Any) -> Plane:
    values = np.asarray(output, np.float32)
    sides = [side for side in values.shape if side != 1]
    if len(sides) != 2:  # noqa: PLR2004 - a plane has two sides
        raise Refused("model_unfit", f"The model gave a tensor of shape {values.shape}, which is no map.")
    return values.reshape(sides)


def _cropped(values: Plane, whole: tuple[int, ...], kept: tuple[int, int]) -> Plane:
    """Keep the part of a map that is no padding; both sizes are height, width."""
    rows = max(1, round(values.shape[0] * kept[0] / whole[0]))
    columns = max(1, round(values.shape[1] * kept[1] / whole[1]))
    return values[:rows, :columns]


def _inverse(values: Plane, model: OnnxModel) -> Plane:
    if model.kind == "inverse_relative":
        return np.maximum(values, 0)
    floor = model.nearest_metres if model.kind == "metric_metres" else float(values.max()) * _NEAREST_SHARE
    return (1 / np.maximum(values, np.float32(max(floor, 1e-6)))).astype(np.float32)
