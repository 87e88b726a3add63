"""Tests of incidents' evidence on DynamoDB Local. They check the stored events, and the events in the API's answers."""

import json
import os
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import ingest_finding
import pytest
from create_incident import handler as create
from incidents import intake
from incidents.domain import evidence, wire_form
from incidents.storage import keys
from incidents.storage.account_map import AccountMap
from list_incident_changes import handler as list_changes
from list_incident_findings import handler as list_findings
from list_incidents import handler as list_
from update_incident import handler as update

from tests.support import invariants, releases
from tests.support.events import Context, changes_event, claims, create_event, list_event, patch_event
from tests.support.findings import findings_of, store_evidence
from tests.support.queues import sqs_event
from tests.support.recorded import event

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ANOTHER = "444455556666"  # an account of globex


def take(*events: object) -> None:
    assert ingest_finding.handler(sqs_event(*events), Context) == {"batchItemFailures": []}


def incidents(tenant: str = "acme") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(list_(list_event(claims(tenant), order="asc"), Context)["body"])["items"]
    return found


def changes(incident: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(list_changes(changes_event(incident["id"]), Context)["body"])["items"]
    return found


def at(minute: int, **changed: Any) -> dict[str, Any]:
    """Return the recorded GuardDuty finding, as if GuardDuty saw it again at this minute of a later day."""
    moment = f"2026-11-18T{minute // 60:02}:{minute % 60:02}:00Z"
    return event("guardduty", detail__updatedAt=moment, detail__service__eventLastSeen=moment, time=moment, **changed)


def hashed(whole: dict[str, Any]) -> str:
    text = json.dumps(whole, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()


def asset(n: int) -> dict[str, Any]:
    return {"detail__resource__instanceDetails__instanceId": f"i-{n:017x}"}


def test_each_event_that_counts_is_stored_as_it_was_received(accounts: AccountMap) -> None:
    first, same, other = event("guardduty"), at(1), at(2, **asset(1))
    take(first)
    take(first)  # the same event again
    take(same)  # this event is newer, but adds nothing to the incident
    take(other)
    take(at(1, **asset(2)))  # older

    (incident,) = incidents()
    found = findings_of(incident["id"])
    assert [item["event"] for item in found] == [first, same, other]
    assert [item["sha256"] for item in found] == [hashed(whole) for whole in (first, same, other)]
    assert [(item["source"], item["adapter"], item["is_cut"]) for item in found] == [
        ("aws.guardduty", "guardduty", False)
    ] * 3
    assert {item["rule"] for item in found} == {"the kind detection is taken by default"}
    assert [item["observed_at"] for item in found] == sorted(item["observed_at"] for item in found)
    assert found[0]["summary"]["remote_addresses"] == ["198.51.100.23"]
    assert [change.get("evidence") for change in changes(incident)] == [hashed(first), hashed(other)]


def test_a_change_by_a_person_names_no_evidence(accounts: AccountMap) -> None:
    take(event("guardduty"))
    (incident,) = incidents()
    assert update(patch_event(incident["id"], {"status": "investigating"}), Context)["statusCode"] == 200
    assert ["evidence" in change for change in changes(incident)] == [True, False]


def test_a_recurrence_has_its_own_evidence(accounts: AccountMap) -> None:
    take(event("guardduty"))
    (first,) = incidents()
    assert update(patch_event(first["id"], {"status": "dismissed"}), Context)["statusCode"] == 200
    take(at(5))  # suppressed
    assert len(findings_of(first["id"])) == 1
    assert update(patch_event(first["id"], {"is_deleted": True}), Context)["statusCode"] == 200
    in_an_hour = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    later = event("guardduty", detail__updatedAt=in_an_hour, time=in_an_hour)
    take(later)
    (second,) = incidents()
    assert [item["event"] for item in findings_of(second["id"])] == [later]


def test_events_beyond_the_bound_are_only_counted(
    accounts: AccountMap, service: str, dynamodb: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "EVENTS_KEPT", 3)
    for n in range(6):
        take(at(n, **asset(n)))

    (incident,) = incidents()
    assert len(incident["affected_asset_ids"]) >= 6
    assert len(findings_of(incident["id"])) == 3
    (finding,) = (item for item in invariants.everything(dynamodb, service) if item["pk"]["S"].endswith("#FINDING"))
    assert finding["events"] == {"N": "6"}
    assert [bool(change.get("evidence")) for change in changes(incident)] == [True] * 3 + [False] * 3


def test_the_findings_of_one_event_are_stored_with_their_own_tenants(accounts: AccountMap) -> None:
    accounts.link(ANOTHER, "globex")
    whole = event("security_hub_asff_guardduty")
    own = whole["detail"]["findings"][0]
    foreign = json.loads(json.dumps(own).replace("111122223333", ANOTHER)) | {"Title": "what only globex may know"}
    whole["detail"]["findings"] = [own, foreign]
    whole["resources"] = [own["Id"], foreign["Id"]]
    take(whole)

    for tenant, finding in (("acme", own), ("globex", foreign)):
        (incident,) = incidents(tenant)
        (found,) = findings_of(incident["id"], claims(tenant))
        assert found["event"]["detail"]["findings"] == [finding]
        assert found["event"]["resources"] == [finding["Id"]]
    (incident,) = incidents()
    assert "globex" not in json.dumps(findings_of(incident["id"]))
    assert ANOTHER not in json.dumps(findings_of(incident["id"]))


def test_a_full_incident_that_gets_the_same_event_again_counts_it_once(
    accounts: AccountMap, service: str, dynamodb: "DynamoDBClient"
) -> None:
    """Reports of one bucket are attached even if they are not newer. This report never fits into the full incident."""
    take(event("macie_sensitive_data"))
    (incident,) = incidents()
    full = [f"alert-{n}" for n in range(500)]
    assert update(patch_event(incident["id"], {"triggered_by_alert_ids": full}), Context)["statusCode"] == 200
    another = event("macie_sensitive_data", detail__id="another")
    for _ in range(3):
        take(another)

    found = invariants.everything(dynamodb, service)
    assert invariants.violations([item for item in found if item["pk"]["S"] != "ACCOUNTS"]) == []
    (finding,) = (item for item in found if item["pk"]["S"].endswith("#FINDING"))
    assert finding["events"] == {"N": "2"}
    assert len(findings_of(incident["id"])) == 2


def test_a_finding_of_release_0_1_0_gets_evidence_from_its_next_event(
    accounts: AccountMap, service: str, dynamodb: "DynamoDBClient"
) -> None:
    with releases.without_hashes():
        take(event("guardduty"))
    for item in invariants.everything(dynamodb, service):
        key = {"pk": item["pk"], "sk": item["sk"]}
        if item["pk"]["S"].endswith("#EVIDENCE"):
            dynamodb.delete_item(TableName=service, Key=key)
        elif item["pk"]["S"].endswith(("#FINDING", "#CHANGE")):
            old = {name: value for name, value in item.items() if name not in ("events", "evidence")}
            dynamodb.put_item(TableName=service, Item=old)
    (incident,) = incidents()
    assert findings_of(incident["id"]) == []

    take(at(1), at(2, **asset(1)))

    assert [item["event"] for item in findings_of(incident["id"])] == [at(1), at(2, **asset(1))]
    found = [item for item in invariants.everything(dynamodb, service) if item["pk"]["S"] != "ACCOUNTS"]
    assert invariants.violations(found) == []


def test_simultaneous_events_of_one_finding_lose_no_evidence(
    accounts: AccountMap, service: str, dynamodb: "DynamoDBClient"
) -> None:
    take(event("guardduty"))
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(ingest, [at(n, **asset(n)) for n in range(12)]))

    found = [item for item in invariants.everything(dynamodb, service) if item["pk"]["S"] != "ACCOUNTS"]
    assert invariants.violations(found) == []
    (finding,) = (item for item in found if item["pk"]["S"].endswith("#FINDING"))
    assert int(finding["events"]["N"]) == sum(item["pk"]["S"].endswith("#EVIDENCE") for item in found)


def ingest(whole: dict[str, Any]) -> None:
    ingest_finding.handler(sqs_event(whole), Context)


def test_a_large_event_is_stored_cut_and_a_page_stays_small(accounts: AccountMap) -> None:
    for n in range(8):
        log = b64encode(os.urandom(200_000)).decode() + "\x07" * 100_000
        take(at(n, **asset(n), detail__service__log=[log, f"{n}"]))
    take(at(60, detail__service__log=b64encode(os.urandom(400_000)).decode()))

    (incident,) = incidents()
    first = list_findings(changes_event(incident["id"], limit=100), Context)
    assert len(json.dumps(first)) < 6_000_000
    assert len(json.loads(first["body"])["items"]) < 9
    found = findings_of(incident["id"])
    assert [item["is_cut"] for item in found] == [False] * 8 + [True]
    assert [item["event"]["detail"]["service"]["log"][1] for item in found[:8]] == [f"{n}" for n in range(8)]
    assert "(cut: " in found[8]["event"]["detail"]["service"]["log"]
    assert wire_form.PAGE_BYTES < 6_000_000


LOOPHOLE = {"half": "\ud800"}  # escapes the event to ASCII, and the answer escapes each escape again
PROBES = [{"remoteIpDetails": {"ipAddressV4": f"{n:02}" + "\u00e9" * 2_000}} for n in range(50)]


@pytest.mark.parametrize(
    ("service_part", "earlier"),
    [
        ({"log": "\x7f" * 1_000_000}, True),
        ({"log": "\x7f" * 400_000, "action": {"portProbeAction": {"portProbeDetails": PROBES}}}, False),
    ],
    ids=["an event from before the limit", "a large event with a large summary"],
)  # fmt: skip
def test_an_event_larger_than_a_page_is_cut_in_the_answer_and_hides_no_other(
    accounts: AccountMap, monkeypatch: pytest.MonkeyPatch, service_part: dict[str, Any], earlier: bool
) -> None:
    with monkeypatch.context() as patched:
        if earlier:
            patched.setattr(evidence, "within_bounds", partial(evidence.within_bounds, answered_bytes=10**9))
        large = at(1, **asset(1))
        large["detail"]["service"] |= service_part | LOOPHOLE
        take(at(0), large, at(2, **asset(2)))

    (incident,) = incidents()
    for limit in (1, 100):
        found = findings_of(incident["id"], limit=limit)
        assert [item["is_cut"] for item in found] == [False, True, False]
        kept = found[1]["event"]["detail"]["service"]
        assert (kept["half"], kept["log"][:100_000]) == ("\ud800", "\x7f" * 100_000)
        assert "(cut: " in kept["log"]
    page = list_findings(changes_event(incident["id"], limit=100), Context)
    assert len(json.dumps(page)) < 4_100_000


def test_a_damaged_item_hides_no_other(accounts: AccountMap, service: str, dynamodb: "DynamoDBClient") -> None:
    whole = [at(n, **asset(n)) for n in range(3)]
    take(*whole)
    (incident,) = incidents()
    first, second, third = findings_of(incident["id"])
    (item,) = (
        item for item in invariants.everything(dynamodb, service) if item.get("sha256") == {"S": second["sha256"]}
    )  # fmt: skip
    for damage in ({"event": {"B": b"junk"}}, {"summary": {"S": '"text"'}}, {"is_cut": {"S": "x"}}):
        dynamodb.put_item(TableName=service, Item=item | damage)
        for limit in (1, 100):
            found = findings_of(incident["id"], limit=limit)
            assert (found[0], found[2]) == (first, third)
            assert found[1]["event"] == {"(cut)": "the stored event is damaged and cannot be read"}
            same = ("observed_at", "source", "adapter", "rule", "sha256")
            assert [found[1][name] for name in same] == [second[name] for name in same]
            assert (found[1]["is_cut"], found[1]["summary"]["remote_addresses"]) == (True, [])


def test_what_python_drops_from_an_event_is_noted(accounts: AccountMap) -> None:
    text = json.dumps(at(0)).replace('"title":', '"n": 0.12345678901234567890123, "title": "first", "title":', 1)
    take(text)
    (incident,) = incidents()
    (found,) = findings_of(incident["id"])
    assert found["is_cut"]
    assert found["event"]["detail"]["(cut)"] == "only the last member of each of these names is kept: title"
    assert found["event"]["detail"]["n"] == "(cut: the number 0.12345678901234567890123)"


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_of_any_size_give_all_findings_once(service: str, limit: int) -> None:
    made = json.loads(create(create_event({"title": "x"}), Context)["body"])["id"]
    other = json.loads(create(create_event({"title": "x"}), Context)["body"])["id"]
    store_evidence("acme", made, "own", 7)
    store_evidence("acme", other, "other", 2)

    assert [item["event"] for item in findings_of(made, limit=limit)] == [{"n": n, "title": "own"} for n in range(7)]
    assert len(findings_of(other, limit=limit)) == 2


def test_the_key_of_an_event_fits_into_a_cursor() -> None:
    key = keys.evidence("acme", "inc_01M83J8EHSBKC38ZQ0R08TEPS6", "2026-11-20T08:00:00.000Z", "f" * 64)
    assert len(key.sk.partition("#")[2]) <= 64
