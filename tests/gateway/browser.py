"""A real Chromium, driven over its DevTools protocol."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, Final

import aiohttp

from tests.living import until

BINARY: Final = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_FLAGS: Final = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions"),
    *(
        "--no-default-browser-check",
        "--remote-debugging-port=0",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ),
)
_LARGEST_ANSWER_BYTES: Final = 64 * 1024 * 1024


class Page:
    """One tab: what it says on its console, which requests leave it, and what it answers."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.session_id: str | None = None
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.images: list[str] = []
        self.resumed_from: list[str] = []

    async def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol."""
        number = next(self._numbers)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        await self._socket.send_json(message | ({"sessionId": self.session_id} if self.session_id else {}))
        try:
            async with asyncio.timeout(30):
                return await answer
        finally:
            self._waiting.pop(number, None)

    async def listen(self) -> None:
        """Read what the browser says until it is gone."""
        async for message in self._socket:
            told = message.json()
            if "id" not in told:
                self._hear(told["method"], told["params"])
            elif (answer := self._waiting.pop(told["id"], None)) is not None:  # and somebody still waits for it
                failure = RuntimeError(str(told["error"])) if "error" in told else None
                answer.set_exception(failure) if failure else answer.set_result(told["result"])

    def _hear(self, method: str, told: dict[str, Any]) -> None:
        match method:
            case "Network.requestWillBeSent":
                self.requests.append(told["request"]["url"])
                self.images += [told["request"]["url"]] if told.get("type") == "Image" else []
                self.resumed_from += [
                    value for name, value in told["request"]["headers"].items() if name.lower() == "last-event-id"
                ]
            case "Runtime.exceptionThrown":
                details = told["exceptionDetails"]
                self.complaints.append(details.get("exception", {}).get("description", details["text"]))
            case "Runtime.consoleAPICalled" if told["type"] in {"error", "warning", "assert"}:
                self.complaints.append(" ".join(str(one.get("value")) for one in told["args"]))
            case "Log.entryAdded" if told["entry"]["level"] in {"error", "warning"}:
                self.complaints.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")

    async def open(self, url: str) -> None:
        await self.send("Page.navigate", url=url)

    async def run(self, expression: str) -> Any:
        """Evaluate an expression, waiting for its promise, and give its value."""
        result = await self.send("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            raise AssertionError(result["exceptionDetails"]["exception"].get("description", expression))
        return result["result"].get("value")

    async def until(self, expression: str, *, seconds: float = 60) -> Any:
        """Wait until an expression gives something true; while a page is loading there is nothing to ask.

        Nobody promises how soon a busy machine draws something.
        """

        async def holds() -> Any:
            with suppress(AssertionError, RuntimeError):
                # An element has no value that could leave the browser, so that it is there must do.
                return await self.run(f"Promise.resolve({expression}).then((it) => it instanceof Node || it)")

        return await until(holds, seconds=seconds)

    async def press(self, key: str, *, code: int = 0) -> None:
        for kind in ("keyDown", "keyUp"):
            await self.send("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code)

    async def look(self, width_px: int, height_px: int, *, dark: bool = False, still: bool = False) -> None:
        """Be a screen of this size and taste."""
        phone = width_px < 600
        await self.send(
            "Emulation.setDeviceMetricsOverride", width=width_px, height=height_px, deviceScaleFactor=1, mobile=phone
        )
        features = [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce" if still else "no-preference"},
        ]
        await self.send("Emulation.setEmulatedMedia", features=features)


@asynccontextmanager
async def running(profile: Path) -> AsyncIterator[str]:
    """Start a Chromium with an empty profile and give its address; left, it has ended and left nothing behind."""
    assert BINARY is not None
    # A path to the socket that it makes there has room for about a hundred characters.
    place = await asyncio.to_thread(tempfile.mkdtemp, prefix="browser-")
    process = await asyncio.create_subprocess_exec(
        *(BINARY, *_FLAGS, f"--user-data-dir={profile}", "about:blank"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "HOME": place, "TMPDIR": place},
    )
    try:
        yield await _address(profile / "DevToolsActivePort")
    finally:
        process.terminate()
        await process.wait()
        await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)


@asynccontextmanager
async def visiting(address: str) -> AsyncIterator[Page]:
    """Give the only tab of somebody who was never here: no storage, no cache, no cookies; left, all that is forgotten.

    `address`: of a Chromium that runs.
    """
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(address, max_msg_size=_LARGEST_ANSWER_BYTES) as socket,
    ):
        page = Page(socket)
        listening = asyncio.create_task(page.listen())
        try:
            somebody = await page.send("Target.createBrowserContext", disposeOnDetach=True)
            await _attach(page, somebody["browserContextId"])
            yield page
            page.session_id = None
            await page.send("Target.disposeBrowserContext", browserContextId=somebody["browserContextId"])
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


@asynccontextmanager
async def browsing(profile: Path) -> AsyncIterator[Page]:
    """Start a Chromium for one tab alone."""
    async with running(profile) as address, visiting(address) as page:
        yield page


async def _address(file: Path) -> str:
    async def written() -> list[str]:
        return await asyncio.to_thread(_lines, file)

    port, path = await until(written, seconds=60)
    return f"ws://127.0.0.1:{port}{path}"


def _lines(file: Path) -> list[str]:
    """Give the port and the path, once both are written."""
    lines = file.read_text().split() if file.exists() else []
    return lines if len(lines) > 1 else []


async def _attach(page: Page, somebody: str) -> None:
    tab = await page.send("Target.createTarget", url="about:blank", browserContextId=somebody)
    attached = await page.send("Target.attachToTarget", targetId=tab["targetId"], flatten=True)
    page.session_id = attached["sessionId"]
    for domain in ("Page", "Runtime", "Network", "Log"):
        await page.send(f"{domain}.enable")
