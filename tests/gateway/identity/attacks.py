"""Ways to get in that must not work. What signs with a published key is signed by whoever holds its private half."""

import json
import time
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from services.gateway.identity.issuers import LOCAL
from tests.gateway.identity.forging import (
    ISSUER,
    LOCAL_SECRET,
    SECRET,
    SUPABASE,
    USER,
    Sign,
    b64,
    d_of,
    der,
    ec_key,
    es,
    forge,
    good,
    hs,
    jwk,
    pem,
    ps,
    rs,
    rsa_key,
    sealed,
)

OCT = b"a key of the set that is no public key"

PUBLISHED: list[Any] = [
    jwk(ec_key("ec"), "ec"),
    jwk(rsa_key("rsa"), "rsa"),
    jwk(ec_key("384", ec.SECP384R1), "p-384"),
    jwk(ec_key("384", ec.SECP384R1), "p-384 that claims to be P-256", crv="P-256"),
    jwk(ec_key("k1", ec.SECP256K1), "secp256k1"),
    jwk(ec_key("k1", ec.SECP256K1), "secp256k1 that claims to be P-256", crv="P-256"),
    jwk(rsa_key("short", 1024), "short"),
    jwk(ec_key("private"), "private", d=d_of(ec_key("private"))),
    jwk(ec_key("enc"), "for encryption", use="enc"),
    jwk(ec_key("ops"), "for signing", key_ops=["sign"]),
    jwk(ec_key("ops"), "for everything in words", key_ops="verify"),
    jwk(rsa_key("rsa"), "rsa for hmac", alg="HS256"),
    jwk(rsa_key("rsa"), "rsa for pss", alg="PS256"),
    jwk(ec_key("ec"), "ec as rsa", alg="RS256"),
    jwk(ec_key("nameless"), ...),
    jwk(ec_key("nameless"), ""),
    jwk(ec_key("number"), 7),
    jwk(ec_key("second"), "ec"),
    {"kty": "oct", "kid": "oct", "alg": "HS256", "k": b64(OCT), "use": "sig", "key_ops": ["verify"]},
    {"kty": "EC", "kid": "nowhere", "crv": "P-256", "x": b64(bytes(32)), "y": b64(bytes(32))},
    {"kid": "nothing"},
    "no key",
    None,
]
"""What the issuer publishes: two good keys, and many that must not be taken."""


def _ec(claims: Any = None, sign: Sign | None = None, **header: Any) -> str:
    return forge(claims or good(), sign or es(ec_key("ec")), **{"alg": "ES256", "kid": "ec", **header})


def _rsa(claims: Any = None, sign: Sign | None = None, **header: Any) -> str:
    return forge(claims or good(), sign or rs(rsa_key("rsa")), **{"alg": "RS256", "kid": "rsa", **header})


def _nothing(_signed: bytes) -> bytes:
    return b""


def _unsigned(algorithm: Any, **header: Any) -> str:
    return forge(good(), _nothing, alg=algorithm, **header)


def _tampered(token: str) -> str:
    head, _, signature = token.split(".")
    return f"{head}.{b64(json.dumps(good(sub='somebody else')).encode())}.{signature}"


def _with_times(text: str) -> str:
    """Write the end of a token as no JSON library would."""
    payload = json.dumps(good(exp="END")).replace('"END"', text)
    return sealed(b'{"alg":"HS256"}', payload.encode(), hs(SECRET))


def _twice(name: str, value: str) -> str:
    payload = f'{{"{name}": {value}, {json.dumps(good())[1:]}'
    return sealed(b'{"alg":"HS256"}', payload.encode(), hs(SECRET))


def _spelt(token: str, place: int, change: Callable[[str], str]) -> str:
    """Spell one part of a token in another way."""
    parts = token.split(".")
    parts[place] = change(parts[place])
    return ".".join(parts)


def _loose_end(part: str) -> str:
    """Set the bits behind the last byte, which strict decoders expect to be zero."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return part[:-1] + alphabet[alphabet.index(part[-1]) + 1]


def _der_signed(signed: bytes) -> bytes:
    return ec_key("ec").sign(signed, ec.ECDSA(hashes.SHA256()))


ATTACKS: dict[str, Callable[[], str]] = {
    # What is no token at all.
    "one part": lambda: "abc",
    "two parts": lambda: "abc.def",
    "four parts": lambda: forge(good()) + ".x",
    "five parts, as if encrypted": lambda: ".".join([b64(b'{"alg":"dir","enc":"A256GCM"}'), "", "a", "b", "c"]),
    "not base64": lambda: "!!!.???.***",
    "a header that is no object": lambda: f"{b64(b'[]')}.{b64(b'{}')}.x",
    "claims that are no object": lambda: forge([1, 2]),
    "claims that are not JSON": lambda: sealed(b'{"alg":"HS256"}', b"{{", hs(SECRET)),
    "claims that never end": lambda: sealed(b'{"alg":"HS256"}', b"[" * 5000, hs(SECRET)),
    "claims in half characters": lambda: sealed(b'{"alg":"HS256"}', b'{"sub":"\\ud800"}', hs(SECRET)),
    "longer than 8 KiB": lambda: forge(good(padding="x" * 10_000)),
    "a token in a token": lambda: forge(good(), sign=None, cty="JWT"),
    "a token as the claims": lambda: sealed(b'{"alg":"HS256"}', json.dumps(forge(good())).encode(), hs(SECRET)),
    "a JSON serialisation": lambda: json.dumps({"payload": b64(json.dumps(good()).encode()), "signatures": []}),
    "a publishable key": lambda: "sb_publishable_ACJWlzQHlZjBrEguHvfOxg_3BJgxAaH",
    "a secret key of the project": lambda: "sb_secret_ACJWlzQHlZjBrEguHvfOxg_3BJgxAaH",
    # No signature.
    "no signature with alg none": lambda: _unsigned("none"),
    "no signature with alg None": lambda: _unsigned("None"),
    "no signature with alg NONE": lambda: _unsigned("NONE"),
    "no signature with alg nOnE": lambda: _unsigned("nOnE"),
    "no signature with alg empty": lambda: _unsigned(""),
    "no signature with alg null": lambda: _unsigned(None),
    "no signature with alg none and a good kid": lambda: _unsigned("none", kid="ec"),
    "no signature over HS256": lambda: _unsigned("HS256"),
    "no signature over ES256": lambda: _ec(sign=_nothing),
    "no signature over RS256": lambda: _rsa(sign=_nothing),
    "alg none over a good signature": lambda: forge(good(), alg="none"),
    # Another algorithm than the key's.
    "alg missing": lambda: forge(good(), alg=...),
    "alg a list": lambda: forge(good(), alg=["HS256"]),
    "alg in lower case": lambda: forge(good(), alg="hs256"),
    "alg with a space": lambda: forge(good(), alg="HS256 "),
    "HS512 with the secret": lambda: forge(good(), hs(SECRET, "sha512"), alg="HS512"),
    "HS384 with the secret": lambda: forge(good(), hs(SECRET, "sha384"), alg="HS384"),
    "RS256 with the secret": lambda: forge(good(), alg="RS256", kid="rsa"),
    "ES256 with the secret": lambda: forge(good(), alg="ES256", kid="ec"),
    "EdDSA": lambda: forge(good(), alg="EdDSA", kid="ec"),
    "HS256 with the RSA key's PEM": lambda: forge(good(), hs(pem(rsa_key("rsa"))), kid="rsa"),
    "HS256 with the RSA key's PEM without its last line end": lambda: forge(
        good(), hs(pem(rsa_key("rsa")).strip()), kid="rsa"
    ),
    "HS256 with the RSA key's DER": lambda: forge(good(), hs(der(rsa_key("rsa"))), kid="rsa"),
    "HS256 with the EC key's PEM": lambda: forge(good(), hs(pem(ec_key("ec"))), kid="ec"),
    "HS256 with the EC key's DER": lambda: forge(good(), hs(der(ec_key("ec"))), kid="ec"),
    "HS256 with the EC key's JWK": lambda: forge(good(), hs(json.dumps(jwk(ec_key("ec"), "ec"))), kid="ec"),
    "HS256 with the EC key's x": lambda: forge(good(), hs(jwk(ec_key("ec"), "ec")["x"]), kid="ec"),
    "HS256 with an empty key": lambda: forge(good(), hs(""), kid="ec"),
    "HS256 with a key that the set gives for HS256": lambda: forge(good(), hs(pem(rsa_key("rsa"))), kid="rsa for hmac"),
    "HS256 with a symmetric key of the set": lambda: forge(good(), hs(OCT), kid="oct"),
    "PS256 with the RSA key": lambda: _rsa(sign=ps(rsa_key("rsa")), alg="PS256"),
    "PS256 with a key that the set gives for PS256": lambda: _rsa(
        sign=ps(rsa_key("rsa")), alg="PS256", kid="rsa for pss"
    ),
    "RS256 that is signed as PS256": lambda: _rsa(sign=ps(rsa_key("rsa"))),
    "RS256 with the EC key's kid": lambda: _rsa(kid="ec"),
    "ES256 with the RSA key's kid": lambda: _ec(kid="rsa"),
    "ES256K": lambda: _ec(sign=es(ec_key("k1", ec.SECP256K1)), alg="ES256K", kid="secp256k1"),
    "ES384": lambda: _ec(sign=es(ec_key("384", ec.SECP384R1)), alg="ES384", kid="p-384"),
    # Another key, and games with its name.
    "another secret": lambda: forge(good(), hs("another secret that is long enough to be used")),
    "an empty secret": lambda: forge(good(), hs("")),
    "the issuer's name as the secret": lambda: forge(good(), hs(ISSUER)),
    "the local secret for a supabase issuer": lambda: forge(good(), hs(LOCAL_SECRET)),
    "the supabase secret for the local issuer": lambda: forge(good(iss=LOCAL)),
    "a published key for the local issuer": lambda: _ec(good(iss=LOCAL)),
    "an EC key of its own": lambda: _ec(sign=es(ec_key("mine"))),
    "an RSA key of its own": lambda: _rsa(sign=rs(rsa_key("mine"))),
    "the second key of one name": lambda: _ec(sign=es(ec_key("second"))),
    "a key of P-384": lambda: _ec(sign=es(ec_key("384", ec.SECP384R1)), kid="p-384"),
    "a key of P-384 under another name": lambda: _ec(
        sign=es(ec_key("384", ec.SECP384R1)), kid="p-384 that claims to be P-256"
    ),
    "a key of secp256k1": lambda: _ec(sign=es(ec_key("k1", ec.SECP256K1)), kid="secp256k1"),
    "a key of secp256k1 under another name": lambda: _ec(
        sign=es(ec_key("k1", ec.SECP256K1)), kid="secp256k1 that claims to be P-256"
    ),
    "an RSA key of 1024 bits": lambda: _rsa(sign=rs(rsa_key("short", 1024)), kid="short"),
    "a key whose private half is published": lambda: _ec(sign=es(ec_key("private")), kid="private"),
    "a key for encryption": lambda: _ec(sign=es(ec_key("enc")), kid="for encryption"),
    "a key for signing only": lambda: _ec(sign=es(ec_key("ops")), kid="for signing"),
    "a key whose use is no list": lambda: _ec(sign=es(ec_key("ops")), kid="for everything in words"),
    "a key whose kind is not its algorithm's": lambda: _ec(kid="ec as rsa"),
    "a key without a name": lambda: _ec(sign=es(ec_key("nameless")), kid=...),
    "a key whose name is empty": lambda: _ec(sign=es(ec_key("nameless")), kid=""),
    "a key whose name is a number": lambda: _ec(sign=es(ec_key("number")), kid=7),
    "a key that is no point of the curve": lambda: _ec(kid="nowhere"),
    "no kid": lambda: _ec(kid=...),
    "an unknown kid": lambda: _ec(kid="unknown"),
    "a kid that is a path": lambda: forge(good(), hs(""), kid="../../../../dev/null"),
    "a kid that is a path, ES256": lambda: _ec(kid="../../../../../etc/passwd"),
    "a kid that is SQL": lambda: _ec(kid="x' UNION SELECT 'aaa' --"),
    "a kid that is a URL": lambda: _ec(kid="https://evil.example/key.json"),
    "a kid that is a list": lambda: _ec(kid=["ec"]),
    "a kid that never ends": lambda: _ec(kid="ec" * 200),
    "a kid with a NUL": lambda: _ec(kid="ec\x00"),
    # Headers that ask for other rules.
    "a key of its own in the header": lambda: _ec(sign=es(ec_key("mine")), jwk=jwk(ec_key("mine"), "ec")),
    "a key set to fetch": lambda: _ec(sign=es(ec_key("mine")), jku="https://evil.example/keys"),
    "a key set of the issuer to fetch": lambda: _ec(jku=f"{ISSUER}/.well-known/jwks.json"),
    "a certificate to fetch": lambda: _rsa(sign=rs(rsa_key("mine")), x5u="https://evil.example/cert"),
    "a certificate chain": lambda: _rsa(sign=rs(rsa_key("mine")), x5c=["MII"]),
    "a critical extension": lambda: forge(good(), crit=["exp"], exp=1),
    "an empty critical list": lambda: forge(good(), crit=[]),
    "an unencoded payload": lambda: forge(good(), b64=False, crit=["b64"]),
    "a compressed payload": lambda: forge(good(), zip="DEF"),
    "an access token of another kind": lambda: forge(good(), typ="at+jwt"),
    "a proof of possession": lambda: forge(good(), typ="dpop+jwt"),
    "an encrypted type": lambda: forge(good(), typ="JWE"),
    "a type that is a list": lambda: forge(good(), typ=["JWT"]),
    "alg twice": lambda: sealed(b'{"alg":"none","alg":"HS256"}', json.dumps(good()).encode(), hs(SECRET)),
    # Another spelling of the same token.
    "tampered claims": lambda: _tampered(forge(good())),
    "tampered claims under ES256": lambda: _tampered(_ec()),
    "ES256 with r and s of nothing": lambda: _ec(sign=lambda _: bytes(64)),
    "ES256 with r and s of the order": lambda: _ec(
        sign=lambda _: 2 * bytes.fromhex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551")
    ),
    "ES256 with a signature in DER": lambda: _ec(sign=_der_signed),
    "ES256 with a longer signature": lambda: _ec(sign=lambda signed: es(ec_key("ec"))(signed) + b"\x00"),
    "ES256 with a shorter signature": lambda: _ec(sign=lambda signed: es(ec_key("ec"))(signed)[:-1]),
    "RS256 with a signature of nothing": lambda: _rsa(sign=lambda _: bytes(256)),
    "RS256 with a longer signature": lambda: _rsa(sign=lambda signed: b"\x00" + rs(rsa_key("rsa"))(signed)),
    "a signature with padding": lambda: forge(good()) + "=",
    "a signature with garbage": lambda: forge(good()) + "!!!",
    "a signature with a line end": lambda: _spelt(forge(good()), 2, lambda part: part[:5] + "\t" + part[5:]),
    "a signature with a loose end": lambda: _spelt(forge(good()), 2, _loose_end),
    "a header with padding": lambda: _spelt(forge(good()), 0, lambda part: part + "="),
    "claims with garbage": lambda: _spelt(forge(good()), 1, lambda part: part[:8] + "*" + part[8:]),
    # Another issuer, another audience.
    "no issuer": lambda: forge(good(iss=...)),
    "an unknown issuer": lambda: forge(good(iss="https://evil.supabase.co/auth/v1")),
    "an issuer that begins the same": lambda: forge(good(iss=SUPABASE)),
    "an issuer that goes on": lambda: forge(good(iss=ISSUER + "/")),
    "an issuer that goes on elsewhere": lambda: forge(good(iss=ISSUER + ".evil.example")),
    "an issuer that ends the same": lambda: forge(good(iss=f"https://evil.example/{ISSUER}")),
    "an issuer in capitals": lambda: forge(good(iss=ISSUER.upper())),
    "a list of issuers": lambda: forge(good(iss=[ISSUER])),
    "issuer null": lambda: forge(good(iss=None)),
    "no audience": lambda: forge(good(aud=...)),
    "another audience": lambda: forge(good(aud="anon")),
    "an audience that goes on": lambda: forge(good(aud="authenticated ")),
    "an empty list of audiences": lambda: forge(good(aud=[])),
    "a list of other audiences": lambda: forge(good(aud=["anon", "authenticate"])),
    "a list in a list of audiences": lambda: forge(good(aud=[["authenticated"]])),
    "a list with an audience that is no text": lambda: forge(good(aud=["authenticated", 1])),
    "an audience that is no text": lambda: forge(good(aud={"authenticated": True})),
    # Another time.
    "no expiry": lambda: forge(good(exp=...)),
    "expired": lambda: forge(good(exp=int(time.time()) - 31)),
    "expired at the beginning": lambda: forge(good(exp=0)),
    "an expiry in words": lambda: forge(good(exp="tomorrow")),
    "an expiry as a text": lambda: forge(good(exp=str(int(time.time()) + 600))),
    "an expiry with a fraction": lambda: forge(good(exp=time.time() + 600.5)),
    "an expiry that is null": lambda: forge(good(exp=None)),
    "an expiry that is true": lambda: forge(good(exp=True)),
    "an expiry that is a list": lambda: forge(good(exp=[int(time.time()) + 600])),
    "an expiry behind the end of calendars": lambda: forge(good(exp=10**20)),
    "an expiry of a thousand digits": lambda: _with_times("9" * 1000),
    "an expiry that is too large": lambda: _with_times("1e400"),
    "an expiry that is infinite": lambda: _with_times("Infinity"),
    "an expiry that is not a number": lambda: _with_times("NaN"),
    "not valid yet": lambda: forge(good(nbf=int(time.time()) + 300)),
    "not valid before a word": lambda: forge(good(nbf="now")),
    "issued in the future": lambda: forge(good(iat=int(time.time()) + 300)),
    "issued at a fraction": lambda: forge(good(iat=time.time())),
    # Nobody, and somebody else.
    "no subject": lambda: forge(good(sub=...)),
    "an empty subject": lambda: forge(good(sub="")),
    "a subject that is null": lambda: forge(good(sub=None)),
    "a subject that is a number": lambda: forge(good(sub=7)),
    "a subject that is a list": lambda: forge(good(sub=[USER])),
    "a subject that never ends": lambda: forge(good(sub="x" * 201)),
    "a subject with a NUL": lambda: forge(good(sub="ann\x00")),
    "a subject that names an API key": lambda: forge(good(sub=f"key:{USER}")),
    "the subject twice": lambda: _twice("sub", '"somebody"'),
    "the role twice": lambda: _twice("role", '"anon"'),
    "the anon role": lambda: forge(good(role="anon")),
    "the anon role, ES256": lambda: _ec(good(role="anon")),
    "the service role": lambda: forge(good(role="service_role")),
    "the role of the database's owner": lambda: forge(good(role="supabase_admin")),
    "no role": lambda: forge(good(role=...)),
    "a list of roles": lambda: forge(good(role=["authenticated"])),
    "an anonymous user": lambda: forge(good(is_anonymous=True)),
    "an anonymous user, in words": lambda: forge(good(is_anonymous="yes")),
    "the project's anon key": lambda: forge(
        {"iss": "supabase", "ref": "abc", "role": "anon", "iat": 1, "exp": 2_000_000_000}
    ),
    "the project's service key": lambda: forge(
        {"iss": "supabase", "ref": "abc", "role": "service_role", "iat": 1, "exp": 2_000_000_000}
    ),
}

GOOD: dict[str, Callable[[], str]] = {
    "with the secret": lambda: forge(good()),
    "with the secret, and the name that it has elsewhere": lambda: forge(good(), kid="hs"),
    "with ES256": _ec,
    "with RS256": _rsa,
    "of the local issuer": lambda: forge(good(iss=LOCAL, role=...), hs(LOCAL_SECRET)),
    "without a type": lambda: _ec(typ=...),
    "with a type in small letters": lambda: _ec(typ="jwt"),
    "for several audiences": lambda: _ec(good(aud=["else", "authenticated"])),
    "by a clock that is a little behind": lambda: _rsa(good(exp=int(time.time()) - 5)),
    "by a clock that is a little ahead": lambda: _rsa(good(iat=int(time.time()) + 5, nbf=int(time.time()) + 5)),
}
