"""Users and the projects that are theirs by nature."""

from typing import Final
from uuid import UUID, uuid5

_USERS = UUID("0b8f2a54-1f5e-5c7a-8d07-2f9f2f1c6f10")

OWNER: Final = "owner"
MEMBERSHIPS_LIMIT: Final = 1000
"""The most projects that a user may belong to: each of his requests names them all to the database."""


def personal_project_of(user_id: str) -> UUID:
    """Give the id of the project that every user has for himself."""
    return uuid5(_USERS, user_id)


def in_the_way(images: int, jobs: int, most: int) -> str | None:
    """Say what keeps a project from being deleted, counted up to `most` of each; None where nothing does."""
    counted = {"image": images, "unfinished job": jobs}
    found = [_counted(count, name, most) for name, count in counted.items() if count]
    return " and ".join(found) or None


def _counted(count: int, name: str, most: int) -> str:
    amount = f"{most} or more" if count >= most else str(count)
    return f"{amount} {name}{'' if count == 1 else 's'}"
