"""Tests of findings on AWS's own DynamoDB Local, through the handler of the queue.

Each finding becomes one incident.
"""

import json
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import ingest_finding
import pytest
from delete_incident import handler as delete
from incidents import intake
from incidents.commands import read_alter_write
from incidents.domain import wire_form
from incidents.domain.errors import IncidentTooLarge
from incidents.edges import findings_queue
from incidents.storage.account_map import AccountMap
from incidents.storage.incident_repository import IncidentRepository
from list_incident_changes import handler as list_changes
from list_incident_findings import handler as list_findings
from list_incidents import handler as list_
from update_incident import handler as update

from tests.support import hubs, invariants
from tests.support.events import Context, changes_event, claims, delete_event, list_event, patch_event
from tests.support.queues import sqs_event
from tests.support.recorded import ACCOUNT
from tests.support.recorded import event as recorded

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Finding = Callable[..., dict[str, Any]]


def take(*events: object) -> list[str]:
    """Give the function these events, and return the ids of the messages that the queue would deliver again."""
    answer = ingest_finding.handler(sqs_event(*events), Context)
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def incidents(tenant: str = "acme") -> list[dict[str, Any]]:
    """Return a tenant's incidents, oldest first, including the deleted incidents."""
    answer = list_(list_event(claims(tenant), include_deleted="true", order="asc"), Context)
    found: list[dict[str, Any]] = json.loads(answer["body"])["items"]
    return found


def guardduty(*, minutes: int = 0, severity: float = 7.5, asset: str = "i-0a1b2c3d4e5f60718") -> dict[str, Any]:
    """Return the recorded GuardDuty finding, as if the tool saw it again this many minutes later."""
    event = recorded("guardduty")
    later = datetime(2026, 11, 17, 3, tzinfo=UTC) + timedelta(minutes=minutes)
    event["detail"]["updatedAt"] = event["detail"]["service"]["eventLastSeen"] = later.isoformat().replace(
        "+00:00", "Z"
    )
    event["time"] = event["detail"]["updatedAt"]
    event["detail"]["severity"] = severity
    event["detail"]["resource"]["instanceDetails"]["instanceId"] = asset
    return event


def suppressible_alarm(second: int, by: str | None, before: dict[str, str]) -> dict[str, Any]:
    """Return the event of a composite alarm in the state ALARM. ``by`` names what suppresses the alarm's actions."""
    event = recorded("cloudwatch_alarm_composite", time=f"2026-11-20T13:57:{second}Z", detail__previousState=before)
    event["detail"]["state"] |= {"timestamp": f"2026-11-20T13:57:{second}.101+0000"} | suppressed(by)
    return event


def suppressed(by: str | None) -> dict[str, str]:
    return {"actionsSuppressedBy": by, "actionsSuppressedReason": f"Actions suppressed by {by}"} if by else {}


def metrics(capsys: pytest.CaptureFixture[str]) -> dict[str, float]:
    """Return the counts for CloudWatch, by outcome, from the embedded metrics in the log."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    counted: Counter[str] = Counter()
    for line in lines:
        assert line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Incidents"
        assert set(line["_aws"]["CloudWatchMetrics"][0]["Dimensions"][0]) <= {"service", "stage", "outcome"}
        counted[line["outcome"]] += int(line["Findings"][0])
    return dict(counted)


def patch(incident: dict[str, Any], **values: object) -> dict[str, Any]:
    answer = update(patch_event(incident["id"], values), Context)
    assert answer["statusCode"] == 200, answer
    changed: dict[str, Any] = json.loads(answer["body"])
    return changed


def refuse(incident: object) -> None:
    raise IncidentTooLarge("it is full")


def soon(**more: float) -> int:
    """Return the number of minutes from the recorded finding until shortly after now."""
    after = datetime.now(UTC) + timedelta(minutes=1, **more)
    return int((after - datetime(2026, 11, 17, 3, tzinfo=UTC)).total_seconds() // 60) + 1


def test_a_finding_becomes_an_incident_with_the_finding_s_dates(accounts: AccountMap) -> None:
    assert take(guardduty()) == []

    (incident,) = incidents()
    assert (incident["source"], incident["source_type"]) == ("aws.guardduty", "system")
    assert (incident["created_by"], incident["severity"], incident["status"]) == ("system:aws.guardduty", "high", "new")
    assert incident["occurred_at"] == "2026-11-17T02:12:07.000Z"
    assert incident["mttd_minutes"] == 14
    (first,) = json.loads(list_changes(changes_event(incident["id"]), Context)["body"])["items"]
    assert first["dates"]["occurred_at"] == "detail.service.eventFirstSeen"
    assert "app_id" not in incident


def test_a_repeated_or_older_event_changes_nothing(
    accounts: AccountMap, service: str, dynamodb: "DynamoDBClient"
) -> None:
    take(guardduty(minutes=5))
    before = invariants.everything(dynamodb, service)

    take(guardduty(minutes=5), guardduty(minutes=5), guardduty(minutes=4, severity=9.5, asset="i-other"))

    assert invariants.everything(dynamodb, service) == before


def test_one_finding_through_three_hubs_is_one_incident(accounts: AccountMap) -> None:
    take(*(recorded(name) for name in ("security_hub_ocsf_guardduty", "guardduty", "security_hub_asff_guardduty")))

    assert len(incidents()) == 1


def test_a_newer_event_adds_assets_and_may_only_raise_the_severity(accounts: AccountMap) -> None:
    take(guardduty())
    take(guardduty(minutes=1, severity=9.2, asset="i-second"))
    (raised,) = incidents()
    assert raised["severity"] == "critical"
    assert raised["affected_asset_ids"][-1] == "i-second"
    assert f"arn:aws:ec2:eu-central-1:{ACCOUNT}:instance/i-0a1b2c3d4e5f60718" in raised["affected_asset_ids"]
    assert raised["updated_by"] == "system:aws.guardduty"

    take(guardduty(minutes=2, severity=2.0))
    assert incidents()[0]["severity"] == "critical"


def test_an_analyst_s_severity_stays_until_a_higher_one_is_seen(accounts: AccountMap) -> None:
    take(guardduty(severity=7.5))
    patch(incidents()[0], severity="low")
    take(guardduty(minutes=1, severity=7.5))
    assert incidents()[0]["severity"] == "low", "the incident's severity must change only if a higher one is seen"

    take(guardduty(minutes=2, severity=9.5))
    assert incidents()[0]["severity"] == "critical"


def test_ids_beyond_500_are_counted_and_not_attached(accounts: AccountMap, capsys: pytest.CaptureFixture[str]) -> None:
    take(guardduty())
    patch(incidents()[0], affected_asset_ids=[f"asset-{n}" for n in range(500)])

    take(guardduty(minutes=1, asset="i-one-too-many"))
    take(guardduty(minutes=1, asset="i-again"))

    (incident,) = incidents()
    assert incident["affected_asset_ids"] == [f"asset-{n}" for n in range(500)]
    assert metrics(capsys) == {"created": 1, "attached_in_part": 1, "known": 1}


@pytest.mark.parametrize("end", ["closed", "deleted"])
def test_an_event_after_the_incident_s_end_is_a_recurrence_and_an_earlier_one_is_late(
    accounts: AccountMap, end: str
) -> None:
    take(guardduty())
    (first,) = incidents()
    if end == "closed":
        patch(first, status="closed")
    else:
        delete(delete_event(first["id"]), Context)

    take(guardduty(minutes=1, asset="i-late"))
    assert len(incidents()) == 1
    assert "i-late" not in json.dumps(incidents())

    take(guardduty(minutes=soon()))
    _, second = incidents()
    assert f"recurrence-of:{first['incident_number']}" in second["tags"]

    take(guardduty(minutes=soon() + 1, asset="i-attached"))
    assert [incident["id"] for incident in incidents()] == [first["id"], second["id"]]
    assert "i-attached" in incidents()[1]["affected_asset_ids"], "the finding still points to the newest incident"


def later(days: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the clock to a time in this many days."""
    at = time.time_ns() + days * 86_400 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: at)


def test_an_incident_that_is_closed_in_the_future_recurs_after_its_last_change(accounts: AccountMap) -> None:
    take(guardduty())
    (first,) = incidents()
    patch(first, status="closed", closed_at="9998-01-01T00:00:00Z")

    take(guardduty(minutes=1, asset="i-late"))
    assert len(incidents()) == 1

    take(guardduty(minutes=soon()))
    assert f"recurrence-of:{first['incident_number']}" in incidents()[1]["tags"]


def test_an_event_from_the_future_is_a_dead_letter_and_hides_no_other_event(
    accounts: AccountMap, dead_letters: list[dict[str, Any]]
) -> None:
    take(guardduty(minutes=soon(hours=25), severity=2))
    assert incidents() == []
    (letter,) = dead_letters
    assert "time must not be more than 24 h after the receipt of the event" in json.dumps(letter)

    take(guardduty(minutes=soon(hours=23), severity=2), guardduty(minutes=soon(hours=23) + 5))
    assert [incident["severity"] for incident in incidents()] == ["high"]


def test_a_dismissed_finding_makes_no_incident_for_thirty_days(
    accounts: AccountMap, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(guardduty())
    patch(incidents()[0], status="dismissed")

    later(30, monkeypatch)
    take(guardduty(minutes=soon(days=29)))
    assert len(incidents()) == 1

    take(guardduty(minutes=soon(days=30)))
    assert len(incidents()) == 2


def test_a_finding_attaches_to_its_newest_incident_even_if_an_older_one_is_reopened(accounts: AccountMap) -> None:
    take(guardduty())
    (first,) = incidents()
    patch(first, status="closed")
    take(guardduty(minutes=soon()))
    patch(first, status="investigating")

    take(guardduty(minutes=soon() + 1, asset="i-new"))

    reopened, newest = incidents()
    assert "i-new" not in reopened["affected_asset_ids"]
    assert "i-new" in newest["affected_asset_ids"]


@pytest.mark.parametrize("order", [(1, 2, 1), (2, 1, 2)])
def test_both_pages_of_a_report_are_attached_in_any_order(accounts: AccountMap, order: tuple[int, ...]) -> None:
    pages = {
        page: recorded("health_page_2", detail__page=str(page), detail__affectedEntities=[{"entityValue": f"i-{page}"}])
        for page in (1, 2)
    }

    take(*(pages[page] for page in order))

    (incident,) = incidents()
    assert sorted(incident["affected_asset_ids"]) == ["i-1", "i-2"]


def test_concurrent_events_of_a_finding_make_one_incident(
    accounts: AccountMap, service: str, dynamodb: "DynamoDBClient"
) -> None:
    # This test calls the code as concurrent functions do. A single handler processes only one batch at a time.
    def take_one(n: int) -> list[str]:
        message = findings_queue.Message(sqs_event(guardduty(minutes=n % 4))["Records"][0])
        return intake.ingest_finding(
            message.event, message.accounts, message.serving, message.settings_of, message.enabled_sources
        )

    with ThreadPoolExecutor(16) as pool:
        outcomes = Counter(outcome for taken in pool.map(take_one, range(48)) for outcome in taken)

    assert outcomes["created"] == 1
    assert set(outcomes) <= {"created", "attached", "known"}
    assert len(incidents()) == 1
    found = [item for item in invariants.everything(dynamodb, service) if item["pk"]["S"] != "ACCOUNTS"]
    assert invariants.violations(found) == []


def test_a_number_of_thousands_of_digits_stops_no_finding(dead_letters: list[dict[str, Any]]) -> None:
    event = json.dumps(guardduty()).replace('"detail": {', '"detail": {"huge": ' + "9" * 5_000 + ", ", 1)

    assert take(event) == []

    assert dead_letters == []
    assert len(incidents()) == 1


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ("{", "the message is not JSON"),
        ('{"detail": NaN}', "the message is not JSON"),
        ("[" * 100_000, "the message is nested too deeply"),
        ("[1]", ""),
        ({"source": "aws.unheard", "detail-type": "x", "detail": {}}, ""),
        ({**recorded("guardduty"), "detail": {}}, ""),
        (recorded("alert_escalated"), "the producer must be allowed to escalate alerts"),
        ({**recorded("guardduty"), "detail": {**recorded("guardduty")["detail"], "accountId": "999988887777"}},
         "the account belongs to no tenant"),
    ],
)  # fmt: skip
def test_an_event_that_can_never_succeed_becomes_a_dead_letter_with_its_reason(
    dead_letters: list[dict[str, Any]], event: object, reason: str
) -> None:
    assert take(event, guardduty()) == []

    (letter,) = dead_letters
    said = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert set(said) == {"reason", "account", "source", "event_id"}
    assert reason in said["reason"]
    assert said["reason"]
    assert letter["MessageBody"] == (event if isinstance(event, str) else json.dumps(event))
    assert len(incidents()) == 1, "the other message of the batch must be accepted"


def test_an_allowed_producer_escalates_for_the_tenant_it_names(
    accounts: AccountMap, dead_letters: list[dict[str, Any]]
) -> None:
    event = recorded("alert_escalated")
    accounts.allow(event["account"], event["source"], event["detail"]["tenant_id"])

    take(event, {**event, "detail": {**event["detail"], "tenant_id": "globex"}})

    assert len(incidents(event["detail"]["tenant_id"])) == 1
    assert incidents("globex") == []
    assert len(dead_letters) == 1


def test_a_producer_must_name_the_tenant_if_it_has_more_than_one(
    accounts: AccountMap, dead_letters: list[dict[str, Any]]
) -> None:
    event = recorded("alert_escalated_minimal")
    accounts.allow(event["account"], event["source"], "acme")
    take(event)
    assert len(incidents()) == 1

    accounts.allow(event["account"], event["source"], "globex")
    take({**event, "detail": {**event["detail"], "dedup_key": "another"}})
    assert (len(incidents()), incidents("globex"), len(dead_letters)) == (1, [], 1)


def test_a_skipped_event_writes_nothing_and_is_counted_by_its_reason(
    accounts: AccountMap, dead_letters: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    archived = guardduty()
    archived["detail"]["service"]["archived"] = True

    assert take(archived, {**recorded("guardduty"), "source": "grc.incidents"}, recorded("inspector")) == []

    assert metrics(capsys) == {"archived": 1, "own": 1, "vulnerability": 1}
    assert (incidents(), dead_letters) == ([], [])


def test_a_temporary_failure_is_retried_and_delays_no_other_message(
    accounts: AccountMap, dead_letters: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant_of = AccountMap.tenant_of

    def broken(self: AccountMap, account_id: str) -> str | None:
        if account_id == "444455556666":
            raise RuntimeError("not now")
        return tenant_of(self, account_id)

    accounts.link("444455556666", "globex")
    monkeypatch.setattr(AccountMap, "tenant_of", broken)
    other = guardduty()
    other["detail"]["accountId"] = "444455556666"

    assert len(take(other, guardduty())) == 1
    assert (len(incidents()), incidents("globex"), dead_letters) == (1, [], [])

    monkeypatch.undo()


@pytest.mark.usefixtures("accounts")
def test_further_reports_of_one_problem_are_attached_in_any_order() -> None:
    first, second, older = (recorded("macie_sensitive_data") for _ in range(3))
    for event, name, severity, day in (
        (first, "a", "Low", "18"),
        (second, "b", "High", "18"),
        (older, "c", "Low", "17"),
    ):
        event["time"] = event["detail"]["updatedAt"] = f"2026-11-{day}T10:00:00Z"
        event["detail"]["id"] = name
        event["detail"]["severity"]["description"] = severity
        event["detail"]["resourcesAffected"]["s3Object"]["path"] = f"bucket/{name}.csv"

    assert take(first, second, older, older, second) == []

    (incident,) = incidents()
    assert incident["triggered_by_alert_ids"] == ["a", "b", "c"]
    assert incident["severity"] == "high"
    assert {f"arn:aws:s3:::bucket/{name}.csv" for name in "abc"} <= set(incident["affected_asset_ids"])
    patch(incident, status="closed")
    older["detail"]["id"] = "d"
    take(older)
    assert len(incidents()) == 1


def test_one_bad_finding_of_an_event_does_not_stop_the_others(dead_letters: list[dict[str, Any]]) -> None:
    event = recorded("security_hub_asff_several")
    for one in event["detail"]["findings"]:
        one["AwsAccountId"] = ACCOUNT
    del event["detail"]["findings"][2]["Title"]
    event["detail"]["findings"][0]["AwsAccountId"] = "999988887777"

    assert take(event) == []

    assert len(incidents()) == 1
    assert len(dead_letters) == 1


@pytest.mark.usefixtures("accounts")
def test_the_highest_severity_ever_seen_is_remembered() -> None:
    take(guardduty(severity=9.5))
    take(guardduty(minutes=1, severity=2.0))
    patch(incidents()[0], severity="medium")
    take(guardduty(minutes=2, severity=9.5))
    assert incidents()[0]["severity"] == "medium", "the tool already reported critical before the analyst's change"


@pytest.mark.usefixtures("accounts")
def test_the_severity_rises_even_if_no_further_id_fits() -> None:
    take(guardduty(severity=5.0))
    ids = {name: [f"{n:04d}{'x' * 119}" for n in range(400)] for name in ("realized_risk_ids", "commander_ids")}
    patch(incidents()[0], **ids)
    for size in range(32_000, 0, -50):  # stops at the largest size that the incident can take
        if update(patch_event(incidents()[0]["id"], {"root_cause": "r" * size}), Context)["statusCode"] == 200:
            break

    before = incidents()[0]["affected_asset_ids"]
    take(guardduty(minutes=1, severity=9.5, asset="i-" + "q" * 120))

    incident = incidents()[0]
    assert (incident["severity"], incident["affected_asset_ids"]) == ("critical", before)
    take(guardduty(minutes=1, severity=9.5, asset="i-" + "q" * 120))
    assert incidents()[0]["updated_at"] == incident["updated_at"]


@pytest.mark.usefixtures("accounts")
def test_an_incident_of_the_largest_size_refuses_no_finding() -> None:
    take(guardduty(severity=1.0))
    ids = {name: [f"{n:04d}{'x' * 119}" for n in range(400)] for name in ("realized_risk_ids", "commander_ids")}
    patch(incidents()[0], **ids)
    incident_id, fits, too_large = incidents()[0]["id"], 0, 32_768
    while too_large - fits > 1:  # finds the largest size to the byte
        size = (fits + too_large) // 2
        done = update(patch_event(incident_id, {"root_cause": "r" * size}), Context)["statusCode"] == 200
        fits, too_large = (size, too_large) if done else (fits, size)
    update(patch_event(incident_id, {"root_cause": "r" * fits}), Context)

    assert take(guardduty(minutes=1, severity=9.5, asset="i-new")) == []
    assert incidents()[0]["severity"] == "low"
    patch(incidents()[0], root_cause=None)
    take(guardduty(minutes=2, severity=9.5))
    assert incidents()[0]["severity"] == "critical"


@pytest.mark.usefixtures("accounts")
def test_a_finding_makes_another_incident_after_an_erasure(service: str, dynamodb: "DynamoDBClient") -> None:
    take(guardduty())
    key = {"pk": {"S": "TENANT#acme#INCIDENT"}, "sk": {"S": incidents()[0]["id"]}}
    dynamodb.delete_item(TableName=service, Key=key)

    take(guardduty(minutes=1))

    assert len(incidents()) == 1


@pytest.mark.usefixtures("accounts")
@pytest.mark.parametrize("ends", [True, False])
def test_an_alarm_that_waits_for_its_suppressor_is_one_incident(ends: bool) -> None:
    take(suppressible_alarm(10, "WaitPeriod", {"value": "OK"}))
    if ends:
        take(suppressible_alarm(40, None, {"value": "ALARM"} | suppressed("WaitPeriod")))

    (incident,) = incidents()
    assert incident["title"] == "orders-unhealthy"


@pytest.mark.usefixtures("accounts")
def test_an_alarm_that_outlasts_its_suppression_is_one_incident() -> None:
    take(suppressible_alarm(10, "Alarm", {"value": "OK"}))
    take(suppressible_alarm(20, "ExtensionPeriod", {"value": "ALARM"} | suppressed("Alarm")))
    assert incidents() == []

    take(suppressible_alarm(40, None, {"value": "ALARM"} | suppressed("ExtensionPeriod")))

    assert len(incidents()) == 1


@pytest.mark.usefixtures("accounts")
def test_an_update_from_before_a_custom_action_counts_after_the_action() -> None:
    take(guardduty())
    by_hand = hubs.as_custom_action(guardduty())

    take(by_hand)
    take(guardduty(minutes=1, severity=9.5, asset="i-new"))
    take(by_hand)

    (incident,) = incidents()
    assert incident["severity"] == "critical"
    assert "i-new" in " ".join(incident["affected_asset_ids"])
    assert incident["tags"].count("custom-action:Open an incident") == 1
    assert len(json.loads(list_findings(changes_event(incident["id"]), Context)["body"])["items"]) == 3


@pytest.mark.usefixtures("accounts")
def test_a_finding_sent_by_hand_is_not_suppressed_after_a_dismissal() -> None:
    event = recorded("security_hub_asff_custom_action")
    event["detail"]["findings"][0]["AwsAccountId"] = ACCOUNT
    take(event)
    patch(incidents()[0], status="dismissed")
    event["time"] = (datetime.now(UTC) + timedelta(minutes=1)).isoformat().replace("+00:00", "Z")
    take(event)
    dismissed, again = incidents()
    assert (dismissed["status"], again["status"]) == ("dismissed", "new")


@pytest.mark.usefixtures("accounts")
@pytest.mark.parametrize("meanwhile", ["closed", "dismissed"])
def test_a_finding_does_not_change_an_incident_that_ends_at_the_same_time(
    monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    take(guardduty())
    change = read_alter_write.change_incident

    def late(incident_id: str, *more: Any, **named: Any) -> Any:
        monkeypatch.setattr(read_alter_write, "change_incident", change)
        patch(incidents()[0], status=meanwhile)
        return change(incident_id, *more, **named)

    monkeypatch.setattr(read_alter_write, "change_incident", late)
    take(guardduty(minutes=1, severity=9.9, asset="i-late"))

    (incident,) = incidents()
    assert (incident["status"], incident["severity"]) == (meanwhile, "high")
    assert "i-late" not in incident["affected_asset_ids"]


@pytest.mark.usefixtures("accounts")
@pytest.mark.parametrize("is_full", [False, True])
def test_an_event_that_adds_nothing_is_not_attached_to_an_incident_that_is_closed_meanwhile(
    monkeypatch: pytest.MonkeyPatch, is_full: bool
) -> None:
    take(guardduty())
    if is_full:  # no change fits, not even of the severity
        monkeypatch.setattr(read_alter_write, "check_size", refuse)
    write, check_size = IncidentRepository.write, wire_form.check_size

    def late(self: IncidentRepository, *writes: Any) -> None:
        monkeypatch.setattr(IncidentRepository, "write", write)
        monkeypatch.setattr(read_alter_write, "check_size", check_size)
        patch(incidents()[0], status="closed", closed_at="2026-11-17T03:30:00Z")
        write(self, *writes)

    monkeypatch.setattr(IncidentRepository, "write", late)
    take(guardduty(minutes=60, severity=9.9 if is_full else 7.5))

    closed, recurrence = incidents()
    assert (closed["status"], recurrence["status"]) == ("closed", "new")
    assert f"recurrence-of:{closed['incident_number']}" in recurrence["tags"]
    events = [len(json.loads(list_findings(changes_event(one["id"]), Context)["body"])["items"]) for one in incidents()]
    assert events == [1, 1]


@pytest.mark.usefixtures("accounts")
def test_two_concurrent_recurrences_make_one_incident(monkeypatch: pytest.MonkeyPatch) -> None:
    take(guardduty())
    patch(incidents()[0], status="closed")
    sighting = IncidentRepository.sighting

    def beside(self: IncidentRepository, key: str) -> Any:
        known = sighting(self, key)
        monkeypatch.setattr(IncidentRepository, "sighting", sighting)
        take(guardduty(minutes=soon(), asset="i-other"))
        return known

    monkeypatch.setattr(IncidentRepository, "sighting", beside)
    take(guardduty(minutes=soon() + 1, asset="i-one"))

    _, recurrence = incidents()
    assert {"i-one", "i-other"} <= set(recurrence["affected_asset_ids"])


def reasons(dead_letters: list[dict[str, Any]]) -> list[str]:
    return [letter["MessageAttributes"]["reason"]["StringValue"] for letter in dead_letters]


LIKE_AN_ALLOWED_PRODUCER = (
    " acme.soc", "acme.soc ", "acme.soc\n", "acme\0.soc", "acme.soc\u200b", "ACME.SOC", "acme.soc\x7f",
    "\ufeffacme.soc", "acme\u2024soc", "acme.soc#", "acme.soc" * 137, "a" * 1_100, "", 7, None,
)  # fmt: skip


@pytest.mark.parametrize("detail", [{}, {"dedup_key": "disk-full"}])
def test_one_application_in_two_accounts_is_two_producers(accounts: AccountMap, detail: dict[str, str]) -> None:
    for account in ("444455556666", "777788889999"):
        alert = recorded("alert_escalated_minimal") | {"account": account}
        alert["detail"] |= detail
        accounts.allow(account, alert["source"], "acme")
        take(alert)

    assert len(incidents()) == 2


def test_a_producer_is_compared_exactly_and_refused_at_its_first_receive(
    accounts: AccountMap, dead_letters: list[dict[str, Any]]
) -> None:
    accounts.allow("444455556666", "acme.soc", "acme")
    alert = recorded("alert_escalated") | {"account": "444455556666"}
    alert["detail"]["tenant_id"] = "acme"
    assert take(alert | {"source": "acme.soc"}) == []
    assert len(incidents()) == 1

    for source in LIKE_AN_ALLOWED_PRODUCER:
        assert take(alert | {"source": source}) == [], source

    assert len(incidents()) == 1
    said = reasons(dead_letters)
    assert len(said) == len(LIKE_AN_ALLOWED_PRODUCER)
    assert all(reason.startswith(("source must be ", "the producer must be ")) for reason in said)


def test_an_account_is_compared_exactly(accounts: AccountMap, dead_letters: list[dict[str, Any]]) -> None:
    event = recorded("guardduty")
    for account in (" 111122223333", "111122223333\n", "1111\x002222\x003333", "\uff11" * 12, 111122223333):
        event["detail"]["accountId"] = account
        assert take(event) == []
    assert incidents() == []
    assert reasons(dead_letters) == ["detail.accountId must be an AWS account id of 12 digits"] * 5


def test_a_source_like_ours_or_amazon_s_is_refused(accounts: AccountMap, dead_letters: list[dict[str, Any]]) -> None:
    for source in (" grc.incidents", "grc.incidents\n", "\x00aws.guardduty", "aws.guardduty ", "AWS.GuardDuty"):
        assert take(recorded("guardduty") | {"source": source}) == []
    assert incidents() == []
    assert len(dead_letters) == 5
