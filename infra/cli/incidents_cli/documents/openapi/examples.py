"""The examples in the OpenAPI document: a sample incident, and the results of the service's functions for it."""

import json
import logging
import os
from collections.abc import Callable, Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple, cast

from incidents.domain import (
    board_entry,
    errors,
    evidence,
    json_text,
    metric_answer,
    model,
    payloads,
    questions,
    summary,
    tally,
    timestamps,
    wire_form,
)
from incidents.domain.deadlines import assessment, clocks, keeping, rules
from incidents.domain.identity import Identity
from incidents.domain.metric_definitions import Kind
from incidents.domain.model import Change, Incident
from incidents.edges import parameters, request, responses
from incidents.storage import keys

from . import handlers

_MADE, _CHANGED = "2026-10-01T07:52:10.000Z", "2026-10-09T15:00:00.000Z"
ID = keys.ids_made_at(timestamps.to_milliseconds(_MADE))[0][:-8] + "8N7C1D9E"
_STAMPS: dict[str, Any] = {
    "id": ID, "tenant_id": "acme", "created_at": _MADE, "updated_at": _MADE, "created_by": "maya.okafor",
    "updated_by": "maya.okafor", "version": 1, "schema_version": model.SCHEMA_VERSION,
    "incident_number": "INC-2026-000042",
}  # fmt: skip
REQUEST_ID = "JKJaXmPLvHcESHA="
CURSOR = "Jd0wQ1-9vE3k"  # a real cursor is longer, but just as unreadable


@cache
def _sample() -> dict[str, Any]:
    samples = json.loads(files("incidents_cli.local").joinpath("samples.json").read_text())
    whole: dict[str, Any] = samples[0]["incident"]
    return whole


def new_incident() -> dict[str, Any]:
    wanted = ("title", "description", "category", "severity", "occurred_at", "detected_at", "owner_id", "tags")
    return {field: _sample()[field] for field in wanted}


def whole_incident() -> dict[str, Any]:
    """Return the body of a create with every field except the number, because only one request can use a number."""
    rest = {"source": "edm", "source_type": "api", "consolidated_investigation_ids": ["INV-7"],
            "triggered_by_alert_ids": ["alert-4711"]}  # fmt: skip
    given = {**_sample(), **rest}
    made = payloads.new_incident(json_text.loads(json.dumps(given)))
    incident = cast("Incident", model.unset_fields() | made | _STAMPS)
    _apply_rules(incident, made, _MADE)
    return given | {"mttd_minutes": incident["mttd_minutes"], "mttr_minutes": incident["mttr_minutes"]}


def taking_over() -> dict[str, Any]:
    """Return the body of a patch that every incident accepts, except a deleted incident."""
    return {"status": "investigating", "owner_id": _sample()["owner_id"]}


def closing() -> dict[str, Any]:
    return {"status": "closed", "closed_at": _sample()["closed_at"], "root_cause": _sample()["root_cause"]}


def incident() -> Any:
    """Return the answer of a GET of the sample incident, after the create and the closing patch."""
    return json.loads(wire_form.dump_incident(_after(stored())))


def created() -> Any:
    """Return the answer of the create."""
    return json.loads(wire_form.dump_incident(stored()))


def change() -> Any:
    """Return the entry of the trail that the closing patch makes."""
    before = stored()
    after = _after(before)
    first, second = (f"{number:032x}" for number in (0x5EED01, 0x5EED02))  # nonces, which are random in the service
    made = Change(1, _MADE, "maya.okafor", "created", {}, nonce=first, state_hash=wire_form.state_hash(before))
    entry = Change(
        2, _CHANGED, "maya.okafor", model.action(before, after), model.changed_values(before, after), nonce=second
    )
    entry = entry._replace(hash=wire_form.change_hash("acme", ID, entry, wire_form.change_hash("acme", ID, made, None)))
    return json.loads(wire_form.dump_change(entry))


def finding() -> Any:
    """Return a finding of an incident: a short event of a producer, with its summary."""
    event = {
        "detail-type": "Alert Escalated", "source": "acme.soc", "account": "111122223333",
        "id": "7f3c9a52-5f0b-4f59-9d0e-0c7c7f0f1a11", "region": "eu-central-1", "resources": [],
        "time": "2026-11-21T08:31:02Z", "version": "0",
        "detail": {
            "schema_version": 1, "title": "Mailbox rule forwards invoices to an outside address", "severity": "high",
            "dedup_key": "case-5120", "url": "https://soc.acme.example/cases/5120",
        },
    }  # fmt: skip
    made = evidence.of_event(
        event, observed_at="2026-11-21T08:31:02.000Z", source="acme.soc", adapter="alert_escalated",
        rule="the kind detection is taken by default",
    )  # fmt: skip
    return {
        **{name: getattr(made, name) for name in ("observed_at", "source", "adapter", "rule", "sha256", "is_cut")},
        "summary": summary.summary_of(event),
        "event": event,
    }


def deadlines() -> Any:
    """Return the deadlines of the sample incident under one regime."""
    now = clocks.utc(_AWARE_LATER)
    answer = assessment.deadlines(assessment.known(_reportable()), _SETTINGS, now)
    answer["calendars_generated_on"] = "2026-11-27"
    return {"incident_id": ID, "version": 1, **answer}


def on_the_board() -> Any:
    """Return the board entry of the sample incident."""
    now = timestamps.to_milliseconds(_AWARE_LATER)
    plan = keeping.plan(_reportable(), _SETTINGS, now, dict)
    return board_entry.shown(json.loads(plan.entry or ""), now)


def _reportable() -> dict[str, Any]:
    sent = {"eu-gdpr": {"anchors": {"aware": "2026-10-08T09:30:00.000Z"}}}
    return {**stored(), "reportable_to": ["GDPR Art. 33"], "regulatory_reports": json.dumps(sent)}


_AWARE_LATER, _SETTINGS = "2026-10-09T00:00:00.000Z", rules.Settings(zone="Europe/Paris", member_state="FR")
_COMPUTED_AT = timestamps.to_milliseconds("2026-10-31T23:30:00.000Z")
_ASKED_AT = timestamps.to_milliseconds("2026-11-01T00:00:00.000Z")


def metrics() -> Any:
    """Return the metrics answer for a window in which the sample incident was detected and closed."""
    incident: Mapping[str, Any] = _after(stored())
    facts = tally.Facts._make(incident.get(field) for field in tally.Facts._fields)

    window = questions.Window(date(2026, 10, 1), date(2026, 10, 31), "severity", "month", _ASKED_AT)
    return metric_answer.get_incident_metrics(window, _Days(facts))


class _Days(NamedTuple):
    """The metrics of one incident. No day waits for its computation."""

    facts: tally.Facts
    tells_times: bool = True

    def pending_days(self, *_: str) -> int:
        return 0

    def buckets(self, kind: Kind, *_: str) -> list[tally.DayBucket]:
        day = str(getattr(self.facts, f"{kind}_at"))[:10]
        return [tally.to_bucket(day, _COMPUTED_AT, tally.totals_by_group(kind, [self.facts]))]


def problem(error: type[errors.IncidentError], operation: str) -> Any:
    """Return the problem document of an error, computed from a request of the operation that causes this error."""
    if error in (errors.NotAuthenticated, errors.NotPermitted):
        return _refused_by_the_edge(error, operation)
    return json.loads(responses.problem(_raised(error, operation), REQUEST_ID).body)


def internal_error() -> Any:
    """Return the problem document of an unexpected error."""
    return json.loads(responses.unforeseen(REQUEST_ID).body)


def stored() -> Incident:
    """Return the sample incident as the create stores it."""
    given = payloads.new_incident(new_incident())
    made = cast("Incident", model.unset_fields() | given | _STAMPS)
    _apply_rules(made, given, _MADE)
    return made


def _after(before: Incident) -> Incident:
    given = payloads.patch(closing(), before)
    after = cast("Incident", {**before, **given, "updated_at": _CHANGED, "version": before["version"] + 1})
    _apply_rules(after, given, _CHANGED, before)
    return after


def _apply_rules(incident: Incident, given: Mapping[str, Any], now: str, before: Incident | None = None) -> None:
    if violations := model.apply_rules(incident, given, now, before):
        raise ValueError(f"the example in samples.json breaks rules; correct it: {violations}")


def _refused_by_the_edge(error: type[errors.IncidentError], operation: str) -> Any:
    issuer = os.environ.get("JWT_ISSUER", "https://issuer.example")
    claims = {"tenant_id": "acme", "sub": "maya.okafor", "scope": "other", "exp": "9999999999", "iss": issuer}
    authorizer = {} if error is errors.NotAuthenticated else {"jwt": {"claims": claims}}
    event = {"requestContext": {"requestId": REQUEST_ID, "authorizer": authorizer}}
    logging.disable()
    try:
        return json.loads(handlers.load(operation).handler(event, None)["body"])
    finally:
        logging.disable(logging.NOTSET)


def _raised(error: type[errors.IncidentError], operation: str) -> errors.IncidentError:
    """Return an error of an operation. If possible, let the operation's own code raise the error."""
    large = '"' + " " * request.BODY_BYTES + '"'
    provoke: dict[type[errors.IncidentError], Callable[[], object]] = {
        errors.MalformedRequest: lambda: _READS[operation](),
        errors.UnsupportedContent: lambda: _body(operation, "text/plain", "{}"),
        errors.IncidentTooLarge: lambda: _body(operation, "application/json", large),
        errors.InvalidIncident: lambda: (
            payloads.patch({"severity": "terrible", "created_at": _MADE}, stored())
            if operation == "update_incident"
            else payloads.new_incident({"severity": "high", "titel": "x", "detected_at": "yesterday"})
        ),
    }
    if error in provoke:
        try:
            provoke[error]()
        except errors.IncidentError as raised:
            return raised
        raise ValueError(f"{operation} does not raise {error.__name__}: correct its errors or this example")
    if error is errors.IllegalTransition:
        return errors.IllegalTransition("new", "review", model.ALLOWED_TRANSITIONS["new"])
    if error is errors.PreconditionFailed:
        return errors.PreconditionFailed(2)
    return error()  # type: ignore[call-arg]  # the others have one sentence


def _body(operation: str, media_type: str, body: str) -> object:
    sent = _request({"content-type": media_type}, body)
    return sent.merge_patch if operation == "update_incident" else sent.json


def _request(headers: Mapping[str, str], body: str = "") -> request.Request:
    return request.Request({"headers": headers, "body": body}, Identity("acme", "maya.okafor", None, frozenset()))


_READS: dict[str, Callable[[], object]] = {
    "create_incident": lambda: _body("create_incident", "application/json", '{"title": "x", "title": "y"}'),
    "update_incident": lambda: _body("update_incident", "application/json", '{"title": "x"'),
    "list_incidents": lambda: parameters.list_request({"limit": ["0"]}),
    "list_incident_changes": lambda: parameters.changes_request({"limit": ["0"]}),
    "list_incident_findings": lambda: parameters.changes_request({"limit": ["0"]}),
    "list_incident_updates": lambda: parameters.updates_request({"since": ["yesterday"]}),
    "get_incident": lambda: _request({"if-none-match": "1"}).known_versions,
    "delete_incident": lambda: _request({"if-match": "1"}).if_match,
    "get_incident_deadlines": lambda: parameters.deadlines_request({"history": ["yes"]}),
    "list_deadlines": lambda: parameters.board_request({"due_before": ["yesterday"]}),
    "get_incident_metrics": lambda: parameters.metrics_window({"from": ["yesterday"]}),
}
