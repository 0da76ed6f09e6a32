"""What a page may load: each request is decided on before anybody hears of it."""

import base64
from collections.abc import Awaitable, Callable
from math import inf
from typing import Any, Final

from services.scraper.rendering.devtools import ProtocolError
from services.scraper.rendering.quiet import Quiet
from services.scraper.rules import parsed
from shared.errors import Refused
from shared.fetch import Fetched, Proxy

Command = Callable[..., Awaitable[dict[str, Any]]]
"""Tells the page's browser something: a method of the DevTools protocol and its parameters."""

Load = Callable[[str], Awaitable[Fetched]]
"""Fetches a page as its host asks for it."""

MayAsk = Callable[[str], Awaitable[bool]]
"""Tells whether a page may ask for a script, a style or data, which is then asked."""

REQUEST_LIMIT: Final = 200
DOCUMENT_LIMIT: Final = 5
TRIED_LIMIT: Final = 10_000
"""A page that tries to load more is not shown: deciding so often costs us more than it may."""

_LOADED: Final = frozenset({"Script", "Stylesheet", "XHR", "Fetch", "Preflight"})
_FROM_HOSTS: Final = ("http://", "https://")
_FROM_ITSELF: Final = ("blob:", "data:")
_KEPT_HEADERS: Final = frozenset({"content-language", "content-security-policy", "referrer-policy"})
# Beside the site's own policy, and of all that is written into frames. Service workers, sockets and downloads would be
# asked for where no request of the page is decided on, and the end of what workers ask is told to them alone; dialogs,
# printing and windows are looked at by nobody.
_POLICY: Final = (
    "sandbox allow-scripts allow-same-origin allow-forms; worker-src 'none'; object-src 'none'; "
    "connect-src http: https: blob: data:"
)
# One transparent pixel: scripts that wait for an image, or show another where it fails, see that it has come.
_NO_IMAGE: Final = "R0lGODlhAQABAIAAAAAAAAAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw=="
_ANYBODY: Final = {"name": "Access-Control-Allow-Origin", "value": "*"}


class Loading:
    """Decides on the requests of one page.

    Documents come from `load` alone, one after the other where scripts go on to another page. Scripts, styles and what
    scripts ask for come through the proxy where `may_ask` lets them, and are no more than `REQUEST_LIMIT`. Frames,
    images, fonts, films and workers are not loaded: what they would show is no part of the page.

    Attributes:
        fetched: what the host has sent of the document that is shown; None before there is one.

    """

    def __init__(self, command: Command, proxy: Proxy, load: Load, may_ask: MayAsk, quiet: Quiet) -> None:
        self.fetched: Fetched | None = None
        self._command = command
        self._proxy = proxy
        self._load = load
        self._may_ask = may_ask
        self._quiet = quiet
        self._ready: dict[str, Fetched] = {}
        self._given: dict[str, tuple[Fetched, float]] = {}
        self._authorized: set[str] = set()
        self._tried = self._documents = self._requests = 0

    def expect(self, fetched: Fetched) -> None:
        """Have a document ready that will be asked for."""
        self._ready[_spelled(fetched.final_url)] = fetched

    def count(self) -> None:
        """Count a request; raises Refused (`page_too_heavy`) where there are too many of them."""
        self._tried += 1
        if self._tried > TRIED_LIMIT:
            raise Refused("page_too_heavy", f"The scripts of this page try to load more than {TRIED_LIMIT} things.")

    def note(self, paused: dict[str, Any]) -> None:
        """Count a request and wait for it, in the moment in which it is heard of: its end may be what is heard next.

        Raises Refused as `count` does.
        """
        self.count()
        if paused["resourceType"] in _LOADED and "networkId" in paused:
            self._quiet.wait_for(paused["networkId"])

    async def judge(self, paused: dict[str, Any], frame: str) -> None:
        """Answer a request of a page whose own frame this is, let it out, or refuse it.

        Raises ProtocolError where the page does not want it any more.
        """
        try:
            await self._judge(paused, frame)
        except ProtocolError:
            self._quiet.forget(paused.get("networkId", ""))
            raise

    async def _judge(self, paused: dict[str, Any], frame: str) -> None:
        kind = paused["resourceType"]
        if paused["frameId"] != frame:
            await self._refuse(paused, "BlockedByClient")
        elif kind == "Document":
            await self._give_document(paused)
        elif kind == "Image":
            headers = [{"name": "Content-Type", "value": "image/gif"}, _ANYBODY]
            await self._fulfil(paused["requestId"], 200, headers, _NO_IMAGE)
        elif kind in _LOADED and await self._may_load(paused["request"]["url"]):
            await self._let_out(paused)
        else:
            await self._refuse(paused, "BlockedByClient")

    async def say_who_we_are(self, told: dict[str, Any]) -> None:
        """Tell the proxy its password, once for each request, and no host anything."""
        answer = {"response": "CancelAuth"}
        if told["authChallenge"].get("source") == "Proxy" and told["requestId"] not in self._authorized:
            self._authorized.add(told["requestId"])
            name, password = self._proxy.credentials
            answer = {"response": "ProvideCredentials", "username": name, "password": password}
        await self._command("Fetch.continueWithAuth", requestId=told["requestId"], authChallengeResponse=answer)

    def show(self, loader: str) -> None:
        """Note that another document is shown from now on: the one that was given to this loader."""
        self.fetched, given_at = self._given.pop(loader, (self.fetched, self._quiet.now()))
        self._quiet.begin(given_at)

    async def _let_out(self, paused: dict[str, Any]) -> None:
        self._quiet.change()
        await self._command("Fetch.continueRequest", requestId=paused["requestId"])

    async def _may_load(self, url: str) -> bool:
        if url.startswith(_FROM_ITSELF):
            return True
        self._requests += 1
        return self._requests <= REQUEST_LIMIT and url.startswith(_FROM_HOSTS) and await self._may_ask(url)

    async def _give_document(self, paused: dict[str, Any]) -> None:
        """Answer with a page that was fetched for this tab; its host hears of it from nobody else."""
        url, loader = paused["request"]["url"], paused.get("networkId", "")
        self._quiet.announce(loader)
        self._quiet.wait_for(loader, inf)
        fetched = self._ready.pop(_spelled(url), None) if url.startswith(_FROM_HOSTS) else None
        if fetched is None:
            fetched = await self._fetched(url, paused["request"]["method"])
            if fetched is None:
                await self._refuse(paused, "Aborted")  # what is shown stays
                return
            if _spelled(fetched.final_url) != _spelled(url):
                self.expect(fetched)
                self._quiet.wait_for(loader)
                await self._fulfil(paused["requestId"], 302, [{"name": "Location", "value": fetched.final_url}], "")
                return
        self._quiet.wait_for(loader)
        self._given[loader] = fetched, self._quiet.now()
        self._quiet.change()
        body = base64.b64encode(fetched.body or b"").decode()
        await self._fulfil(paused["requestId"], 200, _headers(fetched), body)

    async def _fetched(self, url: str, method: str) -> Fetched | None:
        """Fetch where scripts go on to; None for what a visitor would not be taken to, such as a download."""
        self._documents += 1
        if self._documents > DOCUMENT_LIMIT or method != "GET" or not url.startswith(_FROM_HOSTS):
            return None
        try:
            return await self._load(url.partition("#")[0])
        except Refused as refusal:
            if refusal.code == "not_a_page":
                return None
            raise

    async def _refuse(self, paused: dict[str, Any], reason: str) -> None:
        self._quiet.forget(paused.get("networkId", ""))
        await self._command("Fetch.failRequest", requestId=paused["requestId"], errorReason=reason)

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
    own = {"name": "Content-Security-Policy", "value": _POLICY}
    return [{"name": "Content-Type", "value": f"{kind}{charset}"}, *kept, own]
