"""Makes JSON Web Tokens as an attacker would: any header, any payload, and any signature over them."""

import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from tests.support.checkout import Checkout
from tests.support.events import SCOPES

KEY_ID = "development"
ABSENT = object()

Signature = Callable[["Issuer", bytes], bytes]


@dataclass(frozen=True)
class Issuer:
    """The issuer that the local stack trusts, with its private key."""

    url: str
    audience: str
    key: rsa.RSAPrivateKey

    @classmethod
    def of(cls, stack: Checkout) -> "Issuer":
        key = load_pem_private_key((stack.home / "issuer-key.pem").read_bytes(), password=None)
        assert isinstance(key, rsa.RSAPrivateKey)
        status = stack.status
        return cls(status["issuer"], status["audience"], key)

    def claims(self, tenant: str) -> dict[str, Any]:
        """Return the claims that this issuer gives to a person who may read and write."""
        now = int(time.time())
        return {
            "iss": self.url, "aud": self.audience, "sub": "mallory", "tenant_id": tenant, "scope": SCOPES,
            "iat": now, "exp": now + 600,
        }  # fmt: skip

    def public_key(self, form: PublicFormat = PublicFormat.SubjectPublicKeyInfo) -> bytes:
        return self.key.public_key().public_bytes(Encoding.PEM, form)


def changed(usual: Mapping[str, Any], changes: Mapping[str, Any], *arguments: Any) -> dict[str, Any]:
    """Return the members after some changes.

    ABSENT removes a member. If a new value is a function, the function gets ``arguments`` and returns the value.
    """
    made = {name: value(*arguments) if callable(value) else value for name, value in changes.items()}
    return {name: value for name, value in {**usual, **made}.items() if value is not ABSENT}


def segment(part: Any) -> str:
    """Return one part of a token. Bytes are encoded as they are, and anything else is encoded as JSON."""
    content = part if isinstance(part, bytes) else json.dumps(part).encode()
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def token(issuer: Issuer, header: Any, payload: Any, signature: Signature) -> str:
    signed = f"{segment(header)}.{segment(payload)}"
    return f"{signed}.{segment(signature(issuer, signed.encode()))}"


def genuine(issuer: Issuer, tenant: str) -> str:
    return token(issuer, {"alg": "RS256", "kid": KEY_ID, "typ": "JWT"}, issuer.claims(tenant), rs256)


def rs256(issuer: Issuer, signed: bytes) -> bytes:
    return issuer.key.sign(signed, padding.PKCS1v15(), SHA256())


def rsa_with(hash_: HashAlgorithm) -> Signature:
    return lambda issuer, signed: issuer.key.sign(signed, padding.PKCS1v15(), hash_)


def ps256(issuer: Issuer, signed: bytes) -> bytes:
    return issuer.key.sign(signed, padding.PSS(padding.MGF1(SHA256()), SHA256.digest_size), SHA256())


def by_a_stranger(_: Issuer, signed: bytes) -> bytes:
    """Return a signature (RS256) with a key that the issuer never had."""
    return strangers_key().sign(signed, padding.PKCS1v15(), SHA256())


def es256(_: Issuer, signed: bytes) -> bytes:
    numbers = decode_dss_signature(ec.generate_private_key(ec.SECP256R1()).sign(signed, ec.ECDSA(SHA256())))
    return b"".join(number.to_bytes(32, "big") for number in numbers)


def hmac_with(secret: Callable[[Issuer], bytes], digest: str = "sha256") -> Signature:
    return lambda issuer, signed: hmac.digest(secret(issuer), signed, digest)


def nothing(_: Issuer, __: bytes) -> bytes:
    return b""


def zeros(_: Issuer, __: bytes) -> bytes:
    return bytes(256)


def cut(issuer: Issuer, signed: bytes) -> bytes:
    return rs256(issuer, signed)[:-1]


def over_another_payload(issuer: Issuer, _: bytes) -> bytes:
    """Return the signature of another genuine token, as if an attacker had read that token."""
    header, payload, _signature = genuine(issuer, "visitor").split(".")
    return rs256(issuer, f"{header}.{payload}".encode())


@cache
def strangers_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def jwk(key: rsa.RSAPrivateKey) -> dict[str, Any]:
    public: dict[str, Any] = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    return public


def public_pem(issuer: Issuer) -> bytes:
    return issuer.public_key()


def public_pem_in_one_line(issuer: Issuer) -> bytes:
    return issuer.public_key().replace(b"\n", b"")


def public_pkcs1(issuer: Issuer) -> bytes:
    return issuer.public_key(PublicFormat.PKCS1)


def public_number(issuer: Issuer) -> bytes:
    """Return the modulus of the public key as text, as in the key set."""
    number: str = jwk(issuer.key)["n"]
    return number.encode()


rs384, rs512 = rsa_with(SHA384()), rsa_with(SHA512())
