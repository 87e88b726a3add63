"""The edge of the schedule for deadlines. A run reads the marks and the alerts, and then works for one tenant at a
time.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any

from .. import publishing
from ..deadline_jobs import Work
from ..domain.identity import Identity
from ..runtime import cloudwatch, deadline, start
from ..runtime.log import logger
from ..storage import deadline_repository, dynamodb, guard, marks
from ..storage.deadline_repository import DeadlineRepository
from ..storage.incident_repository import IncidentRepository
from ..storage.settings import TenantSettings


class Run:
    """One scheduled run. It can read the marks and the alerts of all tenants, and can work for one tenant at a time."""

    def __init__(self) -> None:
        self.marks = marks.deadlines()
        self.alerts = deadline_repository.due_alerts()

    @contextmanager
    def serving(self, tenant_id: str) -> Iterator[Work]:
        """Yield the repositories of one tenant. Inside the context, the guard refuses requests for all other tenants'
        items.
        """
        client, table = dynamodb.client(), dynamodb.table_name()
        identity = Identity(tenant_id, "system:deadlines", None, frozenset())
        with guard.serving_deadlines(tenant_id):
            yield Work(
                IncidentRepository(identity, client, table),
                TenantSettings(tenant_id, client, table),
                DeadlineRepository(tenant_id, client, table),
            )


def consumer(operate: Callable[[Run], list[str]]) -> Callable[[Mapping[str, Any], Any], dict[str, int]]:
    """Return a Lambda handler for an operation. The operation gets a run, and returns one outcome for each mark and
    alert.
    """
    start.prepare(dynamodb.warm_up, publishing.bus)

    @wraps(operate)
    def handler(event: Mapping[str, Any], context: Any) -> dict[str, int]:
        started = time.perf_counter()
        with deadline.within(context.get_remaining_time_in_millis() / 1000):
            outcomes = Counter(operate(Run()))
        cloudwatch.count("Deadlines", "outcome", outcomes)
        line = {"operation": operate.__module__, "outcomes": dict(outcomes)}
        logger.info("run", extra=line | {"duration_ms": round((time.perf_counter() - started) * 1000, 1)})
        return dict(outcomes)

    return handler
