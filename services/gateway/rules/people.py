"""Users and the projects that are theirs by nature."""

from uuid import UUID, uuid5

_USERS = UUID("0b8f2a54-1f5e-5c7a-8d07-2f9f2f1c6f10")


def personal_project_of(user_id: str) -> UUID:
    """Give the id of the project that every user has for himself."""
    return uuid5(_USERS, user_id)
