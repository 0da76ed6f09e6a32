"""Image generation, put together."""

from contextlib import AsyncExitStack

from services.image_generation.forgetting import stay_small
from services.image_generation.handlers import REACTIONS, WORK
from services.image_generation.providers import Means, open_providers
from services.image_generation.rules.admission import Budgets
from services.image_generation.settings import Settings
from services.image_generation.studio import Studio
from shared.fetch import Outbound
from shared.objects import ObjectStore
from shared.sandbox import Sandbox
from shared.worker import Worker


async def serve(settings: Settings) -> None:
    """Work until told to stop."""
    async with AsyncExitStack() as stack:
        worker = await stack.enter_async_context(Worker("image_generation", settings, hears=REACTIONS, works=WORK))
        sandbox = await stack.enter_async_context(
            Sandbox(
                processes=settings.sketch_processes,
                memory_bytes=settings.sketch_memory_bytes,
                seconds=settings.sketch_seconds,
                preload=("services.image_generation.providers.sketch", "services.image_generation.providers.measuring"),
            )
        )
        ways: list[Outbound] = []

        def outbound(allow: frozenset[tuple[str, int]]) -> Outbound:
            # Whoever waits here for a connection looks like somebody who was not answered.
            per_host = 2 * settings.concurrency
            ways.append(Outbound.of(settings, allow=allow, per_host=per_host))
            return ways[-1]

        providers = open_providers(settings.providers, Means(run_confined=sandbox.run, outbound=outbound))
        for way in ways:
            await stack.enter_async_context(way)
        studio = Studio(
            providers=providers,
            default=settings.image_provider_default,
            objects=await stack.enter_async_context(ObjectStore.of(settings)),
            deadline_seconds=settings.generation_deadline_seconds,
            fallbacks=settings.image_provider_fallbacks,
            budgets=Budgets(*settings.budgets_micros),
            hints=settings.hint_url_of,
        )
        worker.bus.reporting.also = studio.report
        worker.alongside(lambda: stay_small(worker.pool, settings.generations_kept_days))
        await worker.run(studio=studio)
