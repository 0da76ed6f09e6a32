"""Handing work in."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias
from uuid import UUID

import typer

from services.gateway.cli.asking import ask
from services.gateway.cli.client import Gateway, GatewayProblem
from services.gateway.cli.meaning import given
from services.gateway.cli.telling import REFUSED, AsJson, end_unless, tell, tell_json, tell_table
from services.gateway.cli.watching import watch_all

_COLUMNS: Final = {"job": "id", "kind": "kind", "state": "state"}
_FILES: Final = {
    "file": "filename",
    "status": "status",
    "job": "job.id",
    "image": "image.id",
    "why not": "problem.code",
    "": "problem.detail",
}

Project: TypeAlias = Annotated[UUID | None, typer.Option(help="Default: your personal project.")]
Pipeline: TypeAlias = Annotated[
    list[str] | None, typer.Option("--step", help="What follows for each image; repeat it. Default: all.")
]
Watch: TypeAlias = Annotated[bool, typer.Option("--watch", "-w", help="Watch it until all of it has ended.")]

app = typer.Typer(no_args_is_help=True, help="Hand work in: scrape, media, scene, map, upload.")


@app.command()
def scrape(
    urls: Annotated[list[str], typer.Argument(help="Pages.")],
    *,
    rendered: Annotated[bool, typer.Option("--rendered", help="Have scripts build each page first.")] = False,
    project: Project = None,
    step: Pipeline = None,
    watch: Watch = False,
    as_json: AsJson = False,
) -> None:
    """Scrape pages and keep their images."""
    body = {"urls": urls, **given(project_id=project, pipeline=step, rendered=rendered)}
    _tell([ask(lambda gateway: gateway.post("/scrapes", body))], watch=watch, as_json=as_json)


@app.command()
def media(
    url: str,
    *,
    scene: Annotated[str | None, typer.Option(help="The scene that shall show it.")] = None,
    title: Annotated[str | None, typer.Option()] = None,
    project: Project = None,
    step: Pipeline = None,
    watch: Watch = False,
    as_json: AsJson = False,
) -> None:
    """Download and keep one image."""
    body = {"url": url, **given(scene_id=scene, title=title, project_id=project, pipeline=step)}
    _tell([ask(lambda gateway: gateway.post("/media/store", body))], watch=watch, as_json=as_json)


@app.command()
def scene(
    chapter: str,
    number: int,
    *,
    description: Annotated[str | None, typer.Option(help="Default: as the scene is registered.")] = None,
    style: Annotated[str | None, typer.Option()] = None,
    aspect_ratio: Annotated[str | None, typer.Option(help="Such as 16:9.")] = None,
    seed: Annotated[int | None, typer.Option(min=0)] = None,
    tier: Annotated[str | None, typer.Option(help="Sets the priority.")] = None,
    project: Project = None,
    watch: Watch = False,
    as_json: AsJson = False,
) -> None:
    """Draw the image of a scene."""
    options = given(style=style, aspect_ratio=aspect_ratio, seed=seed, user_tier=tier, project_id=project)
    body = {**options, **given(scene_description=description)}
    answer = ask(lambda gateway: gateway.post(f"/chapters/{chapter}/images/scenes/{number}", body))
    if watch:
        watch_all([answer["task_id"]], as_json=as_json)
    elif as_json:
        tell_json(answer)
    else:
        tell_table([answer], {"job": "task_id", "record": "record_id", "status": "status", "": "message"})


@app.command("map")
def draw_maps(
    images: Annotated[list[UUID] | None, typer.Argument(help="Images; or say which by options.")] = None,
    *,
    unmapped: Annotated[bool, typer.Option("--unmapped", help="All images that have no maps.")] = False,
    rejected: Annotated[bool, typer.Option("--rejected", help="All whose newest maps were rejected, anew.")] = False,
    chapter: Annotated[str | None, typer.Option(help="Only images of this chapter's scenes; alone: all.")] = None,
    recipe: Annotated[str | None, typer.Option()] = None,
    redraw: Annotated[bool, typer.Option("--redraw", help="Also what the recipe has drawn already.")] = False,
    project: Project = None,
    watch: Watch = False,
    as_json: AsJson = False,
) -> None:
    """Draw the depth and edge maps of images."""
    found = given(map_state="rejected" if rejected else None, chapter_id=chapter)
    found |= {"mapped": False} if unmapped else {}
    if bool(images) == bool(found):
        raise typer.BadParameter("give images, or --unmapped, --rejected, --chapter: one way to say which")
    meant: dict[str, Any] = {"image_ids": [str(one) for one in images]} if images else {"filter": found}
    body = {**meant, **given(recipe=recipe, project_id=project, redraw=redraw or rejected)}
    answer = ask(lambda gateway: gateway.post("/maps", body))
    if unmapped and not answer["items"] and not as_json:
        tell("All images have their maps, or will have them soon.")
        return
    _tell(answer["items"], watch=watch, as_json=as_json)
    if answer["more"]:
        tell("There are more: do the same again once these are done.")


@app.command()
def upload(
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, readable=True)],
    *,
    title: Annotated[str | None, typer.Option()] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Repeat it for several.")] = None,
    project: Project = None,
    watch: Watch = False,
    as_json: AsJson = False,
) -> None:
    """Upload image files; what the project has already is not taken again."""
    fields = {**given(title=title, project_id=project), **({"tags": ",".join(tag)} if tag else {})}
    taken = ask(lambda gateway: _sent(gateway, files, fields))
    jobs = [item["job"] for item in taken if item["job"]]
    if watch and jobs:
        watch_all([job["id"] for job in jobs], as_json=as_json)
    elif as_json:
        tell_json(taken)
    else:
        tell_table(taken, _FILES)
    end_unless(not any(item["problem"] for item in taken), REFUSED)


async def _sent(gateway: Gateway, files: Sequence[Path], fields: Mapping[str, str]) -> list[dict[str, Any]]:
    """Send one file after the other; of one that is refused the others do not suffer."""
    taken: list[dict[str, Any]] = []
    for file in files:
        try:
            taken += (await gateway.send_file("/images/upload", file, **fields))["items"]
        except GatewayProblem as problem:
            why = {"status": problem.status, "code": problem.code, "detail": problem.sentence}
            none = {"job": None, "image": None}
            taken.append({"filename": file.name, "status": problem.status, **none, "problem": why})
    return taken


def _tell(jobs: list[dict[str, Any]], *, watch: bool, as_json: bool) -> None:
    if watch:
        watch_all([job["id"] for job in jobs], as_json=as_json)
    elif as_json:
        tell_json(jobs)
    else:
        tell_table(jobs, _COLUMNS)
