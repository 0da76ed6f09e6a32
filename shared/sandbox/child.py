"""The life of one confined process: one function call after another, each with its payload, over a socket.

A frame is four bytes of length, a JSON header, and the raw bytes that the header announces. Nothing is ever
pickled: who takes over this process gains no word in the parent but such frames.
"""

import importlib
import json
import os
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

from shared.errors import Refused
from shared.sandbox.confinement import die_with_parent, hide_the_machine, limit_processor, limit_resources
from shared.sandbox.grouping import stay_in_group

Confined = Callable[[bytes, dict[str, object]], tuple[dict[str, object], list[bytes]]]

_LENGTH: Final = struct.Struct(">I")
_DISCARD_BYTES: Final = 64 * 1024
_SENTENCE_LIMIT_CHARACTERS: Final = 500


def live(
    *,
    parent_pid: int,
    preload: list[str],
    readable: list[str],
    memory_bytes: int,
    seconds: float,
    confined: bool,
) -> None:
    """Confine this process, say so, and answer calls until the parent hangs up."""
    die_with_parent(parent_pid)
    wire = _take_over_stdin()
    try:
        if confined:
            _confine(preload, readable, memory_bytes)
        else:
            _import(preload)
    except Exception as error:  # noqa: BLE001 - the parent tells the operator why
        _say(wire, _failed(error), [])
        return
    _say(wire, {"status": "ready"}, [])
    with wire.makefile("rb") as calls:
        while header := calls.read(_LENGTH.size):
            call = json.loads(calls.read(*_LENGTH.unpack(header)))
            limit_processor(seconds)
            _say(wire, *_answer(calls, **call))


def _confine(preload: list[str], readable: list[str], memory_bytes: int) -> None:
    stay_in_group()
    with open("/proc/self/statm", "rb", buffering=0) as statm:  # noqa: PTH123 - one plain descriptor
        hide_the_machine(map(Path, readable))
        _import(preload)
        limit_resources(memory_bytes, statm)


def _import(names: list[str]) -> None:
    for name in names:
        importlib.import_module(name)


def _take_over_stdin() -> socket.socket:
    """Keep the socket for us alone, so that no print of a library can speak on it."""
    wire = socket.socket(fileno=os.dup(0))
    with open(os.devnull, "r+b", buffering=0) as nothing:  # noqa: PTH123 - a descriptor is what is wanted
        for standard in (0, 1, 2):
            os.dup2(nothing.fileno(), standard)
    return wire


def _answer(
    calls: BinaryIO, function: str, options: dict[str, object], size_bytes: int
) -> tuple[dict[str, object], list[bytes]]:
    try:
        payload = _receive(calls, size_bytes)
        result, blobs = _find(function)(payload, options)
        json.dumps(result, allow_nan=False)
    except Refused as refusal:
        return {"status": "refused", "code": refusal.code, "sentence": _shortened(refusal.sentence)}, []
    except MemoryError:
        return {"status": "memory"}, []
    except Exception as error:  # noqa: BLE001 - whatever hostile bytes provoke is an answer, not a crash
        return _failed(error), []
    return {"status": "done", "result": result}, blobs


def _receive(calls: BinaryIO, size_bytes: int) -> bytes:
    try:
        return calls.read(size_bytes)
    except MemoryError:
        # The parent must be able to finish its sentence before it can hear ours.
        while size_bytes > 0:
            size_bytes -= len(calls.read(min(size_bytes, _DISCARD_BYTES))) or size_bytes
        raise


def _find(function: str) -> Confined:
    module, _, name = function.partition(":")
    found: Confined = getattr(importlib.import_module(module), name)
    return found


def _say(wire: socket.socket, header: dict[str, object], blobs: list[bytes]) -> None:
    text = json.dumps({**header, "blobs": [len(blob) for blob in blobs]}).encode()
    wire.sendall(_LENGTH.pack(len(text)) + text)
    for blob in blobs:
        wire.sendall(blob)


def _failed(error: Exception) -> dict[str, object]:
    return {"status": "failed", "sentence": _shortened(f"{type(error).__name__}: {error}")}


def _shortened(sentence: str) -> str:
    return sentence[:_SENTENCE_LIMIT_CHARACTERS]


def main() -> None:
    live(**json.loads(sys.argv[1]))
