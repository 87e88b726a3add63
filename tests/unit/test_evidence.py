"""Tests of the stored form of any received event. It equals the event, and is within the size limit."""

import json
import os
from base64 import b64encode
from hashlib import sha256
from typing import Any
from zlib import decompress

import pytest
from incidents import findings
from incidents.domain import evidence
from incidents.domain.evidence import PACKED_BYTES, Evidence

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
    assert read(made) == {"id": "e", "source": "aws.x"}


@pytest.mark.parametrize("deep", [65, 900])
def test_an_event_that_is_nested_too_deeply_is_cut(deep: int) -> None:
    whole: Any = "bottom"
    for _ in range(deep):
        whole = {"in": whole}
    made = stored({"id": "e", "detail": whole})

    assert made.is_cut
    assert read(made)["id"] == "e"


def test_a_number_without_a_value_in_python_is_cut() -> None:
    made = stored(json.loads('{"id": "e", "huge": 1e999}'))
    assert made.is_cut
    assert read(made) == {"huge": "(cut: a number that is too large)", "id": "e"}


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


def test_a_simulated_event_is_stored_as_it_came() -> None:
    came = event("guardduty") | {"source": "simulated.aws.guardduty"}
    (finding,) = findings.read(findings.as_from_aws(came), came)
    assert isinstance(finding, findings.Finding)
    assert (finding.source, finding.received, finding.adapter) == ("aws.guardduty", came, "guardduty")
