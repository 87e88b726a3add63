"""Tests of findings through the real bus, rules, queue and function.

Also tests the events that the service publishes on the bus.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import grc_client
import pytest
from incidents import findings
from incidents.domain import evidence, intake_policy
from incidents.findings import Finding
from jsonschema import Draft202012Validator

from tests.support import recorded
from tests.support.checkout import Checkout
from tests.support.templates import CHECKOUT
from tests.support.waiting import until

VALIDATOR = Draft202012Validator(
    json.loads((CHECKOUT / "functions" / "incidents" / "incident_event.v1.json").read_text())
)
TENANT = "umbrella"


@pytest.fixture(scope="module")
def put(stack: Checkout, aws: Callable[[str], Any], computed: object) -> Callable[[dict[str, Any]], None]:
    """Return a function that puts an event on the bus of the event's source.

    The fixture requests ``computed``, so that the metrics for test_metrics.py are computed in the meantime.
    """
    bus = stack.status["event_bus_name"]

    def put(event: dict[str, Any]) -> None:
        of_aws = event["source"].startswith("aws.")
        entry = {
            "Source": f"simulated.{event['source']}" if of_aws else event["source"],
            "DetailType": event["detail-type"],
            "Detail": json.dumps(event["detail"]),
            "Resources": event.get("resources", []),
            "EventBusName": "default" if of_aws else bus,
        }
        assert aws("events").put_events(Entries=[entry])["FailedEntryCount"] == 0

    return put


def by_title(stack: Checkout, title: str, tenant: str = TENANT) -> dict[str, Any] | None:
    listed = stack.caller(stack.token(tenant)).get(params={"limit": 100}).json()["items"]
    return next((incident for incident in listed if incident["title"] == title), None)


def dead_letters(stack: Checkout) -> list[str]:
    return stack.answer("dlq", "list").splitlines()


@pytest.fixture(scope="module")
def sent(stack: Checkout, put: Callable[[dict[str, Any]], None]) -> dict[str, dict[str, Any]]:
    """Send all recorded events at once, and return them by name."""
    events = {name: recorded.event(name) for name in recorded.NAMES}
    account = stack.status["queue_url"].split("/")[-2]  # the bus writes this account into each event that it gets
    own = [event for event in events.values() if not event["source"].startswith("aws.")]
    for event in own:
        event["detail"].setdefault("tenant_id", TENANT)
    for linked in {account}.union(*map(accounts_of, events.values())):
        stack.answer("account", "link", linked, TENANT)
    for tenant, producer in {(event["detail"]["tenant_id"], event["source"]) for event in own}:
        stack.answer("account", "link", account, tenant, "--producer", producer)
    for event in events.values():
        put(event)
    return events


@pytest.mark.parametrize("name", recorded.NAMES)
def test_a_recorded_event_of_every_source_becomes_its_incident(
    stack: Checkout, sent: dict[str, dict[str, Any]], name: str
) -> None:
    event = sent[name]
    tenant = event["detail"].get("tenant_id", TENANT)

    wanted = findings.read(event)
    for finding in (one for one in wanted if isinstance(one, Finding) and is_taken(one)):
        made = until(partial(by_title, stack, finding.title, tenant))
        assert made["source"] == finding.source
        assert made["source_type"] == "system"
        # Both versions of Security Hub report the same findings. The incident has the severity and the time of the
        # event that arrived first. So this test compares neither.
        if not name.startswith("security_hub"):
            assert (made["severity"], made["occurred_at"]) == (finding.severity, finding.occurred_at)
            # If another event of the same finding arrived first, this event is not stored.
            if [key for key in keys_of(sent) if key == finding.key] == [finding.key]:
                kept = until(partial(kept_events, stack, made["id"], tenant, finding.received["detail"]))
                assert {one.adapter for one in kept} == {finding.adapter}
    if not any(isinstance(one, Finding) and is_taken(one) for one in wanted):
        assert name.startswith("inspector"), "a source that is on by default must give a finding"


def keys_of(sent: dict[str, dict[str, Any]]) -> list[str]:
    """Return the keys of all findings in the events."""
    return [one.key for event in sent.values() for one in findings.read(event) if isinstance(one, Finding)]


def kept_events(stack: Checkout, incident_id: str, tenant: str, detail: Any) -> list[grc_client.Finding]:
    """Return an incident's stored events whose `detail` equals ``detail``. Check the hash of each event."""
    found = stack.caller(stack.token(tenant)).get(f"/{incident_id}/findings").json()["items"]
    kept = [one for one in found if one["event"]["detail"] == detail]
    for one in kept:
        assert hashlib.sha256(evidence.canonical(one["event"])).hexdigest() == one["sha256"]
    return [grc_client.Finding.model_validate(one) for one in kept]


def is_taken(finding: Finding) -> bool:
    return intake_policy.decide(intake_policy.DEFAULT, finding.facts).reason is None


def accounts_of(event: dict[str, Any]) -> set[str]:
    return {one.account_id for one in findings.read(event) if isinstance(one, Finding)}


def test_a_partner_s_event_becomes_an_incident_by_the_tenant_s_mapping(
    stack: Checkout, put: Callable[[dict[str, Any]], None], sent: object, tmp_path: Path
) -> None:
    folder = CHECKOUT / "docs" / "mappings"
    event = json.loads((folder / "okta-event.json").read_text()) | {"source": "aws.partner/okta.com/example/e2e"}
    file = tmp_path / "event.json"
    file.write_text(json.dumps(event))
    account = stack.status["queue_url"].split("/")[-2]
    stack.answer("intake", "map", str(folder / "okta.json"), "--tenant", TENANT)
    for linked in (account, event["account"]):
        stack.answer("account", "link", linked, TENANT, "--producer", event["source"])
    explained = " ".join(stack.answer("explain", str(file)).split())
    assert "adapter mapping arrives by the rule grc-incidents-partner-events" in explained
    assert f"tenant {TENANT} " in explained
    assert "kind detection (the mapping okta)" in explained

    put(event)

    made = until(partial(by_title, stack, "Max sign in attempts exceeded by eve@example.com"))
    assert (made["source"], made["severity"]) == ("okta", "medium")
    (kept,) = kept_events(stack, made["id"], TENANT, event["detail"])
    assert (kept.adapter, kept.summary.remote_addresses) == ("mapping", ["198.51.100.23"])


def test_poison_becomes_a_dead_letter_with_its_reason_and_delays_no_other_event(
    stack: Checkout, put: Callable[[dict[str, Any]], None]
) -> None:
    stack.answer("account", "link", "111122223333", TENANT)
    unmapped = recorded.event("guardduty", detail__accountId="777700007777", detail__arn="arn:aws:guardduty:a",
                              detail__title="of nobody")  # fmt: skip
    neighbour = recorded.event("macie_policy", detail__id="neighbour", detail__title="of umbrella")

    put(unmapped)
    put(neighbour)

    (line,) = until(lambda: [line for line in dead_letters(stack) if "aws.guardduty" in line])
    assert "the account belongs to no tenant" in line
    until(lambda: by_title(stack, "of umbrella"))
    message_id = line.split()[0]
    shown = json.loads(stack.answer("dlq", "show", message_id))
    assert shown["detail"]["title"] == "of nobody"
    assert line.split()[0] in "".join(dead_letters(stack)), "a read must not hide the message from later reads"

    stack.answer("account", "link", "777700007777", TENANT)
    stack.answer("dlq", "redrive", message_id)
    made = until(lambda: by_title(stack, "of nobody"))
    assert message_id not in "".join(dead_letters(stack))
    assert made["mttd_minutes"] is not None


@pytest.fixture
def broken_intake(stack: Checkout, aws: Callable[[str], Any]) -> Iterator[Callable[[], None]]:
    """Remove the intake function's access to the table, and yield a function that restores the access."""
    function = aws("lambda").get_function_configuration(FunctionName=stack.status["functions"]["ingest_finding"])
    of = {"RoleName": function["Role"].rpartition("/")[2], "PolicyName": "ingest_finding"}
    policy = aws("iam").get_role_policy(**of)["PolicyDocument"]
    left = [one for one in policy["Statement"] if "dynamodb:GetItem" not in one["Action"]]

    def restore() -> None:
        aws("iam").put_role_policy(**of, PolicyDocument=json.dumps(policy))

    aws("iam").put_role_policy(**of, PolicyDocument=json.dumps({**policy, "Statement": left}))
    yield restore
    restore()


@contextmanager
def tried_again_sooner(stack: Checkout, aws: Callable[[str], Any]) -> Iterator[None]:
    """Shorten the time between receives, so that five receives take ten seconds instead of thirty."""
    queue = {"QueueUrl": stack.status["queue_url"]}
    usual = aws("sqs").get_queue_attributes(**queue, AttributeNames=["VisibilityTimeout"])["Attributes"]
    aws("sqs").set_queue_attributes(**queue, Attributes={"VisibilityTimeout": "2"})
    yield
    aws("sqs").set_queue_attributes(**queue, Attributes=usual)


def test_an_event_is_retried_after_a_failure_and_becomes_a_dead_letter_after_five(
    stack: Checkout, aws: Callable[[str], Any], put: Callable[[dict[str, Any]], None],
    broken_intake: Callable[[], None],
) -> None:  # fmt: skip
    stack.answer("account", "link", "111122223333", TENANT)
    with tried_again_sooner(stack, aws):
        put(recorded.event("guardduty", detail__arn="arn:aws:guardduty:c", detail__title="fails always"))
        (line,) = until(lambda: [line for line in dead_letters(stack) if "failed at every receive" in line])

    since = {"logGroupName": "/grc-incidents/ingest_finding", "startTime": time.time_ns() // 1_000_000}
    put(recorded.event("guardduty", detail__arn="arn:aws:guardduty:b", detail__title="fails for a while"))
    until(lambda: '"outcomes":["failed"]' in str(aws("logs").filter_log_events(**since)["events"]))
    broken_intake()
    until(lambda: by_title(stack, "fails for a while"))

    stack.answer("dlq", "redrive", line.split()[0])
    until(lambda: by_title(stack, "fails always"))


def test_explain_prints_the_planned_incident_and_writes_nothing(stack: Checkout, tmp_path: Any) -> None:
    file = tmp_path / "event.json"
    file.write_text(json.dumps(recorded.event("guardduty", detail__title="only explained")))
    stack.answer("account", "link", "111122223333", TENANT)

    said = stack.answer("explain", str(file))

    assert "guardduty" in said
    assert TENANT in said
    assert '"title": "only explained"' in said
    assert by_title(stack, "only explained") is None
    assert "111122223333  umbrella" in stack.answer("account", "list")


def test_explain_says_that_an_event_from_the_future_becomes_a_dead_letter(stack: Checkout, tmp_path: Path) -> None:
    file = tmp_path / "event.json"
    file.write_text(json.dumps(recorded.event("guardduty", time="9990-01-01T00:00:00Z")))

    refused = stack.run("explain", str(file))

    assert refused.returncode == 1
    assert "The event would become a dead letter." in refused.stderr
    assert "time must not be more than 24 h after the receipt of the event" in refused.stderr


def explained(stack: Checkout, folder: Path, event: dict[str, Any]) -> str:
    file = folder / "event.json"
    file.write_text(json.dumps(event))
    return stack.answer("explain", str(file))


def test_explain_names_the_rule_that_decides_and_the_stack_s_rules_that_let_the_event_in(
    stack: Checkout, tmp_path: Path
) -> None:
    stack.answer("account", "link", "444455556666", "hooli")
    control = recorded.event("security_hub_asff_several")
    del control["detail"]["findings"][1:]

    said = explained(stack, tmp_path, control)
    assert "arrives        by the rule grc-incidents-findings on the bus default" in said
    assert "posture (source *, class compliance, type *)" in said
    assert "no incident    posture: the kind posture is not taken by default" in said

    stack.answer("intake", "set", "--tenant", "hooli", "--kinds", "detection,posture:critical")
    said = explained(stack, tmp_path, control)
    assert "below_severity: the severity is high; posture is taken from critical in the tenant's settings" in said
    stack.answer("intake", "set", "--tenant", "hooli", "--let-in", "S3.8")
    assert "incident       because the tenant's settings let in S3.8" in explained(stack, tmp_path, control)
    assert '"let_in": [\n    "S3.8"\n  ]' in stack.answer("intake", "show", "--tenant", "hooli")


@pytest.mark.parametrize(
    ("name", "changed", "said"),
    [
        ("cloudwatch_alarm", {}, "never: no rule of the stack matches the event"),
        ("cloudwatch_alarm", {"detail__alarmName": "incident-orders"}, "by the rule grc-incidents-alarms on the bus"),
        ("malware_scan", {}, "by the rule grc-incidents-findings on the bus default"),
        ("guardduty", {"source": "simulated.aws.guardduty"}, "by the rule grc-incidents-simulated-findings"),
        ("alert_escalated", {}, "by the rule grc-incidents-escalated-alerts on the bus grc-incidents"),
    ],
)
def test_explain_asks_the_stack_s_own_rules_whether_an_event_arrives(
    stack: Checkout, tmp_path: Path, name: str, changed: dict[str, Any], said: str
) -> None:
    assert said in explained(stack, tmp_path, recorded.event(name, **changed))


def test_every_change_of_an_incident_is_published_and_makes_no_new_incident(
    stack: Checkout, announced: Callable[[], list[dict[str, Any]]], put: Callable[[dict[str, Any]], None]
) -> None:
    person = stack.caller(stack.token("wonka", subject="charlie"))
    made = person.post(json={"title": "announced"}).json()
    path = f"/{made['id']}"
    person.patch(path, {"severity": "high"})
    person.patch(path, {"status": "closed"})
    person.patch(path, {"status": "investigating"})
    person.delete(path)
    person.patch(path, {"is_deleted": False})

    def of_ours() -> list[dict[str, Any]]:
        return [event for event in announced() if event["detail"]["incident_id"] == made["id"]]

    events = until(lambda: len(of_ours()) >= 6 and of_ours())
    told = {event["detail"]["version"]: event["detail-type"] for event in events}
    assert list(map(told.get, range(1, 7))) == [
        "IncidentCreated", "IncidentUpdated", "IncidentClosed", "IncidentReopened", "IncidentDeleted",
        "IncidentRestored",
    ]  # fmt: skip
    for event in events:
        assert list(VALIDATOR.iter_errors(event["detail"])) == []
        assert event["detail"]["by"] == "charlie"

    before = len(stack.caller(stack.token("wonka")).get().json()["items"])
    for event in events:
        put(event)
    time.sleep(3)
    assert len(stack.caller(stack.token("wonka")).get().json()["items"]) == before
