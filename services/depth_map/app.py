"""Depth mapping, put together."""

from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import gettempdir

from pydantic import ValidationError

from services.depth_map import weights
from services.depth_map.drawing import SPECIMEN, DrawOptions, draw
from services.depth_map.estimators import EstimatorChoice, OnnxModel
from services.depth_map.handlers import REACTIONS, WORK
from services.depth_map.mapping import DepthMapping
from services.depth_map.processors import usable_processors
from services.depth_map.rules import EdgeSettings, NormalSettings
from services.depth_map.settings import Settings
from shared.errors import Failure
from shared.fetch import Outbound
from shared.objects import ObjectStore
from shared.sandbox import Rehearsal, Sandbox
from shared.worker import Worker


async def serve(settings: Settings) -> None:
    """Work until told to stop."""
    async with AsyncExitStack() as stack:
        worker = await stack.enter_async_context(Worker("depth_map", settings, hears=REACTIONS, works=WORK))
        objects = await stack.enter_async_context(ObjectStore.of(settings))
        estimator = await _estimator(settings, objects)
        options = options_of(settings, estimator)
        try:
            sandbox = await stack.enter_async_context(_mappers(settings, options))
        except Failure as failure:
            raise SystemExit(failure.sentence) from None
        await worker.run(depth=DepthMapping(worker.pool, objects, sandbox, options))


def options_of(settings: Settings, estimator: EstimatorChoice) -> DrawOptions:
    """Tell how maps are drawn; raises SystemExit with a sentence where settings of edges make no sense."""
    try:
        edges = EdgeSettings.model_validate(settings.depth_edges)
    except ValidationError as error:
        raise SystemExit(f"DEPTH_EDGES: {error.errors()[0]['msg']}.") from None
    fov = settings.depth_field_of_view_degrees
    normals = NormalSettings(field_of_view_degrees=fov) if settings.depth_normals else None
    return DrawOptions(estimator=estimator, edges=edges, flip_check=settings.depth_flip_check, normals=normals)


def _mappers(settings: Settings, options: DrawOptions) -> Sandbox:
    """Make the processes that draw; each has drawn once, and so loaded its model, before it is given real work."""
    estimator = options.estimator
    return Sandbox(
        processes=settings.concurrency,
        memory_bytes=settings.mapper_memory_bytes,
        seconds=settings.mapper_seconds,
        preload=("services.depth_map.drawing",),
        readable=(estimator.path,) if isinstance(estimator, OnnxModel) and estimator.path else (),
        growth_bytes=settings.mapper_growth_bytes,
        rehearsal=Rehearsal(draw, SPECIMEN, options.model_dump(mode="json")),
    )


async def _estimator(settings: Settings, objects: ObjectStore) -> EstimatorChoice:
    """Choose who sees the depth, with its weights at hand; without them there is no work, and SystemExit says why."""
    estimator = weights.chosen(settings.depth_estimator, settings.models_directory)
    if not isinstance(estimator, OnnxModel):
        return estimator
    folder = settings.models_directory or settings.scratch_directory or Path(gettempdir())
    try:
        async with Outbound(user_agent=settings.user_agent, allow=settings.outbound_allow) as outbound:
            found = await weights.at_hand(estimator, folder, outbound=outbound, objects=objects)
    except Failure as failure:
        raise SystemExit(failure.sentence) from None
    threads = found.threads or max(1, usable_processors() // settings.concurrency)
    return found.model_copy(update={"threads": threads})
