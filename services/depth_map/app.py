"""Depth mapping, put together."""

from contextlib import AsyncExitStack

from services.depth_map.drawing import DrawOptions
from services.depth_map.estimators import Cues, EstimatorChoice, OnnxModel
from services.depth_map.handlers import REACTIONS, WORK
from services.depth_map.mapping import DepthMapping
from services.depth_map.settings import Settings
from shared.objects import ObjectStore
from shared.sandbox import Sandbox
from shared.worker import Worker


async def serve(settings: Settings) -> None:
    """Work until told to stop."""
    async with AsyncExitStack() as stack:
        worker = await stack.enter_async_context(Worker("depth_map", settings, hears=REACTIONS, works=WORK))
        estimator = _chosen(settings)
        objects = await stack.enter_async_context(ObjectStore.of(settings))
        sandbox = await stack.enter_async_context(
            Sandbox(
                processes=settings.concurrency,
                memory_bytes=settings.mapper_memory_bytes,
                seconds=settings.mapper_seconds,
                preload=("services.depth_map.drawing",),
                readable=(estimator.path,) if isinstance(estimator, OnnxModel) else (),
            )
        )
        await worker.run(depth=DepthMapping(worker.pool, objects, sandbox, DrawOptions(estimator=estimator)))


def _chosen(settings: Settings) -> EstimatorChoice:
    if settings.depth_estimator is None:
        return Cues()
    return OnnxModel.model_validate_json(settings.depth_estimator.read_bytes())
