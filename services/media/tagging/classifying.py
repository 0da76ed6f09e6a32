"""What the limited child does with a picture and a model: name what is seen, and measure it by a vector."""

import hashlib
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from pydantic import BaseModel, ConfigDict

from services.media.analysis.perceptual_hash import over_white
from services.media.tagging.model_files import Classifier
from shared.errors import Refused

NAME_CHARACTERS: Final = 100

RUNTIME: Final = "onnxruntime"
"""The module that the limited child imports beforehand."""

_DIGITS: Final = 5
_SHORTEST_VECTOR: Final = 8

Vector = NDArray[np.float32]


class ClassifyOptions(BaseModel):
    """By what a picture is classified: the options of `classify`.

    Attributes:
        classifier: the model.
        weights, labels: its files as they lie on this machine.
        threads: of one inference.

    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    classifier: Classifier
    weights: Path
    labels: Path | None
    threads: int


def classify(payload: bytes, options: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """Classify one picture.

    Args:
        payload: a WebP file.
        options: of `ClassifyOptions`. The model is loaded once per process and kept.

    Returns:
        `tags` (of `name`, `confidence`; the surest first) and `embedding` (numbers of a vector of length one, or None
        where the model gives none), and no blobs.

    Raises:
        Refused: `model_missing`, `model_altered`, `model_unfit`.

    """
    model = _model(ClassifyOptions.model_validate(options))
    return model.classify(payload), []


@lru_cache(maxsize=1)
def _model(options: ClassifyOptions) -> "_Model":
    return _Model(options)


class _Model:
    def __init__(self, options: ClassifyOptions) -> None:
        self._classifier = options.classifier
        self._session = _session(options)
        self._labels = _labels(options)
        outputs = (self._classifier.tags_output, self._classifier.embedding_output)
        self._outputs = [name for name in outputs if name is not None]
        self._must_fit()

    def classify(self, payload: bytes) -> dict[str, Any]:
        with Image.open(BytesIO(payload), formats=("WEBP",)) as picture:
            tensor = fed(picture, self._classifier)
        values = self._session.run(self._outputs, {self._classifier.input_name: tensor})
        found = {name: _flat(value) for name, value in zip(self._outputs, values, strict=True)}
        tags, vector = self._classifier.tags_output, self._classifier.embedding_output
        return {
            "tags": [] if tags is None else self._tags(found[tags]),
            "embedding": None if vector is None else embedded(found[vector], self._classifier.embedding_dimensions),
        }

    def _tags(self, numbers: Vector) -> list[dict[str, Any]]:
        if len(numbers) != len(self._labels):
            raise _unfit(f"it gives {len(numbers)} numbers, and there are {len(self._labels)} labels")
        confidences = _confidences(numbers, self._classifier.activation)
        surest = np.argsort(-confidences, kind="stable")
        named = ((self._labels[k], float(confidences[k])) for k in surest)
        said = [
            {"name": name, "confidence": round(confidence, 4)}
            for name, confidence in named
            if confidence >= self._classifier.threshold and name and name not in self._classifier.unsaid
        ]
        return said[: self._classifier.most_tags]

    def _must_fit(self) -> None:
        inputs = {tensor.name: tensor.shape for tensor in self._session.get_inputs()}
        given = {tensor.name for tensor in self._session.get_outputs()}
        if list(inputs) != [self._classifier.input_name] or not given.issuperset(self._outputs):
            raise _unfit(f"it takes {sorted(inputs)} and gives {sorted(given)}")
        shape = inputs[self._classifier.input_name]
        down, across = shape[2:4] if self._classifier.layout == "nchw" else shape[1:3]
        wanted = {"height_px": (down, self._classifier.height_px), "width_px": (across, self._classifier.width_px)}
        for name, (fixed, given_px) in wanted.items():
            if isinstance(fixed, int) and fixed != given_px:
                raise _unfit(f"its {name} is {fixed}, not {given_px}")


def fed(picture: Image.Image, classifier: Classifier) -> Vector:
    """Make of a picture what a model takes: float32 of shape 1 x 3 x height x width, or its axes in another order."""
    size = (classifier.width_px, classifier.height_px)
    opaque = over_white(picture)
    if classifier.fitting == "centre":
        small = ImageOps.fit(opaque, size, Image.Resampling.BICUBIC)
    else:
        small = opaque.resize(size, Image.Resampling.BICUBIC)
    mean, std = np.array(classifier.mean, np.float32), np.array(classifier.std, np.float32)
    values = (np.asarray(small, np.float32) * np.float32(classifier.value_range / 255) - mean) / std
    ordered = values.transpose(2, 0, 1) if classifier.layout == "nchw" else values
    return np.ascontiguousarray(ordered[None], np.float32)


def embedded(numbers: Vector, dimensions: int) -> list[float] | None:
    """Bring a vector to length one and to at most so many dimensions; None for one that points nowhere.

    A longer one is multiplied by a fixed matrix of signs, which keeps the cosine of two vectors to about
    1 / sqrt(dimensions) (Achlioptas, "Database-friendly random projections", 2003).
    """
    if len(numbers) < _SHORTEST_VECTOR:
        raise _unfit(f"its vector has {len(numbers)} numbers, which tell pictures hardly apart")
    if len(numbers) > dimensions:
        numbers = np.asarray(numbers @ _signs(len(numbers), dimensions), np.float32)
    length = float(np.linalg.norm(numbers))
    if not length > 0:
        return None
    return [round(float(number), _DIGITS) + 0.0 for number in numbers / length]


@lru_cache(maxsize=2)
def _signs(many: int, few: int) -> Vector:
    """Give the same matrix of 1 and -1 on every machine and with every version of every library."""
    stream = hashlib.shake_256(b"diorama.projection.v1").digest((many * few + 7) // 8)
    bits = np.unpackbits(np.frombuffer(stream, np.uint8))[: many * few]
    signs: Vector = bits.reshape(many, few).astype(np.float32) * 2 - 1
    return signs


def _confidences(numbers: Vector, activation: str) -> Vector:
    if activation == "softmax":
        powers = np.exp(numbers - numbers.max())
        return np.asarray(powers / powers.sum(), np.float32)
    if activation == "sigmoid":
        numbers = np.asarray(1 / (1 + np.exp(-numbers.astype(np.float64))), np.float32)
    return np.clip(numbers, 0, 1)


def _flat(value: Any) -> Vector:
    numbers = np.asarray(value, np.float32).ravel()
    if not np.isfinite(numbers).all():
        raise _unfit("it gives numbers that are not finite")
    return numbers


def _session(options: ClassifyOptions) -> Any:
    import onnxruntime  # noqa: PLC0415 - the process of the service, which reads this too, shall not load it

    # The session is made from the bytes that were hashed, so the file cannot change in between.
    weights = _checked(options.weights, options.classifier.weights.sha256)
    how = onnxruntime.SessionOptions()
    how.intra_op_num_threads = options.threads
    how.inter_op_num_threads = 1
    # Threads that spin while they wait would use up the processor time of this process.
    how.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # The arena keeps the peak of what it has seen, which a process with limited memory cannot afford.
    how.enable_cpu_mem_arena = False
    how.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(weights, how, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's own errors have no common ancestor of their own
        raise _unfit(f"ONNX Runtime cannot load it ({type(error).__name__})") from error


def _labels(options: ClassifyOptions) -> list[str]:
    if options.labels is None or options.classifier.labels is None:
        return []
    text = _checked(options.labels, options.classifier.labels.sha256).decode(errors="replace")
    return [line.partition(",")[0].strip()[:NAME_CHARACTERS] for line in text.splitlines()]


def _checked(path: Path, sha256: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Refused("model_missing", f"There is no model file at {path}: {error.strerror}.") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise Refused("model_altered", f"The file {path} is not the one whose hash is configured.")
    return content


def _unfit(how: str) -> Refused:
    return Refused("model_unfit", f"The classifier is not as it is described: {how}.")
