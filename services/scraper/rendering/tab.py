"""The one tab of a browser: what it may load, when its page is done, and what is there then."""

import asyncio
import base64
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from services.scraper.rendering.browser import VIEWPORT_PX
from services.scraper.rendering.devtools import Devtools, ProtocolError
from services.scraper.rules import parsed
from shared.errors import Failure, Refused
from shared.fetch import Fetched, Proxy

Load = Callable[[str], Awaitable[Fetched]]
"""Fetches a page as its host asks for it."""

REQUEST_LIMIT: Final = 200
DOCUMENT_LIMIT: Final = 5
SCREENS: Final = 10

_QUIET_SECONDS: Final = 0.5
_LOOK_SECONDS: Final = 0.05
_LOADED: Final = frozenset({"Script", "Stylesheet", "XHR", "Fetch", "Preflight"})
_KEPT_HEADERS: Final = frozenset({"content-language", "content-security-policy", "referrer-policy"})
# One transparent pixel: scripts that wait for an image, or show another where it fails, see that it has come.
_NO_IMAGE: Final = "R0lGODlhAQABAIAAAAAAAAAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw=="
_ANYBODY: Final = {"name": "Access-Control-Allow-Origin", "value": "*"}

_NEXT_SCREEN: Final = """
(async () => {
  const at = scrollY;
  scrollTo(0, at + innerHeight);
  await new Promise(done => setTimeout(done, 100));
  return scrollY > at;
})()
"""
_A_MOMENT: Final = "new Promise(done => setTimeout(() => done(true), 0))"


@dataclass(frozen=True, slots=True)
class Shown:
    """A page as its scripts have built it.

    Attributes:
        html: of the whole document, serialized.
        url: that the document has now.
        fetched: what its host had sent.

    """

    html: str
    url: str
    fetched: Fetched


class Tab:
    """Shows one page.

    Documents come from `load` alone, one after the other where scripts go on to another page. Scripts, styles and what
    scripts ask for come through the proxy. Frames, images, fonts, films, workers and windows are not loaded: what they
    would show is no part of the page.

    Attributes:
        failed: has an exception as soon as the page cannot be shown.

    """

    def __init__(self, devtools: Devtools, proxy: Proxy, load: Load) -> None:
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._devtools = devtools
        self._proxy = proxy
        self._load = load
        self._tasks: set[asyncio.Task[None]] = set()
        self._target, self._session = "", ""
        self._ready: dict[str, Fetched] = {}
        self._fetched: Fetched | None = None
        self._documents = self._requests = 0
        self._loaded = False
        self._open: set[str] = set()
        self._changed_at = 0.0
        devtools.hear = self._hear

    async def show(self, fetched: Fetched, settle_seconds: float) -> Shown:
        """Show a page and give what is there when it has become quiet, or has had its time."""
        await self._set_up()
        self._ready[str(parsed(fetched.final_url))] = fetched
        navigated = await self._command("Page.navigate", url=fetched.final_url)
        if navigated.get("errorText") and self._fetched is None:
            raise Refused("page_not_shown", f"Chromium does not show this page ({navigated['errorText']}).")
        try:
            async with asyncio.timeout(settle_seconds):
                await self._settle()
        except TimeoutError:
            pass  # what is there by now is what there is
        return await self._taken()

    async def close(self) -> None:
        """Do nothing more of what was begun."""
        if not self.failed.cancel():
            self.failed.exception()  # it may have come too late to be asked for
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _set_up(self) -> None:
        await self._devtools.send("Browser.setDownloadBehavior", behavior="deny")
        await self._stop_others()
        made = await self._devtools.send("Target.createTarget", url="about:blank")
        self._target = made["targetId"]
        attached = await self._devtools.send("Target.attachToTarget", targetId=self._target, flatten=True)
        self._session = attached["sessionId"]
        await self._stop_others(self._session)
        await self._command("Page.enable")
        await self._command("Network.enable", maxTotalBufferSize=0, maxResourceBufferSize=0)
        await self._command("Network.setBypassServiceWorker", bypass=True)
        await self._command("Network.setBlockedURLs", urls=["ws://*", "wss://*"])
        await self._command("Fetch.enable", patterns=[{"urlPattern": "*"}], handleAuthRequests=True)
        width, height = VIEWPORT_PX
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        await self._command("Emulation.setDeviceMetricsOverride", **screen)

    async def _stop_others(self, session: str | None = None) -> None:
        """Let nothing begin but the page: workers and windows wait for a word that never comes."""
        stop = {"autoAttach": True, "waitForDebuggerOnStart": True, "flatten": True}
        await self._devtools.send("Target.setAutoAttach", session, **stop)

    async def _command(self, method: str, **parameters: Any) -> dict[str, Any]:
        return await self._devtools.send(method, self._session, **parameters)

    async def _settle(self) -> None:
        await self._until_quiet()
        for _ in range(SCREENS):
            if not await self._evaluated(_NEXT_SCREEN):
                break
        await self._until_quiet()

    async def _until_quiet(self) -> None:
        """Wait until the page is loaded, asks for nothing, and its scripts have had their turn."""
        now = asyncio.get_running_loop().time
        while True:
            if self._loaded and not self._open and now() - self._changed_at >= _QUIET_SECONDS:
                changed_at = self._changed_at
                if await self._evaluated(_A_MOMENT) and changed_at == self._changed_at:
                    return
            await asyncio.sleep(_LOOK_SECONDS)

    async def _evaluated(self, expression: str) -> Any:
        """Evaluate where the page's own scripts cannot interfere; None where the page goes away meanwhile."""
        try:
            world = await self._command("Page.createIsolatedWorld", frameId=self._target)
            place = {"contextId": world["executionContextId"], "awaitPromise": True, "returnByValue": True}
            told = await self._command("Runtime.evaluate", expression=expression, **place)
        except ProtocolError:
            return None
        return told.get("result", {}).get("value")

    async def _taken(self) -> Shown:
        # Serialized by the browser itself, so that no script has a say in it.
        document = (await self._command("DOM.getDocument", depth=0))["root"]
        html = (await self._command("DOM.getOuterHTML", nodeId=document["nodeId"]))["outerHTML"]
        if self._fetched is None:
            raise Refused("page_not_shown", "Chromium does not show this page.")
        return Shown(html, str(document["documentURL"]).partition("#")[0], self._fetched)

    def _hear(self, session: str | None, event: str, told: dict[str, Any]) -> None:
        match event:
            case "Target.attachedToTarget" if told["targetInfo"]["type"] == "page":
                if self._target and told["targetInfo"]["targetId"] != self._target:
                    self._begin(self._close_window(told["targetInfo"]["targetId"]))
                else:
                    self._begin(self._go_on(told["sessionId"]))
            case "Target.attachedToTarget" if told["targetInfo"]["type"] == "iframe":
                # There is nothing in it but that it was not loaded, and the page waits until it is told so.
                self._begin(self._go_on(told["sessionId"]))
            case "Target.targetCrashed" | "Inspector.targetCrashed":
                self._fail(Refused("page_too_heavy", "This page needs more memory than its browser is given."))
        if session == self._session:
            self._hear_of_page(event, told)

    def _hear_of_page(self, event: str, told: dict[str, Any]) -> None:
        match event:
            case "Fetch.requestPaused":
                self._begin(self._judge(told))
            case "Fetch.authRequired":
                self._begin(self._say_who_we_are(told))
            case "Page.javascriptDialogOpening":
                self._begin(self._dismiss())
            case "Page.loadEventFired":
                self._loaded = True
                self._change()
            case "Network.requestWillBeSent":
                self._change()
            case "Network.loadingFinished" | "Network.loadingFailed":
                self._open.discard(told["requestId"])
                self._change()

    def _change(self) -> None:
        self._changed_at = asyncio.get_running_loop().time()

    def _begin(self, doing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._done(doing))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _done(self, doing: Coroutine[Any, Any, None]) -> None:
        try:
            await doing
        except ProtocolError:
            pass  # what it was about is gone
        except Failure as failure:
            self._fail(failure)

    def _fail(self, failure: Failure) -> None:
        if not self.failed.done():
            self.failed.set_exception(failure)

    async def _close_window(self, target: str) -> None:
        await self._devtools.send("Target.closeTarget", targetId=target)

    async def _go_on(self, session: str) -> None:
        await self._devtools.send("Runtime.runIfWaitingForDebugger", session)

    async def _dismiss(self) -> None:
        await self._command("Page.handleJavaScriptDialog", accept=False)

    async def _say_who_we_are(self, told: dict[str, Any]) -> None:
        """Tell the proxy its password, and no host anything."""
        answer = {"response": "CancelAuth"}
        if told["authChallenge"].get("source") == "Proxy":
            name, password = self._proxy.credentials
            answer = {"response": "ProvideCredentials", "username": name, "password": password}
        await self._command("Fetch.continueWithAuth", requestId=told["requestId"], authChallengeResponse=answer)

    async def _judge(self, paused: dict[str, Any]) -> None:
        """Decide on one request, before anybody hears of it."""
        kind, request = paused["resourceType"], paused["request"]
        if kind == "Document" and paused["frameId"] == self._target:
            self._open.add(paused["requestId"])
            try:
                await self._give_document(paused["requestId"], request)
            finally:
                self._open.discard(paused["requestId"])
        elif kind == "Image":
            headers = [{"name": "Content-Type", "value": "image/gif"}, _ANYBODY]
            await self._fulfil(paused["requestId"], 200, headers, _NO_IMAGE)
        elif kind in _LOADED and self._may_ask(request["url"]):
            await self._let_out(paused)
        else:
            await self._command("Fetch.failRequest", requestId=paused["requestId"], errorReason="BlockedByClient")

    async def _let_out(self, paused: dict[str, Any]) -> None:
        """Have a request asked, and wait for its end before the page counts as quiet."""
        if "networkId" in paused:
            self._open.add(paused["networkId"])
        await self._command("Fetch.continueRequest", requestId=paused["requestId"])

    def _may_ask(self, url: str) -> bool:
        self._requests += 1
        return self._requests <= REQUEST_LIMIT and url.startswith(("http://", "https://"))

    async def _give_document(self, number: str, request: dict[str, Any]) -> None:
        """Answer with a page that was fetched for this tab; its host hears of it from nobody else."""
        url = request["url"]
        fetched = self._ready.pop(_spelled(url), None)
        if fetched is None:
            self._documents += 1
            if self._documents > DOCUMENT_LIMIT or request["method"] != "GET":
                # What is shown stays.
                await self._command("Fetch.failRequest", requestId=number, errorReason="Aborted")
                return
            fetched = await self._load(url.partition("#")[0])
            if (final := str(parsed(fetched.final_url))) != _spelled(url):
                self._ready[final] = fetched
                await self._fulfil(number, 302, [{"name": "Location", "value": fetched.final_url}], "")
                return
        self._fetched, self._loaded = fetched, False
        self._open.clear()
        await self._fulfil(number, 200, _headers(fetched), base64.b64encode(fetched.body or b"").decode())

    async def _fulfil(self, number: str, status: int, headers: list[dict[str, str]], body: str) -> None:
        answer = {"responseCode": status, "responseHeaders": headers, "body": body}
        await self._command("Fetch.fulfillRequest", requestId=number, **answer)


def _spelled(url: str) -> str:
    return str(parsed(url))


def _headers(fetched: Fetched) -> list[dict[str, str]]:
    charset = f"; charset={fetched.charset}" if fetched.charset else ""
    # What was of no declared type was judged by its beginning.
    kind = fetched.content_type if fetched.content_type.endswith("xhtml+xml") else "text/html"
    kept = [{"name": name, "value": value} for name, value in fetched.headers.items() if name.lower() in _KEPT_HEADERS]
    return [{"name": "Content-Type", "value": f"{kind}{charset}"}, *kept]
