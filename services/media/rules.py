"""Pure decisions about media: what an asset is."""

from uuid import UUID, uuid5


def asset_id(project_id: UUID, sha256: str) -> UUID:
    """Name the asset of these bytes in this project: the same bytes in the same project are one asset."""
    return uuid5(project_id, sha256)
