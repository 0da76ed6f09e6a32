"""How a server that refuses to run as root is started by root."""

import os
import pwd
import subprocess
from pathlib import Path

from deploy.local.errors import CannotRun

_ACCOUNT = "daemon"
"""An account that every Linux has and that owns no files."""


_LET_PASS = ((), ("dac_read_search",), ("dac_override",))
"""Capabilities that let the account into a checkout that is closed to others, as /root is: the least one first, then
the one that containers grant."""


def wrapper_for(directory: Path, binary: Path) -> tuple[str, ...]:
    """Return the command prefix under which the server agrees to start, and make its folder ready for it.

    An ordinary user needs none. Root becomes another user inside a user namespace, where the files stay root's own;
    in a container that forbids namespaces, root changes the user and gives the folder away.

    Raises CannotRun `root_refused` where that user cannot reach the folder or the program.
    """
    if os.geteuid() != 0:
        return ()
    account = pwd.getpwnam(_ACCOUNT)
    mapped = ("unshare", "--user", f"--map-user={account.pw_uid}", f"--map-group={account.pw_gid}", "--")
    return mapped if _succeeds(*mapped, "true") else _dropped(account, directory, binary)


def _dropped(account: pwd.struct_passwd, directory: Path, binary: Path) -> tuple[str, ...]:
    give_away(directory, account)
    for capabilities in _LET_PASS:
        kept = [f"--{kind}-caps=+{name}" for name in capabilities for kind in ("inh", "ambient")]
        if kept:
            # initdb asks by access(2) whether it may, which else answers as if there were no capability.
            kept.append("--securebits=+no_setuid_fixup")
        identity = (f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups")
        wrapper = ("setpriv", *identity, *kept, "--")
        if _succeeds(*wrapper, "test", "-x", str(binary)) and _succeeds(*wrapper, "test", "-w", str(directory)):
            return wrapper
    raise CannotRun(
        "root_refused",
        f"PostgreSQL does not run as root, and the user {account.pw_name!r} cannot reach {directory} or {binary}. "
        "Run as an ordinary user, move the checkout to a folder that all users may enter, or set DATABASE_ADMIN_URL.",
    )


def give_away(directory: Path, account: pwd.struct_passwd) -> None:
    for path in (directory, *directory.rglob("*")):
        os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)


def _succeeds(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False, cwd="/").returncode == 0  # noqa: S603 - our own list, no shell
    except FileNotFoundError:
        return False
