"""Addresses under which others may hint that there is news of a job, and nobody else may."""

import hmac
from base64 import urlsafe_b64encode
from hashlib import sha256
from uuid import UUID

PATH = "/api/v1/hints"


def hint_url(origin: str, secret: str, job_id: UUID) -> str:
    """Give the address for one job, below the origin at which the gateway is reached from outside."""
    return f"{origin.rstrip('/')}{PATH}/{job_id}/{proof_of(secret, job_id)}"


def proof_of(secret: str, job_id: UUID) -> str:
    """Give what only those can know who were told of it: 43 characters of base64url (HMAC-SHA256)."""
    digest = hmac.new(secret.encode(), b"hint " + job_id.bytes, sha256).digest()
    return urlsafe_b64encode(digest).decode().rstrip("=")


def is_proof(secret: str, job_id: UUID, told: str) -> bool:
    """Tell in constant time whether somebody was told of the address."""
    return hmac.compare_digest(proof_of(secret, job_id).encode(), told.encode())


def without_proof(path: str) -> str:
    """Give the path of a request as it may be written down, for whoever reads logs was told of no address."""
    return path.rpartition("/")[0] + "/..." if path.startswith(f"{PATH}/") else path
