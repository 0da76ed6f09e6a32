"""Image generation's SQL: what was asked of whom, what it costs, and how it stands with each account."""

from services.image_generation.store.accounts import (
    delete_account_trouble,
    select_pace,
    select_standing,
    update_account_closed,
    update_account_probed,
    upsert_account_trouble,
)
from services.image_generation.store.generations import (
    Asking,
    Charge,
    Generation,
    delete_old_generations,
    select_generation,
    update_generation_done,
    update_generation_gone_on,
    update_generation_let_go,
    update_generation_refused_late,
    update_generation_request,
    update_generation_told_late,
    upsert_generation,
)
from services.image_generation.store.going_on import (
    lock_name,
    upsert_generation_retried,
    upsert_generation_taken_over,
)

__all__ = [
    "Asking",
    "Charge",
    "Generation",
    "delete_account_trouble",
    "delete_old_generations",
    "lock_name",
    "select_generation",
    "select_pace",
    "select_standing",
    "update_account_closed",
    "update_account_probed",
    "update_generation_done",
    "update_generation_gone_on",
    "update_generation_let_go",
    "update_generation_refused_late",
    "update_generation_request",
    "update_generation_told_late",
    "upsert_account_trouble",
    "upsert_generation",
    "upsert_generation_retried",
    "upsert_generation_taken_over",
]
