"""Tests of the stored item of an event: what `incidents verify` compares, and what a damaged item still says."""

import json
from typing import Any
from zlib import compress

import pytest
from incidents import findings
from incidents.domain import evidence
from incidents.findings import Finding, Node, mapping
from incidents.storage import evidence_reader, stored_form
from incidents.storage.evidence_reader import Unreadable
from incidents_cli.operate.tenants import invariants

from tests.support.recorded import NAMES, event
from tests.support.templates import CHECKOUT

INCIDENT = "inc_01M83J8EHSBKC38ZQ0R08TEPS6"
FOLDER = CHECKOUT / "docs" / "mappings"


def item_of(finding: Finding) -> dict[str, Any]:
    made = evidence.of_event(
        finding.received, observed_at=finding.seen_at, source=finding.source, adapter=finding.adapter, rule="a rule",
        summary=finding.summary,
    )  # fmt: skip
    return stored_form.from_evidence("acme", INCIDENT, made)


def item(name: str = "guardduty") -> dict[str, Any]:
    return next(item_of(report) for report in findings.read(event(name)) if isinstance(report, Finding))


def mapped() -> dict[str, Any]:
    given, whole = (json.loads((FOLDER / f"{name}.json").read_text()) for name in ("okta", "okta-event"))
    report = mapping.read(mapping.parse(given), Node(whole))
    assert isinstance(report, Finding)
    return item_of(report._replace(received=whole))


def violations(stored: dict[str, Any]) -> list[str]:
    broken = invariants.of_evidence("acme", stored["sk"]["S"], stored, {"pk": {"S": "there"}})
    return [f"{one.rule}: {one.found}; {one.wanted}" for one in broken]


def test_verify_accepts_the_stored_event_of_every_source() -> None:
    for name in NAMES:
        for report in findings.read(event(name)):
            assert not isinstance(report, Finding) or violations(item_of(report)) == [], name
    simulated = event("guardduty") | {"source": "simulated.aws.guardduty"}
    (report,) = findings.read(findings.as_from_aws(simulated), simulated)
    assert isinstance(report, Finding)
    assert violations(item_of(report)) == violations(mapped()) == []
    assert violations(mapped() | {"is_cut": {"BOOL": False}}) == []


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"adapter": {"S": "macie"}}, "the adapter macie; the adapter guardduty"),
        ({"source": {"S": "aws.macie"}}, "the source aws.macie; the source aws.guardduty"),
        ({"rule": {"S": ""}}, "an event without a rule"),
        ({"is_cut": {"BOOL": True}}, "is_cut true for an event without notes"),
        ({"summary": {"S": '{"link":["https://evil.example/"]}'}}, "a stored summary of the adapter guardduty"),
        ({"summary": {"S": '{"link":["https://evil.example/"]}'}, "adapter": {"S": "mapping"}},
         "a mapping for an event of aws.guardduty"),
        ({"summary": {"S": '"text"'}}, "cannot be read"), ({"summary": {"S": '{"link":"text"}'}}, "cannot be read"),
        ({"summary": {"S": "{"}}, "cannot be read"), ({"event": {"B": b"junk"}}, "cannot be read"),
        ({"event": {"B": compress(b"[]")}}, "cannot be read"),
        ({"event": {"B": compress(b'{"a":NaN}')}}, "cannot be read"),
        ({"event": {"B": compress(b'{"a":' + b"[" * 100_000)}}, "cannot be read"),
        ({"event": {"B": compress(b"{" + b" " * 9_000_000 + b"}")}}, "cannot be read"),
        ({"event": {"B": compress(b"{}")[:-3]}}, "cannot be read"),
        ({"event": {"B": compress(b"{\xff}")}}, "cannot be read"),
        ({"rule": {"N": "1"}}, "cannot be read"), ({"event": {"B": compress(b'{"a":1}')}}, "an event that has changed"),
    ],
)  # fmt: skip
def test_verify_names_what_the_event_contradicts(changed: dict[str, Any], told: str) -> None:
    assert told in " ".join(violations(item() | changed))


@pytest.mark.parametrize(
    "summary", ['{"state":["x"]}', '{"link":["javascript:x"]}', '{"images":["' + "x" * 999 + '"]}']
)
def test_verify_names_a_summary_that_no_mapping_gives(summary: str) -> None:
    assert violations(mapped() | {"summary": {"S": summary}}) != []


def test_a_damaged_item_still_says_what_it_can() -> None:
    whole = item()
    with pytest.raises(Unreadable, match="error: Error -3"):
        evidence_reader.to_evidence(whole | {"event": {"B": b"junk"}})
    shown = evidence_reader.to_unreadable(whole | {"event": {"B": b"junk"}})
    assert (shown.source, shown.adapter, shown.rule, shown.is_cut) == ("aws.guardduty", "guardduty", "a rule", True)
    assert (shown.observed_at, shown.sha256) == (whole["observed_at"]["S"], whole["sha256"]["S"])
    assert json.loads(shown.event) == {"(cut)": "the stored event is damaged and cannot be read"}

    only_key = evidence_reader.to_unreadable({"pk": whole["pk"], "sk": whole["sk"], "rule": {"N": "1"}})
    assert (only_key.source, only_key.rule, only_key.observed_at) == ("", "", whole["observed_at"]["S"])
    assert only_key.sha256 == whole["sha256"]["S"][:32] + "0" * 32
