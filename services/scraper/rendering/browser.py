"""One Chromium for one page: found, started in a program that keeps it, and gone when the block ends."""

import asyncio
import json
import os
import shutil
import sys
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from services.scraper.rendering.becoming import KEEPER
from services.scraper.rendering.devtools import MESSAGE_LIMIT_BYTES, Devtools
from services.scraper.rendering.homes import PROFILE, make_home, remove_home
from shared.errors import Refused, TryAgain
from shared.fetch import Proxy
from shared.process_groups import running

VIEWPORT_PX: Final = (1280, 1024)

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "chrome")
_COMPLAINTS: Final = 20
_COMPLAINT_BYTES: Final = 1000
_DISK_BYTES: Final = 256 * 1024 * 1024
_SCRIPT_MEMORY_MIB: Final = 512
_PROGRAM: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop()); "
    "from services.scraper.rendering.keeper import main; main()"
)
_ENVIRONMENT: Final = {"HOME": "/nonexistent", "LANG": "C.UTF-8", "PATH": os.defpath}

_UNWANTED: Final = (
    *("DialMediaRouteProvider", "MediaRouter", "OptimizationHints", "AutofillServerCommunication", "Translate"),
    *("CertificateTransparencyComponentUpdater", "NetworkTimeServiceQuerying"),
    # A frame in a process of its own asks before anybody can decide on it: what is written into one does not wait.
    "IsolateSandboxedIframes",
)
_FLAGS: Final = (
    *("--headless", "--remote-debugging-pipe", "--no-startup-window", "--no-first-run", "--no-default-browser-check"),
    # Nothing leaves but through the proxy: no loopback, no names of its own, no QUIC, no UDP of WebRTC.
    *("--proxy-bypass-list=<-loopback>", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", "--disable-quic"),
    *("--force-webrtc-ip-handling-policy", "--webrtc-ip-handling-policy=disable_non_proxied_udp"),
    # And nothing that no page has asked for.
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps"),
    *("--disable-domain-reliability", "--disable-client-side-phishing-detection", "--no-pings", "--disable-breakpad"),
    f"--disable-features={','.join(_UNWANTED)}",
    *("--disable-extensions", "--disable-component-extensions-with-background-pages", "--block-new-web-contents"),
    *("--deny-permission-prompts", "--disable-notifications", "--disable-file-system", "--mute-audio"),
    *(
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--disable-3d-apis",
        "--hide-scrollbars",
        "--disk-cache-size=1",
        "--lang=en-US",
    ),
    f"--js-flags=--max-old-space-size={_SCRIPT_MEMORY_MIB}",
    f"--window-size={VIEWPORT_PX[0]},{VIEWPORT_PX[1]}",
)


@dataclass(slots=True)
class Browser:
    """A Chromium that runs.

    Attributes:
        devtools: by which it is told what to do.
        notes: what its keeper says.
        complaints: the last lines of what it says itself.
        ended: nothing more is said.

    """

    devtools: Devtools
    notes: list[str] = field(default_factory=list)
    complaints: deque[str] = field(default_factory=lambda: deque(maxlen=_COMPLAINTS))
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def hear(self, stream: asyncio.StreamReader) -> None:
        """Read what it complains of until it has ended."""
        with suppress(ValueError):  # a line without end
            while line := await stream.readline():
                complaint = line[:_COMPLAINT_BYTES].decode(errors="replace").strip()
                (self.notes if complaint.startswith(KEEPER) else self.complaints).append(complaint)
        self.ended.set()


def find_browser(named: Path | None) -> Path:
    """Give the browser that the settings name, or the Chromium on the PATH; raises Refused where there is none."""
    names = _NAMES if named is None else (str(named),)
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        missing = "there is no Chromium on its PATH" if named is None else "CHROMIUM names no program"
        sentence = f"This scraper renders no pages, for {missing}: install Chromium, or set CHROMIUM to where it is."
        raise Refused("rendering_unavailable", sentence)
    return Path(found).absolute()


@asynccontextmanager
async def browsing(
    program: Path, proxy: Proxy, scratch: Path | None, *, user_agent: str, memory_bytes: int
) -> AsyncIterator[Browser]:
    """Start a browser with an empty profile, which is gone with all that it started within 3 s after the block.

    Raises TryAgain: `scratch_unavailable`, `renderer_failed`.
    """
    home = await asyncio.to_thread(make_home, scratch)
    order = {
        "home": str(home),
        "parent_pid": os.getpid(),
        "proxy_port": proxy.port,
        "memory_bytes": memory_bytes,
        "disk_bytes": _DISK_BYTES,
        "arguments": [str(program), *_flags(home, proxy, user_agent)],
    }
    arguments = [sys.executable, "-I", "-c", _PROGRAM, json.dumps(order), json.dumps(list(_import_paths()))]
    try:
        async with AsyncExitStack() as stack:
            try:
                start = running(arguments, _ENVIRONMENT, MESSAGE_LIMIT_BYTES)
                said, complained, tell = await stack.enter_async_context(start)
            except OSError as error:
                raise TryAgain("renderer_failed", "No browser can be started on this machine now.") from error
            browser = Browser(Devtools(said, tell))
            hearing = asyncio.create_task(browser.hear(complained))
            try:
                yield browser
            finally:
                hearing.cancel()
                await asyncio.gather(hearing, return_exceptions=True)
    finally:
        await asyncio.to_thread(remove_home, home)


def _flags(home: Path, proxy: Proxy, user_agent: str) -> Sequence[str]:
    own = (f"--user-data-dir={home}/{PROFILE}", f"--proxy-server=http://127.0.0.1:{proxy.port}")
    return (*_FLAGS, *own, f"--user-agent={user_agent}")


def _import_paths() -> Iterator[str]:
    return (str(Path(entry).resolve()) for entry in sys.path)
