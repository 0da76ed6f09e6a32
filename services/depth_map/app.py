"""Depth mapping, put together."""

from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import gettempdir

from pydantic import ValidationError

from services.depth_map import weights
from services.depth_map.drawing import SPECIMEN, DrawOptions, draw, look
from services.depth_map.estimators import DrawnScenes, EstimatorChoice, OnnxModel
from services.depth_map.estimators.model_files import MOST_THREADS
from services.depth_map.estimators.onnx_sessions import RUNTIME
from services.depth_map.handlers import REACTIONS, WORK
from services.depth_map.inference import Inference, infer
from services.depth_map.mapping import DepthMapping
from services.depth_map.processors import usable_processors
from services.depth_map.removals import remove_forsaken
from services.depth_map.rules import EdgeSettings, NormalSettings
from services.depth_map.settings import Settings
from services.depth_map.turns import Turns
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
            inference = await _inference(settings, estimator, stack)
        except Failure as failure:
            raise SystemExit(failure.sentence) from None
        worker.alongside(lambda: remove_forsaken(worker.pool, objects))
        await worker.run(depth=DepthMapping(worker.pool, objects, sandbox, options, inference))


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
    """Make the processes that read pictures and write maps; each has done so once before it is given real work."""
    first = look if isinstance(options.estimator, OnnxModel) else draw
    runtime = (RUNTIME,) if isinstance(options.estimator, DrawnScenes) else ()
    return Sandbox(
        processes=settings.concurrency,
        memory_bytes=settings.mapper_memory_bytes,
        seconds=settings.mapper_seconds,
        preload=(*runtime, "services.depth_map.drawing"),
        growth_bytes=settings.mapper_growth_bytes,
        rehearsal=Rehearsal(first, SPECIMEN, options.model_dump(mode="json")),
    )


async def _inference(settings: Settings, model: EstimatorChoice, stack: AsyncExitStack) -> Inference | None:
    """Start the one process that holds the model; it has run it once when this returns."""
    if not isinstance(model, OnnxModel):
        return None
    told, pictures = look(SPECIMEN, DrawOptions(estimator=model).model_dump(mode="json"))
    sandbox = Sandbox(
        processes=1,
        memory_bytes=settings.mapper_memory_bytes,
        seconds=settings.mapper_seconds * model.batch,
        threads=model.threads or 1,
        preload=(RUNTIME, "services.depth_map.inference"),
        readable=(model.path,) if model.path else (),
        growth_bytes=settings.mapper_growth_bytes,
        rehearsal=Rehearsal(infer, pictures[0], {"model": model.model_dump(mode="json"), "shape": told["shape"]}),
        # Drivers open devices and map more memory than there is; the process sees no file of a stranger, only numbers.
        confined=not model.accelerated,
        large_pages=True,
    )
    # On processors the scheduler sees to it that everybody has a share.
    turns = Turns(model.path) if model.accelerated and model.path else None
    if turns is not None:
        await turns.prove()
    return await stack.enter_async_context(Inference(await stack.enter_async_context(sandbox), model, turns))


async def _estimator(settings: Settings, objects: ObjectStore) -> EstimatorChoice:
    """Choose who sees the depth, with its weights at hand; without them there is no work, and SystemExit says why."""
    places = (settings.models_directory, settings.scratch_directory, Path(gettempdir()))
    try:
        estimator = weights.chosen(settings.depth_estimator, settings.models_directory)
        if not isinstance(estimator, OnnxModel):
            return estimator
        folder = weights.folder_for(estimator, *(place for place in places if place is not None))
        async with Outbound.of(settings) as outbound:
            found = await weights.at_hand(estimator, folder, outbound=outbound, objects=objects)
    except Failure as failure:
        raise SystemExit(failure.sentence) from None
    return found.model_copy(update={"threads": found.threads or min(usable_processors(), MOST_THREADS)})
