"""Hooks that tell schemathesis facts about this API that the API's schema cannot express.

tests/e2e/test_openapi.py starts the process that uses these hooks.
"""

from typing import Any
from uuid import uuid4

import schemathesis


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Give each request its own Idempotency-Key, because the service refuses a used key with another body."""
    key = (case.headers or {}).get("Idempotency-Key")
    if isinstance(key, str) and 1 <= len(key) <= 200:
        case.headers["Idempotency-Key"] = f"{key}{uuid4()}"


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: dict[str, Any]) -> None:
    """Give the members of a create a default, so that a generated body breaks no rule between two members.

    The tool begins with a body that has all members. Without defaults, the members' random dates would be in a wrong
    order. The service would refuse the body for this reason, and not for the fault under test.
    """
    for member in raw_schema["components"]["schemas"]["NewIncident"]["properties"].values():
        if "null" in member.get("type", ()) or {"type": "null"} in member.get("anyOf", ()):
            member["default"] = None
