"""Tests a tenant's settings for deadlines: the refused settings, and the commands that set the settings."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from incidents.domain.deadlines import rules
from incidents_cli.console import StepFailed
from incidents_cli.operate import deadlines

from tests.functions.test_regulatory_reports import OWN


def own(**changed: Any) -> dict[str, Any]:
    return OWN | changed


def stage(**changed: Any) -> dict[str, Any]:
    only: dict[str, Any] = OWN["stages"][0]
    return only | changed


def term(**changed: Any) -> dict[str, Any]:
    """Return settings with one own rule, whose only stage has a changed term."""
    return {"rules": [own(stages=[stage(due=stage()["due"] | changed)])]}


LONG = {"n": 1_000, "unit": "business_day", "end": "end_of_day"}


def reading(due: dict[str, Any], *readings: dict[str, Any]) -> dict[str, Any]:
    """Return settings with one own rule, whose only stage has a changed term and other readings."""
    read = [{"reading": "x"} | each for each in readings]
    return {"rules": [own(stages=[stage(due=stage()["due"] | due, readings=read)])]}


DAYS = {"unit": "day", "end": "end_of_day"}


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ([], "must be an object with only the members zone, member_state, facts, regimes, rules"),
        ({"zones": 1}, "zones is not one of them"),
        ({"zone": "Europe/Paris2"}, "zone must be a time zone"),
        ({"zone": "../../etc/passwd"}, "zone must be a time zone"),
        ({"zone": 5}, "zone must be a time zone"),
        ({"zone": "right/Europe/Paris"}, "zone must be a time zone"),
        ({"zone": "posix/Europe/Paris"}, "zone must be a time zone"),
        ({"zone": "localtime"}, "zone must be a time zone"),
        ({"zone": "posixrules"}, "zone must be a time zone"),
        ({"zone": "tzdata.zi"}, "zone must be a time zone"),
        ({"zone": "Europe"}, "zone must be a time zone"),
        ({"member_state": ["FR"]}, "member_state must be null or one of AT"),
        ({"member_state": "XX"}, "member_state must be null or one of AT"),
        ({"facts": {"bank": True}}, "only `dora_exempt`"),
        ({"facts": {"dora_exempt": "yes"}}, "only `dora_exempt`"),
        ({"facts": [1]}, "only `dora_exempt`"),
        ({"regimes": {"eu-gdrp": "off"}}, "correct eu-gdrp"),
        ({"regimes": {"eu-gdpr": True}}, "correct eu-gdpr"),
        ({"regimes": ["eu-gdpr"]}, "`regimes` must be an object"),
        ({"rules": {}}, "`rules` must be a list"),
        ({"rules": [own(id="eu-gdpr")]}, "the name eu-gdpr is taken"),
        ({"rules": [own(aliases=["gdpr"])]}, "the name gdpr is taken"),
        ({"rules": [OWN, OWN]}, "the name contract 7 is taken"),
        ({"rules": [own(id="contract-7\n")]},
         "the `id` of a regime must have only a-z, 0-9 and -, not 'contract-7\\n'"),
        ({"rules": [own(aliases=[" Contract 7"])]}, "`aliases` without spaces at their ends, not ' Contract 7'"),
        ({"rules": [own(aliases=["GDPR "])]}, "`aliases` without spaces at their ends, not 'GDPR '"),
        ({"rules": [own(aliases=[" "])]}, "`aliases` without spaces at their ends, not ' '"),
        ({"rules": [own(id=f"c-{n}", aliases=[]) for n in range(101)]}, "at most 100 regimes"),
        ({"rules": [own(stages=[stage(id=f"s{n}") for n in range(21)])]}, "at most 20 stages"),
        ({"rules": [own(stages=[stage(id="notice\n")])]}, "must have an `id` from a-z, 0-9 and _, not 'notice\\n'"),
        ({"rules": [own(stages=[stage(anchor="aware\n", due=None)])]}, "names 'aware\\n'"),
        (term(cap={"from": "aware\n", "n": 3}), "names 'aware\\n'"),
        (term(unit="business_day", end="end_of_day", n=1001), "at most 1000 working days, not 1001"),
        ({"rules": [own(stages=[stage(effective_from="2026-99-99")])]},
         "dates such as 2026-01-31, or null, not '2026-9"),
        ({"rules": [own(stages=[stage(effective_to="2026-01-31\n")])]}, "dates such as 2026-01-31, or null"),
        ({"rules": [own(stages=[stage(effective_from="20260131")])]}, "dates such as 2026-01-31, or null"),
        ({"rules": [own(stages=[stage(effective_from="2030-01-01", effective_to="2020-01-01")])]},
         "an `effective_to` that is not before its `effective_from`"),
        ({"rules": [own(zone="Mars")]}, "time zone"),
        ({"rules": [own(calendar="mars")]}, "calendar mars"),
        ({"rules": [own(stages=[stage(), stage()])]}, "twice"),
        ({"rules": [own(stages=[stage(anchor="stage:later", due=stage()["due"] | {"from": "stage:later"})])]},
         "an earlier stage"),
        (reading({}, {"unit": "day", "n": 1}), "contract-7/notice has a term of dates, so `end` must be end_of_day"),
        (reading(DAYS, {"end": "next_hour"}), "so `end` must be end_of_day"),
        (reading(DAYS, {"unit": "hour"}), "a term of minutes or hours, so `end` must be instant or next_hour"),
        (reading(DAYS | {"roll": "eu_working_day"}, {"unit": "hour", "end": "instant"}), "so roll must be dora_noon"),
        (reading({"cap": {"from": "aware", "n": 24}}, DAYS), "must not have a `cap`"),
        (reading({}, *[{"n": n} for n in range(1, 10)]), "at most 8 readings"),
        ({"rules": [own(id=f"c-{n}", aliases=[], stages=[stage(id=f"s{m}") for m in range(20)]) for n in range(21)]},
         "`rules` must have at most 400 stages, all regimes together, not 420"),
        ({"rules": [own(id=f"c-{n}", aliases=[], stages=[stage(due=stage()["due"] | LONG)]) for n in range(21)]},
         "`rules` must have at most 20000 working days, all terms together, not 21000"),
        (reading({}, {"n": 2.0}), "a whole number"),
        (term(n=3.0), "a whole number from 1 to 10000 as `n`, such as 3, not 3.0"),
        (term(n=True), "a whole number"),
        (term(n=10_001), "a whole number"),
        (term(cap={"from": "aware", "n": 3.0}), "a whole number"),
        (term(unit="week"), "one of the units"),
        (term(**{"from": "signed"}), "the same event in `anchor` and in `due.from`"),
        ({"rules": [own(stages=[stage(anchor="stage:notice")])]}, "the same event in `anchor`"),
        ({"rules": [own(stages=[stage(anchor="stage:notice", due=None)])]}, "an earlier stage, not stage:notice"),
    ],
)  # fmt: skip
def test_wrong_settings_are_refused(value: object, fault: str) -> None:
    with pytest.raises(ValueError, match=re.escape(fault)):
        rules.parse(value)


def test_right_settings_are_kept() -> None:
    value = {"zone": "Europe/Paris", "member_state": "FR", "facts": {"dora_exempt": True},
             "regimes": {"eu-gdpr": "off", "contract-7": "on"}, "rules": [OWN], "alerts": ["half"]}  # fmt: skip
    assert rules.parse(value).to_json() == value
    assert rules.parse({}) == rules.Settings(facts={}, regimes={}, rules=[])


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        ({"id": "Contract 7"}, r"\$\[0\]\.id"),
        ({"stages": []}, r"\$\[0\]\.stages"),
        ({"status": "law"}, r"\$\[0\]\.status"),
        ({"colour": "red"}, r"\$\[0\]"),
        ({"stages": [stage(due=stage()["due"] | {"n": 0})]}, r"\.n"),
        ({"stages": [stage(due=stage()["due"] | {"end": "end_of_day"})]}, r"\.end"),
        ({"stages": [stage(due=stage()["due"] | {"roll": "eu_working_day"})]}, r"\.roll"),  # not for a term of hours
        ({"stages": [stage(member_states=["France"])]}, r"\.member_states"),
    ],
)
def test_rules_of_another_form_are_refused_with_their_path(tmp_path: Path, changed: Any, path: str) -> None:
    file = tmp_path / "rules.json"
    file.write_text(json.dumps([own(**changed)]))
    with pytest.raises(StepFailed, match="not valid") as refused:
        deadlines._own_rules(file)
    assert re.search(path, str(vars(refused.value)) + str(refused.value.args))


def test_rules_of_the_right_form_are_read(tmp_path: Path) -> None:
    file = tmp_path / "rules.json"
    file.write_text(json.dumps([OWN]))
    assert deadlines._own_rules(file) == [OWN]
