"""How long searches take among a hundred thousand images, and whether the nearest are found."""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import aiohttp
import asyncpg
from rich.console import Console
from rich.table import Table

from deploy.local.stack import Stack
from tests.benchmarks.collection import BEGINNING, ORIGIN, Vectors, fill, fill_with_vectors, ids_of, vectors_of

IMAGES: Final = 100_000
ROUNDS: Final = 100
NEAREST: Final = 10
BAR_MILLISECONDS: Final = 100.0
BAR_RECALL: Final = 0.95
_SEARCH: Final = "/search/images"

QUESTIONS: Final[Sequence[tuple[str, Mapping[str, Any]]]] = [
    ("a word of three images in four", {"q": "red"}),
    ("a word of one image in two", {"q": "house"}),
    ("a word of few images", {"q": "word15000"}),
    ("two common words", {"q": "red house"}),
    ("a phrase", {"q": '"red house"'}),
    ("one word or another", {"q": "cat OR dog"}),
    ("the beginning of a word", {"q": "mount*"}),
    ("the beginning of ten thousand words", {"q": "word1*"}),
    ("one word without another", {"q": "sea -red"}),
    ("only without a word", {"q": "-red"}),
    ("a common word, the newest first", {"q": "red", "sort": "newest"}),
    ("a common colour", {"color": "#808080"}),
    ("a rare colour", {"color": "#c02020"}),
    ("a common colour and all near it", {"color": "#808080", "color_distance": "0.1", "color_share": "0"}),
    ("a colour and a word", {"color": "#404040", "q": "river"}),
    ("a common tag", {"tags": "common"}),
    ("two tags", {"tags": ["common", "tag7"]}),
    ("a rare tag", {"tags": "tag499"}),
    ("a kind", {"kind": "uploaded"}),
    ("a source", {"source": "alpha.example"}),
    ("a size that none has", {"min_width": "5000"}),
    ("a time", {"from": BEGINNING.isoformat(), "to": BEGINNING.replace(hour=1).isoformat(), "sort": "oldest"}),
    ("everything", {}),
]


@dataclass
class Figures:
    """What was measured.

    Attributes:
        milliseconds: of each request, by what was asked.
        found: how many of the nearest were, of all.

    """

    milliseconds: dict[str, list[float]] = field(default_factory=dict)
    found: float = 0.0


class Searcher:
    """A client that takes time."""

    def __init__(self, session: aiohttp.ClientSession, figures: Figures) -> None:
        self._session = session
        self._figures = figures

    async def ask(self, name: str, path: str, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
        params = [(key, one) for key, value in asked.items() for one in (value if isinstance(value, list) else [value])]
        begun = time.perf_counter()
        async with self._session.get(f"/api/v1{path}", params=params) as answer:
            answer.raise_for_status()
            items: list[dict[str, Any]] = (await answer.json())["items"]
        self._figures.milliseconds.setdefault(name, []).append((time.perf_counter() - begun) * 1000)
        return items


async def measure_searches(images: int = IMAGES, rounds: int = ROUNDS) -> Figures:
    """Ask one question after the other over HTTP, each as often, in pages of fifty."""
    figures = Figures()
    with tempfile.TemporaryDirectory() as directory:
        freely = {"gateway": {"RATE_LIMITS": "off"}}
        async with Stack(Path(directory), services=("gateway",), service_environment=freely) as stack:
            admin = await asyncpg.connect(stack.database_admin_url)
            headers = {"Authorization": f"Bearer {await stack.token()}"}
            async with aiohttp.ClientSession(stack.gateway_url, headers=headers) as session:
                async with session.get("/api/v1/projects") as answer:
                    project = UUID((await answer.json())["items"][0]["id"])
                ids, vectors = ids_of(images), vectors_of(images)
                await fill(admin, project, ids, vectors)
                await fill_with_vectors(admin, UUID(int=1), ids_of(images // 10, seed=1), vectors[: images // 10])
                searcher = Searcher(session, figures)
                for _ in range(rounds + 1):
                    for name, asked in QUESTIONS:
                        await searcher.ask(name, _SEARCH, asked)
                    await searcher.ask("groups of duplicates", f"{_SEARCH}/duplicates", {})
                    await searcher.ask("groups of the same bytes", f"{_SEARCH}/duplicates", {"tier": "exact"})
                figures.found = await _recall(searcher, ids, vectors, rounds)
            await admin.close()
    for times in figures.milliseconds.values():
        del times[0]  # of connections and statements that are new
    return figures


async def _recall(searcher: Searcher, ids: Sequence[UUID], vectors: Vectors, rounds: int) -> float:
    # All are known before the first is asked for: what computes here would disturb what is timed.
    expected = {number: _nearest(ids, vectors, number) for number in range(0, len(ids), len(ids) // rounds)}
    hits = 0
    for number, nearest in expected.items():
        asked = {"limit": str(NEAREST), "min_score": "-1", "origin": ORIGIN}
        items = await searcher.ask("similar", f"{_SEARCH}/{ids[number]}/similar", asked)
        hits += len(nearest & {image["id"] for image in items})
    return hits / (NEAREST * len(expected))


def _nearest(ids: Sequence[UUID], vectors: Vectors, number: int) -> set[str]:
    cosines = vectors @ vectors[number]
    nearest = [one for one in (-cosines).argsort()[: NEAREST + 1] if one != number]
    return {str(ids[one]) for one in nearest[:NEAREST]}


def table_of(figures: Figures, images: int) -> Table:
    """Show the figures beside the bars."""
    table = Table(title=f"Searches over HTTP among {images} images of a project", title_justify="left")
    table.add_column("asked")
    table.add_column("p50", justify="right")
    table.add_column("p99", justify="right")
    table.add_column("bar", justify="right")
    for name, times in figures.milliseconds.items():
        worst = sorted(times)[max(0, round(len(times) * 0.99) - 1)]
        style = "red" if worst > BAR_MILLISECONDS else None
        median = f"{statistics.median(times):.1f} ms"
        table.add_row(name, median, f"{worst:.1f} ms", f"{BAR_MILLISECONDS:.0f} ms", style=style)
    table.add_row("recall@10 of similar", f"{figures.found:.3f}", "", f"{BAR_RECALL}")
    return table


async def main(images: int = IMAGES) -> None:
    """Measure and print."""
    Console().print(table_of(await measure_searches(images), images))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else IMAGES))
