"""Tests of the example mappings, of the check of a mapping, and of the command that tries a mapping."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from incidents.findings import Finding, MalformedEvent, Node, Skipped, mapping
from incidents.findings.mapping import InvalidMapping
from incidents_cli.main import cli
from incidents_cli.operate import json_lines
from typer.testing import CliRunner

from tests.support.templates import CHECKOUT

FOLDER = CHECKOUT / "docs" / "mappings"
MINIMAL: dict[str, Any] = {
    "name": "x", "source": "aws.partner/x.example/*", "detail_type": "Alert", "kind": "detection",
    "title": {"constant": "Alert"}, "key": {"path": "detail.id"},
}  # fmt: skip
EVENT: dict[str, Any] = {
    "source": "aws.partner/x.example/1", "detail-type": "Alert", "account": "111122223333",
    "time": "2026-11-20T10:00:00Z", "detail": {"id": 7},
}  # fmt: skip


def example(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    return json.loads((FOLDER / f"{name}.json").read_text()), json.loads((FOLDER / f"{name}-event.json").read_text())


def found(given: dict[str, Any], event: dict[str, Any]) -> Finding:
    report = mapping.read(mapping.parse(given), Node(event))
    assert isinstance(report, Finding)
    return report


def test_the_example_of_okta_gives_its_incident_and_its_summary() -> None:
    one = found(*example("okta"))
    assert (one.title, one.severity, one.category) == (
        "Max sign in attempts exceeded by eve@example.com", "medium", "unauthorized_access",
    )  # fmt: skip
    assert (one.source, one.producer) == ("okta", "aws.partner/okta.com/example/incidents")
    assert (one.description, one.tags, one.asset_ids) == ("LOCKED_OUT", ["user.account.lock"], ["Payroll"])
    assert one.alert_ids == ["5c1c7a1f-0000-11f0-9a1b-000000000001"]
    assert one.occurred_at == one.seen_at == "2026-11-20T09:59:58.112Z"
    assert one.summary == {"remote_addresses": ["198.51.100.23"], "principals": ["eve@example.com"]}
    assert one.account_ids == []


def test_the_example_of_auth0_gives_its_incident_and_its_summary() -> None:
    one = found(*example("auth0"))
    assert (one.title, one.severity) == ("Login with a leaked password: eve@example.com", "high")
    assert (one.source, one.kind, one.asset_ids) == ("auth0", "detection", ["Customer portal"])
    assert one.summary == {
        "remote_addresses": ["198.51.100.23"], "principals": ["eve@example.com", "auth0|example0000000001"],
    }  # fmt: skip


def test_an_event_that_does_not_fulfill_every_condition_is_skipped() -> None:
    given, event = example("okta")
    event["detail"]["eventType"] = "user.session.start"
    assert mapping.read(mapping.parse(given), Node(event)) == Skipped("not_mapped", "okta")
    event["detail"]["eventType"], event["detail"]["outcome"] = "user.account.lock", None
    assert mapping.read(mapping.parse(given), Node(event)) == Skipped("not_mapped", "okta")


def test_equal_keys_are_one_problem_and_a_part_of_a_key_is_never_confused_with_another() -> None:
    given = MINIMAL | {"key": [{"path": "detail.a"}, {"path": "detail.b"}]}
    keys = [found(given, EVENT | {"detail": {"a": a, "b": b}}).key for a, b in (("x", "y"), ("x", "y"), ("x,y", "y"))]
    assert keys[0] == keys[1] != keys[2]
    assert found(MINIMAL, EVENT).key != found(MINIMAL | {"name": "y"}, EVENT).key
    assert found(MINIMAL, EVENT).key != found(MINIMAL, EVENT | {"source": "aws.partner/x.example/2"}).key
    assert found(MINIMAL, EVENT).key != found(MINIMAL, EVENT | {"account": "444455556666"}).key


def test_an_event_without_a_title_or_a_part_of_the_key_is_malformed() -> None:
    with pytest.raises(MalformedEvent, match="finds no `title`"):
        found(MINIMAL | {"title": {"path": "detail.none"}}, EVENT)
    with pytest.raises(MalformedEvent, match="part of the `key`"):
        found(MINIMAL | {"key": [{"path": "detail.id"}, {"path": "detail.none"}]}, EVENT)


@pytest.mark.parametrize(
    "odd", [None, [], {}, 1, "x", True, [[[1]]], {"id": {"a": 1}}, {"id": None}, {"id": [None, {}]}]
)
def test_an_event_of_any_form_gives_a_finding_or_is_malformed(odd: Any) -> None:
    given = MINIMAL | {"key": {"path": "detail.id || detail[].id"}, "severity": {"path": "detail[?a==`1`].b"},
                       "occurred_at": {"path": "detail.id"}}  # fmt: skip
    with pytest.raises(MalformedEvent):
        found(given, EVENT | {"detail": odd})


def test_a_value_is_translated_and_otherwise_stands_for_the_rest() -> None:
    def severity(value: Any, detail: dict[str, Any]) -> str | None:
        return found(MINIMAL | {"severity": value}, EVENT | {"detail": {"id": 1, **detail}}).severity

    table = {"path": "detail.level", "table": {"9": "critical", "true": "low"}}
    assert severity(table, {"level": 9}) == "critical"
    assert severity(table, {"level": True}) == "low"
    assert severity(table, {"level": 3}) is None
    assert severity(table | {"otherwise": "medium"}, {"level": 3}) == "medium"
    assert severity(table | {"otherwise": "medium"}, {}) == "medium"
    assert severity({"path": "detail.level"}, {"level": "HIGH"}) == "high"
    assert severity({"path": "detail.level"}, {"level": "enormous"}) is None


def test_thousands_of_values_are_within_the_limits_of_an_incident() -> None:
    many = [f"{n}-" + "x" * 900 for n in range(2000)]
    one = found(MINIMAL | {"asset_ids": {"path": "detail.many"}, "tags": {"path": "detail.many"}},
                EVENT | {"detail": {"id": 1, "many": many}})  # fmt: skip
    assert 0 < len(one.asset_ids) <= 500
    assert len(one.tags) <= 50


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"title": None}, "title must be"), ({"title": []}, "title must have 1 to"),
        ({"title": {"path": "a", "constant": "b"}}, "title must be"), ({"title": {"path": "a["}}, "title.path is not"),
        ({"title": {"path": "length(detail)"}}, "title.path must not have a part of the type `function expression`"),
        ({"title": {"path": "[a, b]"}}, "title.path must not have a part of the type `multi select list`"),
        ({"title": {"path": "a | b"}}, "title.path must not have a part of the type `pipe`"),
        ({"title": [{"constant": "a"}, {"constant": " "}]}, r"title\[1\].constant must be a text"),
        ({"title": {"constant": "a", "table": {}}}, "title.table must not be here"),
        ({"severity": {"constant": "urgent"}}, "severity must be one of critical"),
        ({"severity": {"path": "a", "table": {"1": "urgent"}}}, "severity must be one of critical"),
        ({"severity": {"path": "a", "table": {"1": 1}}}, "severity.table.1 must be a text"),
        ({"occurred_at": {"constant": "2026-11-20"}}, "occurred_at.constant must not be here"),
        ({"kind": "attack"}, "kind must be one of"), ({"name": "aws.okta"}, "name must have"),
        ({"name": "Okta"}, "name must have"), ({"source": "okta"}, "source must be"),
        ({"source": "aws.partner/*/x"}, "source must be"), ({"source": "aws.guardduty"}, "source must be"),
        ({"detail_type": []}, "detail_type must have"), ({"detail_type": ["a", 1]}, r"detail_type\[1\] must be a text"),
        ({"when": {}}, "when must be a list"), ({"when": [{"path": "a"}]}, r"when\[0\] must be"),
        ({"when": [{"path": "a", "in": [True]}]}, r"when\[0\].in\[0\] must be a text"),
        ({"summary": {"who": {"path": "a"}}}, "summary.who is unknown"), ({"summary": []}, "summary must be"),
        ({"tenant_id": {"constant": "acme"}}, "tenant_id is unknown"),
    ],
)  # fmt: skip
def test_a_wrong_member_is_named_with_what_would_be_right(changed: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidMapping, match=reason):
        mapping.parse(MINIMAL | changed)


@pytest.mark.parametrize("name", ["name", "source", "detail_type", "kind", "title", "key"])
def test_a_missing_member_is_named(name: str) -> None:
    given = copy.deepcopy(MINIMAL)
    del given[name]
    with pytest.raises(InvalidMapping, match=f"must have the member {name}"):
        mapping.parse(given)


def tried(tmp_path: Path, text: str, event: dict[str, Any] | None = None) -> str:
    file, of_event = tmp_path / "mapping.json", tmp_path / "event.json"
    file.write_text(text)
    of_event.write_text(json.dumps(event or EVENT))
    result = CliRunner().invoke(cli, ["intake", "try", str(file), str(of_event)])
    return (
        result.output if result.exception is None else f"{result.exception} {getattr(result.exception, 'detail', '')}"
    )


def test_try_prints_the_incident_the_dates_and_the_summary() -> None:
    files = [str(FOLDER / "okta.json"), str(FOLDER / "okta-event.json")]
    printed = CliRunner().invoke(cli, ["intake", "try", *files])
    assert printed.exit_code == 0
    assert '"title": "Max sign in attempts exceeded by eve@example.com"' in printed.stdout
    assert "incident       the kind detection is taken by default" in printed.stdout
    assert "occurred_at    from detail.published" in printed.stdout
    assert '"198.51.100.23"' in printed.stdout


def test_try_says_why_there_is_no_incident(tmp_path: Path) -> None:
    given = json.dumps(MINIMAL | {"when": [{"path": "detail.id", "in": ["8"]}]})
    assert "not_mapped" in tried(tmp_path, given)
    assert "does not take the event" in tried(tmp_path, json.dumps(MINIMAL), EVENT | {"detail-type": "Other"})
    assert "dead letter" in tried(tmp_path, json.dumps(MINIMAL), EVENT | {"detail": {}})


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('"kind": "detection"', '"kind": "attack"', 5),
        ('"table": {"WARN": "medium"}', '"table": {"WARN": "urgent"}', 8),
        ('"path": "detail.b"', '"path": "detail.b("', 11),
        ('"name": "x"', '"nam": "x"', 2),
    ],
)
def test_a_wrong_mapping_is_refused_with_its_line(tmp_path: Path, old: str, new: str, line: int) -> None:
    text = """{
  "name": "x",
  "source": "aws.partner/x.example/*",
  "detail_type": "Alert",
  "kind": "detection",
  "title": {"constant": "} \\" ["},

  "severity": {"path": "detail.s", "table": {"WARN": "medium"}},
  "key": [
    {"path": "detail.id"},
    {"path": "detail.b"}
  ]
}"""
    assert old in text
    assert f"line {line}: " in tried(tmp_path, text.replace(old, new))


def test_a_line_is_found_in_any_spelling_of_json() -> None:
    text = '\ufeff{"a" : [1, {"b\\n": {}}\n,[ ]\n, "x"], "a": {"c"\n:\n 1}}'
    assert json_lines.line_of(text, ()) == 1
    assert json_lines.line_of(text, ("a", "c")) == 3
    assert json_lines.line_of(text, ("a", "none")) == 3
    assert json_lines.line_of("[1,\n[2,\n3]]", (1, 1)) == 3


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"when": [{"path": "a", "in": [" WARN"]}]}, r"when\[0\].in\[0\] can never match"),
        ({"when": [{"path": "a", "in": [9]}]}, r'when\[0\].in\[0\] must be a text, such as "9"'),
        ({"when": [{"path": "a", "in": True}]}, r'when\[0\].in must be a text, such as "true"'),
        ({"detail_type": "Alert "}, "detail_type can never match"),
        ({"severity": {"path": "a", "table": {"": "low"}}}, "severity.table. can never match"),
        ({"severity": {"path": "a", "table": {"x ": "low"}}}, "severity.table.x  can never match"),
    ],
)
def test_a_text_that_no_event_can_have_is_refused(changed: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidMapping, match=reason):
        mapping.parse(MINIMAL | changed)


def test_a_condition_may_have_one_text() -> None:
    assert found(MINIMAL | {"when": [{"path": "detail.id", "in": "7"}]}, EVENT).title == "Alert"


def test_the_error_of_a_missing_value_names_the_path() -> None:
    with pytest.raises(MalformedEvent, match=r"no `title` in the event at detail\.a or detail\.b"):
        found(MINIMAL | {"title": [{"path": "detail.a"}, {"path": "detail.b"}]}, EVENT)
    with pytest.raises(MalformedEvent, match=r"part of the `key` at detail\.b"):
        found(MINIMAL | {"key": [{"path": "detail.id"}, {"path": "detail.b"}]}, EVENT)
