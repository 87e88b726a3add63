"""Tests of the rows of an import file: every format gives the right values, and an error names its line."""

import csv
import io
import json
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from incidents.domain import json_text, model, payloads, wire_form
from incidents.domain.errors import InvalidIncident
from incidents_cli.console import StepFailed
from incidents_cli.operate.importing import checking, mapping, repairing, sending
from incidents_cli.operate.importing.mapping import of_fields
from incidents_cli.operate.importing.rows import Row, read

from tests.support import drawn, scale

NOW, LATER = "2026-11-23T09:00:00.000Z", "2027-03-01T00:00:00.000Z"
STAMPS = {
    "id": drawn.UNKNOWN_ID, "tenant_id": "acme", "created_at": NOW, "updated_at": NOW, "created_by": "ada",
    "updated_by": "ada", "version": 1, "schema_version": 1,
}  # fmt: skip
SETTINGS = b'{"settings":{"name":"intake","version":1,"changed_at":"x","changed_by":"y","value":{}}}'


def rows(folder: Path, name: str, content: str | bytes) -> list[Row]:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read(file))


def problems(row: Row) -> list[tuple[str, str]]:
    with pytest.raises(InvalidIncident) as invalid:
        checking.check(row, NOW)
    return [(one.pointer, one.detail) for one in invalid.value.violations]


# --- CSV


def test_a_cell_is_read_with_the_type_of_its_field(tmp_path: Path) -> None:
    header = "title,tags,commander_ids,mttd_minutes,financial_impact,lessons_learned,severity"
    (row,) = rows(tmp_path, "a.csv", f'{header}\nA title,a; b;c,"[""x;y""]",17,999999999999999.1234,"{{""a"": 1}}",\n')

    assert checking.check(row, NOW) == {
        "title": "A title", "tags": ["a", "b", "c"], "commander_ids": ["x;y"], "mttd_minutes": 17,
        "financial_impact": Decimal("999999999999999.1234"), "lessons_learned": '{"a":1}',
        "source": "edm", "source_type": "api", "status": "new",
    }  # fmt: skip


@pytest.mark.parametrize(("cell", "held"), [("true", "true"), ("12", "12"), ("No backups", '"No backups"')])
def test_lessons_learned_are_read_as_json_or_else_as_text(tmp_path: Path, cell: str, held: str) -> None:
    (row,) = rows(tmp_path, "a.csv", f"title,lessons_learned\nx,{cell}\n")
    assert checking.check(row, NOW)["lessons_learned"] == held


def test_a_report_of_a_regime_that_may_be_the_tenant_s_own_is_left_to_the_service(tmp_path: Path) -> None:
    sent = {"contract-7": {"anchors": {"breach_found": "2026-11-20T10:00:00+01:00"}, "stages": {"notice": {}}}}
    (row,) = rows(tmp_path, "a.jsonl", json.dumps({"title": "x", "regulatory_reports": sent}))
    held = checking.check(row, NOW)["regulatory_reports"]
    assert json.loads(held)["contract-7"]["anchors"] == {"breach_found": "2026-11-20T09:00:00.000Z"}


@pytest.mark.parametrize(
    ("regime", "report", "wanted"),
    [
        ("Contract 7", {}, "is not a regime"),
        ("contract-7", {"anchor": {}}, "is not a part of a report; did you mean anchors?"),
        ("contract-7", {"anchors": {"aware": "yesterday"}}, "must be"),
        ("contract-7", {"anchors": {"Aware": "2026-11-20T10:00:00Z"}}, "is not an anchor of this regime"),
        ("contract-7", {"stages": {"notice": {"sent_at": "x"}}}, "is not a part of a submission"),
        ("eu-gdpr", {"anchors": {"awere": "2026-11-20T10:00:00Z"}}, "did you mean aware?"),
    ],
)
def test_what_no_rule_of_a_tenant_can_allow_is_refused_by_the_import(
    tmp_path: Path, regime: str, report: dict[str, Any], wanted: str
) -> None:
    (row,) = rows(tmp_path, "a.jsonl", json.dumps({"title": "x", "regulatory_reports": {regime: report}}))
    ((pointer, detail),) = problems(row)
    assert pointer.startswith(f"/regulatory_reports/{regime}")
    assert wanted in detail


@pytest.mark.parametrize(
    ("field", "cell", "wanted"),
    [
        ("mttd_minutes", "1.5", "must be a whole number"),
        ("mttd_minutes", "soon", "must be a whole number"),
        ("financial_impact", '"1,250.00"', "must be a plain number"),
        ("financial_impact", "01", "must be a plain number"),
        ("tags", '"[""a"""', "must be a list"),
        ("tags", "a;;b", "must not be empty"),
        ("severity", "urgent", "must be one of"),
        ("closed_at", "2026-01-01T00:00:00Z", "must be left out unless status is closed"),
    ],
)
def test_the_error_of_a_wrong_cell_names_its_field(tmp_path: Path, field: str, cell: str, wanted: str) -> None:
    (row,) = rows(tmp_path, "a.csv", f"title,{field}\nx,{cell}\n")
    ((pointer, detail),) = problems(row)
    assert pointer.startswith(f"/{field}")
    assert wanted in detail


def test_an_incident_that_is_too_large_is_found_before_it_is_sent(tmp_path: Path) -> None:
    ids = json.dumps([f"{n:0128}" for n in range(500)])
    fields = sorted(model.ID_LISTS)[:3]
    body = f'{{"title": "x", {", ".join(f"{json.dumps(field)}: {ids}" for field in fields)}}}'
    (row,) = rows(tmp_path, "a.jsonl", body)
    assert problems(row) == [("", "must be at most 128 KiB as JSON.")]


def test_line_numbers_are_right_after_a_cell_of_several_lines(tmp_path: Path) -> None:
    found = rows(tmp_path, "a.csv", '\ufefftitle,"description"\r\nfirst,"one\r\ntwo"\r\n\r\nsecond,\r\nthird,x\r\n')
    assert [(row.line, row.body) for row in found] == [
        (2, {"title": "first", "description": "one\r\ntwo"}),
        (5, {"title": "second"}),
        (6, {"title": "third", "description": "x"}),
    ]


@pytest.mark.parametrize(("record", "count"), [("x", 1), ("x,high,more,and more", 4)])
def test_a_record_with_too_few_or_too_many_cells_is_refused_alone(tmp_path: Path, record: str, count: int) -> None:
    wrong, right = rows(tmp_path, "a.csv", f"title,severity\n{record}\nfine,low\n")
    assert problems(wrong) == [("", f"must have 2 cells, like the header, not {count}")]
    assert checking.check(right, NOW)["title"] == "fine"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("title,severty\nx,high\n", "severty: is not a field of an incident; did you mean severity?"),
        ("title,id\nx,1\n", "id: is set by the server; leave it out"),
        ("title,is_deleted\nx,1\n", "is_deleted: cannot be set by a create; leave it out"),
        ("title,title\nx,y\n", "title: is there twice"),
        ("title,\nx,\n", "a column without a name"),
        ("severity\nhigh\n", "title: is required"),
        ("title;severity\nx;high\n", "title: is required"),
        ("", "title: is required"),
        ('title\n"x"y\n', "line 2"),
        ('title\nfine\n"never closed\n', "line 3"),
        (b"title\n\xe4\n", "UTF-8"),
    ],
)
def test_a_csv_file_with_a_wrong_header_or_syntax_is_refused(tmp_path: Path, content: str | bytes, told: str) -> None:
    with pytest.raises(StepFailed) as failed:
        rows(tmp_path, "a.csv", content)
    assert told in f"{failed.value.what}\n{failed.value.detail}"


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        ("title;severity\nx;high\n", "Separate the cells with commas"),
        ("titel\nx\n", "Rename, remove or add the listed columns"),
        (f"title\n{'x' * (1024 * 1024 + 1)}\n", "Shorten the cell to 1,048,576 characters"),
        ('title\n"x"y\n', "write a quote twice"),
    ],
)
def test_the_error_of_a_refused_file_says_what_to_do(tmp_path: Path, content: str, advice: str) -> None:
    with pytest.raises(StepFailed) as failed:
        rows(tmp_path, "a.csv", content)
    assert advice in failed.value.advice


def test_lines_of_empty_cells_are_skipped(tmp_path: Path) -> None:
    found = rows(tmp_path, "a.csv", "title,severity,tags\nfirst,,\n,,\n,high,\n,,\n,,,,\n")
    assert [(row.line, row.body) for row in found] == [(2, {"title": "first"}), (4, {"severity": "high"})]


def test_an_unknown_file_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="unknown file format"):
        rows(tmp_path, "a.pdf", "x")


# --- JSON Lines


@pytest.mark.parametrize(
    ("line", "pointer", "told"),
    [
        (b"{", "", "line 1, column"),
        (b'{"title": "a", "title": "b"}', "", "appears twice"),
        (b'{"title": NaN}', "", "NaN"),
        (b"[1]", "", "must be a JSON object"),
        (b'{"title": "\xe4"}', "", "must be UTF-8"),
        (b'{"titel": "a"}', "/titel", "did you mean title?"),
        (b'{"title": "a", "is_deleted": true}', "/is_deleted", "cannot be set by a create"),
        (b'{"incident": {"title": "a", "is_deleted": "no"}}', "/incident/is_deleted", "true or false"),
        (b'{"incident": {"title": "a", "app_id": 5}}', "/incident/app_id", "text"),
        (b'{"incident": {"title": "a", "of_a_newer_version": 5}}', "/of_a_newer_version", "is not a field"),
        (b'{"incident": {"title": "a"}, "changes": [], "title": "b"}', "/title", "must not be next to `incident`"),
        (b'{"errors": [], "row": {"title": "a"}, "title": "b"}', "/row", "is not a field"),
        (b'{"errors": [], "cells": {"title": "a"}, "title": "b"}', "/cells", "is not a field"),
        (b'{"settings": "prod", "title": "a"}', "/settings", "is not a field"),
        (SETTINGS[:-1] + b', "title": "a"}', "/settings", "is not a field"),
        (SETTINGS.replace(b'"value"', b'"values"'), "/settings", "is not a field"),
        (SETTINGS.replace(b'"version":1', b'"version":"1"'), "/settings", "is not a field"),
        (b"[" * 5000, "", "nested too deeply"),
    ],
)
def test_a_wrong_line_of_json_is_refused_alone(tmp_path: Path, line: bytes, pointer: str, told: str) -> None:
    wrong, right = rows(tmp_path, "a.jsonl", line + b'\n\n{"title": "fine"}\n')
    assert any(one == pointer and told in detail for one, detail in problems(wrong))
    assert (right.line, checking.check(right, NOW)["title"]) == (3, "fine")
    json.loads(f"{{{wrong.stood}}}")


def test_only_what_an_export_writes_about_settings_is_not_a_row(tmp_path: Path) -> None:
    (own, fine) = rows(tmp_path, "a.jsonl", SETTINGS + b'\n{"title": "fine"}\n')
    assert (own.is_left_out, fine.is_left_out) == (True, False)


@pytest.mark.parametrize(
    "record",
    [
        {"settings": "prod", "Summary": "A"},
        {"Summary": "A", "settings": "dev"},
        json.loads(SETTINGS) | {"Summary": "A"},
        {"incident": {"title": "other"}, "Summary": "A"},
        {"errors": [], "row": {"title": "other"}, "Summary": "A"},
        {"errors": [], "row": 7, "Summary": "A"},
        {"errors": 3, "row": "text", "Summary": "A"},
    ],
)
def test_a_record_of_another_program_is_read_by_the_mapping_whatever_its_columns_are_named(
    tmp_path: Path, record: dict[str, Any]
) -> None:
    file = tmp_path / "other.jsonl"
    file.write_text(f"{json.dumps(record, separators=(',', ':'))}\n")
    columns = {"rest": "description", "columns": {"Summary": "title"}}

    (row,) = read(file, mapping.of_table(columns))

    assert (row.body["title"], row.is_mapped, row.is_left_out) == ("A", True, False)


BODY = '{"titel": "ä \\ud800", "financial_impact": 123456789012345.1200, "lessons_learned": [1e2, {"a": null}]}'


@pytest.mark.parametrize(
    "stood", [f'"row": {BODY}', '"row": "{"', '"cells": {"title": "x", "tags": "a; b", "mttd_minutes": "?"}']
)
def test_a_line_of_an_errors_file_gives_its_original_row_digit_by_digit(tmp_path: Path, stood: str) -> None:
    (row,) = rows(tmp_path, "errors.jsonl", f'{{"line": 7, "errors": [], {stood}}}')
    assert row.line == 1
    assert row.stood == stood.replace("\\ud800", "\ud800")
    assert problems(row)


# --- the import of an export


def settled(body: dict[str, Any]) -> model.Incident:
    """Return the incident that the service makes from a create."""
    values = payloads.tags_once(payloads.new_incident(json_text.loads(json.dumps(body))))
    incident: Any = model.unset_fields() | values | STAMPS | {"incident_number": "INC-2026-000042"}
    assume(not model.apply_rules(incident, values, NOW))
    return incident  # type: ignore[no-any-return]


def patched(incident: model.Incident, patch: dict[str, Any]) -> model.Incident:
    """Return the incident that the service makes from a patch."""
    values = payloads.patch(json_text.loads(json.dumps(patch)), incident)
    after: Any = {**incident, **values}
    assume(not model.apply_rules(after, values, LATER, before=incident))
    return after  # type: ignore[no-any-return]


bodies = st.builds(
    lambda values, times, status, title: values | times | {"status": status, "title": title},
    drawn.values, drawn.times, drawn.statuses, drawn.words,
)  # fmt: skip
patches = st.lists(
    st.builds(lambda values, times, status: values | times | status, drawn.values, drawn.times,
              st.fixed_dictionaries({}, optional={"status": drawn.statuses})), max_size=2,
)  # fmt: skip


@settings(deadline=None, max_examples=scale.of(short=100, full=5_000))
@given(bodies, patches, st.booleans())
def test_the_export_of_a_changed_incident_gives_the_same_incident_again(
    tmp_path_factory: pytest.TempPathFactory, body: dict[str, Any], changes: list[dict[str, Any]], is_deleted: bool
) -> None:
    incident = settled(body)
    for patch in changes:
        incident = patched(incident, patch)
    incident["is_deleted"] = is_deleted
    line = f'{{"incident": {wire_form.dump_incident(incident)}, "changes": []}}'

    (row,) = rows(tmp_path_factory.getbasetemp(), "export.jsonl", line)
    again = remade(row)

    assert (row.is_deleted, row.app_id, row.stood) == (is_deleted, None, f'"row": {line}')
    assert again == {field: value for field, value in incident.items() if field in again}
    assert set(incident) - set(again) == set(STAMPS) | {"is_deleted", "deleted_at", "deleted_by"}


TOLD = "reported_to_regulators_at"


@pytest.mark.parametrize(("derived", "given_again"), [("", True), (', "derived": []', True),
                                                      (f', "derived": ["{TOLD}"]', False)])  # fmt: skip
def test_an_import_leaves_a_derived_time_to_the_service(tmp_path: Path, derived: str, given_again: bool) -> None:
    document = {"title": "x", TOLD: "2026-11-21T00:00:00.000Z"}
    (row,) = rows(tmp_path, "export.jsonl", f'{{"incident": {json.dumps(document)}{derived}, "changes": []}}')
    assert (row.body == document) == given_again
    assert (TOLD in row.body) == given_again


@pytest.mark.parametrize("derived", [["title"], [TOLD, "title"], TOLD, None, {}, 1])
def test_an_export_has_no_other_derived_field(tmp_path: Path, derived: object) -> None:
    line = {"incident": {"title": "x"}, "derived": derived, "changes": []}
    (row,) = rows(tmp_path, "export.jsonl", json.dumps(line))
    assert [violation.pointer for violation in row.unreadable] == ["/derived"]


@settings(deadline=None, max_examples=scale.of(short=100, full=5_000))
@given(bodies)
def test_a_csv_of_an_incident_s_fields_gives_the_same_incident_again(
    tmp_path_factory: pytest.TempPathFactory, body: dict[str, Any]
) -> None:
    incident: Any = settled(body)
    texts = io.StringIO()
    table = csv.DictWriter(texts, payloads.NewIncident.model_fields)
    table.writeheader()
    table.writerow({field: cell(field, incident[field]) for field in payloads.NewIncident.model_fields})

    (row,) = rows(tmp_path_factory.getbasetemp(), "export.csv", texts.getvalue())

    again = remade(row)
    assert again == {field: value for field, value in incident.items() if field in again}


def cell(field: str, value: Any) -> str:
    """Return a cell as a customer's script would write it: a text stays as it is, anything else becomes JSON."""
    text = wire_form.dump_value(field, value)
    return "" if text == "null" else value if isinstance(value, str) and field != "lessons_learned" else text


def remade(row: Row) -> dict[str, Any]:
    """Create an incident from a row at a later time, and return the fields that a caller can write."""
    values = checking.check(row, LATER)
    incident: Any = model.unset_fields() | values
    assert not model.apply_rules(incident, values, LATER)
    return {field: incident[field] for field in payloads.NewIncident.model_fields}


# --- exports of an earlier release, and exports with long numbers


def exported(**values: Any) -> str:
    return json.dumps({"incident": {"title": "x", **STAMPS} | values, "changes": []})


@pytest.mark.parametrize(
    ("values", "repaired", "rules"),
    [
        ({"title": " \x00"}, {"title": "(untitled)"}, [repairing.BLANK_TITLE]),
        ({"title": "a\u202eb\n"}, {"title": "ab"}, [repairing.CHARACTERS]),
        ({"title": "M\ufffdnchen"}, {"title": "M?nchen"}, [repairing.REPLACEMENT]),
        ({"title": "a\u0378\u200d\u0378\x00"}, {"title": "a\u0378\u200d\u0378"}, [repairing.CHARACTERS]),
        (
            {"tags": ["\u0378"], "owner_id": "\u0378\U000e0100"},
            {"tags": ["\u0378"], "owner_id": "\u0378\U000e0100"},
            [],
        ),
        ({"title": "a\uffff\ufdd0"}, {"title": "a"}, [repairing.CHARACTERS]),
        ({"category": "", "owner_id": "\u200b"}, {}, [repairing.BLANK_TEXT] * 2),
        ({"incident_number": "  "}, {}, [repairing.BLANK_TEXT]),
        ({"description": "one\r\n\x1b[0m"}, {"description": "one\r\n[0m"}, [repairing.CHARACTERS]),
        ({"tags": ["a", "b", "a"]}, {"tags": ["a", "b"]}, [repairing.EQUAL]),
        ({"tags": ["a\x00", "a", " "]}, {"tags": ["a"]}, [repairing.CHARACTERS, repairing.BLANK_TEXT, repairing.EQUAL]),
        ({"commander_ids": ["a", "\ufffd"]}, {"commander_ids": ["a", "?"]}, [repairing.REPLACEMENT]),
        (
            {"lessons_learned": {"\ufffd": ["\ufffd", 1e200]}},
            {"lessons_learned": '{"?":["?",1e+200]}'},
            [repairing.REPLACEMENT],
        ),
        ({"incident_number": "INC-2026-1000000000"}, {"incident_number": "INC-2026-1000000000"}, []),
        ({"incident_number": f"INC-2026-{10**30}"}, {"incident_number": f"INC-2026-{10**30}"}, []),
        ({"title": "\u0928\u200d\u0928", "tags": ["fine"]}, {"title": "\u0928\u200d\u0928", "tags": ["fine"]}, []),
    ],
)
def test_an_exported_incident_is_repaired_by_rule(
    tmp_path: Path, values: dict[str, Any], repaired: dict[str, Any], rules: list[str]
) -> None:
    (row,) = rows(tmp_path, "export.jsonl", exported(**values))
    usual = {"title": "x", "source": "edm", "source_type": "api", "status": "new"}

    assert checking.check(row, NOW) == usual | repaired
    assert sorted(row.repairs) == sorted(rules)
    (again,) = rows(tmp_path, "errors.jsonl", f'{{"line": 1, "errors": [], {row.stood}}}')
    assert (again.body, again.repairs) == (row.body, row.repairs)


def test_a_row_of_a_person_is_not_repaired_but_refused_by_its_field_s_name(tmp_path: Path) -> None:
    (row,) = rows(tmp_path, "a.jsonl", json.dumps({"title": " ", "tags": ["a\x00"], "owner_id": "\ufffd"}))
    assert {pointer for pointer, _ in problems(row)} == {"/title", "/tags/0", "/owner_id"}
    assert row.repairs == ()


def test_the_service_decides_about_characters_that_this_python_does_not_know(tmp_path: Path) -> None:
    given = {"title": "a\u0378", "tags": ["\u0378\u200d\u0378"], "category": "\U000323b0"}
    (row,) = rows(tmp_path, "a.jsonl", json.dumps(given))
    assert checking.check(row, NOW).items() >= given.items()

    (row,) = rows(tmp_path, "a.jsonl", json.dumps({"title": "\u0378\x00", "tags": ["\uffff"], "category": "a\u200db"}))
    assert {pointer for pointer, _ in problems(row)} == {"/title", "/tags/0", "/category"}


@pytest.mark.parametrize("number", ["INC-2026-000042", "INC-2026-1000000000", "INC-1999-000001"])
def test_an_application_s_import_refuses_a_number_of_the_server_s_form(tmp_path: Path, number: str) -> None:
    (row,) = rows(tmp_path, "export.jsonl", exported(incident_number=number))

    assert checking.check(row, NOW)["incident_number"] == number
    with pytest.raises(InvalidIncident) as refused:
        checking.check(row, NOW, app="scanner")
    ((pointer, detail),) = refused.value.violations
    assert pointer == "/incident_number"
    assert "if an application gives it; leave it out" in detail


@pytest.mark.parametrize("offset", ["+0100", " 01:00", "+01", ",0+01:00"])
def test_a_cell_s_date_may_have_its_offset_in_every_form_that_tools_write(tmp_path: Path, offset: str) -> None:
    (row,) = rows(tmp_path, "a.csv", f'title,detected_at\nx,"2026-11-20T10:00:00{offset}"\n')
    assert checking.check(row, NOW)["detected_at"] == "2026-11-20T09:00:00.000Z"


def test_an_old_incident_equals_the_repaired_row_of_its_export() -> None:
    stored = {"title": " ", "tags": ("a", "a", "b\x00"), "owner_id": "a\u200b", "description": "\ufffd"}
    given = repairing.repair({field: list(v) if isinstance(v, tuple) else v for field, v in stored.items()}).body

    assert sending.differing(given, cast("Any", SimpleNamespace(**stored))) == []
    assert sending.differing(given | {"tags": ["c"]}, cast("Any", SimpleNamespace(**stored))) == ["tags"]


# --- the fingerprint of a row


def test_a_row_s_fingerprint_depends_on_its_values_and_not_on_its_form(tmp_path: Path) -> None:
    first, second, third, fourth = rows(
        tmp_path, "a.jsonl",
        '{"title": "a", "financial_impact": 1.50, "occurred_at": "2026-01-01T00:00:00Z"}\n'
        '{"occurred_at": "2026-01-01T01:00:00+01:00", "severity": null, "financial_impact": 1.5, "title": "a"}\n'
        '{"title": "a"}\n{"incident": {"title": "a", "is_deleted": true}}\n',
    )  # fmt: skip

    def known_as(row: Row, tenant: str = "acme") -> bytes:
        return checking.fingerprint(checking.check(row, NOW), row, tenant)

    assert known_as(first) == known_as(second)
    assert len({known_as(first), known_as(third), known_as(fourth), known_as(first, "other")}) == 4
    keys = {checking.key(known_as(first), nth) for nth in (1, 2, 3)}
    assert len(keys) == 3
    assert all(len(key) <= 255 and key.isascii() for key in keys)


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("amount", ["9" * 4301, "-" + "9" * 5000, "0." + "1" * 9000 + "e" + "9" * 9000])
def test_an_amount_of_thousands_of_digits_is_the_error_of_its_row(tmp_path: Path, amount: str, mapped: bool) -> None:
    file = tmp_path / "a.csv"
    file.write_text(f"title,financial_impact\nA,1\nB,{amount}\nC,2\n")
    first, second, third = read(file, of_fields({}) if mapped else None)
    assert (first.unreadable, third.unreadable) == ((), ())
    if "e" not in amount or mapped:
        (error,) = second.unreadable
        assert error.pointer == "/financial_impact"
        assert len(error.detail) < 300 or mapped
