"""Secrets that are shown to us: what is kept of them is a digest, and whoever shows one sees its row."""

from hashlib import sha256

from shared.database import Connection


def digest_of(secret: str) -> bytes:
    """Give what is kept of a secret. It has 256 random bits, so that no slower hash would protect it better."""
    return sha256(secret.encode()).digest()


async def present(connection: Connection, digest: bytes) -> None:
    """Have the rest of the transaction see the row of the secret with this digest."""
    await connection.execute("SELECT set_config('diorama.presented', $1, true)", digest.hex())
