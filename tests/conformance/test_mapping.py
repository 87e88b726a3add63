"""Tests of mapped sources on DynamoDB Local.

They check the tenant whose mapping reads an event. They also check the commands that store mappings.
"""

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ingest_finding
import pytest
from incidents.findings import EventRefused
from incidents.reports import NoMapping, Unmapped
from incidents.storage import dynamodb as client_module
from incidents.storage import guard
from incidents.storage.account_map import AccountMap
from incidents.storage.settings import MAPPINGS, Settings, TenantSettings
from incidents_cli.operate import mappings as commands
from incidents_cli.operate.tenants import verify as walk
from incidents_cli.operate.tenants.checkpoint import Checkpoint
from incidents_cli.operate.tenants.violations import Violation
from list_incidents import handler as list_

from tests.support.events import Context, claims, list_event
from tests.support.findings import findings_of
from tests.support.queues import sqs_event
from tests.support.recorded import ACCOUNT
from tests.support.templates import CHECKOUT
from tests.support.tenants import OwnDeployment, Table, run

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

FOLDER = CHECKOUT / "docs" / "mappings"
OKTA: dict[str, Any] = json.loads((FOLDER / "okta.json").read_text())
EVENT: dict[str, Any] = json.loads((FOLDER / "okta-event.json").read_text())
SOURCE = EVENT["source"]


def store(tenant: str, *mappings: dict[str, Any]) -> None:
    with guard.serving_tenant(tenant):
        settings = TenantSettings(tenant, client_module.client(), client_module.table_name())
        value = {one["name"]: one for one in mappings}
        settings.write(MAPPINGS, Settings(value, 1, "2026-11-20T00:00:00.000Z", "ada"))


def event(**detail: Any) -> dict[str, Any]:
    changed = copy.deepcopy(EVENT)
    changed["detail"] |= detail
    return changed


def take(*events: object) -> list[Any]:
    """Send these events to the function, and return the messages that the queue would deliver again."""
    failures: list[Any] = ingest_finding.handler(sqs_event(*events), Context)["batchItemFailures"]
    return failures


def incidents(tenant: str = "acme") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(list_(list_event(claims(tenant)), Context)["body"])["items"]
    return found


def reasons(dead_letters: list[dict[str, Any]]) -> list[str]:
    return [letter["MessageAttributes"]["reason"]["StringValue"] for letter in dead_letters]


def test_a_partner_s_event_becomes_one_incident_of_the_tenant_with_the_event_as_it_came(accounts: AccountMap) -> None:
    accounts.allow(ACCOUNT, SOURCE, "acme")
    store("acme", OKTA)
    again = event(uuid="another", published="2026-11-20T10:05:00.000Z")

    assert take(EVENT, EVENT, again, event(eventType="user.session.start")) == []

    (incident,) = incidents()
    assert (incident["source"], incident["created_by"]) == ("okta", "system:okta")
    assert incident["triggered_by_alert_ids"] == [EVENT["detail"]["uuid"], "another"]
    first, second = findings_of(incident["id"])
    assert (first["event"], second["event"]) == (EVENT, again)
    assert (first["adapter"], first["rule"]) == ("mapping", "the kind detection is taken by default")
    assert first["summary"]["remote_addresses"] == ["198.51.100.23"]
    assert first["summary"]["principals"] == ["eve@example.com"]


def test_only_the_mapping_of_the_one_allowed_tenant_reads_an_event(
    accounts: AccountMap, dead_letters: list[dict[str, Any]]
) -> None:
    store("acme", OKTA)
    assert take(EVENT) == []  # the account belongs to acme, but no tenant is allowed for the source
    accounts.allow(ACCOUNT, SOURCE, "globex")
    assert take(EVENT) == []  # globex has no mapping
    accounts.allow(ACCOUNT, SOURCE, "acme")
    assert take(EVENT) == []  # two tenants
    assert (incidents(), incidents("globex")) == ([], [])
    assert reasons(dead_letters) == [
        "the source of the partner must be allowed for exactly one tenant",
        "no mapping of the tenant takes this source and detail-type",
        "the source of the partner must be allowed for exactly one tenant",
    ]


def test_an_event_that_no_mapping_takes_or_that_lacks_a_title_is_a_dead_letter(
    accounts: AccountMap, dead_letters: list[dict[str, Any]]
) -> None:
    accounts.allow(ACCOUNT, SOURCE, "acme")
    store("acme", OKTA)
    nameless = event(displayMessage=None) | {"id": "x"}
    mapped = OKTA | {"title": {"path": "detail.displayMessage"}, "name": "first"}
    assert take(EVENT | {"detail-type": "Other"}) == []
    with guard.serving_tenant("acme"):
        TenantSettings("acme", client_module.client(), client_module.table_name()).write(
            MAPPINGS, Settings({"first": mapped, "okta": OKTA}, 2, "2026-11-20T00:00:00.000Z", "ada")
        )
    assert take(nameless) == []
    assert reasons(dead_letters)[0] == str(NoMapping())
    assert "finds no `title`" in reasons(dead_letters)[1]
    assert incidents() == []


def test_an_event_that_takes_too_many_steps_is_a_dead_letter_and_not_minutes(
    accounts: AccountMap, dead_letters: list[dict[str, Any]]
) -> None:
    accounts.allow(ACCOUNT, SOURCE, "acme")
    store("acme", OKTA | {"tags": [{"path": "detail.many[?@==@]"}] * 20})
    assert take(event(many=["x"] * 50_000)) == []
    assert reasons(dead_letters) == ["the paths of the mapping okta take more than 200000 steps in the event"]
    assert incidents() == []
    assert take(EVENT) == []
    assert len(incidents()) == 1


def test_a_partner_can_never_pose_as_aws(accounts: AccountMap, dead_letters: list[dict[str, Any]]) -> None:
    accounts.allow(ACCOUNT, SOURCE, "acme")
    call = json.loads((CHECKOUT / "tests" / "events" / "cloudtrail_stop_logging.json").read_text()) | {"source": SOURCE}
    guardduty = json.loads((CHECKOUT / "tests" / "events" / "guardduty.json").read_text()) | {"source": SOURCE}
    assert take(call, guardduty | {"account": ACCOUNT}) == []
    assert incidents() == []
    assert reasons(dead_letters) == [str(NoMapping())] * 2
    for name in ("aws.guardduty", "aws.partnership/x", "grc.incidents"):
        with pytest.raises(ValueError, match=r"aws\.partner/"):
            accounts.allow(ACCOUNT, name, "acme")
    assert issubclass(Unmapped, EventRefused)


@pytest.fixture
def table(dynamodb: "DynamoDBClient", service: str, monkeypatch: pytest.MonkeyPatch) -> Table:
    """Return the table that the commands change."""
    monkeypatch.setattr(commands, "Deployment", lambda *_: OwnDeployment(dynamodb, service))
    monkeypatch.setattr(walk, "PAUSE_SECONDS", 0)
    return Table(dynamodb, service, "acme")


def test_mappings_are_stored_replaced_shown_verified_and_removed(
    table: Table, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def command(*words: str) -> int:
        return run(monkeypatch, "intake", *words, "--tenant", "acme")

    for name in ("okta", "auth0", "okta"):
        assert command("map", str(FOLDER / f"{name}.json")) == 0
    capsys.readouterr()
    assert command("mappings") == 0
    assert json.loads(capsys.readouterr().out) == {
        name: json.loads((FOLDER / f"{name}.json").read_text()) for name in ("okta", "auth0")
    }
    violations: list[Violation] = []
    outcome = walk.verify(
        table.reader, Checkpoint(tmp_path / "c", verified="acme"), None, violations.append, lambda *_: None
    )
    assert (outcome.looked_at, violations) == ({"settings": 4}, [])

    assert command("unmap", "okta") == 0
    assert command("unmap", "okta") == 1
    assert "has no mapping okta" in capsys.readouterr().err
    wrong = tmp_path / "wrong.json"
    text = json.dumps(OKTA | {"kind": "attack"}, indent=1)
    wrong.write_text(text)
    line = text[: text.index('"kind"')].count("\n") + 1
    assert command("map", str(wrong)) == 1
    assert f"line {line}: kind must be one of" in " ".join(capsys.readouterr().err.split())
    assert len(list(table.reader.items("SETTINGS"))) == 5
