"""Facts about images, maps, pages and scenes: each becomes rows of the read model, and some make jobs elsewhere."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar

from contracts.depth_map import DepthMapped, DepthMapReviewed
from contracts.envelope import Event
from contracts.image_generation import ImageGenerated, PaymentExpected, PaymentWaived
from contracts.media import MediaDeleted, MediaDescribed, MediaRejected, MediaStored
from contracts.scraper import ImageFound, PageScraped, UrlsAccounted
from services.gateway.handlers.births import bear
from services.gateway.rules import births, rows
from services.gateway.rules.jobs import JobRow, job_of_command
from services.gateway.store import accounts, edits, payments, pictures, projection, reviews
from services.gateway.store import facts as store
from services.gateway.stream import Stream
from shared.handling import Heard
from shared.outbox import Transaction

E = TypeVar("E", bound=Event)


async def on_facts(tx: Transaction, facts: Sequence[Heard[Event]], stream: Stream) -> None:
    """Apply the facts that are newer than what is known, and bear the jobs that other services make of them."""
    await projection.lock_writers(tx.connection)
    for kind, write in _WRITERS.items():
        of_kind = [heard for heard in facts if isinstance(heard.message, kind)]
        if of_kind:
            await write(tx, of_kind)
    await bear(tx, _born(facts))
    told = [heard for heard in facts if not isinstance(heard.message, _NOT_TOLD)]
    await projection.insert_events(tx.connection, [rows.happening_of(heard.message, heard.time) for heard in told])
    tx.after_commit(stream.wake)


def _born(facts: Iterable[Heard[Event]]) -> Iterator[JobRow]:
    for heard in facts:
        match heard.message:
            case ImageFound() as found:
                yield job_of_command(births.fetch_of_found_image(found), heard.time)
            case ImageGenerated() as generated:
                yield job_of_command(births.upload_of_generated_image(generated), heard.time)
            case MediaStored() as stored:
                if (maps := births.maps_of_stored_image(stored)) is not None:
                    yield job_of_command(maps, heard.time)
            case _:
                pass


def _newest(facts: Iterable[Heard[E]], key: Callable[[E], Any], version: Callable[[E], int]) -> list[Heard[E]]:
    """Keep of several facts about one thing the newest: a statement touches each row once."""
    newest: dict[Any, Heard[E]] = {}
    for heard in facts:
        held = newest.get(key(heard.message))
        if held is None or version(heard.message) > version(held.message):
            newest[key(heard.message)] = heard
    return list(newest.values())


async def _write_stored(tx: Transaction, facts: Sequence[Heard[MediaStored]]) -> None:
    newest = _newest(facts, lambda fact: fact.asset_id, lambda fact: fact.subject_version)
    versions = {heard.message.asset_id: heard.message.subject_version for heard in newest}
    if again := {image_id: version for image_id, version in versions.items() if version > _FIRST_STORED}:
        await edits.delete_edits_of_stored_again(tx.connection, again)
    await store.upsert_assets(tx.connection, [rows.asset_of(heard.message, heard.time) for heard in newest])
    await store.insert_asset_sources(tx.connection, [rows.source_of(heard.message, heard.time) for heard in facts])
    generated = [heard.message for heard in facts if heard.message.parent_job_id is not None]
    if generated:
        await pictures.update_stored_pictures(tx.connection, [rows.stored_picture_of(fact) for fact in generated])
    uploaded = [heard.message for heard in facts if _is_new_upload(heard.message)]
    if uploaded:
        await edits.insert_uploaded_tags(tx.connection, {fact.job_id: fact.asset_id for fact in uploaded})


def _is_new_upload(fact: MediaStored) -> bool:
    """Tell what a person may have sent from what was fetched or generated, and from what the project had before."""
    return fact.source_url is None and fact.parent_job_id is None and not fact.already_stored


async def _write_described(tx: Transaction, facts: Sequence[Heard[MediaDescribed]]) -> None:
    newest = _newest(facts, lambda fact: (fact.asset_id, fact.origin), lambda fact: fact.subject_version)
    await store.upsert_descriptions(tx.connection, [rows.description_of(heard.message, heard.time) for heard in newest])


async def _write_deleted(tx: Transaction, facts: Sequence[Heard[MediaDeleted]]) -> None:
    newest = _newest(facts, lambda fact: fact.asset_id, lambda fact: fact.subject_version)
    await store.upsert_deleted_assets(tx.connection, [rows.tombstone_of(heard.message, heard.time) for heard in newest])
    gone = [heard.message.asset_id for heard in newest]
    await edits.delete_edits_of_deleted(tx.connection, gone)
    await store.delete_maps_of_deleted(tx.connection, gone)
    if showing := await pictures.select_scenes_that_show(tx.connection, gone):
        await pictures.update_shown_pictures(tx.connection, showing)


async def _write_mapped(tx: Transaction, facts: Sequence[Heard[DepthMapped]]) -> None:
    newest = _newest(facts, lambda fact: (fact.asset_id, fact.recipe), lambda fact: fact.subject_version)
    await store.upsert_maps(tx.connection, [rows.map_of(heard.message, heard.time) for heard in newest])


async def _write_reviewed(tx: Transaction, facts: Sequence[Heard[DepthMapReviewed]]) -> None:
    """Apply what was decided of maps, and tell of what was not decided here: that has been told already."""
    newest = _newest(facts, lambda fact: (fact.asset_id, fact.recipe), lambda fact: fact.subject_version)
    new = await reviews.upsert_reviews(tx.connection, [rows.review_of(heard.message) for heard in newest])
    told = [heard for heard in newest if (heard.message.asset_id, heard.message.recipe) in new]
    if told:
        await projection.insert_events(tx.connection, [rows.happening_of(heard.message, heard.time) for heard in told])


async def _write_found(tx: Transaction, facts: Sequence[Heard[ImageFound]]) -> None:
    await store.insert_found_images(tx.connection, [rows.found_of(heard.message, heard.time) for heard in facts])


async def _write_pages(tx: Transaction, facts: Sequence[Heard[PageScraped]]) -> None:
    await store.insert_scraped_pages(tx.connection, [rows.page_of(heard.message, heard.time) for heard in facts])


async def _write_accounts(tx: Transaction, facts: Sequence[Heard[UrlsAccounted]]) -> None:
    lines = [line for heard in facts for line in rows.url_lines_of(heard.message, heard.time)]
    await accounts.upsert_url_lines(tx.connection, lines)


async def _write_rejected(tx: Transaction, facts: Sequence[Heard[MediaRejected]]) -> None:
    await store.insert_rejections(tx.connection, [rows.rejection_of(heard.message, heard.time) for heard in facts])


async def _write_generated(tx: Transaction, facts: Sequence[Heard[ImageGenerated]]) -> None:
    await pictures.insert_pictures(tx.connection, [rows.picture_of(heard.message, heard.time) for heard in facts])


async def _write_payments(tx: Transaction, facts: Sequence[Heard[PaymentExpected | PaymentWaived]]) -> None:
    newest = _newest(facts, lambda fact: fact.job_id, lambda fact: fact.subject_version)
    told = [rows.payment_of(heard.message, heard.time) for heard in newest]
    # Only the first word of a job says with whose request it goes on, and that holds also where more follows at once.
    instead_of = {
        heard.message.job_id: heard.message.instead_of
        for heard in facts
        if isinstance(heard.message, PaymentExpected) and heard.message.instead_of is not None
    }
    await payments.upsert_payments(
        tx.connection, [{**row, "instead_of": instead_of.get(row["task_id"])} for row in told]
    )


_FIRST_STORED: Final = 1
"""The version of what was never deleted."""

_NOT_TOLD: Final = (DepthMapReviewed, PaymentExpected, PaymentWaived)
"""Of these clients are told otherwise: by the writer itself, or when they ask what is left of a budget."""

_WRITERS: dict[type[Event], Callable[[Transaction, Sequence[Heard[Any]]], Any]] = {
    ImageFound: _write_found,
    PageScraped: _write_pages,
    UrlsAccounted: _write_accounts,
    MediaStored: _write_stored,
    MediaDescribed: _write_described,
    MediaRejected: _write_rejected,
    ImageGenerated: _write_generated,
    PaymentExpected: _write_payments,
    PaymentWaived: _write_payments,
    DepthMapped: _write_mapped,
    DepthMapReviewed: _write_reviewed,
    MediaDeleted: _write_deleted,
}
