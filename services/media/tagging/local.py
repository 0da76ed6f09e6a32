"""Tags and vectors from a model of our own, in a limited process."""

import asyncio
import hashlib
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from contracts.media import Embedding, Tag
from services.media.tagging.classifying import RUNTIME, classify
from services.media.tagging.model_files import Classifier, ModelFile
from services.media.tagging.processors import processors
from services.media.tagging.tagger import Seen
from shared.errors import Refused, TryAgain
from shared.fetch import Outbound
from shared.objects import ObjectStore
from shared.sandbox import Sandbox

_MODEL_BYTES: Final = 4 * 1024 * 1024 * 1024
_MODEL_SECONDS: Final = 1800.0


@dataclass(frozen=True, slots=True)
class Bench:
    """What a classifier works with.

    Attributes:
        objects, outbound: where model files that are not on this machine come from.
        folder: where those are kept while the process lives.
        memory_bytes: more than the process maps before it loads the model.
        seconds: longest time for one picture; the first one waits for the model, too.

    """

    objects: ObjectStore
    outbound: Outbound
    folder: Path
    memory_bytes: int
    seconds: float


class LocalTagger:
    """A classifier on this machine; its model is fetched, and its process started, when the first picture comes."""

    costs_money = False

    def __init__(self, classifier: Classifier, bench: Bench) -> None:
        self.origin = classifier.origin
        self.kinds = classifier.kinds
        self._classifier = classifier
        self._bench = bench
        self._threads = processors()
        self._stack = AsyncExitStack()
        self._starting = asyncio.Lock()
        self._ready: tuple[Sandbox, dict[str, Any]] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def look(self, picture: bytes) -> Seen:
        """Describe a WebP picture; raises Refused (`model_missing`, `model_altered`, `model_unfit`) and TryAgain."""
        sandbox, options = await self._started()
        said, _ = await sandbox.run(classify, picture, **options)
        numbers = said["embedding"]
        return Seen(
            tags=tuple(Tag.model_validate(tag) for tag in said["tags"]),
            embedding=None if numbers is None else Embedding(origin=self.origin, values=tuple(numbers)),
        )

    async def _started(self) -> tuple[Sandbox, dict[str, Any]]:
        async with self._starting:
            if self._ready is None:
                # The process may read these files and no others, so they come first.
                weights = await self._found(self._classifier.weights, ".onnx")
                labels = None if self._classifier.labels is None else await self._found(self._classifier.labels, ".txt")
                sandbox = await self._stack.enter_async_context(
                    Sandbox(
                        # One picture at a time with all processors, rather than several that wait for each other.
                        processes=1,
                        memory_bytes=self._bench.memory_bytes,
                        seconds=self._bench.seconds,
                        preload=(RUNTIME, "services.media.tagging.classifying"),
                        readable=(weights,) if labels is None else (weights, labels),
                    )
                )
                self._ready = sandbox, self._options(weights, labels)
            return self._ready

    def _options(self, weights: Path, labels: Path | None) -> dict[str, Any]:
        return {
            "classifier": self._classifier.model_dump(mode="json"),
            "weights": str(weights),
            "labels": None if labels is None else str(labels),
            "threads": self._threads,
        }

    async def _found(self, file: ModelFile, extension: str) -> Path:
        """Give where a file lies on this machine, once it does and is the one that is meant."""
        if file.path is not None:
            path = file.path.resolve()
        else:
            path = self._bench.folder / f"{file.sha256}{extension}"
            await self._fetch(file, path)
        if await asyncio.to_thread(_sha256, path) != file.sha256:
            if file.path is None:
                path.unlink(missing_ok=True)
            raise Refused("model_altered", f"What lies at {_place(file)} is not the file whose hash is configured.")
        return path

    async def _fetch(self, file: ModelFile, path: Path) -> None:
        if file.object_key is not None:
            await self._bench.objects.save(file.object_key, path)
        elif file.url is not None:
            try:
                await self._bench.outbound.save(file.url, path, max_bytes=_MODEL_BYTES, deadline_seconds=_MODEL_SECONDS)
            except Refused as refusal:
                raise TryAgain("model_missing", f"The model was not to be had: {refusal.sentence}") from refusal


def _place(file: ModelFile) -> str:
    return str(file.path or file.object_key or file.url)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise Refused("model_missing", f"There is no model file at {path}: {error.strerror}.") from error
