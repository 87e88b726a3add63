"""Check the proof of an erasure before it is sealed. A manifest is locked, so a wrong proof could not be taken back."""

import json
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from ...console import StepFailed, open_own
from ..tenants.reading import TenantReader

_PROOF_BYTES = 1_000_000


def hash_of(file: Path, reader: TenantReader) -> str:
    """Return the SHA-256 of a file that ``incidents tenant erase`` has written for this tenant and table.

    Raises StepFailed for another file, or if the table has an incident that is older than the erasure. Raises OSError
    for a link, a pipe and a file of somebody else.
    """
    with open_own(file) as opened:
        content = opened.read(_PROOF_BYTES + 1)
    try:
        proof = json.loads(content)
        if (ended := datetime.fromisoformat(proof["ended"])).tzinfo is None:
            raise ValueError("the time has no zone")
        left, about = sum(proof["remaining"].values()), {name: proof[name] for name in ("tenant", "table")}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _refused(file, "It is not the proof that `incidents tenant erase` writes.") from None
    wanted = {"tenant": reader.tenant_id, "table": reader.table_arn()}
    why = [f"It proves the {name} {about[name]}, not {wanted[name]}." for name in wanted if about[name] != wanted[name]]
    why += [f"It says that items are left: {left}."] if left else []
    oldest = next(reader.items("INCIDENT"), None)
    if oldest and datetime.fromisoformat(oldest["created_at"]["S"]) <= ended:
        why.append(f"The tenant has an incident that is older than the erasure: {oldest['sk']['S']}.")
    if why:
        raise _refused(file, *why)
    return sha256(content).hexdigest()


def _refused(file: Path, *why: str) -> StepFailed:
    return StepFailed(
        f"{file} does not prove the erasure of this tenant.", "\n".join(f"  {each}" for each in why),
        "Name the file that `incidents tenant erase` has written for the tenant: erasure-TENANT.json.",
    )  # fmt: skip
