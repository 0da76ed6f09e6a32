"""Keys, each with the one algorithm that it is good for."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey, RSAKey
from joserfc.util import base64_to_int

PUBLISHED_ALGORITHMS: Final = frozenset({"ES256", "RS256"})
KID_CHARACTERS: Final = 200
_SET_LIMIT: Final = 32
_COORDINATE_CHARACTERS: Final = 43  # RFC 7518 §6.2.1.2: exactly the 32 bytes of P-256
_RSA_BITS: Final = range(2048, 8193)  # NIST SP 800-131A, and what can be verified in no time
_NUMBER_CHARACTERS: Final = 1400  # of the base64 of such a number


@dataclass(frozen=True)
class Key:
    """A key and its algorithm, which no token can choose."""

    algorithm: str
    material: OctKey | ECKey | RSAKey


def secret_key(secret: str) -> Key:
    """Give the key of whoever shares a secret with us."""
    return Key("HS256", OctKey.import_key(secret))


def read_json(text: bytes) -> Any:
    """Read JSON strictly: no member twice, no NaN, no half characters; raises ValueError.

    Who reads a member that is there twice and who checks it may else take different ones.
    """
    value = orjson.loads(text)
    try:
        json.loads(text, object_pairs_hook=_each_once)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return value


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member is there twice")
    return members


def read_key_set(text: bytes) -> dict[str, Key]:
    """Read the usable keys of a JWK set (RFC 7517 §5) by their `kid`, the first of each; raises ValueError.

    Usable are public keys for signatures, `EC P-256` and `RSA` of 2048 bits or more; all others are passed over.
    """
    document = read_json(text)
    members = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(members, list):
        raise ValueError("it is no JWK set")  # noqa: TRY004 - a stranger's document, not an argument
    usable: dict[str, Key] = {}
    for member in members[:_SET_LIMIT]:
        kid = member.get("kid") if isinstance(member, dict) else None
        key = _public_key(member) if isinstance(kid, str) and 0 < len(kid) <= KID_CHARACTERS else None
        if key is not None and isinstance(kid, str):
            usable.setdefault(kid, key)
    return usable


def _public_key(member: Mapping[str, Any]) -> Key | None:
    """Give a member's key, taken from its numbers alone; None where it is not to be used."""
    if "d" in member or member.get("use", "sig") != "sig" or "verify" not in _operations(member):
        return None
    algorithm = {"EC": "ES256", "RSA": "RS256"}.get(str(member.get("kty")))
    if algorithm is None or member.get("alg", algorithm) != algorithm:
        return None
    try:
        return Key(algorithm, _elliptic(member) if algorithm == "ES256" else _rsa(member))
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def _operations(member: Mapping[str, Any]) -> list[Any]:
    operations = member.get("key_ops", ["verify"])
    return operations if isinstance(operations, list) else []


def _elliptic(member: Mapping[str, Any]) -> ECKey:
    x, y = str(member["x"]), str(member["y"])
    if member["crv"] != "P-256" or {len(x), len(y)} != {_COORDINATE_CHARACTERS}:
        raise ValueError("it lies on another curve")
    return ECKey.import_key({"kty": "EC", "crv": "P-256", "x": x, "y": y})


def _rsa(member: Mapping[str, Any]) -> RSAKey:
    n, e = str(member["n"]), str(member["e"])
    if len(n) > _NUMBER_CHARACTERS or len(e) > len("AQAB") or base64_to_int(n).bit_length() not in _RSA_BITS:
        raise ValueError("it is too short or too long")
    return RSAKey.import_key({"kty": "RSA", "n": n, "e": e})
