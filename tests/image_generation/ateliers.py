"""Servers of three providers on loopback, which answer as those do, with all their oddities, and keep count."""

import asyncio
import base64
import json
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Self
from uuid import uuid4

from aiohttp import WSMsgType, web
from PIL import Image

from services.image_generation.providers import Means, Provider, open_providers
from shared.fetch import Outbound
from tests.image_generation.test_providers import run_here

KEY = "a-key-that-nobody-may-see"


def drawn(colour: str = "teal", size: tuple[int, int] = (64, 48)) -> bytes:
    file = BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


PICTURE = drawn()


@dataclass(frozen=True)
class Reply:
    """What is answered in the place of the usual; `body` is sent as it is, a document as JSON.

    Attributes:
        vanish: the connection breaks instead.
        passed_on: a proxy answers so after it has passed the request on, which is taken.

    """

    document: Any = None
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    vanish: bool = False
    passed_on: bool = False

    @property
    def was_taken(self) -> bool:
        return self.vanish or self.passed_on

    def response(self, request: web.Request) -> web.Response:
        if self.vanish and request.transport:
            request.transport.abort()
        body = json.dumps(self.document).encode() if self.document is not None else self.body
        kind = "application/json" if self.document is not None else "text/html"
        return web.Response(body=body, status=self.status, headers=self.headers, content_type=kind)


HTML = Reply(body=b"<html><h1>503 Service Unavailable</h1></html>", status=503)
VANISHING = Reply(vanish=True)


class Atelier(ABC):
    """A server that takes requests for pictures.

    Attributes:
        next: replies to the next requests for a picture; a request that gets one of them is not taken, unless the
            reply says so.
        next_poll: the same for questions after one.
        taken: how often a picture was paid for, by the name or the words that we gave it.
        seen: every body and every header that came in.

    """

    kind = ""

    def __init__(self) -> None:
        self.next: deque[Reply] = deque()
        self.next_poll: deque[Reply] = deque()
        self.taken: Counter[str] = Counter()
        self.seen: list[str] = []
        self.polls_until_done = 1
        self.missing_pictures = 0
        self.never_there: set[str] = set()
        self.picture = PICTURE

    async def __aenter__(self) -> Self:
        application = web.Application(middlewares=[self._note], client_max_size=2**26)
        application.add_routes([web.get("/out/{name}", self._output), *self._routes()])
        self._runner = web.AppRunner(application)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, backlog=1024).start()
        self.port = int(self._runner.addresses[0][1])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def settings(self, **more: Any) -> dict[str, Any]:
        return {"base_url": self.origin, "allow": f"127.0.0.1:{self.port}", "key": KEY, **more}

    @abstractmethod
    def _routes(self) -> list[web.RouteDef]:
        """Give what this provider answers beside its pictures."""

    @web.middleware
    async def _note(self, request: web.Request, handler: Any) -> web.StreamResponse:
        is_text = request.can_read_body and not request.content_type.startswith("multipart/")
        body = await request.text() if is_text else ""
        self.seen.append(f"{request.method} {request.path} {body}")
        response: web.StreamResponse = await handler(request)
        return response

    async def _output(self, request: web.Request) -> web.Response:
        if request.match_info.get("name") in self.never_there:
            return web.Response(status=404)
        if self.missing_pictures > 0:
            self.missing_pictures -= 1
            return web.Response(status=404)
        return web.Response(body=self.picture, content_type="image/png")


class ModelsLabServer(Atelier):
    """Takes a request, says `processing` so many times, and then `success` with links."""

    kind = "modelslab"

    def __init__(self) -> None:
        super().__init__()
        self.string_ids = False
        self.known_to_v7 = True
        self.fetch_result: str | None = None
        self.ready_at_once = False
        self.output: Any = None
        self.seed = "77"
        self._works: dict[str, int] = {}
        self.tracks: dict[str, str] = {}
        self.tells_whose = False

    def _routes(self) -> list[web.RouteDef]:
        return [
            web.post("/api/v7/images/text-to-image", self._submit),
            web.post("/api/v7/images/image-to-image", self._submit),
            web.post("/api/v7/images/fetch/{id}", self._fetch),
            web.post("/api/v6/images/fetch", self._fetch_before),
        ]

    async def _submit(self, request: web.Request) -> web.Response:
        wish = await request.json()
        reply = self.next.popleft() if self.next else None
        if reply is not None and not reply.was_taken:
            return reply.response(request)
        if wish["key"] != KEY:
            return web.json_response({"status": "error", "messege": "Invalid API Key"})
        self.taken[wish["track_id"]] += 1
        number = str(len(self._works) + 1000)
        self._works[number] = self.polls_until_done
        self.tracks[number] = wish["track_id"]
        if reply is not None:
            return reply.response(request)
        name: int | str = number if self.string_ids else int(number)
        if self.ready_at_once:
            return web.json_response(self._success(name))
        return web.json_response(
            {
                "status": "processing",
                "tip": "Your image is processing in background",
                "eta": 0.01,
                "fetch_result": self.fetch_result or f"{self.origin}/api/v7/images/fetch/{number}",
                "id": name,
                "output": [],
                "meta": {},
                "future_links": [f"{self.origin}/never/{number}.png"],
            }
        )

    def _success(self, name: int | str) -> dict[str, Any]:
        output = [f"{self.origin}/out/{name}.png"] if self.output is None else self.output
        whose = {"track_id": self.tracks[str(name)]} if self.tells_whose else {}
        return {
            "status": "success",
            "generationTime": 2.1,
            "id": name,
            "output": output,
            "meta": {"seed": self.seed},
        } | whose

    async def _fetch(self, request: web.Request) -> web.Response:
        if not self.known_to_v7:
            return web.Response(status=404, body=b"<html>nothing here</html>", content_type="text/html")
        return self._state(request, request.match_info["id"])

    async def _fetch_before(self, request: web.Request) -> web.Response:
        return self._state(request, str((await request.json())["request_id"]))

    def _state(self, request: web.Request, number: str) -> web.Response:
        if self.next_poll:
            return self.next_poll.popleft().response(request)
        self._works[number] -= 1
        if self._works[number] > 0:
            return web.json_response({"status": "processing", "id": int(number), "output": [], "eta": "0.01"})
        return web.json_response(self._success(number))


class OpenAIServer(Atelier):
    """Answers with the pictures, as links or as base64, and remembers nothing."""

    kind = "openai"

    def __init__(self) -> None:
        super().__init__()
        self.links = False
        self.keys: set[str | None] = set()
        self.shown: list[bytes] = []
        self.said: dict[str, str] = {}

    def _routes(self) -> list[web.RouteDef]:
        return [web.post("/images/generations", self._submit), web.post("/images/edits", self._edit)]

    async def _edit(self, request: web.Request) -> web.Response:
        form = await request.post()
        self.shown = [one.file.read() for one in form.getall("image[]") if isinstance(one, web.FileField)]
        self.said = {name: value for name, value in form.items() if isinstance(value, str)}
        one = {"b64_json": base64.b64encode(self.picture).decode()}
        return web.json_response({"created": 1, "data": [one] * int(self.said["n"])})

    async def _submit(self, request: web.Request) -> web.Response:
        wish = await request.json()
        self.keys.add(request.headers.get("Authorization"))
        reply = self.next.popleft() if self.next else None
        if reply is not None and not reply.was_taken:
            return reply.response(request)
        self.taken[wish["prompt"]] += 1
        if reply is not None:
            return reply.response(request)
        one = (
            {"url": f"{self.origin}/out/a.png"} if self.links else {"b64_json": base64.b64encode(self.picture).decode()}
        )
        return web.json_response({"created": 1, "data": [one] * wish["n"]})


class ComfyServer(Atelier):
    """Queues workflows, counts steps aloud, and keeps a history."""

    kind = "comfyui"

    def __init__(self, *, paid: bool = False) -> None:
        super().__init__()
        self._paid = paid
        self.ahead = 0
        self.error: str | None = None
        self.forgets = False
        self.cancelled: list[str] = []
        self.uploads: dict[str, bytes] = {}
        self.workflows: list[Any] = []
        self.steps = 4
        self.pictures = 1
        self._works: dict[str, int] = {}
        self._ears: dict[str, web.WebSocketResponse] = {}
        self._clients: dict[str, str] = {}

    def settings(self, **more: Any) -> dict[str, Any]:
        return super().settings(checkpoint="small.safetensors", paid=self._paid, **more)

    def _routes(self) -> list[web.RouteDef]:
        return [
            web.post("/prompt", self._submit),
            web.post("/upload/image", self._upload),
            web.get("/history/{id}", self._history),
            web.get("/queue", self._queue),
            web.post("/queue", self._delete),
            web.post("/interrupt", self._delete),
            web.get("/view", self._output),
            web.get("/ws", self._socket),
        ]

    async def _submit(self, request: web.Request) -> web.Response:
        wish = await request.json()
        reply = self.next.popleft() if self.next else None
        if reply is not None and not reply.was_taken:
            return reply.response(request)
        self.workflows.append(wish["prompt"])
        self.taken[wish["prompt"]["positive"]["inputs"]["text"]] += 1
        name = str(uuid4())
        self._works[name] = self.polls_until_done
        self._clients[wish["client_id"]] = name
        if reply is not None:
            return reply.response(request)
        return web.json_response({"prompt_id": name, "number": len(self._works), "node_errors": {}})

    async def _upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        file = form["image"]
        assert isinstance(file, web.FileField)
        self.uploads[file.filename] = file.file.read()
        return web.json_response({"name": file.filename, "subfolder": "inputs", "type": "input"})

    async def _history(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        if self.next_poll:
            return self.next_poll.popleft().response(request)
        self._works[name] = self._works.get(name, 0) - 1
        if self._works[name] >= 0 or self.forgets:
            return web.json_response({})
        messages = [["execution_start", {}], ["execution_error", {"exception_message": self.error}]]
        status = {"status_str": "error" if self.error else "success", "completed": not self.error}
        file = {"filename": "a.png", "subfolder": "", "type": "output"}
        preview = {"filename": "b.png", "subfolder": "", "type": "temp"}
        outputs = {} if self.error else {"saved": {"images": [preview, *[file] * self.pictures]}}
        return web.json_response({name: {"outputs": outputs, "status": {**status, "messages": messages}}})

    async def _queue(self, request: web.Request) -> web.Response:
        del request
        waiting = [] if self.forgets else list(self._works)
        running = [[number, f"another-{number}", {}, {}, []] for number in range(min(1, self.ahead))]
        before = [[number, f"another-{number}", {}, {}, []] for number in range(1, self.ahead)]
        own = [[1000 + number, name, {}, {}, []] for number, name in enumerate(waiting)]
        if not self.ahead:
            return web.json_response({"queue_running": own, "queue_pending": []})
        return web.json_response({"queue_running": running, "queue_pending": [*own, *before]})

    async def _delete(self, request: web.Request) -> web.Response:
        self.cancelled.append(request.path)
        return web.json_response({})

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        name = self._clients.get(request.query["clientId"], "")
        await socket.send_json({"type": "status", "data": {"status": {"exec_info": {"queue_remaining": 1}}}})
        await socket.send_bytes(b"\0\0\0\1preview")
        await socket.send_str("not even JSON")
        for step in range(1, self.steps + 1):
            await socket.send_json({"type": "progress", "data": {"value": 9, "max": 10, "prompt_id": "another"}})
            data = {"value": step, "max": self.steps, "prompt_id": name, "node": "sampler"}
            await socket.send_json({"type": "progress", "data": data})
        await socket.send_json({"type": "executing", "data": {"node": None, "prompt_id": name}})
        async for message in socket:
            if message.type is WSMsgType.CLOSE:
                break
        return socket


@asynccontextmanager
async def opened(*ateliers: Atelier, **settings: Any) -> AsyncIterator[list[Provider]]:
    """Open a provider for each server, each with a way out of its own."""
    ways: list[Outbound] = []

    def outbound(allow: frozenset[tuple[str, int]]) -> Outbound:
        ways.append(Outbound(user_agent="diorama-tests", allow=allow, per_host=64))
        return ways[-1]

    named = {atelier.kind: {**atelier.settings(), **settings} for atelier in ateliers}
    providers = open_providers(named, Means(run_confined=run_here, outbound=outbound))
    for way in ways:
        await way.__aenter__()
    try:
        yield list(providers.values())
    finally:
        await asyncio.gather(*(way.__aexit__(None, None, None) for way in ways))
