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
