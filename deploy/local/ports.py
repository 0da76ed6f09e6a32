"""Ports of one stack: free when first asked for, remembered afterwards, picked anew where somebody else took one."""

import errno
import secrets
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.local.private_files import read_json, write_private_json

LOOPBACK = "127.0.0.1"
CANDIDATES = range(20_000, 32_000)
"""Below Linux's ephemeral ports (32768 and up), so that no outgoing connection takes one between two starts."""


class Ports:
    """The port book of a stack, kept in a file; what it gave stays its own until `release`.

    A port may be given long before anybody listens there. Until then it looks free to every other stack of the
    machine, so it is claimed as well.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._taken: dict[str, int] = read_json(path)
        self._claims: dict[int, socket.socket] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def take(self, name: str) -> int:
        """Give a port on the loopback address that is nobody else's, the same as last time where possible."""
        remembered = self._taken.get(name)
        if remembered is not None and (remembered in self._claims or self._claim(remembered)):
            return remembered
        self._taken[name] = self._pick()
        write_private_json(self._path, self._taken)
        return self._taken[name]

    def release(self) -> None:
        """Let others have the ports again; they stay remembered. Safe to repeat."""
        while self._claims:
            _, claim = self._claims.popitem()
            claim.close()

    def _pick(self) -> int:
        others = set(self._taken.values())
        while True:
            port = secrets.choice(CANDIDATES)
            if port not in others and self._claim(port):
                return port

    def _claim(self, port: int) -> bool:
        claim = claimed(f"port {port}")
        if claim is None:
            return False
        # Asked while the claim is held, so that no other stack asks between the question and the claim.
        if not is_free(port):
            claim.close()
            return False
        self._claims[port] = claim
        return True


def claimed(name: str) -> socket.socket | None:
    """Have a name until the socket is closed, or the process ends, however it ends; None where somebody has it.

    It is the name of a socket that lies in no folder (unix(7), "abstract"): like a port, it is had once in a network
    namespace, by whichever user.
    """
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0diorama {name}")
    except OSError as error:
        claim.close()
        if error.errno != errno.EADDRINUSE:
            raise
        return None
    return claim


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
