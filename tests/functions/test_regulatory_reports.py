"""Tests the field ``regulatory_reports``: its checks, the merge of a patch, and the derived field."""

import json
import os
from typing import Any

import boto3
import pytest
from create_incident import handler as create
from incidents.storage import dynamodb, guard
from incidents.storage.settings import DEADLINES, Settings, TenantSettings
from list_incident_changes import handler as list_changes
from update_incident import handler as update

from tests.support.events import Context, changes_event, create_event, patch_event

AWARE = "2026-11-20T10:00:00+01:00"
OWN: dict[str, Any] = {
    "id": "contract-7", "aliases": ["Contract 7"], "jurisdiction": "contract", "applies_to": "us", "trigger": "any",
    "status": "contract", "zone": "entity", "calendar": "none", "citation": "Contract 7, section 4",
    "stages": [{"id": "notice", "recipient": "customer", "anchor": "aware", "effective_from": None,
                "effective_to": None, "due": {"from": "aware", "n": 12, "unit": "hour", "end": "instant"},
                "citation": "section 4", "source_kind": "primary"}],
}  # fmt: skip


def created(reports: object, **values: Any) -> tuple[int, dict[str, Any]]:
    answer = create(create_event({"title": "x", "regulatory_reports": reports, **values}), Context)
    return answer["statusCode"], json.loads(answer["body"])


def incident(reports: object = None, **values: Any) -> dict[str, Any]:
    status, body = created(reports, **values)
    assert status == 201, body
    return body


def patch(incident_id: str, **values: Any) -> tuple[int, dict[str, Any]]:
    answer = update(patch_event(incident_id, values), Context)
    return answer["statusCode"], json.loads(answer["body"])


def patched(incident_id: str, **values: Any) -> dict[str, Any]:
    status, body = patch(incident_id, **values)
    assert status == 200, body
    return body


def set_rules(*rules: dict[str, Any]) -> None:
    with guard.serving_tenant("acme"):
        settings = TenantSettings("acme", dynamodb.client(), os.environ["TABLE_NAME"])
        before = settings.read(DEADLINES)
        version = before.version + 1 if before else 1
        settings.write(DEADLINES, Settings({"rules": list(rules)}, version, "2026-11-20T00:00:00.000Z", "ada"))


def test_a_patch_merges_into_the_reports_and_the_trail_has_both_values() -> None:
    made = incident({"eu-gdpr": {"anchors": {"aware": AWARE}}})
    assert made["regulatory_reports"] == {"eu-gdpr": {"anchors": {"aware": "2026-11-20T09:00:00.000Z"}}}

    sent = {"eu-gdpr": {"stages": {"authority": {"submitted_at": "2026-11-21T09:00:00Z", "reference": "A 1"}}}}
    after = patched(made["id"], regulatory_reports=sent)

    submission = {"submitted_at": "2026-11-21T09:00:00.000Z", "reference": "A 1"}
    assert after["regulatory_reports"]["eu-gdpr"] == {
        "anchors": {"aware": "2026-11-20T09:00:00.000Z"}, "stages": {"authority": submission},
    }  # fmt: skip
    changes = json.loads(list_changes(changes_event(made["id"]), Context)["body"])["items"]
    moved = changes[1]["changes"]["regulatory_reports"]
    assert (moved["from"], moved["to"]) == (made["regulatory_reports"], after["regulatory_reports"])


def test_a_null_removes_a_member_or_the_whole_field() -> None:
    made = incident({"eu-gdpr": {"anchors": {"aware": AWARE, "high_risk_assessed": AWARE}}})

    after = patched(made["id"], regulatory_reports={"eu-gdpr": {"anchors": {"aware": None}}})
    assert [*after["regulatory_reports"]["eu-gdpr"]["anchors"]] == ["high_risk_assessed"]
    assert patched(made["id"], regulatory_reports=None)["regulatory_reports"] is None


def test_a_patch_that_says_the_same_changes_nothing() -> None:
    made = incident({"eu-gdpr": {"anchors": {"aware": AWARE}}})
    assert patched(made["id"], regulatory_reports={"eu-gdpr": {"anchors": {"aware": AWARE}}}) == made


@pytest.mark.parametrize(
    ("reports", "pointer", "right"),
    [
        ([], "", "must be an object"),
        ({"eu-gdrp": {}}, "/eu-gdrp", "did you mean eu-gdpr?"),
        ({"gdpr-eu": {}}, "/gdpr-eu", "eu-dora, eu-psd2"),
        ({"GDPR": {}}, "/GDPR", "did you mean eu-gdpr?"),
        ({" gdpr art. 33": {}}, "/ gdpr art. 33", "did you mean eu-gdpr?"),
        ({"EU-GDPR": {}}, "/EU-GDPR", "did you mean eu-gdpr?"),
        ({"SEC": {}}, "/SEC", "did you mean us-sec-8k?"),
        ({"cra": {}}, "/cra", "did you mean eu-cra-"),
        ({"eu-gdpr": 5}, "/eu-gdpr", "anchors, facts, stages"),
        ({"eu-gdpr": {"anchor": {}}}, "/eu-gdpr/anchor", "did you mean anchors?"),
        ({"eu-gdpr": {"anchors": {"known": AWARE}}}, "/eu-gdpr/anchors/known", "aware, high_risk_assessed"),
        ({"eu-gdpr": {"anchors": {"aware": "2026-11-20T10:00:00"}}}, "/eu-gdpr/anchors/aware", "RFC 3339"),
        ({"eu-gdpr": {"anchors": {"aware": 5}}}, "/eu-gdpr/anchors/aware", "RFC 3339"),
        ({"eu-gdpr": {"anchors": []}}, "/eu-gdpr/anchors", "must be an object"),
        ({"eu-dora": {"facts": {"dora_exempt": "yes"}}}, "/eu-dora/facts/dora_exempt", "true or false"),
        ({"eu-dora": {"facts": {"member_state": "XX"}}}, "/eu-dora/facts/member_state", "DE"),
        ({"eu-dora": {"facts": {"member_state": {}}}}, "/eu-dora/facts/member_state", "DE"),
        ({"eu-dora": {"facts": {"bank": True}}}, "/eu-dora/facts/bank", "dora_exempt"),
        ({"eu-dora": {"stages": {"first": {}}}}, "/eu-dora/stages/first", "initial"),
        ({"eu-dora": {"stages": {"initial": AWARE}}}, "/eu-dora/stages/initial", "submitted_at"),
        ({"eu-dora": {"stages": {"initial": {"sent": AWARE}}}}, "/eu-dora/stages/initial/sent", "submitted_at"),
        ({"eu-dora": {"stages": {"initial": {"reference": ""}}}}, "/eu-dora/stages/initial/reference", "256"),
        ({"eu-dora": {"stages": {"initial": {"reference": "a\nb"}}}}, "/eu-dora/stages/initial/reference", ""),
        ({"eu-dora": {"stages": {"initial": {"reference": "\ud800"}}}}, "/eu-dora/stages/initial/reference", ""),
        ({"\ud800": {}}, "/\ufffd", ""),
        ({"eu-dora": {"stages": {"initial": {"resubmitted_at": AWARE}}}}, "/eu-dora/stages/initial/resubmitted_at",
         "unless submitted_at"),
        ({"eu-dora": {"stages": {"initial": {"submitted_at": AWARE, "resubmitted_at": "2026-11-19T00:00:00Z"}}}},
         "/eu-dora/stages/initial/resubmitted_at", "not be before"),
    ],
)  # fmt: skip
def test_the_error_names_the_value_and_lists_what_is_known(reports: object, pointer: str, right: str) -> None:
    made = incident()
    for status, problem in (created(reports), patch(made["id"], regulatory_reports=reports)):
        assert status == 422
        details = {error["pointer"]: error["detail"] for error in problem["errors"]}
        if pointer != "/\ufffd":
            assert right in details[f"/regulatory_reports{pointer}"]


def test_an_alias_of_a_tenant_s_own_rule_is_what_was_meant() -> None:
    set_rules(OWN | {"aliases": [5, "Supplier X"]})
    status, problem = created({"supplier x": {}})
    assert status == 422
    assert "did you mean contract-7?" in problem["errors"][0]["detail"]


def test_what_is_stored_stays_and_may_be_repeated(table: str) -> None:
    set_rules(OWN)
    reports = {"contract-7": {"anchors": {"aware": AWARE}, "stages": {"notice": {"reference": "7"}}}}
    made = incident(reports)
    set_rules()

    stored = made["regulatory_reports"]
    assert patched(made["id"], regulatory_reports=stored) == made
    after = patched(made["id"], regulatory_reports=stored | {"eu-gdpr": {"anchors": {"aware": AWARE}}})
    assert after["regulatory_reports"]["contract-7"] == stored["contract-7"]
    assert (
        patch(made["id"], regulatory_reports={"contract-7": {"anchors": {"aware": "2026-11-21T00:00:00Z"}}})[0] == 422
    )
    assert "contract-7" not in patched(made["id"], regulatory_reports={"contract-7": None})["regulatory_reports"]


@pytest.mark.parametrize("text", ["2026-11-21T10:00:00+01:00", "2026-11-21t10:00:00z", "2026-11-21T10:00:00Z"])
def test_a_reference_that_looks_like_a_timestamp_stays_as_it_is(text: str) -> None:
    sent = {"submitted_at": "2026-11-21T10:00:00+01:00", "reference": text}
    made = incident({"eu-gdpr": {"stages": {"authority": sent}}})
    held = made["regulatory_reports"]["eu-gdpr"]["stages"]["authority"]
    assert held == {"submitted_at": "2026-11-21T09:00:00.000Z", "reference": text}
    again = patched(made["id"], regulatory_reports={"eu-gdpr": {"stages": {"authority": {"reference": text}}}})
    assert again == made


CONTRACT: dict[str, Any] = {
    "anchors": {"aware": AWARE},
    "stages": {"notice": {"submitted_at": AWARE, "resubmitted_at": AWARE, "reference": AWARE}},
}


@pytest.mark.parametrize(
    "sent",
    [
        {},
        CONTRACT,
        {"anchors": {}},
        {"anchors": {"aware": AWARE}},
        {"anchors": {"aware": "2026-11-20T09:00:00Z"}},
        {"anchors": {"other": None}},
        {"stages": {"notice": {"reference": AWARE}}},
        {"stages": {"notice": {"submitted_at": AWARE}}, "facts": None},
    ],
)
@pytest.mark.parametrize("renamed", [True, False])
def test_a_repeat_in_a_report_whose_rule_has_left_changes_nothing(sent: dict[str, Any], renamed: bool) -> None:
    set_rules(OWN)
    made = incident({"contract-7": CONTRACT})
    new = {"id": "other", "anchor": "known", "due": None}
    set_rules(*([OWN | {"stages": [OWN["stages"][0] | new]}] if renamed else []))
    assert patched(made["id"], regulatory_reports={"contract-7": sent}) == made


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"anchors": {"aware": None}}, {"anchors": {}}),
        ({"anchors": None}, {"anchors": None}),
        ({"stages": {"notice": None}}, {"stages": {}}),
        ({"stages": {"notice": {"resubmitted_at": None, "submitted_at": None}}},
         {"stages": {"notice": {"reference": AWARE}}}),
    ],
)  # fmt: skip
def test_a_null_removes_a_value_of_a_report_whose_rule_has_left(sent: dict[str, Any], kept: dict[str, Any]) -> None:
    set_rules(OWN)
    made = incident({"contract-7": CONTRACT})
    set_rules()
    after = patched(made["id"], regulatory_reports={"contract-7": sent})["regulatory_reports"]["contract-7"]
    wanted = made["regulatory_reports"]["contract-7"] | kept
    assert after == {name: value for name, value in wanted.items() if value is not None}


@pytest.mark.parametrize(
    "sent",
    [
        {"anchors": {"aware": "2026-11-21T00:00:00Z"}},
        {"anchors": {"other": {}}},
        {"facts": {}},
        {"stages": {"notice": {"reference": "2026-11-20T09:00:00.000Z"}}},
        {"stages": {"notice": {"submitted_at": None}}},
        {"stages": {"other": {}}},
    ],
)
def test_nothing_new_is_stored_in_a_report_whose_rule_has_left(sent: dict[str, Any]) -> None:
    set_rules(OWN)
    made = incident({"contract-7": CONTRACT})
    set_rules()
    assert patch(made["id"], regulatory_reports={"contract-7": sent})[0] == 422


@pytest.mark.parametrize(
    ("stored", "sent"),
    [(True, 1), (True, 1.0), (False, 0), (False, 0.0), (False, -0.0), (True, "true"), (True, [True])],
)
def test_a_number_is_not_the_stored_boolean(stored: bool, sent: object) -> None:
    made = incident({"eu-dora": {"facts": {"dora_exempt": stored}}})
    more = {"stages": {"initial": {"reference": "r"}}}
    for reports in ({"facts": {"dora_exempt": sent}}, {"facts": {"dora_exempt": sent}, **more}):
        status, problem = patch(made["id"], regulatory_reports={"eu-dora": reports})
        assert (status, [error["pointer"] for error in problem["errors"]]) == (
            422, ["/regulatory_reports/eu-dora/facts/dora_exempt"],
        )  # fmt: skip


def test_only_a_request_that_names_reports_reads_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[str] = []
    read = TenantSettings.read

    def noted(self: TenantSettings, name: str, version: int | None = None) -> Settings | None:
        reads.append(name)
        return read(self, name, version)

    monkeypatch.setattr(TenantSettings, "read", noted)
    made = incident()
    patched(made["id"], title="y")
    patched(made["id"], regulatory_reports=None)
    assert reads == []
    patched(made["id"], regulatory_reports={"eu-gdpr": {"anchors": {"aware": AWARE}}})
    assert reads == [DEADLINES]
    incident(None, reported_to_regulators_at=None)
    patched(made["id"], reported_to_regulators_at=AWARE)
    assert reads == [DEADLINES]
    patched(made["id"], reported_to_regulators_at=None)  # the earliest submission may be of an own regime
    assert reads == [DEADLINES, DEADLINES]


def test_a_list_of_names_stands_only_once_in_the_errors() -> None:
    status, problem = created(
        {f"eu-none-{n}": {} for n in range(60)} | {"eu-gdpr": {"anchors": {"x": AWARE, "y": AWARE}}}
    )
    details = [error["detail"] for error in problem["errors"]]
    assert (status, len(details)) == (422, 50)
    assert details[0].startswith("is not a regime")
    assert "The known names are eu-gdpr, uk-gdpr" in details[0]
    assert sum("The known names are" in detail for detail in details) == 1
    assert details[1].rstrip("?").rstrip(".").startswith("is not a regime")

    status, problem = created({"regime of nobody": {}})
    assert "is not a regime. The known names are " in problem["errors"][0]["detail"]


def test_reports_are_stored_as_text_and_are_bounded(table: str) -> None:
    made = incident({"eu-gdpr": {"anchors": {"aware": AWARE}}})
    item = next(
        item for item in boto3.client("dynamodb").scan(TableName=table)["Items"] if item["sk"]["S"] == made["id"]
    )
    assert [*item["regulatory_reports"]] == ["S"]

    reports = {
        regime: {"stages": {stage: {"reference": "x" * 256} for stage in stages}}
        for regime, stages in {"eu-nis2": ["early_warning", "notification", "final", "progress"]}.items()
    }
    assert patched(made["id"], regulatory_reports=reports)["version"] == 2
