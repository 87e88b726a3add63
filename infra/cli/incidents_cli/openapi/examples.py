"""Examples: a sample, and what the service's own functions make of it."""

import json
from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, cast

from incidents import drafts, errors, http_api, json_text, model, timestamps
from incidents.metrics import tally, window
from incidents.model import Change, Incident

_ID = "inc_01K6FJ2M40T3XVQ5ZB8N7C1D9E"
_MADE, _CHANGED = "2026-10-01T07:52:10.000Z", "2026-10-09T15:00:00.000Z"
_STAMPS: dict[str, Any] = {
    "id": _ID, "tenant_id": "acme", "created_at": _MADE, "updated_at": _MADE, "created_by": "maya.okafor",
    "updated_by": "maya.okafor", "schema_version": model.SCHEMA_VERSION, "incident_number": "INC-2026-000042",
}  # fmt: skip
REQUEST_ID = "JKJaXmPLvHcESHA="


@cache
def _sample() -> dict[str, Any]:
    samples = json.loads(files("incidents_cli").joinpath("samples.json").read_text())
    whole: dict[str, Any] = samples[0]["incident"]
    return whole


def new_incident() -> dict[str, Any]:
    wanted = ("title", "description", "category", "severity", "occurred_at", "detected_at", "owner_id", "tags")
    return {field: _sample()[field] for field in wanted}


def patch() -> dict[str, Any]:
    return {"status": "closed", "closed_at": _sample()["closed_at"], "root_cause": _sample()["root_cause"]}


def incident() -> Any:
    """What a GET answers once both were sent."""
    return json.loads(json_text.dump_incident(_after(_before())))


def created() -> Any:
    """What the create answers."""
    return json.loads(json_text.dump_incident(_before()))


def change() -> Any:
    """What the patch leaves in the audit trail."""
    before = _before()
    after = _after(before)
    entry = Change(2, _CHANGED, "maya.okafor", model.action(before, after), model.changes(before, after))
    return json.loads(json_text.dump_change(entry))


def metrics() -> Any:
    """The metrics of a window in which that incident was detected and closed."""
    incident: Mapping[str, Any] = _after(_before())
    one = tally.Seen._make(incident.get(field) for field in tally.Seen._fields)
    detected, closed = tally.rows("detected", [one]), tally.rows("closed", [one])
    return window.answer(
        window.Window(date(2026, 10, 1), date(2026, 10, 31), "severity", "month"),
        timestamps.to_milliseconds("2026-11-01T00:00:00.000Z"),
        [(incident["detected_at"][:10], row, of_row) for row, of_row in detected.items()],
        [(incident["closed_at"][:10], row, of_row) for row, of_row in closed.items()],
    )


def problem(error: type[errors.IncidentError]) -> Any:
    """The problem document of one of the errors, from a case in which it is raised."""
    return json.loads(http_api.problem(_raised(error), REQUEST_ID).body)


def internal_error() -> Any:
    """The problem document of what nobody foresaw."""
    return json.loads(http_api.unforeseen(REQUEST_ID).body)


def _before() -> Incident:
    given = drafts.new_incident(new_incident())
    made = cast("Incident", model.blank() | given | _STAMPS)
    _settle(made, given, _MADE)
    return made


def _after(before: Incident) -> Incident:
    given = drafts.patch(patch(), before)
    after = cast("Incident", {**before, **given, "updated_at": _CHANGED})
    _settle(after, given, _CHANGED, before)
    return after


def _settle(incident: Incident, given: Mapping[str, Any], now: str, before: Incident | None = None) -> None:
    if violations := model.settle(incident, given, now, before):
        raise ValueError(f"the example is not valid: {violations}")


def _raised(error: type[errors.IncidentError]) -> errors.IncidentError:
    made: dict[type[errors.IncidentError], errors.IncidentError] = {
        errors.NotAuthenticated: errors.NotAuthenticated("Send a token as Authorization: Bearer <JWT>."),
        errors.NotPermitted: errors.NotPermitted("The token must have the scope incidents:write."),
        errors.MalformedRequest: errors.MalformedRequest("The parameter limit must be a whole number from 1 to 100."),
        errors.UnsupportedContent: errors.UnsupportedContent(
            "The body must be sent as Content-Type: application/json."
        ),
        errors.InvalidIncident: _invalid(),
        errors.IncidentTooLarge: errors.IncidentTooLarge("The incident must be at most 128 KiB as JSON."),
        errors.IllegalTransition: errors.IllegalTransition("new", "review", model.ALLOWED_TRANSITIONS["new"]),
        errors.PreconditionFailed: errors.PreconditionFailed(2),
    }
    return made[error] if error in made else error()  # type: ignore[call-arg]  # the others need no words


def _invalid() -> errors.InvalidIncident:
    try:
        drafts.new_incident({"severity": "high", "titel": "x", "detected_at": "yesterday"})
    except errors.InvalidIncident as error:
        return error
    raise ValueError("the example of an invalid incident is valid")
