"""Weights of models: in a file on this machine, and the very ones that were asked for, before anything is drawn."""

import asyncio
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from services.depth_map.estimators import (
    NEEDING_NO_DOWNLOAD,
    UNLESS_NAMED,
    EstimatorChoice,
    OnnxModel,
    depth_anything_v2_small,
)
from shared.errors import Refused
from shared.fetch import Outbound
from shared.fetch.answers import Progress
from shared.identifiers import uuid7
from shared.objects import ObjectStore

# An ONNX file is one protobuf message, which can be no larger.
LARGEST_BYTES: Final = 2 * 1024 * 1024 * 1024
FETCH_SECONDS: Final = 1800.0
_PART: Final = ".part"


def chosen(named: str | None, folder: Path | None) -> EstimatorChoice:
    """Tell who sees the depth: who is named, else Depth Anything where it was fetched, else one without a download.

    Args:
        named: DEPTH_ESTIMATOR.
        folder: where weights are kept.

    Raises:
        Refused: `model_missing`, `model_unfit`, where a file is not there, or describes no model.

    """
    if named is not None:
        return named_by(named)
    default = depth_anything_v2_small()
    if folder is not None and kept_at(default, folder).is_file():
        return default.at(kept_at(default, folder))
    return UNLESS_NAMED()


def named_by(name: str) -> EstimatorChoice:
    """Tell who is meant by DEPTH_ESTIMATOR: an estimator that needs no download, or a JSON file of an `OnnxModel`.

    Raises:
        Refused: as `chosen` does.

    """
    return NEEDING_NO_DOWNLOAD[name]() if name in NEEDING_NO_DOWNLOAD else _described(Path(name))


def _described(description: Path) -> OnnxModel:
    try:
        return OnnxModel.model_validate_json(description.read_bytes())
    except OSError as error:
        raise Refused("model_missing", f"DEPTH_ESTIMATOR: {description} cannot be read: {error.strerror}.") from error
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, wrong["loc"])) or "the file"
        sentence = f"DEPTH_ESTIMATOR: {description} describes no model: {place}: {wrong['msg']}."
        raise Refused("model_unfit", sentence) from error


def kept_at(model: OnnxModel, folder: Path) -> Path:
    """Name the file in which fetched weights are kept: by their hash, so that another model is another file."""
    return folder.absolute() / f"{model.sha256}.onnx"


def folder_for(model: OnnxModel, *folders: Path) -> Path:
    """Choose where weights are kept: where they are already, else in the first folder that can be written to.

    A folder that many containers share is often mounted for reading only.
    """
    present = (folder for folder in folders if kept_at(model, folder).is_file())
    writable = (folder for folder in folders if os.access(folder, os.W_OK) or not folder.exists())
    return next(present, None) or next(writable, folders[-1])


async def at_hand(
    model: OnnxModel,
    folder: Path,
    *,
    outbound: Outbound,
    objects: ObjectStore | None = None,
    progress: Progress | None = None,
) -> OnnxModel:
    """Give the model with verified weights in a local file; they are fetched where they are not there yet.

    Several processes may do so at once: what is kept under the final name is always whole.

    Args:
        model: whose weights; those at a path are left where they are, and verified by whoever runs them.
        folder: where fetched weights are kept; made where it is missing.
        outbound: fetches what is at a URL.
        objects: holds what is at an object key.
        progress: hears how many bytes have come from a URL, and of how many.

    Raises:
        Refused: `model_missing`; `model_altered`, where the bytes have another hash, which are not kept;
            `model_unkept`, where the folder takes no file; or as `outbound` and `objects` refuse.
        TryAgain: as they do.

    """
    if model.path is not None:
        return model.at(model.path)
    with _keeping(model, folder):
        kept = kept_at(model, folder)
        if await asyncio.to_thread(sha256_of, kept) != model.sha256:
            await asyncio.to_thread(_prepare, folder)
            await _keep(model, kept, outbound, objects, progress)
        return model.at(kept)


@contextmanager
def _keeping(model: OnnxModel, folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        sentence = f"The weights of {model.name} cannot be kept in {folder}: {error.strerror}."
        raise Refused("model_unkept", sentence) from error


def _prepare(folder: Path) -> None:
    """Make the folder, without what was left there by whoever was killed while weights came in."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in folder.glob(f"*{_PART}"):
        with suppress(FileNotFoundError):
            if time.time() - part.stat().st_mtime > FETCH_SECONDS:
                part.unlink()


async def _keep(
    model: OnnxModel, kept: Path, outbound: Outbound, objects: ObjectStore | None, progress: Progress | None
) -> None:
    part = kept.with_name(f"{uuid7()}{_PART}")
    try:
        await _fetch(model, part, outbound, objects, progress)
        if await asyncio.to_thread(sha256_of, part) != model.sha256:
            raise Refused("model_altered", f"What lies at {_place(model)} is not the {model.name} whose hash is known.")
        part.replace(kept)
    finally:
        part.unlink(missing_ok=True)


async def _fetch(
    model: OnnxModel, to: Path, outbound: Outbound, objects: ObjectStore | None, progress: Progress | None
) -> None:
    if model.url is not None:
        await outbound.save(model.url, to, max_bytes=LARGEST_BYTES, deadline_seconds=FETCH_SECONDS, progress=progress)
    elif model.object_key is not None and objects is not None:
        size_bytes = await objects.head(model.object_key)
        if size_bytes is None or size_bytes > LARGEST_BYTES:
            raise Refused("model_missing", f"No weights of {model.name} are stored at {model.object_key}.")
        await objects.save(model.object_key, to)
    else:
        raise Refused("model_missing", f"There is no object store here to take the weights of {model.name} from.")


def verify(model: OnnxModel) -> None:
    """Raise Refused (`model_missing`, `model_altered`) unless the file at the model's path is the one it should be."""
    found = sha256_of(model.path) if model.path else None
    if found is None:
        raise Refused("model_missing", f"No weights of {model.name} are at {model.path}.")
    if found != model.sha256:
        raise Refused("model_altered", f"The file {model.path} is not the {model.name} whose hash is known.")


def sha256_of(file: Path) -> str | None:
    """Hash a file; none where there is none."""
    with suppress(FileNotFoundError), file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
    return None


def _place(model: OnnxModel) -> str:
    return model.url or model.object_key or str(model.path)
