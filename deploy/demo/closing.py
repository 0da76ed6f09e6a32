"""What the demo has made, in tables, and where to look at it."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.style import Style
from rich.table import Table
from rich.text import Text

from deploy.demo.stages import stages_of
from deploy.demo.standing import Refusal, Standing


def tell_result(console: Console, standing: Standing, missing: Sequence[str]) -> None:
    """Print what was made, each refusal with its reason, and what is missing."""
    console.print(Padding(_result(standing), (1, 0, 1, 2)))
    if standing.refused:
        console.print(Padding(_reasons("refused", standing.refused), (0, 0, 1, 2)))
    if standing.skipped:
        console.print(Padding(_reasons("left on the page", standing.skipped), (0, 0, 1, 2)))
    if missing:
        console.print(Text("  Incomplete", style="bold red"))
        for sentence in missing:
            console.print(Padding(Text(sentence, style="red"), (0, 0, 0, 4)))
    else:
        console.print(Text("  Complete: every image is stored or refused, and every stored one is mapped."))


def tell_addresses(console: Console, *, dashboard: str, token: str, gallery: str | None) -> None:
    """Print where to look. Where the terminal knows links, the dashboard's opens signed in.

    A token is never broken into lines, so that it can be copied.
    """
    signed_in = Style(link=f"{dashboard}/#token={token}")
    lines = {
        "dashboard": Text(dashboard, signed_in),
        "API": Text(f"{dashboard}/docs"),
        "gallery": Text(gallery or ""),
        "token": Text(token),
    }
    console.print()
    for name, value in lines.items():
        if value:
            console.print(Text.assemble("  ", (f"{name:<9}", "bold"), "  ", value), soft_wrap=True)


def _result(standing: Standing) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("", style="bold")
    table.add_column("images", justify="right")
    table.add_column("seconds", justify="right")
    table.add_column("")
    seconds = {stage.name: stage.seconds for stage in stages_of(standing)}
    known = standing.known_before
    rows: list[tuple[str, int, float | None, str]] = [
        ("found", standing.found, seconds["scraped"], _titles(standing)),
        ("stored", len(standing.images), seconds["stored"], f"{known} of them already stored" if known else ""),
        ("duplicates", standing.duplicates, None, "the same bytes under another address"),
        ("refused", len(standing.refused), None, "each with its reason, below"),
        ("described", len(standing.described), seconds["described"], "colours and fingerprint"),
        ("mapped", len(standing.mapped), seconds["mapped"], "16-bit depth and edges"),
        ("scene", int(standing.scene["status"] == "completed"), seconds["scene"], _scene(standing)),
    ]
    for name, images, taken, note in rows:
        said = note if images or name == "scene" else ""
        table.add_row(name, str(images), "" if taken is None else f"{taken:.1f}", Text(said, style="dim"))
    return table


def _reasons(title: str, refusals: Sequence[Refusal]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column(title, style="bold", no_wrap=True, overflow="ellipsis", max_width=24)
    table.add_column("code", style="yellow", no_wrap=True)
    table.add_column("reason", ratio=1, style="dim")
    for refusal in refusals:
        table.add_row(refusal.file, refusal.code, refusal.sentence)
    return table


def _titles(standing: Standing) -> str:
    titles = [page["title"] or page["url"] for page in standing.scrape["pages"]]
    return f"on “{titles[0]}”" if titles else ""


def _scene(standing: Standing) -> str:
    scene = standing.scene
    if scene["status"] != "completed":
        return f"{scene['status']}: {scene['error'] or ''}"
    again = f", redraw {scene['retry_count']}" if scene["retry_count"] else ""
    return f"{scene['metadata']['model_used']}{again}"
