"""`make models`: fetch the weights of the depth model that would be used, and verify them.

That is the model which DEPTH_ESTIMATOR describes, else Depth Anything V2 Small; none where it names an estimator that
needs no download.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from deploy.local.settings import Settings, passed_on
from services.depth_map import weights
from services.depth_map.estimators import OnnxModel, depth_anything_v2_small
from shared.errors import Failure
from shared.fetch import Outbound
from shared.settings import OutboundSettings, load

console = Console(highlight=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch, verify, tell, and give the exit status: 0 where the weights are there."""
    parser = argparse.ArgumentParser(prog="make models", description=__doc__)
    parser.add_argument("--url", help="where the same file lies, for machines that reach only a mirror")
    asked = parser.parse_args(arguments)
    inherited = passed_on(dotenv=True)
    os.environ.update(inherited)
    folder = Path(inherited.get("MODELS_DIRECTORY") or load(Settings).models_directory)
    try:
        wanted = _wanted(inherited.get("DEPTH_ESTIMATOR"), asked.url)
        if wanted is None:
            console.print(f"DEPTH_ESTIMATOR={inherited['DEPTH_ESTIMATOR']} needs no weights but those that it brings.")
            return 0
        model = asyncio.run(_fetch(wanted, folder))
    except (Failure, ValueError, OSError) as error:
        console.print(f"[red]No weights:[/] {error.sentence if isinstance(error, Failure) else error}")
        return 1
    console.print(f"{model.name}: {model.path}\nsha256 {model.sha256}, verified.")
    return 0


def _wanted(named: str | None, url: str | None) -> OnnxModel | None:
    model = weights.named_by(named) if named else depth_anything_v2_small()
    if not isinstance(model, OnnxModel):
        return None
    return model.model_copy(update={"url": url, "path": None, "object_key": None}) if url else model


async def _fetch(model: OnnxModel, folder: Path) -> OnnxModel:
    outside = load(OutboundSettings)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(model.name, total=None)
        async with Outbound.of(outside) as outbound:
            found = await weights.at_hand(
                model,
                folder,
                outbound=outbound,
                progress=lambda come, total: bar.update(task, completed=come, total=total),
            )
    await asyncio.to_thread(weights.verify, found)
    return found


if __name__ == "__main__":
    sys.exit(main())
