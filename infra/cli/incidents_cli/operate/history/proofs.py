"""Check the proof of an erasure before it is sealed. A manifest is locked, so a wrong proof could not be taken back."""

import json
from hashlib import sha256
from pathlib import Path

from incidents.domain import timestamps
from incidents.domain.manifests import Erasure
from incidents.storage import keys

from ...console import StepFailed, open_own
from ..tenants.reading import TenantReader

_PROOF_BYTES = 1_000_000


def erasure_of(file: Path, reader: TenantReader) -> Erasure:
    """Return the erasure that a file of ``incidents tenant erase`` proves for this tenant and table.

    Raises StepFailed for another file, if the table has an incident that is older than the erasure, or if the index
    still shows such an incident. Raises OSError for a link, a pipe and a file of somebody else.
    """
    with open_own(file) as opened:
        content = opened.read(_PROOF_BYTES + 1)
    try:
        proof = json.loads(content)
        ended = timestamps.parse(proof["ended"])
        left, about = sum(proof["remaining"].values()), {name: proof[name] for name in ("tenant", "table")}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _refused(file, "It is not the proof that `incidents tenant erase` writes.") from None
    wanted = {"tenant": reader.tenant_id, "table": reader.table_arn()}
    why = [f"It proves the {name} {about[name]}, not {wanted[name]}." for name in wanted if about[name] != wanted[name]]
    why += [f"It says that items are left: {left}."] if left else []
    oldest = next(reader.items("INCIDENT"), None)
    if oldest and oldest["created_at"]["S"] <= ended:
        why.append(f"The tenant has an incident that is older than the erasure: {oldest['sk']['S']}.")
    if why:
        raise _refused(file, *why)
    if shown := _still_indexed(reader, ended):
        raise StepFailed(
            "The table's index still shows an erased incident. Nothing was sealed.", f"  {shown}",
            "Run the command again in a minute. Otherwise, the next manifest could have this incident.",
        )  # fmt: skip
    return Erasure(ended, sha256(content).hexdigest())


def _still_indexed(reader: TenantReader, ended: str) -> str | None:
    """Return the id of an incident that the index shows, and whose last change is not after the erasure, or None."""
    shown = reader.client.query(
        TableName=reader.table_name, IndexName=keys.BY_UPDATED, Limit=1,
        KeyConditionExpression="pk = :pk AND updated_at <= :ended",
        ExpressionAttributeValues={":pk": {"S": reader.partitions["INCIDENT"]}, ":ended": {"S": ended}},
    )["Items"]  # fmt: skip
    return shown[0]["sk"]["S"] if shown else None


def _refused(file: Path, *why: str) -> StepFailed:
    return StepFailed(
        f"{file} does not prove the erasure of this tenant.", "\n".join(f"  {each}" for each in why),
        "Name the file that `incidents tenant erase` has written for the tenant: erasure-TENANT.json.",
    )  # fmt: skip
