"""Tests of the stored form of any received event. It equals the event, and is within the size limit."""

import json
import os
from base64 import b64encode
from hashlib import sha256
from typing import Any
from zlib import decompress

import pytest
from incidents import findings
from incidents.domain import event_json, evidence
from incidents.domain.evidence import PACKED_BYTES, Evidence
from incidents.domain.summary import summary_of

from tests.support import recorded
from tests.support.recorded import event


def stored(whole: Any) -> Evidence:
    return evidence.of_event(whole, observed_at="2026-11-20T08:00:00.000Z", source="s", adapter="a", rule="r")


def read(made: Evidence) -> Any:
    text = decompress(made.packed)
    assert len(made.packed) <= PACKED_BYTES
    assert sha256(text).hexdigest() == made.sha256
    return json.loads(text)


def canonical(whole: Any) -> bytes:
    return json.dumps(whole, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def random_text(size: int) -> str:
    return b64encode(os.urandom(size)).decode()


@pytest.mark.parametrize("name", recorded.NAMES)
def test_a_stored_event_equals_the_received_event_byte_for_byte(name: str) -> None:
    whole = event(name)
    made = stored(whole)

    assert decompress(made.packed) == canonical(whole)
    assert not made.is_cut


def test_the_order_of_names_changes_nothing() -> None:
    assert stored({"a": 1, "b": [2, 3]}).sha256 == stored({"b": [2, 3], "a": 1}).sha256
    assert stored({"a": [1, 2]}).sha256 != stored({"a": [2, 1]}).sha256


LONG = range(9_000)
LARGE: dict[str, Any] = {
    "one text": {"id": "e", "detail": {"title": "kept", "log": random_text(900_000)}},
    "many items": {"id": "e", "detail": {"title": "kept", "rows": [random_text(30) for _ in range(25_000)]}},
    "many members": {"id": "e", "detail": {"title": "kept", "z": {random_text(20): random_text(20) for _ in LONG}}},
}  # fmt: skip


@pytest.mark.parametrize("name", LARGE)
def test_an_event_that_is_too_large_is_cut_and_says_so(name: str) -> None:
    made = stored(LARGE[name])

    assert made.is_cut
    assert read(made)["id"] == "e"
    assert read(made)["detail"]["title"] == "kept"
    assert "(cut" in decompress(made.packed).decode()


def test_an_event_that_no_cut_makes_small_enough_keeps_its_envelope() -> None:
    rows = [[[[random_text(40) for _ in range(9)] for _ in range(9)] for _ in range(9)] for _ in range(9)]
    made = stored({"id": "e", "source": "aws.x", "detail": [rows, rows, [random_text(10**5)] * 3] * 3})

    assert made.is_cut
    assert read(made) == {"id": "e", "source": "aws.x", "(cut)": "1 more members"}


@pytest.mark.parametrize("deep", [65, 900])
def test_an_event_that_is_nested_too_deeply_is_cut(deep: int) -> None:
    whole: Any = "bottom"
    for _ in range(deep):
        whole = {"in": whole}
    made = stored({"id": "e", "detail": whole})

    assert made.is_cut
    assert read(made)["id"] == "e"


@pytest.mark.parametrize(
    ("received", "noted"),
    [
        ("1e999", "(cut: the number 1e999)"), ("-1e999", "(cut: the number -1e999)"),
        ("0.12345678901234567890123", "(cut: the number 0.12345678901234567890123)"),
        ("1e-400", "(cut: the number 1e-400)"), ("1e" + "9" * 50, f"(cut: the number 1e{'9' * 50})"),
        ("9" * 5_000, f"(cut: the number {'9' * 100} (cut: 4900 more characters))"),
        ("-" + "9" * 5_000, f"(cut: the number -{'9' * 99} (cut: 4901 more characters))"),
        ("0." + "1" * 200, f"(cut: the number 0.{'1' * 98} (cut: 102 more characters))"),
    ],
)  # fmt: skip
def test_a_number_that_python_rounds_keeps_its_digits_in_a_note(received: str, noted: str) -> None:
    made = stored(event_json.loads(f'{{"id": "e", "rows": [{received}], "text": "{"x" * 20_000}"}}'))
    assert made.is_cut
    assert read(made) == {"rows": [noted], "id": "e", "text": "x" * 20_000}  # the other members are not cut


@pytest.mark.parametrize(
    "same", ["1.10", "-0", "-0.0", "1E2", "0.1", "123456789012345678901234567890", "1e22", "5e-324"]
)
def test_a_number_that_python_keeps_needs_no_note(same: str) -> None:
    made = stored(event_json.loads(f'{{"id": {same}}}'))
    assert not made.is_cut
    assert read(made) == json.loads(f'{{"id": {same}}}')


def test_a_number_that_is_not_finite_is_noted_without_its_digits() -> None:
    assert read(stored({"huge": float("inf")})) == {"huge": "(cut: the number inf)"}


def test_a_name_that_occurs_twice_is_noted() -> None:
    made = stored(event_json.loads('{"detail": {"title": "first", "title": "last", "n": 1, "n": 2}, "id": "e"}'))
    note = "only the last member of each of these names is kept: title, n"
    assert made.is_cut
    assert read(made) == {"detail": {"title": "last", "n": 2, "(cut)": note}, "id": "e"}


@pytest.mark.parametrize("odd", ["NaN", "Infinity", "-Infinity", '{"a": NaN}', "[", "", "[" * 100_000])
def test_a_text_that_is_no_json_is_refused(odd: str) -> None:
    with pytest.raises((ValueError, RecursionError)):
        event_json.loads(odd)


def test_a_note_never_takes_the_place_of_a_member() -> None:
    long = "n" * 131_100
    rows = {f"{random_text(20)}{n}": random_text(200) for n in range(9_000)}
    made = stored({"(cut)": "own", "(cut))": "own", "a": {long + "1": 1, long + "2": 2}, "rows": rows, "z": 1})
    kept = read(made)
    assert made.is_cut
    assert (kept["(cut)"], kept["(cut))"], sorted(kept["a"].values())) == ("own", "own", [1, 2])
    own = stored(event_json.loads('{"(cut)": "own", "a": 1, "a": 2}'))
    assert read(own)["(cut)"] == "own"
    assert "kept: a" in read(own)["(cut))"]


def test_an_event_that_is_a_little_too_large_keeps_most_of_its_text() -> None:
    made = stored({"log": random_text(310_000)})
    assert made.is_cut
    assert len(read(made)["log"]) > 100_000


def test_what_a_mapping_lifts_out_is_cut_with_a_note_and_a_link_is_never_cut() -> None:
    long = "https://partner.example/alerts/" + "a" * 240 + "?id=THE-REAL-ID"
    kept = evidence.lifted({
        "link": ["https://partner.example/" + "a" * 2_048, f" {long}", "https://other.example"],
        "remediation": ["r" * 300, "s"], "principals": [f"p{n}" for n in range(12)],
    })  # fmt: skip
    assert kept == {
        "link": [long], "remediation": ["r" * 256 + " (cut: 44 more characters)", "s"],
        "principals": [f"p{n}" for n in range(10)],
    }  # fmt: skip
    assert evidence.is_lifted(kept)
    assert summary_of({}, kept)["link"] == long


@pytest.mark.parametrize(
    "forged", [{"link": ["javascript:x"]}, {"link": ["https://a.example", "https://b.example"]}, {"state": ["x"]},
               {"images": ["x"] * 11}, {"images": ["x" * 400]}],
)  # fmt: skip
def test_a_summary_that_no_mapping_gives_is_known(forged: dict[str, list[str]]) -> None:
    assert not evidence.is_lifted(forged)


def test_an_item_that_is_no_object_affects_no_other_finding() -> None:
    whole = event("security_hub_asff_several")
    findings_of = whole["detail"]["findings"]
    whole["detail"]["findings"] = [*findings_of, "text", None]
    reports = findings.read(whole)
    assert [isinstance(report, findings.MalformedEvent) for report in reports[-2:]] == [True, True]
    assert str(reports[-2]) == f"detail.findings[{len(findings_of)}] must be an object"
    assert sum(isinstance(report, findings.Finding) for report in reports) > 1
    whole["detail"]["findings"] = ["text"]
    with pytest.raises(findings.MalformedEvent):
        findings.read(whole)


def test_the_note_of_a_repeated_name_survives_the_choice_of_the_own_finding() -> None:
    text = json.dumps(event("security_hub_asff_several"))
    whole = event_json.loads(text.replace('{"findings":', '{"findings": [], "findings":', 1))
    (first, *_) = [report for report in findings.read(whole) if isinstance(report, findings.Finding)]
    assert stored(first.received).is_cut


def in_answer(made: Evidence) -> int:
    return len(json.dumps(decompress(made.packed).decode()))


@pytest.mark.parametrize("fits", [True, False])
def test_an_event_that_grows_too_large_in_an_answer_is_cut(fits: bool) -> None:
    """Half a surrogate pair escapes the event to ASCII, and an answer escapes each escape again."""
    made = stored({"id": "e", "detail": {"half": "\ud800", "log": ["\x7f" * (500_000 if fits else 1_000_000)]}})
    assert made.is_cut != fits
    assert read(made)["detail"]["half"] == "\ud800"
    assert len(read(made)["detail"]["log"][0]) == 500_000 if fits else len(read(made)["detail"]["log"][0]) > 100_000
    assert in_answer(made) <= evidence.ANSWERED_BYTES


def test_half_of_a_surrogate_pair_is_kept() -> None:
    whole = json.loads('{"title": "\\ud800 and \\u00e9"}')
    made = stored(whole)
    assert not made.is_cut
    assert read(made) == whole


def test_evidence_holds_only_the_finding_of_its_incident() -> None:
    """The findings of one event can belong to several tenants."""
    whole = event("security_hub_asff_several")
    ids = [finding["Id"] for finding in whole["detail"]["findings"]]
    whole["resources"] = [*ids, "arn:of:another"]
    reports = [report for report in findings.read(whole) if isinstance(report, findings.Finding)]

    assert len(reports) > 1
    for place, report in enumerate(reports):
        assert report.received["detail"]["findings"] == [whole["detail"]["findings"][place]]
        assert report.received["resources"] == [ids[place]]
        others = [other for other in ids if other != ids[place]]
        assert not any(other in json.dumps(report.received) for other in others)
    assert findings.read(event("guardduty"))[0].received == event("guardduty")  # type: ignore[union-attr]


def test_an_event_with_its_own_member_findings_is_stored_as_it_came() -> None:
    """Only Security Hub sends several findings in this member."""
    for name in ("alert_escalated", "guardduty", "security_hub_insight"):
        whole = event(name, detail__findings=[{"rule": "a"}, {"rule": "b"}]) | {"resources": ["arn:x"]}
        (finding,) = findings.read(whole)
        assert isinstance(finding, findings.Finding)
        assert finding.received == whole


def test_a_simulated_event_is_stored_as_it_came() -> None:
    came = event("guardduty") | {"source": "simulated.aws.guardduty"}
    (finding,) = findings.read(findings.as_from_aws(came), came)
    assert isinstance(finding, findings.Finding)
    assert (finding.source, finding.received, finding.adapter) == ("aws.guardduty", came, "guardduty")
