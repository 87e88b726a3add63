"""Sets the fields that every peer sets on an incident. The build copies this module into each peer's artifact."""

from datetime import UTC, datetime
from uuid import uuid4


def stamped(claims: dict[str, str]) -> dict[str, str | int | bool]:
    at = now()
    return {
        "id": f"inc_{uuid4().hex}",
        "tenant_id": claims["tenant_id"],
        "created_at": at,
        "updated_at": at,
        "created_by": claims["sub"],
        "updated_by": claims["sub"],
        "is_deleted": False,
        "schema_version": 1,
        "incident_number": f"INC-{at[:4]}-{uuid4().int % 1_000_000:06d}",
        **({"app_id": claims["app_id"]} if "app_id" in claims else {}),
    }


def stamped_patch(claims: dict[str, str]) -> dict[str, str]:
    return {"updated_at": now(), "updated_by": claims["sub"]}


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
