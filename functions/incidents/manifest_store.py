"""The bucket of the manifests, and the KMS key that signs them.

A run puts a manifest only if the bucket has no object with its name. If somebody writes another version of an object
later, the first version counts. Object Lock keeps the first version.

An object that is not a manifest is logged and skipped, because nobody may be able to delete it. The next manifest
follows the newest manifest, and gets the next free number. ``incidents history verify`` reports the object.
"""

import os
import time
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from itertools import groupby
from typing import Any

from botocore.exceptions import ClientError, ResponseStreamingError

from .domain import manifests, timestamps
from .domain.manifests import Position
from .runtime import sdk
from .runtime.log import logger

_LISTED = 10  # few, because usually each object has one version, and only the newest object is needed
_CLOCKS_MS = 3_600_000  # clocks may differ by an hour
_LARGEST = 16_000_000  # bytes; a manifest has less than 1.5 MB


@cache
def s3() -> Any:
    """Return this process's S3 client, which is created on first use."""
    return sdk.make_client("s3")


@cache
def kms() -> Any:
    """Return this process's KMS client, which is created on first use."""
    return sdk.make_client("kms")


class Overtaken(Exception):
    """Another run has put a manifest with the same number."""


class ManifestStore:
    """The manifests of all tenants."""

    def __init__(self) -> None:
        self._bucket, self._key = os.environ["HISTORY_BUCKET"], os.environ["HISTORY_KEY"]

    def newest(self, tenant_id: str) -> Position:
        """Return the position of a tenant's newest manifest, or ``manifests.START``.

        Raises ClientError or ResponseStreamingError.
        """
        here, taken = manifests.START, set[int]()
        for file_name, versions in groupby(self._versions(manifests.folder(tenant_id)), lambda version: version["Key"]):
            if (number := manifests.number_of(tenant_id, file_name)) is None:
                continue  # no manifest can have this name
            *_, oldest = versions
            file = read_version(s3(), self._bucket, file_name, oldest["VersionId"])
            try:
                here = manifests.position_of_file(tenant_id, file_name, file)
                if timestamps.to_milliseconds(here.to) > time.time_ns() // 1_000_000 + _CLOCKS_MS:
                    raise ValueError("the end is in the future")
                break
            except (KeyError, ValueError, TypeError, RecursionError) as error:
                reason = {"tenant_id": tenant_id, "object": file_name, "error": type(error).__qualname__}
                logger.error("not a manifest", extra=reason)
                taken.add(number)
                here = manifests.START
        number = here.next_number
        while number in taken:
            number += 1
        return here._replace(next_number=number)

    def put(self, tenant_id: str, manifest: bytes) -> Position:
        """Sign a manifest, put it into the bucket, and return its position. Raises ClientError and Overtaken."""
        position = manifests.position(manifest)
        signature = kms().sign(
            KeyId=self._key, Message=sha256(manifest).digest(), MessageType="DIGEST", SigningAlgorithm="ECDSA_SHA_256"
        )["Signature"]
        try:
            s3().put_object(
                Bucket=self._bucket, Key=manifests.name(tenant_id, position.number), IfNoneMatch="*",
                Body=manifests.signed(manifest, signing_key(self._key), signature), ContentType="application/jsonl",
            )  # fmt: skip
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] in (409, 412):
                raise Overtaken from error
            raise
        return position

    def _versions(self, prefix: str) -> Iterator[dict[str, Any]]:
        """Yield the versions of all objects, by name. The newest version of a name is first.

        The list also has the objects that somebody hid with a delete marker.
        """
        place: dict[str, str] = {}
        while True:
            answer = s3().list_object_versions(Bucket=self._bucket, Prefix=prefix, MaxKeys=_LISTED, **place)
            yield from answer.get("Versions", [])
            if not answer["IsTruncated"]:
                return
            place = {"KeyMarker": answer["NextKeyMarker"], "VersionIdMarker": answer["NextVersionIdMarker"]}


def read_version(client: Any, bucket: str, file_name: str, version_id: str) -> bytes:
    """Return the first 16 MB of a version of an object.

    Raises ResponseStreamingError if the connection ends too early. A part of a manifest would count as no manifest, and
    the next manifest would not follow it.
    """
    answer = client.get_object(Bucket=bucket, Key=file_name, VersionId=version_id)
    file: bytes = answer["Body"].read(_LARGEST)
    if len(file) < (expected := min(answer["ContentLength"], _LARGEST)):
        raise ResponseStreamingError(error=f"{len(file)} of {expected} bytes of {file_name}")
    return file


@cache
def signing_key(key: str) -> bytes:
    """Return the public part of the key in DER."""
    public_key: bytes = kms().get_public_key(KeyId=key)["PublicKey"]
    return public_key
