"""The gateway, put together. It starts and stays alive without its database and its broker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import structlog

from services.gateway.handlers import REACTIONS
from services.gateway.identity import Tokens, issuers_of
from services.gateway.limiting import limiter_of
from services.gateway.links import Drawings, Links, SizedLinks
from services.gateway.queues import Queues
from services.gateway.rounds import keep_house, reconcile
from services.gateway.rounds.uploads import let_uploads_go
from services.gateway.rounds.usage import keep_usage
from services.gateway.rounds.webhooks import Courier
from services.gateway.routes import application, sizes
from services.gateway.routes.desk import Desk
from services.gateway.routes.parts import Parts
from services.gateway.settings import Settings
from services.gateway.store import feed
from services.gateway.store.access import Memberships
from services.gateway.store.api_keys import ApiKeys
from services.gateway.store.health import select_nothing
from services.gateway.store.rate_limits import taker
from services.gateway.stream import Stream
from services.gateway.uploads import Spools, Uploads
from shared.broker import BROKER_AWAY
from shared.bus import Bus
from shared.database import Pool, close_pool, open_pool
from shared.fetch import Outbound
from shared.health import Health
from shared.objects import ObjectStore
from shared.schema import verify
from shared.server import serve
from shared.telemetry import configure_logging, configure_tracing, end_tracing
from shared.worker import stop_signal

_NAME = "gateway"
_FAREWELL_SECONDS = 2.0
_WAITERS = 500
_LETTERS_KEPT = 4  # times the retention, as the services keep their own
_log = structlog.get_logger(__name__)


async def run(settings: Settings, stop: asyncio.Event | None = None) -> None:
    """Serve until told to stop, by a signal where no event is given."""
    configure_logging(_NAME, settings.log_level)
    tracing = configure_tracing(_NAME, settings.otel_exporter_otlp_endpoint)
    stop = stop or stop_signal()
    async with gateway(settings) as parts, serve(application(parts), settings):
        parts.health.started = True
        stopped = asyncio.ensure_future(stop.wait())
        ends: list[asyncio.Future[Any]] = [stopped, parts.bus.died]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        parts.health.stopping = True
        parts.stream.close()
        await parts.stream.left(_FAREWELL_SECONDS)
        if parts.bus.died.done():
            parts.bus.died.result()
    end_tracing(tracing)


@asynccontextmanager
async def gateway(settings: Settings) -> AsyncIterator[Parts]:
    """Put the parts together and keep them running; left, what was taken in is written and said."""
    async with AsyncExitStack() as stack:
        pool = await _open(stack, settings.database_url, settings.database_pool_size, "requests")
        projections = await _open(stack, settings.projection_database_url, settings.projection_pool_size, "projections")
        objects = await stack.enter_async_context(ObjectStore.of(settings))
        outbound = await stack.enter_async_context(Outbound.of(settings))
        health = Health()
        bus = Bus(_NAME, settings, hears=REACTIONS, pool=projections, health=health)
        stream = Stream(feed.reader(projections), feed.extent_of(projections))
        bus.provide({"stream": stream})
        https_only = settings.environment == "production"
        courier = Courier(projections, outbound, https_only=https_only, told=stream.wake)
        desk = Desk(bus, pool, wake=stream.wake)
        tokens = Tokens(issuers_of(settings))
        uploads = _uploads(objects, settings)
        queues = Queues(bus.publisher.depths)
        _watch(health, pool, projections)
        await stack.enter_async_context(bus)
        stack.push_async_callback(_stop_hearing, bus)
        bus.alongside(stream.run)
        for keys in tokens.published:
            bus.alongside(keys.run)
        bus.alongside(courier.run)
        bus.alongside(lambda: reconcile(bus, patience_hours=settings.worker_patience_hours))
        bus.alongside(
            lambda: keep_house(
                projections,
                events_days=settings.events_retention_days,
                idempotency_hours=settings.idempotency_hours,
                letters_days=settings.said_retention_days * _LETTERS_KEPT,
                audit_days=settings.audit_retention_days,
                url_lines_days=settings.url_lines_retention_days,
            )
        )
        bus.alongside(lambda: let_uploads_go(projections, uploads))
        bus.alongside(queues.run)
        bus.alongside(lambda: keep_usage(projections, pause_seconds=settings.usage_seconds))
        stack.push_async_callback(desk.drain)
        yield Parts(
            settings=settings,
            tokens=tokens,
            memberships=Memberships(pool, seconds=settings.membership_seconds),
            api_keys=ApiKeys(pool, seconds=settings.membership_seconds),
            pool=pool,
            bus=bus,
            desk=desk,
            stream=stream,
            links=Links(objects.presign_get, seconds=settings.presigned_seconds),
            sized_links=SizedLinks(sizes.PREFIX, settings.s3_secret_access_key, seconds=settings.presigned_seconds),
            drawings=Drawings(objects.exists),
            outbound=outbound,
            uploads=uploads,
            queues=queues,
            health=health,
            limiter=limiter_of(settings, taker(projections)),
            waiters=asyncio.Semaphore(_WAITERS),
        )


async def _open(stack: AsyncExitStack, url: str, size: int, purpose: str) -> Pool:
    pool = await open_pool(url, size=size, application_name=f"diorama.{_NAME} {purpose}", wait=False)
    stack.push_async_callback(close_pool, pool)
    return pool


def _uploads(objects: ObjectStore, settings: Settings) -> Uploads:
    return Uploads(
        objects,
        Spools(settings.scratch_directory, limit_bytes=settings.upload_spool_bytes),
        file_bytes=settings.maximum_upload_bytes,
        ticket_seconds=settings.presigned_seconds,
    )


async def _stop_hearing(bus: Bus) -> None:
    try:
        await bus.stop_hearing()
    except BROKER_AWAY as error:
        _log.warning("consumer_not_cancelled", error=repr(error))


def _watch(health: Health, pool: Pool, projections: Pool) -> None:
    verified = False

    async def schema() -> None:
        nonlocal verified
        if not verified:
            async with projections.acquire() as connection:
                await verify(connection, _NAME, works=False)
            verified = True

    health.add("database", lambda: select_nothing(pool))
    health.add("schema", schema)
