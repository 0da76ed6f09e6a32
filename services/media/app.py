"""Media, put together."""

from contextlib import AsyncExitStack
from typing import Final
from urllib.parse import urlsplit

from services.media.copying import Copying
from services.media.downloads import Pages, Platforms, Wishes
from services.media.handlers import REACTIONS, WORK
from services.media.library import Library, Limits
from services.media.manners import SharedDoors
from services.media.on_demand import Renditions
from services.media.places import Places
from services.media.reconciling import Reconciling
from services.media.settings import Settings
from services.media.tagging.azure import AzureTagger
from services.media.tagging.local import Bench, LocalTagger
from services.media.tagging.model_files import Classifier
from services.media.tagging.tagger import Tagger, Taggers
from services.media.video import Attention
from shared import manners
from shared.addresses.urls import DEFAULT_PORTS
from shared.fetch import Outbound
from shared.objects import ObjectStore
from shared.robots_tags import product_token
from shared.sandbox import Sandbox
from shared.scratch import scratch_folder
from shared.worker import Worker

_CONNECTIONS_PER_HOST: Final = 6
"""Also where fewer downloads are open: what comes from our own store is not counted among them."""

_PATIENCE_SECONDS: Final = 2.0
"""A job that waits for its host for longer goes back to the queue: others have hosts that are ready."""


async def serve(settings: Settings) -> None:
    """Work until told to stop."""
    async with AsyncExitStack() as stack:
        worker = await stack.enter_async_context(Worker("media", settings, hears=REACTIONS, works=WORK))
        scratch = stack.enter_context(scratch_folder("media", settings.scratch_directory))
        objects = await stack.enter_async_context(ObjectStore.of(settings))
        sandbox = await stack.enter_async_context(
            Sandbox(
                processes=settings.decoder_processes,
                memory_bytes=settings.decoder_memory_bytes,
                seconds=settings.decoder_seconds,
                preload=("services.media.processing",),
            )
        )
        per_host = max(_CONNECTIONS_PER_HOST, settings.download_concurrency)
        outbound = await stack.enter_async_context(Outbound.of(settings, per_host=per_host))
        doors = SharedDoors(worker.pool)
        places = Places(doors, _manners(settings), most=settings.download_concurrency, ours=_own_stores(settings))
        stack.push_async_callback(places.leave)
        bench = Bench(objects, outbound, scratch, settings.classifier_memory_bytes, settings.classifier_seconds)
        library = Library(
            pool=worker.pool,
            objects=objects,
            outbound=outbound,
            sandbox=sandbox,
            scratch=scratch,
            limits=_limits(settings),
            taggers=await _taggers(settings, bench, stack),
            pages=await stack.enter_async_context(Pages(settings.video_platforms)),
            places=places,
            wishes=Wishes(product_token(settings.user_agent), settings.honour_noai),
        )
        worker.alongside(places.run)
        worker.alongside(doors.run)
        worker.alongside(library.collect_condemned)
        worker.alongside(Copying(worker.pool, library, worker.bus.outbox).run)
        worker.alongside(Reconciling(worker.pool, objects, hours=settings.reconcile_hours).run)
        await worker.run(library=library, renditions=Renditions(objects, sandbox, scratch, library.picture))


async def _taggers(settings: Settings, bench: Bench, stack: AsyncExitStack) -> Taggers:
    set_up: list[Tagger] = []
    if settings.classifier is not None:
        classifier = Classifier.model_validate_json(settings.classifier.read_bytes())
        set_up.append(await stack.enter_async_context(LocalTagger(classifier, bench)))
    if settings.azure_vision_endpoint is not None and settings.azure_vision_key is not None:
        features = tuple(settings.azure_vision_features.split(","))
        azure = AzureTagger(settings.azure_vision_endpoint, settings.azure_vision_key, features)
        set_up.append(await stack.enter_async_context(azure))
    return Taggers(set_up)


def _manners(settings: Settings) -> manners.Limits:
    return manners.Limits(
        spacing_seconds=settings.download_pause_seconds,
        longest_delay_seconds=settings.download_pause_seconds,
        patience_seconds=_PATIENCE_SECONDS,
        blocks=settings.download_blocks,
        open_seconds=settings.download_blocked_seconds,
        longest_open_seconds=max(settings.download_blocked_seconds, settings.download_longest_blocked_seconds),
        probe_seconds=2 * settings.download_deadline_seconds,
    )


def _own_stores(settings: Settings) -> set[tuple[str, int]]:
    """Name where our own object store is, which is spared by nobody."""
    own = (urlsplit(url) for url in (settings.s3_endpoint_url, settings.s3_public_endpoint_url) if url)
    return {(url.hostname, url.port or DEFAULT_PORTS[url.scheme]) for url in own if url.hostname}


def _limits(settings: Settings) -> Limits:
    platforms = Platforms(
        extractors=settings.video_platforms,
        format=settings.video_format,
        subtitle_languages=settings.video_subtitles,
        max_bytes=settings.video_max_bytes,
        longest_seconds=settings.video_max_seconds,
        deadline_seconds=settings.video_deadline_seconds,
    )
    attention = Attention(settings.decoder_memory_bytes, settings.video_seconds)
    return Limits(
        settings.download_max_bytes, settings.download_deadline_seconds, platforms, attention, settings.video_processes
    )
