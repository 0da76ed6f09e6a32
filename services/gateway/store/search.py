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
# What the planner takes reading an entry of an index for; the first is its own default.
_COST_OF_WORDS: Final = "0.005"
_COST_OF_BEGINNINGS: Final = "0.05"
_SHAPE: Final = """
    CASE sign(width_px - height_px) WHEN 1 THEN 'landscape' WHEN 0 THEN 'square' ELSE 'portrait' END
"""
_MOVES: Final = "EXISTS (SELECT FROM assets WHERE assets.id = asset_id AND assets.video IS NOT NULL AND {})"
# Weights of D, C, B and A, see the table; long texts count a little less.
_RELEVANCE: Final = "(ts_rank('{0.1, 0.2, 0.5, 1.0}', words, to_tsquery('image_words', %s), 1) * 1000000)::integer"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What images are searched for; None does not matter.

    Attributes:
        colour: as `#rrggbb`, with the farthest `colour_distance` that still passes for it, where black to white is 1,
            and the `colour_share` of the image that a shade must have to count.
        any_tag: one of the tags suffices.
        video: that moves, or that does not.
        sources: hosts, with all below them.

    """

    query: Query | None = None
    colour: str | None = None
    colour_distance: float = 0.1
    colour_share: float = 0.0
    tags: Sequence[str] = ()
    any_tag: bool = False
    kinds: Sequence[str] | None = None
    video: bool | None = None
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
        """Write it as conditions on `asset_search`."""
        conditions = Conditions(*arguments)
        if self.query is not None:
            conditions.add("words @@ to_tsquery('image_words', {})", self.query.text)
        if self.any_tag and self.tags:
            conditions.add("asset_id IN (SELECT asset_id FROM image_tags WHERE tag = ANY ({}))", list(self.tags))
        for tag in () if self.any_tag else self.tags:
            conditions.add("asset_id IN (SELECT asset_id FROM image_tags WHERE tag = {})", tag)
        conditions.add("kinds && {}::text[]", self.kinds)
        if self.video is not None:
            conditions.add(_MOVES if self.video else f"NOT {_MOVES}", True)
        conditions.add("hosts && {}::text[]", self.sources)
        conditions.add("width_px >= {}", self.min_width)
        conditions.add("width_px <= {}", self.max_width)
        conditions.add("height_px >= {}", self.min_height)
        conditions.add("height_px <= {}", self.max_height)
        conditions.add("size_bytes >= {}", self.min_bytes)
        conditions.add("size_bytes <= {}", self.max_bytes)
        conditions.add(f"{_SHAPE} = {{}}", self.orientation)
        conditions.add("created_at >= {}", self.since)
        conditions.add("created_at < {}", self.until)
        return conditions


async def plan_for_values(connection: Connection, query: Query | None = None) -> None:
    """Have the rest of the transaction plan each statement for its values: one word is rare, and another is not.

    Of the beginning of many words the index is read entry by entry, which the planner takes for as cheap as one word.
    """
    cost = _COST_OF_BEGINNINGS if query is not None and query.has_beginning else _COST_OF_WORDS
    await connection.execute(
        "SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('cpu_index_tuple_cost', $1, true)",
        cost,
    )


def _scope(projects: Sequence[UUID]) -> tuple[str, Any]:
    """Write as a condition, with its first argument, where to look. Only of one project an index gives the order."""
    return ("project_id = $1", projects[0]) if len(projects) == 1 else ("project_id = ANY ($1)", list(projects))


async def select_colour(connection: Connection, colour: str, distance: float) -> Row:
    """Select where `#rrggbb` lies, and the cells in which everything lies that is no farther from it."""
    row = await fetch_one(
        connection,
        """
        SELECT place::text, cells_around(place, $2) AS cells FROM (SELECT colour_place($1) AS place OFFSET 0) AS lying
        """,
        colour,
        distance,
    )
    return row or {}


async def select_found(
    connection: Connection,
    projects: Sequence[UUID],
    wanted: Wanted,
    order: Order,
    *,
    place: Sequence[Any] | None,
    limit: int,
) -> list[Row]:
    """Select a page of what is found and one more: `id`, and what they are ordered by, `rank` or `created_at`.

    `place` is the last of the page before, as `place_of` gives it.
    """
    if wanted.query is not None and not wanted.query.text:
        return []
    conditions = wanted.conditions(*_scope(projects)[1:], limit + 1)
    scope, filters = _scope(projects)[0], str(conditions)
    source, time, rank = "asset_search", "created_at", "NULL::integer"
    if wanted.colour is not None:
        colour = await select_colour(connection, wanted.colour, wanted.colour_distance)
        coloured = _coloured(conditions, wanted, colour, scope)
        if order == "colour":
            rank = "coloured.rank"
        if order == "colour" and not filters:
            source, time, scope = f"{coloured} AS coloured", "NULL::timestamptz", "true"
        else:
            source = f"{source} JOIN {coloured} AS coloured USING (asset_id)"
    if order == "relevance" and wanted.query is not None:
        conditions.arguments.append(wanted.query.text)
        rank = _RELEVANCE % f"${len(conditions.arguments)}"
    behind = _behind(conditions, order, place)
    return await fetch(
        connection,
        f"""
        SELECT id, created_at, rank FROM (
            SELECT asset_id AS id, {time} AS created_at, {rank} AS rank
            FROM {source} WHERE {scope} {filters}
        ) AS ranked
        WHERE true {behind}
        ORDER BY {_ORDERS[order]} LIMIT $2
        """,  # noqa: S608 - texts of this file
        *conditions.arguments,
    )


_ORDERS: Final[dict[Order, str]] = {
    "relevance": "rank DESC, created_at DESC, id DESC",
    "colour": "rank DESC, id DESC",
    "newest": "created_at DESC, id DESC",
    "oldest": "created_at, id",
}


def place_of(row: Row, order: Order) -> tuple[Any, ...]:
    """Give the place of something that was found, by its order."""
    match order:
        case "relevance":
            return row["rank"], row["created_at"], row["id"]
        case "colour":
            return row["rank"], row["id"]
        case _:
            return row["created_at"], row["id"]


def _behind(conditions: Conditions, order: Order, place: Sequence[Any] | None) -> str:
    if place is None:
        return ""
    first = len(conditions.arguments) + 1
    conditions.arguments += place
    match order:
        case "relevance":
            return f"AND (rank, created_at, id) < (${first}::bigint, ${first + 1}, ${first + 2})"
        case "colour":
            return f"AND (rank, id) < (${first}::bigint, ${first + 1})"
        case _:
            return f"AND (created_at, id) {'>' if order == 'oldest' else '<'} (${first}, ${first + 1})"


def _coloured(conditions: Conditions, wanted: Wanted, colour: Row, scope: str) -> str:
    """Tell how much of each image has a colour, where each share counts the more the nearer it is."""
    conditions.arguments += [colour["place"], colour["cells"] or [], wanted.colour_distance, wanted.colour_share]
    last = len(conditions.arguments)
    place, distance = f"${last - 3}::text::vector", f"${last - 1}::double precision"
    return f"""(
        SELECT asset_id, sum((share * (1 - (place <-> {place}) / {distance}) * {_RANK})::integer)::integer AS rank
        FROM asset_colours
        WHERE {scope} AND cell = ANY (${last - 2}::smallint[]) AND share >= ${last}::real
          AND place <-> {place} < {distance}
        GROUP BY asset_id
    )"""  # noqa: S608 - texts of this file


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
        WITH reference AS MATERIALIZED (
            SELECT embedding, vector_dims(embedding) AS dimensions FROM asset_vectors
            WHERE asset_id = $2 AND origin = $3
        )
        SELECT id, rank FROM (
            SELECT other.asset_id AS id,
                   CASE WHEN vector_dims(other.embedding) = (SELECT dimensions FROM reference) THEN
                       least(1000000, -1000000 * (other.embedding <#> (SELECT embedding FROM reference)))::integer
                   END AS rank
            FROM asset_vectors AS other
            WHERE other.project_id = ANY ($1) AND other.origin = $3 AND other.asset_id <> $2
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
