"""Tests which findings become incidents, by a tenant's settings."""

from typing import Any

import pytest
from incidents.domain.intake_policy import DEFAULT, KINDS, Facts, decide, parse


def facts(**changed: Any) -> Facts:
    usual = Facts("detection", "high", "aws.guardduty", ("Recon:EC2/Portscan",), by_hand=False, exploited=False)
    return usual._replace(**changed)


def test_the_default_takes_detections_exposures_and_alarms_of_any_severity() -> None:
    for kind in KINDS:
        for severity in ("critical", "informational", None):
            taken = kind in ("detection", "exposure", "alarm")
            assert decide(DEFAULT, facts(kind=kind, severity=severity)).reason == (None if taken else kind)


def test_a_finding_sent_by_hand_is_always_taken() -> None:
    nothing = parse({"kinds": {}, "leave_out": ["*"]})
    assert decide(nothing, facts(by_hand=True)).reason is None
    assert decide(nothing, facts()).reason == "left_out"


@pytest.mark.parametrize(
    ("severity", "reason"),
    [("critical", None), ("high", None), ("medium", "below_severity"), ("informational", "below_severity"),
     (None, "below_severity")],
)  # fmt: skip
def test_a_kind_is_taken_from_its_lowest_severity_on(severity: str | None, reason: str | None) -> None:
    policy = parse({"kinds": {"posture": "high"}})
    assert decide(policy, facts(kind="posture", severity=severity)).reason == reason
    assert decide(policy, facts(severity=severity)).reason == "detection"


def test_patterns_match_products_and_types_and_leaving_out_is_stronger() -> None:
    policy = parse({"kinds": {}, "let_in": ["aws.*"], "leave_out": ["Recon:*"]})
    assert decide(policy, facts()).reason == "left_out"
    assert decide(policy, facts(names=("Trojan:EC2/DropPoint",))).reason is None
    assert decide(policy, facts(names=(), source="prowler.prowler")).reason == "detection"
    assert "Recon:*" in decide(policy, facts()).rule


def test_an_enabled_source_counts_for_exploited_critical_vulnerabilities_without_settings() -> None:
    pressing = facts(kind="vulnerability", severity="critical", source="aws.inspector2", exploited=True)
    assert decide(DEFAULT, pressing, {"aws.inspector2"}).reason is None
    assert decide(DEFAULT, pressing).reason == "vulnerability"
    assert decide(DEFAULT, pressing._replace(exploited=False), {"aws.inspector2"}).reason == "vulnerability"
    assert decide(DEFAULT, pressing._replace(severity="high"), {"aws.inspector2"}).reason == "vulnerability"
    assert decide(parse({}), pressing, {"aws.inspector2"}).reason == "vulnerability"


def test_settings_are_stored_as_they_are_read() -> None:
    value = {"kinds": {"posture": "critical"}, "let_in": ["a*"], "leave_out": ["b"]}
    assert parse(value).to_json() == value
    assert parse(parse({}).to_json()).kinds == DEFAULT.kinds


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([], "object"), ({"kind": {}}, "only the members kinds, let_in, leave_out"), ({"kinds": []}, "`kinds` must be"),
        ({"kinds": {"postur": "high"}}, "not 'postur'"), ({"kinds": {"posture": "hgh"}}, "kinds.posture must be one"),
        ({"let_in": "a"}, "let_in must be a list"), ({"leave_out": [""]}, "leave_out must hold"),
        ({"leave_out": [" a"]}, "leave_out must hold"), ({"let_in": ["a" * 257]}, "1 to 256"),
        ({"let_in": ["a"] * 101}, "at most 100"), ({"let_in": [1]}, "let_in must hold"),
    ],
)  # fmt: skip
def test_invalid_settings_are_refused_with_the_member_and_what_would_be_right(value: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse(value)
