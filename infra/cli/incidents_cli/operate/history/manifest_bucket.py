"""Read the manifests of a tenant from the bucket, and the fingerprint of the key that signs them."""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from incidents import manifest_store
from incidents.domain import manifests

from ...console import StepFailed
from ..deployment import Deployment


def bucket_of(deployment: Deployment) -> str:
    """Return the name of the bucket. Raises StepFailed if the stack seals no histories."""
    if "HistoryBucket" not in deployment.outputs:
        raise StepFailed(
            "This stack seals no histories.", "",
            "Set the parameter HistoryRetentionMode, as docs/history.md describes.",
        )  # fmt: skip
    return deployment.outputs["HistoryBucket"]


def fingerprint(deployment: Deployment) -> str:
    """Return the fingerprint of the stack's key: the SHA-256 of its public part in DER."""
    bucket_of(deployment)
    answer: dict[str, Any] = deployment.client("kms").get_public_key(KeyId=deployment.outputs["HistoryKey"])
    return sha256(answer["PublicKey"]).hexdigest()


def lines(deployment: Deployment, tenant_id: str) -> Iterator[bytes]:
    """Yield two lines for each object of a tenant, oldest manifest first. The first version of an object counts.

    An object that is not a manifest also has two lines, which the verifier reports. Raises ResponseStreamingError if
    the connection ends too early.
    """
    s3, bucket = deployment.client("s3"), bucket_of(deployment)
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=manifests.folder(tenant_id))
    # The newest version of a name is listed first, so the oldest version is the last one that the dictionary gets.
    oldest = {version["Key"]: version["VersionId"] for page in pages for version in page.get("Versions", [])}
    for name in sorted(oldest, reverse=True):
        manifest, _, rest = manifest_store.read_version(s3, bucket, name, oldest[name]).partition(b"\n")
        yield manifest + b"\n"
        yield rest.replace(b"\n", b"") + b"\n"
