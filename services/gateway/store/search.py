"""Finding images by words, colours and how they look. What is not shown has no row in the tables that are searched."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from services.gateway.rules.queries import Query
from services.gateway.store.pages import Conditions
from services.gateway.store.reading import Row, fetch, fetch_one
from shared.database import Connection

Order = Literal["relevance", "colour", "newest", "oldest"]

# Ranks are whole numbers, so that a cursor holds them exactly and sums do not depend on the order of their parts.
_RANK: Final = 1_000_000
_SHAPE: Final = """
    CASE sign(found.width_px - found.height_px) WHEN 1 THEN 'landscape' WHEN 0 THEN 'square' ELSE 'portrait' END
"""
# Weights of D, C, B and A, see the table; long texts count a little less.
_RELEVANCE: Final = (
    "(ts_rank('{0.1, 0.2, 0.5, 1.0}', found.words, to_tsquery('image_words', %s), 1) * 1000000)::integer"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What images are searched for; None does not matter.

    Attributes:
        colour: as `#rrggbb`, with the farthest `colour_distance` that still passes for it; black to white is 1.
        any_tag: one of the tags suffices.
        sources: hosts, with all below them.

    """

    query: Query | None = None
    colour: str | None = None
    colour_distance: float = 0.1
    tags: Sequence[str] = ()
    any_tag: bool = False
    kinds: Sequence[str] | None = None
    sources: Sequence[str] | None = None
    min_width: int | None = None
    max_width: int | None = None
    min_height: int | None = None
    max_height: int | None = None
    min_bytes: int | None = None
    max_bytes: int | None = None
    orientation: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self, *arguments: object) -> Conditions:
        """Write it as conditions on `found`."""
        conditions = Conditions(*arguments)
        if self.query is not None:
            conditions.add("found.words @@ to_tsquery('image_words', {})", self.query.text)
        if self.any_tag and self.tags:
            conditions.add("found.asset_id IN (SELECT asset_id FROM image_tags WHERE tag = ANY ({}))", list(self.tags))
        for tag in () if self.any_tag else self.tags:
            conditions.add("found.asset_id IN (SELECT asset_id FROM image_tags WHERE tag = {})", tag)
        conditions.add("found.kinds && {}::text[]", self.kinds)
        conditions.add("found.hosts && {}::text[]", self.sources)
        conditions.add("found.width_px >= {}", self.min_width)
        conditions.add("found.width_px <= {}", self.max_width)
        conditions.add("found.height_px >= {}", self.min_height)
        conditions.add("found.height_px <= {}", self.max_height)
        conditions.add("found.size_bytes >= {}", self.min_bytes)
        conditions.add("found.size_bytes <= {}", self.max_bytes)
        conditions.add(f"{_SHAPE} = {{}}", self.orientation)
        conditions.add("found.created_at >= {}", self.since)
        conditions.add("found.created_at < {}", self.until)
        return conditions


async def plan_for_values(connection: Connection) -> None:
    """Have the rest of the transaction plan each statement for its values: one word is rare, and another is not."""
    await connection.execute("SET LOCAL plan_cache_mode = force_custom_plan")


async def select_found(
    connection: Connection,
    projects: Sequence[UUID],
    wanted: Wanted,
    order: Order,
    *,
    place: Sequence[Any] | None,
    limit: int,
) -> list[Row]:
    """Select a page of what is found and one more: `id`, and what they are ordered by, `rank` and `created_at`.

    `place` is the last of the page before, as `place_of` gives it.
    """
    if wanted.query is not None and not wanted.query.text:
        return []
    conditions = wanted.conditions(list(projects), limit + 1)
    colours, rank = "", "NULL::integer"
    if wanted.colour is not None:
        colours = _colours(conditions, wanted)
        rank = "coloured.rank" if order == "colour" else rank
    if order == "relevance" and wanted.query is not None:
        conditions.arguments.append(wanted.query.text)
        rank = _RELEVANCE % f"${len(conditions.arguments)}"
    filters = str(conditions)
    behind = _behind(conditions, order, place)
    return await fetch(
        connection,
        f"""
        SELECT id, created_at, rank FROM (
            SELECT found.asset_id AS id, found.created_at, {rank} AS rank
            FROM asset_search AS found {colours}
            WHERE found.project_id = ANY ($1) {filters}
        ) AS ranked
        WHERE true {behind}
        ORDER BY {_ORDERS[order]} LIMIT $2
        """,  # noqa: S608 - texts of this file
        *conditions.arguments,
    )


_ORDERS: Final[dict[Order, str]] = {
    "relevance": "rank DESC, created_at DESC, id DESC",
    "colour": "rank DESC, created_at DESC, id DESC",
    "newest": "created_at DESC, id DESC",
    "oldest": "created_at, id",
}


def place_of(row: Row, order: Order) -> tuple[Any, ...]:
    """Give the place of something that was found, by its order."""
    return (
        (row["created_at"], row["id"]) if order in {"newest", "oldest"} else (row["rank"], row["created_at"], row["id"])
    )


def _behind(conditions: Conditions, order: Order, place: Sequence[Any] | None) -> str:
    if place is None:
        return ""
    first = len(conditions.arguments) + 1
    conditions.arguments += place
    if order in {"newest", "oldest"}:
        return f"AND (created_at, id) {'>' if order == 'oldest' else '<'} (${first}, ${first + 1})"
    return f"AND (rank, created_at, id) < (${first}::bigint, ${first + 1}, ${first + 2})"


def _colours(conditions: Conditions, wanted: Wanted) -> str:
    """Join `coloured`: how much of an image has a colour, each share counting the more the nearer it is."""
    conditions.arguments += [wanted.colour, wanted.colour_distance]
    last = len(conditions.arguments)
    place, distance = f"colour_place(${last - 1})", f"${last}::double precision"
    return f"""
        JOIN (
            SELECT asset_id, sum((share * (1 - (place <-> {place}) / {distance}) * {_RANK})::integer)::integer AS rank
            FROM asset_colours
            WHERE project_id = ANY ($1) AND cell = ANY (cells_around({place}, {distance}))
              AND place <-> {place} < {distance}
            GROUP BY asset_id
        ) AS coloured ON coloured.asset_id = found.asset_id
    """  # noqa: S608 - texts of this file


async def select_vector(
    connection: Connection, projects: Sequence[UUID], image_id: UUID, origin: str | None
) -> Row | None:
    """Select an image's project, and the `origin` of the vector by which it is compared, null where it has none."""
    return await fetch_one(
        connection,
        """
        SELECT found.project_id, vector.origin FROM asset_search AS found
        LEFT JOIN asset_vectors AS vector
               ON vector.asset_id = found.asset_id AND vector.origin = coalesce($3, vector.origin)
        WHERE found.asset_id = $1 AND found.project_id = ANY ($2)
        ORDER BY vector.origin LIMIT 1
        """,
        image_id,
        list(projects),
        origin,
    )


async def select_similar(
    connection: Connection,
    projects: Sequence[UUID],
    reference: tuple[UUID, str],
    *,
    least: int,
    place: Sequence[Any] | None,
    limit: int,
) -> list[Row]:
    """Select the images that resemble one most, and one more: `id` and `rank`, a million times the cosine.

    Each is compared: over 100,000 narrow rows that takes less than an approximate index that is searched behind a
    filter, and misses nothing. `reference` is an image and an origin; `least` is the smallest rank that counts.
    """
    image_id, origin = reference
    rank, last = place or (2 * _RANK, image_id)
    return await fetch(
        connection,
        """
        WITH reference AS (SELECT embedding FROM asset_vectors WHERE asset_id = $2 AND origin = $3)
        SELECT id, rank FROM (
            SELECT other.asset_id AS id,
                   (-1000000 * (other.embedding <#> (SELECT embedding FROM reference)))::integer AS rank
            FROM asset_vectors AS other
            WHERE other.project_id = ANY ($1) AND other.origin = $3 AND other.asset_id <> $2
              AND vector_dims(other.embedding) = (SELECT vector_dims(embedding) FROM reference)
            OFFSET 0
        ) AS compared
        WHERE rank >= $4 AND (rank, id) < ($5::bigint, $6)
        ORDER BY rank DESC, id DESC LIMIT $7
        """,
        list(projects),
        image_id,
        origin,
        least,
        rank,
        last,
        limit + 1,
    )
