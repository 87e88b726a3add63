"""Makes a request for every operation, as Lambda passes it, and records the calls that reach DynamoDB."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import create_incident
import delete_incident
import get_incident
import get_incident_deadlines
import get_incident_metrics
import list_deadlines
import list_incident_changes
import list_incident_findings
import list_incident_updates
import list_incidents
import update_incident
from incidents.edges import http
from incidents.storage import dynamodb

from tests.support.events import (
    Context,
    board_event,
    changes_event,
    create_event,
    deadlines_event,
    delete_event,
    get_event,
    list_event,
    metrics_event,
    patch_event,
    updates_event,
)

UNKNOWN = "inc_01M83J8EHSBKC38ZQ0R08TEPS6"
OPERATIONS: dict[str, tuple[http.Handler, Callable[..., dict[str, Any]]]] = {
    "create": (create_incident.handler, lambda **more: create_event({"title": "Secret title"}, **more)),
    "get": (get_incident.handler, lambda **more: get_event(UNKNOWN, **more)),
    "list": (list_incidents.handler, lambda **more: list_event(**more)),
    "update": (update_incident.handler, lambda **more: patch_event(UNKNOWN, {"title": "Secret title"}, **more)),
    "delete": (delete_incident.handler, lambda **more: delete_event(UNKNOWN, **more)),
    "list updates": (list_incident_updates.handler, lambda **more: updates_event(**more)),
    "list findings": (list_incident_findings.handler, lambda **more: changes_event(UNKNOWN, **more)),
    "list changes": (list_incident_changes.handler, lambda **more: changes_event(UNKNOWN, **more)),
    "deadlines": (get_incident_deadlines.handler, lambda **more: deadlines_event(UNKNOWN, **more)),
    "board": (list_deadlines.handler, lambda **more: board_event(**more)),
    "metrics": (get_incident_metrics.handler, lambda **more: metrics_event(**more)),
}


def call(operation: str, caller: dict[str, str]) -> dict[str, Any]:
    handler, event = OPERATIONS[operation]
    return handler(event(caller=caller), Context)


@contextmanager
def calls_to_dynamodb() -> Iterator[list[str]]:
    """Yield a list that collects the names of the calls that reach DynamoDB within the block."""
    made: list[str] = []
    client = dynamodb.client()

    def note(model: Any, **_: object) -> None:
        made.append(model.name)

    client.meta.events.register("before-call.dynamodb", note)
    try:
        yield made
    finally:
        client.meta.events.unregister("before-call.dynamodb", note)
