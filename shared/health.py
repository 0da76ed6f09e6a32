"""Health for machines: alive, ready, started, and metrics."""

import asyncio
from collections.abc import Awaitable, Callable

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Check = Callable[[], Awaitable[None]]

_CHECK_SECONDS = 2


class Health:
    """Named checks. A check returns when its part is well, and raises when it is not."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}
        self.started = False
        self.stopping = False

    def add(self, name: str, check: Check) -> None:
        """Have readiness depend on a check."""
        self._checks[name] = check

    async def problems(self) -> dict[str, str]:
        """Run all checks; give the sentence of each that failed."""
        names = list(self._checks)
        sentences = await asyncio.gather(*(_problem(self._checks[name]) for name in names))
        found = {name: sentence for name, sentence in zip(names, sentences, strict=True) if sentence}
        if self.stopping:
            found["process"] = "it is stopping"
        elif not self.started:
            found["process"] = "it is starting"
        return found


async def _problem(check: Check) -> str | None:
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            await check()
    except TimeoutError:
        return f"no answer within {_CHECK_SECONDS} s"
    except Exception as error:  # noqa: BLE001 - whatever is wrong is what readiness reports
        return str(error) or type(error).__name__
    return None


class Answers:
    """What a process answers to the machines that watch it."""

    def __init__(self, health: Health) -> None:
        self._health = health

    async def livez(self) -> JSONResponse:
        return JSONResponse({"status": "alive"})

    async def startupz(self) -> JSONResponse:
        started = self._health.started
        return JSONResponse({"status": "started" if started else "starting"}, 200 if started else 503)

    async def readyz(self) -> JSONResponse:
        problems = await self._health.problems()
        body = {"status": "not ready" if problems else "ready", "problems": problems}
        return JSONResponse(body, 503 if problems else 200)

    async def metrics(self) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def health_app(health: Health) -> Starlette:
    """Serve health alone, as every worker does: without FastAPI, which is a third of what a worker would load."""
    answers = Answers(health)
    asked: dict[str, Callable[[], Awaitable[Response]]] = {
        "/livez": answers.livez,
        "/startupz": answers.startupz,
        "/readyz": answers.readyz,
        "/metrics": answers.metrics,
    }
    return Starlette(routes=[Route(path, _endpoint(answer)) for path, answer in asked.items()])


def _endpoint(answer: Callable[[], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(_request: Request) -> Response:
        return await answer()

    return endpoint
