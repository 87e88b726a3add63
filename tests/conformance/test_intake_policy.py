"""Tests of a tenant's policy on AWS's own DynamoDB Local.

The policy decides which findings become incidents. Other tests follow a control that fails and passes.

The events go through the handler of the queue.
"""

import itertools
import json
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import get_incident_metrics
import ingest_finding
import pytest
from incidents.storage import dynamodb as client_module
from incidents.storage import guard, keys
from incidents.storage.account_map import AccountMap
from incidents.storage.incident_repository import IncidentRepository
from incidents.storage.settings import INTAKE, Settings, TenantSettings
from list_incidents import handler as list_
from update_incident import handler as update

from tests.support import hubs, invariants
from tests.support.events import Context, claims, list_event, metrics_event, patch_event
from tests.support.metric_world import MetricWorld, mark
from tests.support.queues import sqs_event
from tests.support.recorded import ACCOUNT, FOLDER
from tests.support.recorded import event as recorded

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

START = datetime(2026, 11, 20, tzinfo=UTC)
FINDING = "detail__findings__0__"
FLAPS = 100
CONTROLS = 700

Event = dict[str, Any]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """Set the clock of all code under test to the one time in this list."""
    now = [START]
    monkeypatch.setattr(time, "time_ns", lambda: int(now[0].timestamp() * 1000) * 1_000_000)
    return now


def take(*events: object) -> None:
    assert ingest_finding.handler(sqs_event(*events), Context) == {"batchItemFailures": []}


def incidents(tenant: str = "acme") -> list[dict[str, Any]]:
    """Return a tenant's newest incidents, oldest first."""
    answer = list_(list_event(claims(tenant), limit="100"), Context)
    found: list[dict[str, Any]] = json.loads(answer["body"])["items"]
    return found[::-1]


def set_policy(tenant: str = "acme", **value: Any) -> None:
    with guard.serving_tenant(tenant):
        settings = TenantSettings(tenant, client_module.client(), client_module.table_name())
        before = settings.read(INTAKE)
        settings.write(INTAKE, Settings(value, before.version + 1 if before else 1, "2026-11-20T00:00:00.000Z", "ada"))


def text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def control(moment: datetime, status: str = "FAILED", n: int = 0, **changed: Any) -> Event:
    """Return the report of a control at a time, as Security Hub sends it."""
    region_and_account = f"eu-central-1:{ACCOUNT}"
    values = {
        "Id": f"arn:aws:securityhub:{region_and_account}:security-control/S3.{n}/finding/{n:032x}",
        "AwsAccountId": ACCOUNT, "GeneratorId": f"security-control/S3.{n}", "Title": f"control {n}",
        "Compliance": {"Status": status, "SecurityControlId": f"S3.{n}"},
        "CreatedAt": text(START), "FirstObservedAt": text(START), "UpdatedAt": text(moment),
        "LastObservedAt": text(moment),
        # The hub gives a control that passes the severity INFORMATIONAL.
        "Severity": {"Label": "INFORMATIONAL" if status == "PASSED" else "HIGH"}, **changed,
    }  # fmt: skip
    whole = recorded("security_hub_asff_several", time=text(moment))
    whole["detail"]["findings"] = [whole["detail"]["findings"][0] | values]
    return whole


def as_ocsf(event: Event) -> Event:
    """Return a control's report as the second version of the hub sends it."""
    item = event["detail"]["findings"][0]
    severity = {"INFORMATIONAL": 1, "LOW": 2, "MEDIUM": 3, "HIGH": 4, "CRITICAL": 5}[item["Severity"]["Label"]]
    finding = {
        "class_uid": 2003, "cloud": {"account": {"uid": item["AwsAccountId"]}, "region": "eu-central-1"},
        "compliance": {"control": item["Compliance"]["SecurityControlId"], "status": "Fail", "status_id": 3},
        "finding_info": {"uid": item["Id"], "title": item["Title"], "created_time_dt": item["CreatedAt"],
                         "modified_time_dt": item["UpdatedAt"]},
        "metadata": {"product": {"uid": item["ProductArn"].replace("product/", "productv2/")}},
        "resources": [{"type": "AWS::S3::Bucket", "uid": one["Id"]} for one in item["Resources"]],
        "severity_id": severity, "status": "New", "status_id": 1,
    }  # fmt: skip
    return hubs.envelope(event, "Findings Imported V2", finding)


def catalog() -> list[Event]:
    """Return failures of a complete catalog of controls, in both formats and with all severities."""
    severities = ["CRITICAL", *["HIGH"] * 2, *["MEDIUM"] * 5, *["LOW"] * 2, "INFORMATIONAL"]
    types = ["Software and Configuration Checks/Industry and Regulatory Standards",
             "Effects/Data Exposure/AWS-Foundational-Security-Best-Practices"]  # fmt: skip
    events = []
    for n in range(CONTROLS):
        one = control(
            START, n=n, Severity={"Label": severities[n % len(severities)]}, Types=[types[n % 2]],
            Resources=[{"Type": "AwsS3Bucket", "Id": f"arn:aws:s3:::bucket-{n}"}],
        )  # fmt: skip
        events.append(as_ocsf(one) if n % 3 == 0 else one)
    return events


@pytest.mark.usefixtures("accounts")
def test_failed_controls_make_nothing_by_default_and_only_the_critical_ones_if_asked(
    service: str, dynamodb: "DynamoDBClient", world: Callable[[], MetricWorld], capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = world()
    jobs.wait(300 * 86_400)  # move the clock past the times in the events
    events = catalog()
    for batch in _batches(events):
        take(*batch)
    assert {item["pk"]["S"] for item in invariants.everything(dynamodb, service)} == {"ACCOUNTS"}

    set_policy(kinds={"posture": "critical"})
    for batch in _batches(events):
        take(*batch)

    wanted = {f"control {n}" for n in range(CONTROLS) if n % 11 == 0}
    made = incidents()
    assert {one["title"] for one in made} == wanted
    assert len(made) == len(wanted)
    assert {(one["occurred_at"], one["mttd_minutes"]) for one in made} == {(None, None)}
    mark(jobs.fetch())
    jobs.compute()
    asked = {"from": "2026-11-01", "to": "2026-11-30"}
    answer = json.loads(get_incident_metrics.handler(metrics_event(claims(), **asked), Context)["body"])
    mttd = answer["mttd"]
    assert (mttd["n"], mttd["mean"]) == (0, None)


def _batches(events: list[Event]) -> list[list[Event]]:
    """Return events with the findings of many events. Each returned event has up to 100 findings of one format."""
    batches = []
    for detail_type in ("Findings Imported V2", "Security Hub Findings - Imported"):
        of_format = [one["detail"]["findings"][0] for one in events if one["detail-type"] == detail_type]
        envelope = next(one for one in events if one["detail-type"] == detail_type)
        batches += [
            [{**envelope, "detail": {"findings": of_format[n : n + 100]}}] for n in range(0, len(of_format), 100)
        ]
    return batches


class ModelOfControl:
    """A short model of a control. A failing control has one open incident. The next incident needs a pass before it."""

    def __init__(self) -> None:
        self.incidents = 0
        self.is_open = False
        # True if the control passed after the newest failure that the newest incident knows.
        self.passed_since = False

    def fails(self) -> None:
        if not self.is_open and (self.incidents == 0 or self.passed_since):
            self.incidents += 1
            self.is_open = True
        if self.is_open:
            self.passed_since = False

    def passes(self) -> None:
        self.passed_since = True

    def closes(self) -> None:
        self.is_open = False


@pytest.mark.usefixtures("accounts")
def test_a_control_that_flaps_a_hundred_times_follows_the_rule(
    clock: list[datetime], service: str, dynamodb: "DynamoDBClient"
) -> None:
    set_policy(kinds={"posture": "high"})
    model, random = ModelOfControl(), Random(20261120)

    def does(step: str) -> None:
        clock[0] += timedelta(minutes=1)
        if step == "close":
            if model.is_open:
                close(max(one["id"]["S"] for one in everyone(dynamodb, service)))
            model.closes()
        else:
            take(control(clock[0], step))
            {"FAILED": model.fails, "PASSED": model.passes}.get(step, lambda: None)()
        stored = everyone(dynamodb, service)
        assert len(stored) == model.incidents, step
        assert sum(one["status"]["S"] != "closed" for one in stored) == model.is_open, step

    for _ in range(FLAPS):
        between = ["close", "FAILED", "WARNING", "NOT_AVAILABLE"]
        for step in ("FAILED", *random.sample(between, k=random.randrange(3)), "PASSED"):
            does(step)
        if random.random() < 0.3:
            does("close")
    assert model.incidents > 20


def everyone(dynamodb: "DynamoDBClient", service: str) -> list[dict[str, Any]]:
    return dynamodb.query(
        TableName=service, KeyConditionExpression="pk = :pk", ConsistentRead=True,
        ExpressionAttributeValues={":pk": {"S": keys.incident("acme", "").pk}},
    )["Items"]  # fmt: skip


def close(incident_id: str, status: str = "closed") -> None:
    assert update(patch_event(incident_id, {"status": status}), Context)["statusCode"] == 200


@pytest.mark.usefixtures("accounts")
def test_a_control_is_one_incident_in_every_standard_and_through_both_hubs(clock: list[datetime]) -> None:
    set_policy(kinds={"posture": "informational"})
    for minute, standard in enumerate(("aws-foundational-security-best-practices/v/1.0.0", "pci-dss/v/3.2.1")):
        of_standard = f"arn:aws:securityhub:eu-central-1:{ACCOUNT}:subscription/{standard}/S3.1/finding/{minute:032x}"
        take(control(START + timedelta(minutes=minute), n=1, Id=of_standard))
    take(control(START + timedelta(minutes=3), n=1))
    take(as_ocsf(control(START + timedelta(minutes=4), n=1)))

    (incident,) = incidents()
    assert incident["affected_asset_ids"] == ["arn:aws:s3:::example-press-kit"]
    assert (incident["tags"], incident["occurred_at"]) == (["S3.1"], None)


@pytest.mark.usefixtures("accounts")
def test_what_the_hub_resolved_is_kept_with_the_finding_and_changes_nothing_in_the_incident(
    clock: list[datetime], service: str, dynamodb: "DynamoDBClient"
) -> None:
    set_policy(kinds={"posture": "informational"})
    take(control(START))
    (before,) = incidents()

    take(control(START + timedelta(minutes=2), Workflow={"Status": "RESOLVED"}))
    take(control(START + timedelta(minutes=3), "PASSED"))
    take(control(START + timedelta(minutes=1), "PASSED"))

    assert incidents() == [before]
    (item,) = [one for one in invariants.everything(dynamodb, service) if one["pk"]["S"].endswith("#FINDING")]
    assert item["resolved_at"]["S"] == text(START + timedelta(minutes=2))
    assert item["passed_at"]["S"] == text(START + timedelta(minutes=3))


@pytest.mark.usefixtures("accounts")
def test_a_failure_that_arrives_late_does_not_open_a_closed_control_again(clock: list[datetime]) -> None:
    set_policy(kinds={"posture": "informational"})
    take(control(START))
    take(control(START + timedelta(minutes=1), "PASSED"))
    clock[0] = START + timedelta(minutes=5)
    close(incidents()[0]["id"])

    take(control(START + timedelta(minutes=2)))  # the time is after the pass and before the end
    take(control(START + timedelta(minutes=6)))
    assert len(incidents()) == 1, "the control has not passed since it failed in minute 2"

    take(control(START + timedelta(minutes=7), "PASSED"), control(START + timedelta(minutes=8)))
    assert len(incidents()) == 2


@pytest.mark.usefixtures("accounts")
@pytest.mark.parametrize("is_late", [False, True])
def test_a_custom_action_is_no_failure_of_its_control(clock: list[datetime], is_late: bool) -> None:
    set_policy(kinds={"posture": "informational"})
    take(control(START))
    (incident,) = incidents()
    by_hand = control(START) | {
        "detail-type": "Security Hub Findings - Custom Action", "time": text(START + timedelta(minutes=2)),
    }  # fmt: skip
    clock[0] = START + timedelta(minutes=5)

    if not is_late:
        take(by_hand)
    close(incident["id"])
    if is_late:
        take(by_hand)
    take(control(START + timedelta(minutes=1), "PASSED"), control(START + timedelta(minutes=8)))

    assert len(incidents()) == 2


@pytest.mark.usefixtures("accounts")
def test_a_pass_between_a_read_and_a_write_of_the_finding_is_not_lost(
    clock: list[datetime], monkeypatch: pytest.MonkeyPatch, service: str, dynamodb: "DynamoDBClient"
) -> None:
    set_policy(kinds={"posture": "informational"})
    take(control(START))
    sighting = IncidentRepository.sighting

    def beside(self: IncidentRepository, key: str) -> Any:
        known = sighting(self, key)
        monkeypatch.setattr(IncidentRepository, "sighting", sighting)
        take(control(START + timedelta(minutes=1), "PASSED"))
        return known

    monkeypatch.setattr(IncidentRepository, "sighting", beside)
    take(control(START + timedelta(minutes=2)))

    (item,) = [one for one in invariants.everything(dynamodb, service) if one["pk"]["S"].endswith("#FINDING")]
    assert (item["passed_at"]["S"], item["seen_at"]["S"]) == (
        text(START + timedelta(minutes=1)), text(START + timedelta(minutes=2))
    )  # fmt: skip


@pytest.mark.usefixtures("service")
def test_an_unmapped_account_s_posture_is_counted_and_its_detection_is_a_dead_letter(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    take(control(START))
    assert '"outcome":"posture"' in capsys.readouterr().out


def test_settings_of_one_tenant_are_not_another_s(accounts: AccountMap) -> None:
    accounts.link("444455556666", "globex")
    set_policy("globex", kinds={})
    take(recorded("guardduty"), recorded("guardduty", detail__accountId="444455556666"))
    assert (len(incidents()), len(incidents("globex"))) == (1, 0)


@pytest.mark.usefixtures("accounts")
def test_a_custom_action_makes_an_incident_whatever_the_settings_say() -> None:
    set_policy(kinds={}, leave_out=["*"])
    take(recorded("security_hub_asff_custom_action"))
    assert len(incidents()) == 1


WAYS: dict[str, list[Callable[[Event], Event]]] = {
    "guardduty": [hubs.as_asff, hubs.as_ocsf, hubs.as_custom_action],
    "inspector": [hubs.as_asff, hubs.as_ocsf, hubs.as_custom_action],
    "guardduty_attack_sequence": [hubs.as_asff, hubs.as_ocsf],
    "macie_policy": [hubs.as_asff, hubs.as_ocsf], "macie_sensitive_data": [hubs.as_asff, hubs.as_ocsf],
    "health": [hubs.as_asff], "health_page_2": [hubs.as_asff],
}  # fmt: skip


@pytest.mark.parametrize("name", WAYS)
def test_an_event_in_every_order_of_its_ways_is_one_and_the_same_incident(name: str, accounts: AccountMap) -> None:
    direct = recorded(name)
    seen = set()
    for n, order in enumerate(itertools.permutations([direct, *(way(direct) for way in WAYS[name])])):
        tenant = f"t{n}"
        accounts.link(ACCOUNT, tenant)
        set_policy(tenant, kinds=dict.fromkeys(("detection", "exposure", "alarm", "vulnerability", "notice"), "low"))
        for event in order:  # a batch would handle them at the same time
            take(event)
        (incident,) = incidents(tenant)
        seen.add(json.dumps([
            incident[field] if not isinstance(incident[field], list) else sorted(incident[field])
            for field in ("title", "source", "category", "severity", "tags", "affected_asset_ids",
                          "triggered_by_alert_ids", "affected_account_ids")
        ]))  # fmt: skip
    assert len(seen) == 1


def outage(n: int) -> Event:
    whole: list[Event] = json.loads((FOLDER / "field" / "10_public_outage_of_three_accounts.json").read_text())
    return whole[n]


def test_a_public_outage_is_one_incident_with_all_accounts_in_every_order_and_way(accounts: AccountMap) -> None:
    for n, (order, hub) in enumerate(itertools.product(itertools.permutations(range(3)), (None, 0, 2))):
        tenant = f"t{n}"
        for account in (1, 2, 3):
            accounts.link(f"11112222333{account}", tenant)
        take(*(hubs.as_asff(outage(one)) if one == hub else outage(one) for one in order))

        (incident,) = incidents(tenant)
        assert sorted(incident["affected_account_ids"]) == [f"11112222333{account}" for account in (1, 2, 3)]
        assert incident["title"] == "Operational issue (EC2, eu-central-1)"


@pytest.mark.usefixtures("accounts")
def test_an_attack_sequence_names_its_signals_and_their_incidents() -> None:
    arn = recorded("guardduty")["detail"]["arn"]
    signals = [{"uid": arn, "type": "FINDING"}, {"uid": "call-1", "type": "CLOUD_TRAIL"},
               *({"uid": f"arn:aws:guardduty:x:{n}", "type": "FINDING"} for n in range(100))]  # fmt: skip
    take(recorded("guardduty"))
    take(recorded("guardduty_attack_sequence", detail__service__detection__sequence__signals=signals))

    first, sequence = incidents()
    assert arn in sequence["triggered_by_alert_ids"]
    assert "call-1" not in sequence["triggered_by_alert_ids"]
    assert f"related:{first['incident_number']}" in sequence["tags"]


@pytest.mark.usefixtures("accounts")
def test_a_signal_that_arrives_after_its_sequence_is_tagged_with_it() -> None:
    sequence_arn = recorded("guardduty_attack_sequence")["detail"]["arn"]
    take(recorded("guardduty_attack_sequence"))
    take(recorded("guardduty", detail__associatedAttackSequenceArn=sequence_arn))

    sequence, signal = incidents()
    assert f"related:{sequence['incident_number']}" in signal["tags"]


@pytest.mark.usefixtures("accounts")
def test_a_scanner_s_flood_is_counted_by_reason(capsys: pytest.CaptureFixture[str]) -> None:
    take(control(START, n=1), control(START, n=2), recorded("inspector"), control(START, "WARNING", n=3))

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    counted = Counter({line["outcome"]: int(line["Findings"][0]) for line in lines})
    assert counted == {"posture": 2, "vulnerability": 1, "warning": 1}


def test_a_finding_of_the_key_of_an_earlier_release_is_attached_to_its_incident(
    accounts: AccountMap, service: str, dynamodb: "DynamoDBClient"
) -> None:
    """Release 0.1.0 stored a standard's finding under the finding's id, and a public event under its account."""
    set_policy(kinds={"posture": "informational", "alarm": "informational"})
    for n in range(3):
        accounts.link(f"11112222333{n + 1}", "acme")
    of_standard = f"arn:aws:securityhub:eu-central-1:{ACCOUNT}:subscription/x/v/1.0.0/S3.1/finding/{1:032x}"
    failure = control(START, n=1, Id=of_standard)
    take(failure, outage(0))
    arn = outage(0)["detail"]["eventArn"]
    former = {"S3.1": of_standard, "AWS_EC2_OPERATIONAL_ISSUE": json.dumps(
        ["aws.health", arn, "111122223331"], separators=(",", ":"))}  # fmt: skip
    by_id = {one["id"]: one["tags"][0] for one in incidents()}
    for item in invariants.of_tenant(dynamodb, service, "acme"):
        if item["pk"]["S"].endswith("#FINDING"):
            dynamodb.delete_item(TableName=service, Key={"pk": item["pk"], "sk": item["sk"]})
            key = keys.finding("acme", former[by_id[item["incident_id"]["S"]]])
            dynamodb.put_item(TableName=service, Item=item | {"sk": {"S": key.sk}})

    again = control(START + timedelta(days=1), n=1, Id=of_standard)
    later = {**outage(0), "time": "2026-11-21T10:00:00Z"}
    take(again, later, outage(1), later)

    assert len(incidents()) == 2
    (issue,) = [one for one in incidents() if "AWS_EC2_OPERATIONAL_ISSUE" in one["tags"]]
    assert issue["affected_account_ids"] == ["111122223331", "111122223332"]
