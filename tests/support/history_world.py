"""A bucket on moto and a signing key in this process, for tests of the job that seals histories."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from incidents import sealing
from incidents.domain import manifests
from incidents.domain.identity import Identity
from incidents.domain.manifests import Position
from incidents.sealing import Order
from incidents.storage.feed_reader import FeedReader
from incidents_cli.operate.history import verify_history
from incidents_cli.operate.history.verify_history import Report
from incidents_cli.operate.tenants import export
from incidents_cli.operate.tenants.reading import TenantReader

from tests.support.sealed import SigningKey

BUCKET = "manifests"


class LocalKms:
    """The two calls of KMS that the job makes. moto hashes a digest again, so moto's signatures are wrong."""

    def __init__(self) -> None:
        self.key = SigningKey()

    def sign(self, *, KeyId: str, Message: bytes, MessageType: str, SigningAlgorithm: str) -> dict[str, bytes]:  # noqa: N803
        assert (KeyId, MessageType, SigningAlgorithm, len(Message)) == ("key", "DIGEST", "ECDSA_SHA_256", 32)
        return {"Signature": self.key.private.sign(Message, ec.ECDSA(Prehashed(SHA256())))}

    def get_public_key(self, *, KeyId: str) -> dict[str, bytes]:  # noqa: N803
        return {"PublicKey": self.key.public_key}


def locked_bucket(s3: Any) -> None:
    """Create the bucket, or empty it and create it again."""
    s3.create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=True)
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
    lock = {"ObjectLockEnabled": "Enabled", "Rule": rule}
    s3.put_object_lock_configuration(Bucket=BUCKET, ObjectLockConfiguration=lock)


def remove_all(s3: Any) -> None:
    """Remove all versions of all objects, as somebody who may bypass the retention."""
    listed = s3.list_object_versions(Bucket=BUCKET)
    for version in listed.get("Versions", []) + listed.get("DeleteMarkers", []):
        named = {"Key": version["Key"], "VersionId": version["VersionId"]}
        s3.delete_object(Bucket=BUCKET, **named, BypassGovernanceRetention=True)


def manifest_lines(tenant_id: str) -> list[bytes]:
    """Return the lines of a tenant's manifests, oldest first. The first version of an object counts."""
    s3 = boto3.client("s3", region_name="us-east-1")
    versions = s3.list_object_versions(Bucket=BUCKET, Prefix=f"{tenant_id}/").get("Versions", [])
    first = {one["Key"]: one["VersionId"] for one in versions}
    files = [
        s3.get_object(Bucket=BUCKET, Key=name, VersionId=first[name])["Body"].read()
        for name in sorted(first, reverse=True)
    ]
    return [line for file in files for line in file.splitlines(keepends=True)]


def contents(tenant_id: str) -> list[dict[str, Any]]:
    """Return the manifests of a tenant without their signatures, oldest first."""
    return [json.loads(line) for line in manifest_lines(tenant_id)[::2]]


def exported(tenant_id: str) -> Iterator[bytes]:
    # boto3's default session may have the credentials of another test, with which DynamoDB Local has other tables.
    client = boto3.Session(region_name="us-east-1").client("dynamodb")
    reader = TenantReader(client, os.environ["TABLE_NAME"], tenant_id)
    return ((line.text or "").encode() for line in (export.line_of(one, reader) for one in reader.incidents()))


def check(tenant_id: str, key: SigningKey) -> Report:
    """Check a tenant's incidents against its manifests, with the verifier."""
    return verify_history.check(tenant_id, {key.fingerprint}, manifest_lines(tenant_id), exported(tenant_id))


class MemoryStore:
    """A bucket in memory, for tests with a table that is not on moto."""

    def __init__(self) -> None:
        self.key = SigningKey()
        self.files: list[bytes] = []

    def newest(self, tenant_id: str) -> Position:
        return manifests.position(manifests.without_signature(self.files[-1])) if self.files else manifests.START

    def put(self, tenant_id: str, manifest: bytes) -> Position:
        self.files.append(self.key.sign(manifest))
        return manifests.position(manifest)


def faults_of_sealed(client: Any, table: str, tenant_id: str) -> list[str]:
    """Seal a tenant completely, and return the faults that the verifier finds."""
    store: Any = MemoryStore()

    @contextmanager
    def serving(_: str) -> Iterator[FeedReader]:
        yield FeedReader(Identity(tenant_id, "tests", None, frozenset()), client, table)

    for whole in (True, False):
        sealing.seal_tenant(Order(tenant_id, whole), store, serving, 0)
    lines = [line for file in store.files for line in file.splitlines(keepends=True)]
    reader = TenantReader(client, table, tenant_id)
    incidents = ((export.line_of(one, reader).text or "").encode() for one in reader.incidents())
    report = verify_history.check(tenant_id, {store.key.fingerprint}, lines, incidents)
    assert report.incidents
    assert report.unsealed == 0
    return report.faults
