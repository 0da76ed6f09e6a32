"""Tokens made by hand, as an attacker makes them who is bound by no library; and an issuer's keys on a real server."""

import asyncio
import base64
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from services.gateway.settings import Settings

SUPABASE = "https://abc.supabase.co"
ISSUER = f"{SUPABASE}/auth/v1"
SECRET = "the secret that supabase signs with, long enough"
LOCAL_SECRET = "the secret of this very machine, long enough"
USER = "7f0c6d2e-3a51-4a4e-9d0e-2f6f0f0c9c11"
WELL_KNOWN = "/auth/v1/.well-known/jwks.json"

_ELSEWHERE = {
    "database_url": "postgresql://x",
    "projection_database_url": "postgresql://x",
    "rabbitmq_url": "amqp://x",
    "s3_endpoint_url": "http://x",
    "s3_access_key_id": "x",
    "s3_secret_access_key": "x",
}

Claims = dict[str, Any]
Sign = Callable[[bytes], bytes]


def settings(**changes: Any) -> Settings:
    """Give the settings of a gateway that speaks to nobody, with both kinds of users."""
    supabase = {"supabase_url": SUPABASE, "supabase_jwt_secret": SECRET}
    return Settings(**{**_ELSEWHERE, **supabase, "secret_key": LOCAL_SECRET, **changes})


def good(**changes: Any) -> Claims:
    """Give the claims of a user who is signed in; `...` leaves one out."""
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": "authenticated",
        "sub": USER,
        "role": "authenticated",
        "iat": now,
        "exp": now + 600,
        "app_metadata": {"role": "admin", "roles": ["editor"]},
        "user_metadata": {"role": "owner", "roles": ["operator"]},
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not ...}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sealed(header: bytes, payload: bytes, sign: Sign) -> str:
    """Put a token together from the texts of its parts."""
    signed = f"{b64(header)}.{b64(payload)}"
    return f"{signed}.{b64(sign(signed.encode()))}"


def forge(claims: Any, sign: Sign | None = None, **header: Any) -> str:
    """Make a token; without a signer as Supabase does with its secret."""
    head = {name: value for name, value in {"alg": "HS256", "typ": "JWT", **header}.items() if value is not ...}
    return sealed(json.dumps(head).encode(), json.dumps(claims).encode(), sign or hs(SECRET))


def hs(secret: str | bytes, hash_: str = "sha256") -> Sign:
    key = secret.encode() if isinstance(secret, str) else secret
    return lambda signed: hmac.new(key, signed, hash_).digest()


def es(key: ec.EllipticCurvePrivateKey) -> Sign:
    """Sign as RFC 7518 §3.4 says: r and s side by side."""

    def sign(signed: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(hashes.SHA256())))
        size = (key.key_size + 7) // 8
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    return sign


def rs(key: rsa.RSAPrivateKey) -> Sign:
    return lambda signed: key.sign(signed, padding.PKCS1v15(), hashes.SHA256())


def ps(key: rsa.RSAPrivateKey) -> Sign:
    return lambda signed: key.sign(signed, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())


@cache
def ec_key(name: str, curve: type[ec.EllipticCurve] = ec.SECP256R1) -> ec.EllipticCurvePrivateKey:
    """Give the key of this name, the same each time."""
    assert name
    return ec.generate_private_key(curve())


@cache
def rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    assert name
    return rsa.generate_private_key(65537, bits)


def pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def der(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _number(value: int) -> str:
    return b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def jwk(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, kid: Any, **changes: Any) -> dict[str, Any]:
    """Write a public key as its issuer publishes it."""
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.public_key().public_numbers()
        written = {"kty": "RSA", "alg": "RS256", "n": _number(numbers.n), "e": _number(numbers.e)}
    else:
        point, size = key.public_key().public_numbers(), (key.key_size + 7) // 8
        crv = {"secp256r1": "P-256", "secp384r1": "P-384", "secp256k1": "secp256k1"}[key.curve.name]
        x, y = (b64(number.to_bytes(size, "big")) for number in (point.x, point.y))
        written = {"kty": "EC", "alg": "ES256", "crv": crv, "x": x, "y": y}
    whole = {**written, "kid": kid, "use": "sig", "key_ops": ["verify"], **changes}
    return {name: value for name, value in whole.items() if value is not ...}


def d_of(key: ec.EllipticCurvePrivateKey) -> str:
    return b64(key.private_numbers().private_value.to_bytes(32, "big"))


class KeyServer:
    """Publishes keys over HTTP, counts who asks, and misbehaves as it is told."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys = list(keys)
        self.asked = 0
        self.status = 200
        self.body: bytes | None = None
        self.headers: dict[str, str] = {}
        self.answering = asyncio.Event()
        self.answering.set()
        self.url = ""

    async def _answer(self, _request: web.Request) -> web.Response:
        self.asked += 1
        await self.answering.wait()
        body = json.dumps({"keys": self.keys}).encode() if self.body is None else self.body
        return web.Response(body=body, status=self.status, headers=self.headers, content_type="application/json")

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["KeyServer"]:
        app = web.Application()
        app.router.add_get(WELL_KNOWN, self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}{WELL_KNOWN}"
        try:
            yield self
        finally:
            self.answering.set()
            await runner.cleanup()
