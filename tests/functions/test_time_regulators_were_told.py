"""Tests when regulators were told: the earliest submission to a regulator, unless a caller has given the time."""

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from incidents_cli.operate.importing import rows
from incidents_cli.operate.tenants import export
from incidents_cli.operate.tenants.reading import TenantReader
from list_incident_changes import handler as list_changes

from tests.functions.test_regulatory_reports import OWN, incident, patched, set_rules
from tests.support.events import Context, changes_event


@pytest.mark.parametrize(
    ("steps", "derived"),
    [
        ([{"regulatory_reports": {"eu-gdpr": {"stages": {"authority": {"submitted_at": "2026-11-22T00:00:00Z"}}}}}],
         "2026-11-22T00:00:00.000Z"),
        ([{"regulatory_reports": {"eu-gdpr": {"stages": {"authority": {"submitted_at": "2026-11-22T00:00:00Z"}}}}},
          {"regulatory_reports": {"eu-nis2": {"stages": {"early_warning": {"submitted_at": "2026-11-21T00:00:00Z"}}}}}],
         "2026-11-21T00:00:00.000Z"),
        ([{"reported_to_regulators_at": "2026-11-25T00:00:00Z"},
          {"regulatory_reports": {"eu-nis2": {"stages": {"early_warning": {"submitted_at": "2026-11-21T00:00:00Z"}}}}}],
         "2026-11-25T00:00:00.000Z"),
        ([{"reported_to_regulators_at": "2026-11-25T00:00:00Z"},
          {"regulatory_reports": {"eu-nis2": {"stages": {"early_warning": {"submitted_at": "2026-11-21T00:00:00Z"}}}}},
          {"reported_to_regulators_at": None}],
         "2026-11-21T00:00:00.000Z"),
        ([{"regulatory_reports": {"eu-nis2": {"stages": {"early_warning": {"submitted_at": "2026-11-21T00:00:00Z"}}}}},
          {"regulatory_reports": None}],
         None),
        ([{"title": "y"}], None),
    ],
)  # fmt: skip
def test_reported_to_regulators_at_is_the_earliest_submission_unless_given(
    steps: list[dict[str, Any]], derived: str | None
) -> None:
    made = incident()
    for step in steps:
        made = patched(made["id"], **step)
    assert made["reported_to_regulators_at"] == derived


def test_a_create_with_submissions_derives_when_regulators_were_told() -> None:
    sent = {"eu-gdpr": {"stages": {"authority": {"submitted_at": "2026-11-22T00:00:00Z"}}}}
    assert incident(sent)["reported_to_regulators_at"] == "2026-11-22T00:00:00.000Z"


EARLY, GIVEN = "2026-11-21T00:00:00.000Z", "2026-11-22T00:00:00.000Z"


def submitted(at: str, stage: str = "authority", regime: str = "eu-gdpr") -> dict[str, Any]:
    return {regime: {"stages": {stage: {"submitted_at": at}}}}


def trail(incident_id: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads(list_changes(changes_event(incident_id), Context)["body"])["items"]
    return items


@pytest.mark.parametrize(
    ("first", "steps", "told"),
    [
        # A value that a caller gave stays, also after it was equal to the earliest submission.
        ({}, [{"regulatory_reports": submitted(GIVEN)}, {"regulatory_reports": None}], GIVEN),
        ({}, [{"regulatory_reports": submitted(GIVEN)}, {"regulatory_reports": submitted("2026-11-23T00:00:00Z")}],
         GIVEN),
        ({"regulatory_reports": submitted(GIVEN)}, [{"regulatory_reports": submitted(EARLY)}], GIVEN),
        ({"regulatory_reports": submitted(GIVEN)}, [{"title": "y"}, {"regulatory_reports": None}], GIVEN),
        ({"regulatory_reports": submitted(EARLY)}, [{"reported_to_regulators_at": EARLY}, {"regulatory_reports": None}],
         EARLY),
        ({"regulatory_reports": submitted(GIVEN)},
         [{"reported_to_regulators_at": None}, {"regulatory_reports": submitted(EARLY)}], EARLY),
        ({"regulatory_reports": submitted(GIVEN)},
         [{"reported_to_regulators_at": None}, {"title": "y"}, {"regulatory_reports": None}], None),
    ],
)  # fmt: skip
def test_a_given_time_stays_also_if_it_was_the_earliest_submission(
    first: dict[str, Any], steps: list[dict[str, Any]], told: str | None
) -> None:
    made = incident(first.get("regulatory_reports"), reported_to_regulators_at=GIVEN)
    for step in steps:
        made = patched(made["id"], **step)
    assert made["reported_to_regulators_at"] == told


def test_who_gives_the_derived_time_writes_a_change_once() -> None:
    made = incident(submitted(EARLY))
    given = patched(made["id"], reported_to_regulators_at=EARLY)
    assert (given["version"], given["reported_to_regulators_at"]) == (2, EARLY)
    assert patched(made["id"], reported_to_regulators_at=EARLY) == given
    assert patched(made["id"], regulatory_reports=None)["reported_to_regulators_at"] == EARLY
    patched(made["id"], regulatory_reports=submitted(EARLY))
    back = patched(made["id"], reported_to_regulators_at=None)
    assert patched(made["id"], reported_to_regulators_at=None) == back
    changes = [change["changes"].get("reported_to_regulators_at") for change in trail(made["id"])]
    same = {"from": EARLY, "to": EARLY}
    assert changes == [None, same, None, None, same]
    assert [*back] == [*made]  # the mark is no field


def write(table: str, incident_id: str, **texts: str | None) -> None:
    """Write attributes of an incident's item as another release would do it. None removes an attribute."""
    client = boto3.client("dynamodb")
    item: dict[str, Any] = next(
        item for item in client.scan(TableName=table)["Items"] if item["sk"]["S"] == incident_id
    )
    changed = {name: {"S": text} for name, text in texts.items() if text is not None}
    client.put_item(TableName=table, Item={name: item[name] for name in item if name not in texts} | changed)


def test_a_time_without_a_mark_was_given_by_a_caller(table: str) -> None:
    made = incident(submitted(GIVEN))
    write(table, made["id"], derived_reported_to_regulators_at=None)
    assert patched(made["id"], regulatory_reports=submitted(EARLY))["reported_to_regulators_at"] == GIVEN
    assert patched(made["id"], reported_to_regulators_at=None)["reported_to_regulators_at"] == EARLY


def test_a_time_that_an_older_release_wrote_over_a_derived_one_was_given(table: str) -> None:
    made = incident(submitted(GIVEN))
    write(table, made["id"], reported_to_regulators_at="2026-11-25T00:00:00.000Z")
    after = patched(made["id"], regulatory_reports=submitted(EARLY))
    assert after["reported_to_regulators_at"] == "2026-11-25T00:00:00.000Z"


@pytest.mark.parametrize(
    ("stages", "told"),
    [
        ({"individuals": EARLY}, None),
        ({"processor_to_controller": EARLY}, None),
        ({"processor_to_controller": EARLY, "authority": GIVEN}, GIVEN),
        ({"individuals": GIVEN, "authority": EARLY}, EARLY),
    ],
)
def test_only_a_submission_to_a_regulator_counts(stages: dict[str, str], told: str | None) -> None:
    reports = {"eu-gdpr": {"stages": {name: {"submitted_at": at} for name, at in stages.items()}}}
    assert incident(reports)["reported_to_regulators_at"] == told
    assert patched(incident()["id"], regulatory_reports=reports)["reported_to_regulators_at"] == told


@pytest.mark.parametrize(
    ("member", "told"), [({"to_regulator": True}, EARLY), ({"to_regulator": False}, None), ({}, None)]
)
def test_an_own_rule_says_whether_its_stage_goes_to_a_regulator(member: dict[str, bool], told: str | None) -> None:
    rule = OWN | {"stages": [OWN["stages"][0] | member]}
    set_rules(rule)
    made = incident(submitted(EARLY, "notice", "contract-7"))
    assert made["reported_to_regulators_at"] == told
    patched(made["id"], reported_to_regulators_at=GIVEN)
    assert patched(made["id"], reported_to_regulators_at=None)["reported_to_regulators_at"] == told

    set_rules()  # what rests on a stored submission stays
    after = patched(made["id"], regulatory_reports=submitted(GIVEN))
    assert after["reported_to_regulators_at"] == (told or GIVEN)
    assert patched(made["id"], regulatory_reports={"contract-7": None})["reported_to_regulators_at"] == GIVEN


def test_an_export_and_an_import_keep_who_gave_the_time(table: str, tmp_path: Path) -> None:
    derived = incident(submitted(GIVEN), title="derived")
    given = incident(submitted(GIVEN), title="given", reported_to_regulators_at=GIVEN)
    reader = TenantReader(boto3.client("dynamodb"), table, "acme")
    export.export(reader, tmp_path / "acme.jsonl", lambda *_: None)

    bodies = {row.body["title"]: row.body for row in rows.read(tmp_path / "acme.jsonl") if row.body}
    for before, told in ((derived, EARLY), (given, GIVEN)):
        made = incident(**bodies[before["title"]] | {"incident_number": None})
        assert made["reported_to_regulators_at"] == before["reported_to_regulators_at"] == GIVEN
        assert patched(made["id"], regulatory_reports=submitted(EARLY))["reported_to_regulators_at"] == told
