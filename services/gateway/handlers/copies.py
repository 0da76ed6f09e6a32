"""What is handed out by now of images that were stored before there were clean copies."""

from collections.abc import Iterator, Sequence
from typing import Any

from contracts.media import CleanCopiesMade
from services.gateway.rules.happenings import Happening
from services.gateway.store import facts as store
from services.gateway.store import projection
from services.gateway.stream import Stream
from shared.handling import Heard
from shared.outbox import Transaction


async def on_copies_made(tx: Transaction, facts: Sequence[Heard[CleanCopiesMade]], stream: Stream) -> None:
    """Hand out copies, and tell those whose images they are; also of an image that is heard of only later."""
    await projection.lock_writers(tx.connection)
    rows = {row["id"]: row for heard in facts for row in _rows_of(heard)}
    shown = await store.upsert_clean_copies(tx.connection, list(rows.values()))
    told = [_happening(rows[image_id]) for image_id in rows if image_id in shown]
    if told:
        await projection.insert_events(tx.connection, told)
        tx.after_commit(stream.wake)


def _rows_of(heard: Heard[CleanCopiesMade]) -> Iterator[dict[str, Any]]:
    copy = heard.message.clean_copy.model_dump(mode="json")
    for asset in heard.message.assets:
        about = {"id": asset.asset_id, "project_id": asset.project_id}
        yield {**about, "clean_copy": copy, "stored_version": 0, "created_at": heard.time, "updated_at": heard.time}


def _happening(row: dict[str, Any]) -> Happening:
    return Happening(row["project_id"], "image.copied", row["updated_at"], {"image_id": row["id"]})
