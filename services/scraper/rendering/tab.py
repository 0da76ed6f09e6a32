"""The one tab of a browser: what it may load, when its page is done, and what is there then."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Final

from services.scraper.rendering.browser import VIEWPORT_PX
from services.scraper.rendering.devtools import BrowserEnded, Devtools, ProtocolError
from services.scraper.rendering.loading import Load, Loading, MayAsk
from services.scraper.rendering.quiet import Quiet
from shared.errors import Failure, Refused
from shared.fetch import Fetched, Proxy

HTML_LIMIT_CHARACTERS: Final = 10 * 1024 * 1024
SCREENS: Final = 10

_LOOK_SECONDS: Final = 0.05
_NEXT_SCREEN: Final = """
(async () => {
  const at = scrollY;
  scrollTo(0, at + innerHeight);
  await new Promise(done => setTimeout(done, 100));
  return scrollY > at;
})()
"""
_A_MOMENT: Final = "new Promise(done => setTimeout(() => done(true), 0))"
# Nothing of the page has a say in it, such as an image that is called `documentElement`.
_CHARACTERS: Final = "new XMLSerializer().serializeToString(document).length"


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
    """Shows one page, and no other window.

    Attributes:
        failed: has an exception as soon as the page cannot be shown.

    """

    def __init__(self, devtools: Devtools, proxy: Proxy, load: Load, may_ask: MayAsk) -> None:
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._devtools = devtools
        self._quiet = Quiet()
        self._loading = Loading(self._command, proxy, load, may_ask, self._quiet)
        self._tasks: set[asyncio.Task[None]] = set()
        self._target, self._session = "", ""
        devtools.hear = self._hear

    async def show(self, fetched: Fetched, settle_seconds: float) -> Shown:
        """Show a page and give what is there when it has become quiet, or has had its time."""
        await self._set_up()
        self._loading.expect(fetched)
        navigated = await self._command("Page.navigate", url=fetched.final_url)
        if navigated.get("errorText") and self._loading.fetched is None:
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
        await self._command("Page.enable")
        await self._hold_back(self._session)
        width, height = VIEWPORT_PX
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        await self._command("Emulation.setDeviceMetricsOverride", **screen)

    async def _stop_others(self, session: str | None = None) -> None:
        """Let nothing begin but the page: workers and windows wait for a word that never comes."""
        stop = {"autoAttach": True, "waitForDebuggerOnStart": True, "flatten": True}
        await self._devtools.send("Target.setAutoAttach", session, **stop)

    async def _hold_back(self, session: str) -> None:
        """Have a frame ask for nothing that is not decided on here."""
        await self._stop_others(session)
        await self._devtools.send("Network.enable", session, maxTotalBufferSize=0, maxResourceBufferSize=0)
        await self._devtools.send("Network.setBypassServiceWorker", session, bypass=True)
        await self._devtools.send("Fetch.enable", session, patterns=[{"urlPattern": "*"}], handleAuthRequests=True)

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
        while True:
            changed_at = self._quiet.changed_at
            if self._quiet.is_quiet() and await self._evaluated(_A_MOMENT) and changed_at == self._quiet.changed_at:
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
        await self._refuse_what_is_too_long()
        # Serialized by the browser itself, so that no script has a say in it.
        document = (await self._command("DOM.getDocument", depth=0))["root"]
        url = str(document["documentURL"]).partition("#")[0]
        if self._loading.fetched is None or not url.startswith(("http://", "https://")):
            raise Refused("page_not_shown", "What Chromium shows in the end is no page of a host.")
        html = (await self._command("DOM.getOuterHTML", nodeId=document["nodeId"]))["outerHTML"]
        return Shown(html, url, self._loading.fetched)

    async def _refuse_what_is_too_long(self) -> None:
        """Measure a page where it is, before it takes our memory."""
        characters = await self._evaluated(_CHARACTERS)
        if isinstance(characters, int) and characters > HTML_LIMIT_CHARACTERS:
            sentence = f"What the scripts of this page build has more than {HTML_LIMIT_CHARACTERS} characters."
            raise Refused("body_too_large", sentence)

    def _hear(self, session: str | None, event: str, told: dict[str, Any]) -> None:
        match event:
            case "Target.attachedToTarget" if told["targetInfo"]["type"] == "page":
                if self._target and told["targetInfo"]["targetId"] != self._target:
                    self._begin(self._close_window(told["targetInfo"]["targetId"]))
                else:
                    self._begin(self._go_on(told["sessionId"]))
            case "Target.attachedToTarget" if told["targetInfo"]["type"] == "iframe":
                # No frame is loaded, but what a page has written into one runs, and the page waits until it does.
                self._begin(self._begin_frame(told["sessionId"]))
            case "Target.targetCrashed" | "Inspector.targetCrashed":
                self._fail(Refused("page_too_heavy", "This page needs more memory than its browser is given."))
            case "Fetch.requestPaused" if session and session != self._session:
                self._begin(self._refuse_frame(session, told))
        if session == self._session:
            self._hear_of_page(event, told)

    def _hear_of_page(self, event: str, told: dict[str, Any]) -> None:
        match event:
            case "Fetch.requestPaused":
                self._pause(told)
            case "Fetch.authRequired":
                self._begin(self._loading.say_who_we_are(told))
            case "Page.javascriptDialogOpening":
                self._begin(self._dismiss())
            case "Page.frameNavigated" if "parentId" not in told["frame"]:
                self._loading.show(told["frame"]["loaderId"])
            case "Page.loadEventFired":
                self._quiet.load()
            case "Page.frameStoppedLoading" if told["frameId"] == self._target:
                # A page that wanted to go elsewhere while it was loaded, and may not, is loaded no further.
                self._quiet.load()
            case "Network.requestWillBeSent":
                self._quiet.announce(told["requestId"])
            case "Network.loadingFinished" | "Network.loadingFailed":
                self._quiet.end(told["requestId"])

    def _pause(self, told: dict[str, Any]) -> None:
        try:
            self._loading.note(told)
        except Refused as refusal:
            self._fail(refusal)
        else:
            self._begin(self._loading.judge(told, self._target))

    def _begin(self, doing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._done(doing))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # Where the tab is closed before the task has had its first turn, nothing else would end what it was given.
        task.add_done_callback(lambda _: doing.close())

    async def _done(self, doing: Coroutine[Any, Any, None]) -> None:
        try:
            await doing
        except (ProtocolError, BrowserEnded):
            pass  # what it was about is gone, or the browser: why is told by whoever listens to it
        except Failure as failure:
            self._fail(failure)

    def _fail(self, failure: Failure) -> None:
        if not self.failed.done():
            self.failed.set_exception(failure)

    async def _close_window(self, target: str) -> None:
        await self._devtools.send("Target.closeTarget", targetId=target)

    async def _go_on(self, session: str) -> None:
        await self._devtools.send("Runtime.runIfWaitingForDebugger", session)

    async def _begin_frame(self, session: str) -> None:
        await self._hold_back(session)
        await self._go_on(session)

    async def _refuse_frame(self, session: str, told: dict[str, Any]) -> None:
        self._loading.count()
        await self._devtools.send(
            "Fetch.failRequest", session, requestId=told["requestId"], errorReason="BlockedByClient"
        )

    async def _dismiss(self) -> None:
        await self._command("Page.handleJavaScriptDialog", accept=False)
