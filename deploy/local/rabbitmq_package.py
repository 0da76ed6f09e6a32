"""Where RabbitMQ and its Erlang are: the system's package, or the same package unpacked by a user without rights."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import CannotRun
from deploy.local.private_files import private_directory

_SYSTEM = Path("/")
_PACKAGES = (
    "rabbitmq-server",
    *(f"erlang-{part}" for part in ("base", "asn1", "crypto", "eldap", "inets", "mnesia", "os-mon", "parsetools")),
    *(f"erlang-{part}" for part in ("public-key", "runtime-tools", "ssl", "syntax-tools", "tools", "xmerl")),
)
_MISSING = (
    "RabbitMQ is not installed. On Debian or Ubuntu: `apt-get install rabbitmq-server` as root; "
    "elsewhere install RabbitMQ 3.10 or later from your system's packages, or set RABBITMQ_URL."
)


@dataclass(frozen=True)
class Installation:
    """A RabbitMQ that can be run.

    Attributes:
        server: the start script that changes no user.
        binaries: folder with `erl` and `epmd`.
        version: major and minor.

    """

    server: Path
    binaries: Path
    version: tuple[int, int]


def find_or_unpack(directory: Path) -> Installation:
    """Use the system's RabbitMQ, or the one unpacked in this folder, or unpack one there.

    Raises CannotRun `rabbitmq_missing` where none can be had.
    """
    return _find(_SYSTEM) or unpacked(directory) or _unpack(directory)


def unpacked(root: Path) -> Installation | None:
    """Find the RabbitMQ unpacked below this folder and give it an `erl` that knows where it lies now."""
    installation = _find(root)
    erlang = next(root.glob("usr/lib/erlang/erts-*/bin"), None)
    if installation is None or erlang is None:
        return None
    relocated = private_directory(root / "bin")
    # Debian's `erl` holds the path /usr/lib/erlang; the emulator itself asks its environment.
    script = f'#!/bin/sh\nexport ROOTDIR="{root}/usr/lib/erlang" BINDIR="{erlang}" EMU=beam PROGNAME=erl\n'
    (relocated / "erl").write_text(f'{script}exec "$BINDIR/erlexec" "$@"\n')
    (relocated / "erl").chmod(0o755)
    (relocated / "epmd").unlink(missing_ok=True)
    (relocated / "epmd").symlink_to(erlang / "epmd")
    return Installation(installation.server, relocated, installation.version)


def _find(root: Path) -> Installation | None:
    server = next(iter(sorted(root.glob("usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server"))), None)
    binaries = root / "usr" / "bin"
    if server is None or not (binaries / "erl").exists():
        return None
    return Installation(server, binaries, _version(server))


def _version(server: Path) -> tuple[int, int]:
    major, minor = re.findall(r"rabbitmq_server-(\d+)\.(\d+)", str(server))[-1]
    return int(major), int(minor)


def _unpack(directory: Path) -> Installation:
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        raise CannotRun("rabbitmq_missing", _MISSING)
    downloads = private_directory(directory / "downloads")
    lists = _own_lists(private_directory(directory / "apt"))
    if not (_apt(downloads, "download", *_PACKAGES) or _refreshed(downloads, lists)):
        raise CannotRun("rabbitmq_missing", f"{_MISSING} (Downloading the package as a user did not work.)")
    for package in sorted(downloads.glob("*.deb")):
        subprocess.run(("dpkg", "-x", str(package), str(directory)), check=True)  # noqa: S603, S607 - Debian's own tool
    shutil.rmtree(downloads)
    if installation := unpacked(directory):
        return installation
    raise CannotRun("rabbitmq_missing", f"{_MISSING} (The unpacked package holds no server.)")


def _refreshed(downloads: Path, lists: tuple[str, ...]) -> bool:
    """Try with fresh package lists of our own: the system's may be absent or stale, and a user cannot renew them."""
    return _apt(downloads, *lists, "update") and _apt(downloads, *lists, "download", *_PACKAGES)


def _own_lists(directory: Path) -> tuple[str, ...]:
    (directory / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (directory / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    return ("-o", f"Dir::State={directory}", "-o", f"Dir::Cache={directory}")


def _apt(directory: Path, *arguments: str) -> bool:
    command = ("apt-get", "-qq", *arguments)
    done = subprocess.run(command, cwd=directory, capture_output=True, check=False, env=os.environ | {"LC_ALL": "C"})  # noqa: S603 - Debian's own tool
    return done.returncode == 0
