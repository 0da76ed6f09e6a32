"""The processes: each is alive and ready, and does a job there and back."""

import asyncio
import time
from typing import Any, Final

import aiohttp

from deploy.doctor.addresses import Addresses
from deploy.doctor.findings import Ill
from services.gateway.cli.client import Gateway

_ANSWER_SECONDS: Final = 10.0
_JOB_SECONDS: Final = 15.0
_POLL_SECONDS: Final = 0.02
_OK: Final = 200


async def check_process(url: str) -> str:
    """Ask whether a process is alive, and whether everything that it depends on answers."""
    timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session:
            alive, _ = await _asked(session, f"{url}/livez")
            ready, answer = await _asked(session, f"{url}/readyz")
    except aiohttp.ClientConnectorError as error:
        raise Ill(f"nobody listens at {url}") from error
    except aiohttp.ClientError as error:
        raise Ill(f"it does not answer at {url}: {error or type(error).__name__}") from error
    if alive != _OK:
        raise Ill(f"`/livez` answers {alive}")
    if ready != _OK:
        problems = "; ".join(f"{part}: {sentence}" for part, sentence in answer.get("problems", {}).items())
        raise Ill(f"alive and not ready: {problems or f'it answers {ready}'}")
    return f"alive and ready at {url}"


async def _asked(session: aiohttp.ClientSession, url: str) -> tuple[int, dict[str, Any]]:
    async with session.get(url) as answer:
        body = await answer.json(content_type=None) if answer.content_type == "application/json" else {}
        return answer.status, body


async def check_gateway(addresses: Addresses) -> str:
    """Sign in, and ask the gateway what it thinks of itself."""
    async with _gateway(addresses) as gateway:
        health = await gateway.get("/health/detailed")
    if health["status"] != "healthy":
        raise Ill("; ".join(f"{part}: {sentence}" for part, sentence in health["problems"].items()) or health["status"])
    off = health.get("features_off") or {}
    return f"signed in, version {health['version']}" + (f"; off: {', '.join(sorted(off))}" if off else "")


async def check_job(addresses: Addresses, service: str) -> str:
    """Send a job that does nothing to a worker, and wait until the gateway knows that it is done."""
    async with _gateway(addresses) as gateway:
        began = time.perf_counter()
        job = await gateway.post("/probes", {"service": service})
        while job["state"] in {"pending", "in_progress"}:
            if time.perf_counter() - began > _JOB_SECONDS:
                raise Ill(f"a job is {job['state']} after {_JOB_SECONDS:.0f} s, waiting for {job['waiting_for']}")
            await asyncio.sleep(_POLL_SECONDS)
            job = await gateway.get(f"/jobs/{job['id']}", children_limit=0)
        if job["state"] != "completed":
            raise Ill(f"a job ended as {job['state']}: {(job['error'] or {}).get('sentence', 'no reason')}")
    return f"a job went there and back in {(time.perf_counter() - began) * 1000:.0f} ms"


def _gateway(addresses: Addresses) -> Gateway:
    if addresses.gateway_url is None:
        raise Ill("nobody has said where the gateway is", "Set GATEWAY_URL and GATEWAY_TOKEN.")
    if addresses.gateway_token is None:
        raise Ill(
            "nobody has given a token", "Set GATEWAY_TOKEN; `python -m services.gateway.tokens` prints a local one."
        )
    return Gateway(addresses.gateway_url, addresses.gateway_token, patience_seconds=_ANSWER_SECONDS)
