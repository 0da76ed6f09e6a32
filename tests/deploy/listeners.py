"""Which addresses processes listen on, as the kernel tells it."""

import socket
import struct
from collections.abc import Iterable
from pathlib import Path

_LISTEN = "0A"


def listening_addresses(pids: Iterable[int]) -> set[tuple[str, int]]:
    sockets = {inode for pid in pids for inode in _sockets_of(pid)}
    tables = (("/proc/net/tcp", socket.AF_INET), ("/proc/net/tcp6", socket.AF_INET6))
    return {address for table, family in tables for address, inode in _listeners(table, family) if inode in sockets}


def _sockets_of(pid: int) -> Iterable[str]:
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        target = str(descriptor.readlink())
        if target.startswith("socket:["):
            yield target.removeprefix("socket:[").removesuffix("]")


def _listeners(table: str, family: socket.AddressFamily) -> Iterable[tuple[tuple[str, int], str]]:
    for line in Path(table).read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == _LISTEN:
            host, port = fields[1].split(":")
            words = [int(host[start : start + 8], 16) for start in range(0, len(host), 8)]
            packed = struct.pack(f"={len(words)}I", *words)
            yield (socket.inet_ntop(family, packed), int(port, 16)), fields[9]
