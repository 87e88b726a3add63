"""Requests to every operation. Each request runs in its own tenant, which has one existing incident."""

import itertools
import json
from collections.abc import Callable
from typing import Any, NamedTuple

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

from tests.support.events import (
    Context,
    board_event,
    changes_event,
    claims,
    create_event,
    deadlines_event,
    delete_event,
    get_event,
    list_event,
    metrics_event,
    patch_event,
    updates_event,
)

Event = dict[str, Any]


class Scenario(NamedTuple):
    """An operation, a request to it, and the data after exactly one run of the request.

    The tenant of the request has one existing incident.
    """

    handler: http.Handler
    # Returns the event, from the caller's claims and the id of the existing incident.
    event: Callable[[dict[str, str], str], Event]
    # The incident's number of changes after the request ran once.
    changes: int
    incidents: int = 1
    statuses: tuple[int, ...] = (200,)
    deleted: bool = False  # true if the existing incident is deleted before the request
    repeatable: bool = True


KEY = {"idempotency-key": "one"}
NUMBERED = {"title": "new", "incident_number": "INC-2026-000900"}
CLOSED = {"status": "closed", "owner_id": "ada"}
EDITED = {"tags": {"add": ["a", "b"], "remove": ["c"]}, "affected_asset_ids": {"add": ["host"]}}
ONE_VERSION = {"if-match": '"1"'}
SCENARIOS = {
    "create with a key": Scenario(
        create_incident.handler, lambda who, _: create_event({"title": "new"}, caller=who, headers=KEY), 2, 2, (201,)
    ),
    "create with a key and a number": Scenario(
        create_incident.handler, lambda who, _: create_event(NUMBERED, caller=who, headers=KEY), 2, 2, (201,)
    ),
    "create without a key": Scenario(
        create_incident.handler, lambda who, _: create_event({"title": "new"}, caller=who), 2, 2, (201,),
        repeatable=False,
    ),
    "get": Scenario(get_incident.handler, lambda who, one: get_event(one, caller=who), 1),
    "list": Scenario(list_incidents.handler, lambda who, _: list_event(who, status=["new", "closed"]), 1),
    "metrics": Scenario(get_incident_metrics.handler, lambda who, _: metrics_event(who), 1),
    "look-up by number": Scenario(
        list_incidents.handler, lambda who, _: list_event(who, incident_number="IR-1", include_deleted="true"), 1
    ),
    "update": Scenario(update_incident.handler, lambda who, one: patch_event(one, CLOSED, caller=who), 2),
    "update of lists": Scenario(update_incident.handler, lambda who, one: patch_event(one, EDITED, caller=who), 2),
    "search": Scenario(list_incidents.handler, lambda who, _: list_event(who, open="true", q="x", tag="a"), 1),
    "update of one version": Scenario(
        update_incident.handler, lambda who, one: patch_event(one, CLOSED, caller=who, headers=ONE_VERSION), 2,
        statuses=(200, 412),
    ),
    "restore": Scenario(
        update_incident.handler, lambda who, one: patch_event(one, {"is_deleted": False}, caller=who), 3, deleted=True
    ),
    "delete": Scenario(delete_incident.handler, lambda who, one: delete_event(one, caller=who), 2, statuses=(204,)),
    "list updates": Scenario(list_incident_updates.handler, lambda who, _: updates_event(who), 2, deleted=True),
    "list findings": Scenario(list_incident_findings.handler, lambda who, one: changes_event(one, caller=who), 1),
    "deadlines": Scenario(
        get_incident_deadlines.handler, lambda who, one: deadlines_event(one, caller=who, history="true"), 2,
        deleted=True,
    ),
    "board": Scenario(list_deadlines.handler, lambda who, _: board_event(who), 1),
    "list changes": Scenario(
        list_incident_changes.handler, lambda who, one: changes_event(one, caller=who), 2, deleted=True
    ),
}  # fmt: skip
tenants = (f"tenant-{n}" for n in itertools.count())


def prepare(scenario: Scenario) -> tuple[dict[str, str], Event]:
    """Create a tenant with one incident, and return its caller and the scenario's request."""
    who = claims(next(tenants))
    first = {"title": "there", "incident_number": "IR-1", "detected_at": "2026-11-20T08:00:00Z"}
    made = json.loads(create_incident.handler(create_event(first, caller=who), Context)["body"])
    if scenario.deleted:
        delete_incident.handler(delete_event(made["id"], caller=who), Context)
    return who, scenario.event(who, made["id"])
