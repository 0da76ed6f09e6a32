"""Ports of one stack: free when first asked for, remembered afterwards, picked anew where somebody else took one."""

import secrets
import socket
from pathlib import Path

from deploy.local.private_files import read_json, write_private_json

LOOPBACK = "127.0.0.1"
CANDIDATES = range(20_000, 32_000)
"""Below Linux's ephemeral ports (32768 and up), so that no outgoing connection takes one between two starts."""


class Ports:
    """The port book of a stack, kept in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._taken: dict[str, int] = read_json(path)

    def take(self, name: str) -> int:
        """Give a port on the loopback address that nobody listens on, the same as last time where possible."""
        remembered = self._taken.get(name)
        if remembered is not None and is_free(remembered):
            return remembered
        self._taken[name] = self._pick()
        write_private_json(self._path, self._taken)
        return self._taken[name]

    def _pick(self) -> int:
        others = set(self._taken.values())
        while True:
            port = secrets.choice(CANDIDATES)
            if port not in others and is_free(port):
                return port


def is_free(port: int) -> bool:
    """Whether a server could listen here now; connections of an earlier server that linger do not count."""
    with socket.socket() as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((LOOPBACK, port))
            candidate.listen()
        except OSError:
            return False
        return True
