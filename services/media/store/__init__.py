"""Media's SQL."""

from services.media.store.blobs import (
    Asset,
    delete_blob,
    delete_paid_look,
    insert_paid_look,
    keep_locks,
    select_blob,
    select_condemned,
    select_original,
    update_asset_deleted,
    update_asset_described,
    update_blob_seen,
    upsert_asset,
    upsert_blob,
)

__all__ = [
    "Asset",
    "delete_blob",
    "delete_paid_look",
    "insert_paid_look",
    "keep_locks",
    "select_blob",
    "select_condemned",
    "select_original",
    "update_asset_deleted",
    "update_asset_described",
    "update_blob_seen",
    "upsert_asset",
    "upsert_blob",
]
