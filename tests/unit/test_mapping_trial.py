"""Tests of the messages of `incidents intake try` about a mapping that does not fit its event."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from incidents_cli.console import StepFailed
from incidents_cli.main import cli
from incidents_cli.operate import json_lines
from typer.testing import CliRunner

from tests.support.templates import CHECKOUT

FOLDER = CHECKOUT / "docs" / "mappings"
EVENT: dict[str, Any] = {
    "source": "aws.partner/x.example/1", "detail-type": "Alert", "account": "111122223333",
    "time": "2026-11-20T10:00:00Z",
    "detail": {
        "id": 7, "name": "Odd", "active": True, "level": 9.0, "tags": [{"key": "a", "value": "b"}], "word": "page 7",
        "link": "https://x.example/7", "none": None, "day": "Friday", "late": "2026-11-25T10:00:00Z",
        "soon": "2026-11-20T12:00:00Z", "days": ["2026-11-20T10:00:00Z", "2026-11-20T11:00:00Z"], "long": "x" * 999,
    },
}  # fmt: skip


class Printed(NamedTuple):
    """The output of a command, and the message and the detail of its error."""

    stdout: str
    stderr: str
    failure: str


def tried(tmp_path: Path, mapping: str, event: str) -> Printed:
    files = tmp_path / "mapping.json", tmp_path / "event.json"
    for file, text in zip(files, (mapping, event), strict=True):
        file.write_text(text)
    result = CliRunner().invoke(cli, ["intake", "try", *map(str, files)])
    error = result.exception
    failure = f"{error.what}\n{error.detail}\n{error.advice}" if isinstance(error, StepFailed) else ""
    assert (result.exit_code == 0) == (failure == "")
    return Printed(result.stdout, result.stderr, failure)


def mapped(**members: Any) -> str:
    """Return a mapping as text. Each member is on its own line, and the given members begin at line 8."""
    basis = {
        "name": "x", "source": "aws.partner/x.example/*", "detail_type": "Alert", "kind": "detection",
        "key": {"path": "detail.id"}, "title": {"path": "detail.name"},
    } | members  # fmt: skip
    return "{\n" + ",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in basis.items()) + "\n}"


@pytest.mark.parametrize(
    ("member", "value", "said"),
    [
        ("category", {"path": "detail.nmae"}, "detail.nmae finds nothing in this event"),
        ("category", {"path": "detail.none"}, "detail.none finds nothing in this event"),
        ("tags", {"path": "detail.tags[].nmae"}, "detail.tags[].nmae finds nothing"),
        ("severity", {"path": "detail.nmae", "otherwise": "low"}, 'nothing in this event, so "otherwise" is used'),
        ("tags", {"path": "detail.tags"}, "detail.tags finds objects, which are not values. Name a member: key, value"),
        ("asset_ids", {"path": "detail"}, "Name a member: id, name, active, level, tags"),
        ("severity", {"path": "detail.name", "table": {"x": "low"}}, 'finds "Odd". The table has no row for "Odd"'),
        ("severity", {"path": "detail.active", "table": {"True": "low"}}, 'for "true", but it has a row for "True"'),
        ("severity", {"path": "detail.level", "table": {"9": "low"}, "otherwise": "high"},
         'no row for "9.0", but it has a row for "9", so "otherwise" is used'),
        ("severity", {"path": "detail.name"}, 'finds "Odd", which is not a severity'),
        ("occurred_at", {"path": "detail.day"}, 'finds "Friday", which is not a date'),
        ("occurred_at", {"path": "detail.days"}, "which is a list. Select one date"),
        ("occurred_at", {"path": "detail.soon"}, "dropped: later than detected_at"),
        ("updated_at", {"path": "detail.late"}, "more than 24 hours after the time of the event"),
        ("detected_at", {"path": "detail.id"}, "finds 7, which is not a date"),
        ("description", {"path": "detail.long[0]"}, "finds nothing"),
    ],
)  # fmt: skip
def test_a_line_that_finds_nothing_is_named(tmp_path: Path, member: str, value: Any, said: str) -> None:
    printed = tried(tmp_path, mapped(**{member: value}), json.dumps(EVENT))
    assert f"line 8: {member}.path: {value['path']} finds " in printed.stderr
    assert said in printed.stderr
    assert '"title": "Odd"' in printed.stdout


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ({"path": "detail.word"}, 'path: detail.word gives "page 7"'),
        ({"constant": "ftp://x"}, 'constant: the member gives "ftp://x"'),
    ],
)
def test_a_link_that_is_no_url_is_named(tmp_path: Path, value: Any, line: str) -> None:
    printed = tried(tmp_path, mapped(summary={"link": value}), json.dumps(EVENT))
    assert f"line 8: summary.link.{line}, which is not an http or https URL" in printed.stderr
    two = [value, {"path": "detail.link"}]
    assert "summary.link[1]" not in tried(tmp_path, mapped(summary={"link": two}), json.dumps(EVENT)).stderr


def test_try_shows_the_summary_that_the_service_stores(tmp_path: Path) -> None:
    link = "https://x.example/" + "a" * 400
    summary = {"link": [{"path": "detail.word"}, {"path": "detail.to"}], "remediation": {"path": "detail.long"}}
    detail = EVENT["detail"] | {"to": link}
    printed = tried(tmp_path, mapped(summary=summary), json.dumps(EVENT | {"detail": detail}))
    assert f'"link": "{link}"' in printed.stdout
    assert f'"remediation": "{"x" * 256} (cut: 743 more characters)"' in printed.stdout
    assert "line 8: summary.remediation: the service stores the first 10 texts" in printed.stderr
    assert "the longest has 999 characters" in printed.stderr

    detail["to"] += "a" * 2000
    printed = tried(tmp_path, mapped(summary=summary), json.dumps(EVENT | {"detail": detail}))
    assert '"link": null' in printed.stdout
    assert "which is not an http or https URL of at most 2048 characters" in printed.stderr


def test_a_mapping_that_takes_too_many_steps_says_so(tmp_path: Path) -> None:
    many = EVENT | {"detail": {"id": 7, "name": "x", "a": ["x"] * 60_000}}
    printed = tried(tmp_path, mapped(tags={"path": "detail.a[?@==@]"}), json.dumps(many))
    assert "the paths of the mapping x take more than 200000 steps" in printed.failure


def test_a_nesting_that_is_too_deep_is_named_with_its_line(tmp_path: Path) -> None:
    deep = '{\n"a":' + "[" * 400 + "\n" + "[" * 100_000 + "]" * 100_400 + "}"
    assert "line 3: more than 500 lists and objects are nested" in tried(tmp_path, deep, json.dumps(EVENT)).failure


def test_the_line_is_that_of_the_path_in_its_list(tmp_path: Path) -> None:
    text = mapped(tags=[{"path": "detail.name"}, {"path": "detail.nmae"}]).replace("}, {", '},\n{"otherwise": "x",\n')
    assert "line 10: tags[1].path: detail.nmae finds nothing" in tried(tmp_path, text, json.dumps(EVENT)).stderr


def test_the_lines_are_in_the_order_of_the_mapping(tmp_path: Path) -> None:
    text = mapped(summary={"principals": {"path": "a"}}, tags={"path": "b"}, category={"path": "c"})
    lines = [line.split(":")[1] for line in tried(tmp_path, text, json.dumps(EVENT)).stderr.splitlines()[1:]]
    assert lines == [" summary.principals.path", " tags.path", " category.path"]


def test_a_title_of_which_only_constants_are_left_is_named(tmp_path: Path) -> None:
    title = [{"constant": "Alert of"}, {"path": "detail.nmae"}]
    printed = tried(tmp_path, mapped(title=title), json.dumps(EVENT))
    assert "line 7: title: no path finds a value in this event, so the title has only constants" in printed.stderr
    assert "only constants" not in tried(tmp_path, mapped(title=[*title, {"path": "detail.id"}]), json.dumps(EVENT))[1]


def test_a_mapping_that_fits_has_no_warning(tmp_path: Path) -> None:
    for name in ("okta", "auth0"):
        texts = (FOLDER / f"{name}.json").read_text(), (FOLDER / f"{name}-event.json").read_text()
        assert tried(tmp_path, *texts).stderr == ""
    fits = mapped(
        severity={"path": "detail.active", "table": {"true": "low"}}, summary={"link": {"path": "detail.link"}}
    )
    assert tried(tmp_path, fits, json.dumps(EVENT)).stderr == ""


def test_a_missing_part_of_the_key_is_named_with_its_line(tmp_path: Path) -> None:
    printed = tried(tmp_path, mapped(key=[{"path": "detail.id"}, {"path": "detail.nmae"}]), json.dumps(EVENT))
    assert "line 6: " in printed.failure
    assert "part of the key at detail.nmae" in printed.failure
    assert "line 6: key[1].path: detail.nmae finds nothing" in printed.stderr


def test_a_condition_that_is_not_fulfilled_is_named_with_the_value(tmp_path: Path) -> None:
    when = [{"path": "detail.id", "in": ["7"]}, {"path": "detail.active", "in": ["True"]}, {"path": "a", "in": ["b"]}]
    printed = tried(tmp_path, mapped(when=when), json.dumps(EVENT))
    assert 'line 8: when[1]: detail.active finds true. "in" has "True"' in printed.stdout
    assert 'line 8: when[2]: a finds nothing in this event. "in" has "b"' in printed.stdout
    assert "when[0]" not in printed.stdout


@pytest.mark.parametrize(
    ("changed", "said", "silent"),
    [
        ({"source": "aws.partner/y"}, "line 3: source: the mapping has aws.partner/x.example/*", "detail_type"),
        ({"detail-type": "Other"}, 'line 4: detail_type: the mapping has "Alert". The event has "Other"', "source"),
    ],
)
def test_an_event_of_another_source_or_type_says_which(
    tmp_path: Path, changed: dict[str, Any], said: str, silent: str
) -> None:
    failure = tried(tmp_path, mapped(), json.dumps(EVENT | changed)).failure
    assert said in failure
    assert silent not in failure


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"detail": EVENT["detail"]}, "The event has no source, detail-type, account, time."),
        (EVENT["detail"], "The event has no source, detail-type, account, time, detail."),
        ([EVENT], "The file must have one object."),
        (EVENT | {"detail": json.dumps(EVENT["detail"])}, "detail must be an object."),
    ],
)
def test_a_payload_without_its_envelope_is_refused(tmp_path: Path, event: Any, said: str) -> None:
    failure = tried(tmp_path, mapped(), json.dumps(event)).failure
    assert "is not an event of EventBridge" in failure
    assert said in failure
    assert '"detail-type": "..."' in failure


@pytest.mark.parametrize("which", [0, 1])
def test_a_name_that_occurs_twice_is_named_with_its_line(tmp_path: Path, which: int) -> None:
    texts = [mapped(), json.dumps(EVENT)]
    texts[which] = '{\n"a": [{"b": 1},\n {"b": "\\"b\\": {", "c": 1,\n "\\u0062": 2}]\n}'
    assert "line 4: the name b occurs twice" in tried(tmp_path, texts[0], texts[1]).failure


def test_names_that_different_objects_have_are_not_repeated() -> None:
    assert json_lines.repeated_name('{"a": {"a": ["a", "a"]}, "b": [{"a": 1}, {"a": "}\\"a\\": "}], "": []}') is None
    assert json_lines.repeated_name('"a"') is None
