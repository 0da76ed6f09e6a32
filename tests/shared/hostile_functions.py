"""What goes on inside a sandbox: decoders that behave, and decoders that somebody has taken over."""

import contextlib
import ctypes
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shared.errors import Refused

Answer = tuple[dict[str, Any], list[bytes]]


def echo(payload: bytes, options: dict[str, Any]) -> Answer:
    return {"size_bytes": len(payload), "options": options, "pid": os.getpid()}, [payload, payload[::-1]]


def refuse(_: bytes, options: dict[str, Any]) -> Answer:
    refused = Refused("said_by_the_child", options["sentence"])
    refused.code = options["code"]  # who owns the child says what it likes
    raise refused


def fail(_: bytes, __: dict[str, Any]) -> Answer:
    raise ZeroDivisionError("bad\nheader \x1b[31m")


def eat_memory(_: bytes, __: dict[str, Any]) -> Answer:
    eaten = [bytearray(16_000_000) for _ in range(10_000)]
    return {"eaten": len(eaten)}, []


def touch(_: bytes, options: dict[str, Any]) -> Answer:
    """Write something into each page of fresh memory, and count how often the kernel had to give some."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    taken = bytearray(options["size_bytes"])
    taken[:: resource.getpagesize()] = b"\1" * (len(taken) // resource.getpagesize())
    return {"faults": resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before}, []


kept: list[bytes] = []


def keep(payload: bytes, _: dict[str, Any]) -> Answer:
    """Leak what is given, as libraries do."""
    kept.append(b"\1" * len(payload))
    return {"pid": os.getpid(), "calls": len(kept)}, []


def burn(_: bytes, __: dict[str, Any]) -> Answer:
    while True:
        pass


def sleep(_: bytes, __: dict[str, Any]) -> Answer:
    time.sleep(600)
    return {}, []


def doze(_: bytes, options: dict[str, Any]) -> Answer:
    time.sleep(options["seconds"])
    return {}, [b"awake"]


def labour(_: bytes, options: dict[str, Any]) -> Answer:
    while time.process_time() < options["until"]:
        pass
    return {"seconds": time.process_time()}, []


def leave(_: bytes, __: dict[str, Any]) -> Answer:
    os._exit(0)


def segfault(_: bytes, __: dict[str, Any]) -> Answer:
    ctypes.string_at(0)
    return {}, []


def run_out_of_processor_time(_: bytes, __: dict[str, Any]) -> Answer:
    os.kill(os.getpid(), signal.SIGXCPU)
    return {}, []


def answer_much(_: bytes, options: dict[str, Any]) -> Answer:
    return {}, [bytes(options["size_bytes"])]


def say_much(_: bytes, options: dict[str, Any]) -> Answer:
    return {"words": "x" * options["size_bytes"]}, []


def answer_nonsense(_: bytes, __: dict[str, Any]) -> Answer:
    return {"number": float("nan")}, []


def print_much(payload: bytes, options: dict[str, Any]) -> Answer:
    print("x" * 100_000)  # noqa: T201 - what a chatty library does
    print("y" * 100_000, file=sys.stderr)  # noqa: T201 - as above
    return echo(payload, options)


def surroundings(_: bytes, __: dict[str, Any]) -> Answer:
    return {
        "environment": dict(os.environ),
        "sockets": [number for number in range(64) if _is_open(number)],
        "group": os.getpgid(0),
        "pid": os.getpid(),
        "limits": {
            "open_files": resource.getrlimit(resource.RLIMIT_NOFILE),
            "file_size": resource.getrlimit(resource.RLIMIT_FSIZE),
            "core": resource.getrlimit(resource.RLIMIT_CORE),
            "processor_seconds": resource.getrlimit(resource.RLIMIT_CPU)[0],
        },
    }, []


def attempt(_: bytes, options: dict[str, Any]) -> Answer:
    """Try what a process that was taken over would try, and say what worked."""
    attempts: dict[str, Callable[[], object]] = {
        "read_parent_environment": lambda: Path(f"/proc/{os.getppid()}/environ").read_bytes(),
        "read_file": lambda: Path(options["file"]).read_bytes(),
        "write_file": lambda: Path(options["file"] + ".new").write_bytes(b"x"),
        "connect": lambda: socket.create_connection(("127.0.0.1", options["port"]), timeout=5).close(),
        "signal_parent": lambda: os.kill(os.getppid(), 0),
    }
    worked = []
    for name, deed in attempts.items():
        with contextlib.suppress(OSError):
            deed()
            worked.append(name)
    return {"worked": worked}, []


def have_child_and_sleep(_: bytes, __: dict[str, Any]) -> Answer:
    with subprocess.Popen(["/bin/sleep", "600"]):
        time.sleep(600)
    return {}, []


def flee(_: bytes, options: dict[str, Any]) -> Answer:
    """Start what leaves its group and its session, where it may, and sleeps for as long as it is told."""
    if os.fork() == 0:
        for leave in (os.setsid, lambda: os.setpgid(0, 0)):
            with contextlib.suppress(OSError):
                leave()
        os.execv("/bin/sleep", ["sleep", options["seconds"]])  # noqa: S606 - this is what hostile bytes would do
    time.sleep(600)
    return {}, []


def forge(_: bytes, options: dict[str, Any]) -> Answer:
    """Speak on every socket, as code that took over the process could."""
    text = options["text"].encode()
    for number in range(3, 64):
        if _is_open(number):
            with contextlib.suppress(OSError):
                os.write(number, struct.pack(">I", options.get("length", len(text))) + text)
    time.sleep(600)
    return {}, []


def hang_up(_: bytes, __: dict[str, Any]) -> Answer:
    """Close every socket, and live on."""
    for number in range(3, 64):
        if _is_open(number):
            os.close(number)
    time.sleep(600)
    return {}, []


def _is_open(number: int) -> bool:
    try:
        return socket.socket(fileno=os.dup(number)).family == socket.AF_UNIX
    except OSError:
        return False
