"""The development token issuer: an RSA key that signs tokens, and public documents in the emulator's S3.

The public documents are an OpenID discovery document and a key set. With these documents, the API's authorizer checks
the tokens like the tokens of any OIDC issuer: signature, issuer, audience, expiry and scope. People sign in at
the emulator's process: see ``sign_in``.
"""

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from incidents.domain.errors import NotAuthenticated, NotPermitted
from incidents.domain.identity import claim_names, from_claims

from ..console import StepFailed
from . import sign_in
from .local_stack import ISSUER_BUCKET, Stack, StackFolder, write

SCOPES = " ".join(sign_in.SCOPES)
DAY = 86_400


def publish(stack: Stack, folder: StackFolder) -> None:
    """Publish the issuer's OpenID discovery document and key set at the issuer's URL."""
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(_key(folder).public_key()))
    documents = {
        ".well-known/openid-configuration": {
            "issuer": stack.issuer,
            "jwks_uri": f"{stack.issuer}/keys.json",
            "authorization_endpoint": stack.endpoint_url + sign_in.AUTHORIZE,
            "token_endpoint": stack.endpoint_url + sign_in.TOKEN,
            "end_session_endpoint": stack.endpoint_url + sign_in.SIGN_OUT,
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none"],
            "scopes_supported": list(sign_in.SCOPES),
            "authorization_response_iss_parameter_supported": True,
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        },
        "keys.json": {"keys": [public | {"kid": sign_in.KEY_ID, "use": "sig", "alg": "RS256"}]},
    }
    bucket = stack.client("s3")
    with suppress(bucket.exceptions.BucketAlreadyOwnedByYou):
        bucket.create_bucket(Bucket=ISSUER_BUCKET)
    bucket.delete_public_access_block(Bucket=ISSUER_BUCKET)
    readable = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}
    policy = {"Version": "2012-10-17", "Statement": [readable | {"Resource": f"arn:aws:s3:::{ISSUER_BUCKET}/*"}]}
    # The authorizer reads the documents with unsigned requests, so everybody must be allowed to read them.
    bucket.put_bucket_policy(Bucket=ISSUER_BUCKET, Policy=json.dumps(policy))
    for name, document in documents.items():
        body = json.dumps(document).encode()
        bucket.put_object(Bucket=ISSUER_BUCKET, Key=name, Body=body, ContentType="application/json")


def token(
    stack: Stack, folder: StackFolder, *, tenant: str, app: str | None = None, subject: str = "developer",
    scope: str = SCOPES, expires_in: int = DAY,
) -> str:  # fmt: skip
    """Return a signed token with the claims that the deployed stack reads. ``expires_in`` is in seconds."""
    claims = claims_of(stack, tenant, app, subject, scope, expires_in)
    return jwt.encode(claims, _key(folder), algorithm="RS256", headers={"kid": sign_in.KEY_ID})


def claims_of(
    stack: Stack, tenant: str, app: str | None, subject: str, scope: str, expires_in: int
) -> dict[str, Any]:  # fmt: skip
    """Return the claims of a token for the deployed stack."""
    return sign_in.claims_of(stack.issuer, _names(stack), tenant, app, subject, scope, expires_in)


def console_url(stack: Stack) -> str:
    """Return an address that opens the console signed in, once and within a day. It contains a secret."""
    return stack.endpoint_url + sign_in.OPEN + sign_in.ticket(stack.access_key, time.time())


def check(stack: Stack, claims: Mapping[str, Any]) -> None:
    """Raise StepFailed if every operation of the API would refuse a token with these claims."""
    # The gateway passes every claim as text.
    texts = {name: str(value) for name, value in claims.items()}
    try:
        from_claims(texts, time.time(), stack.issuer, claim_names(" ".join(_names(stack).values())))
    except (NotAuthenticated, NotPermitted) as error:
        raise StepFailed("The API would refuse this token.", f"  {error.detail}", "Correct the options.") from None
    scopes = set(texts[_names(stack)["ScopeClaims"].split(",")[0]].split())  # as the gateway splits them
    if scopes.isdisjoint(SCOPES.split()):
        raise StepFailed(
            "The API would refuse this token at every operation.",
            f"  Its scopes: {' '.join(sorted(scopes)) or 'none'}",
            f"Give it one scope or both: --scope '{SCOPES}'",
        )  # fmt: skip


def _names(stack: Stack) -> dict[str, str]:
    """Return the parameters of the stack that name claims, in the order of ``claim_names``."""
    return sign_in.USUAL_NAMES | (stack.claims or {})


def _key(folder: StackFolder) -> rsa.RSAPrivateKey:
    with suppress(FileNotFoundError, ValueError):
        key = serialization.load_pem_private_key(folder.issuer_key.read_bytes(), password=None)
        if isinstance(key, rsa.RSAPrivateKey):
            return key
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    text = made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write(folder.issuer_key, text)
    return made
