"""Tests the clocks of a report in words and dates: readings that nobody has confirmed, projections, and odd moments."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from incidents.domain.deadlines import assessment, calendars, clocks, rules, wording

from tests.functions.test_regulatory_reports import OWN

NOW = "2026-06-10T12:00:00Z"


def shown(
    named: str, report: dict[str, Any], now: str = NOW, detected_at: str | None = None, **settings: Any
) -> dict[str, Any]:
    """Return the stages of a report by their ids, in the form of the API. ``report`` is by regime."""
    incident = {"reportable_to": [named], "detected_at": detected_at, "regulatory_reports": json.dumps(report)}
    parsed = rules.parse(settings)._replace(version=4)
    answer = assessment.deadlines(assessment.known(incident), parsed, clocks.utc(now))
    return {stage["stage"]: stage for stage in answer["regimes"][0]["stages"]}


def nis2(now: str = NOW, *, on: bool = False, state: str = "", sent: str = "", **anchors: str) -> dict[str, Any]:
    """Return the stages of NIS2 in a Member State. ``sent`` is when the early warning and its successor were sent."""
    stages = {"early_warning": {"submitted_at": sent}, "notification": {"submitted_at": sent}} if sent else {}
    report = {"eu-nis2": {"anchors": anchors, "stages": stages}}
    return shown("NIS2", report, now, member_state=state, regimes={"eu-nis2": "on"} if on else {})


NATIONAL: list[tuple[str, str, dict[str, str], str, str]] = [
    ("PT", "early_warning", {"determined": "2026-06-10T06:00:00Z"}, "2026-06-11T06:00:00.000Z", "Decree-Law 125/2025"),
    ("CZ", "early_warning", {"classified": "2026-06-10T06:00:00Z"}, "2026-06-11T06:00:00.000Z", "Act 264/2025"),
    ("FI", "notification", {"detected": "2026-06-10T06:00:00Z"}, "2026-06-13T06:00:00.000Z", "Finland"),
    ("NO", "final", {"sent": "2026-06-10T06:00:00Z"}, "2026-07-10T21:59:59.000Z", "Norway"),
    ("CZ", "final", {"handled": "2026-06-10T06:00:00Z"}, "2026-07-10T21:59:59.000Z", "Act 264/2025"),
]


@pytest.mark.parametrize(("state", "stage", "facts", "date", "words"), NATIONAL)
def test_a_secondary_national_reading_is_an_alternative_and_no_due_date(
    state: str, stage: str, facts: dict[str, str], date: str, words: str
) -> None:
    sent = {"early_warning": {"submitted_at": facts["sent"]}} if "sent" in facts else {}
    report = {"anchors": {name: at for name, at in facts.items() if name != "sent"}, "stages": sent}
    for switch in ({}, {"eu-gdpr": "on"}):
        seen = shown("NIS2", {"eu-nis2": report}, member_state=state, regimes=switch)[stage]
        assert (seen["due_at"], seen["due_local"], seen["alternative"]) == (None, None, date)
        assert seen["state"] in ("pending_anchor", "waiting_previous")
        assert f"{words}" in seen["why"]
        assert "which is unconfirmed: it was not read in the act or in official guidance" in seen["why"]

    late = shown("NIS2", {"eu-nis2": report}, "2030-01-01T00:00:00Z", member_state=state)[stage]
    assert late["state"] != "overdue"

    # a tenant that switches the regime on takes what is unconfirmed
    on = shown("NIS2", {"eu-nis2": report}, member_state=state, regimes={"eu-nis2": "on"})[stage]
    assert (on["due_at"], on["state"]) == (date, "running")


@pytest.mark.parametrize(("determined", "alternative"), [
    ("2026-06-09T06:00:00Z", "2026-06-10T06:00:00.000Z"), ("2026-06-10T09:00:00Z", "2026-06-11T09:00:00.000Z"),
    ("2026-06-10T08:00:00Z", None),
])  # fmt: skip
def test_the_act_decides_beside_an_earlier_or_later_unconfirmed_reading(
    determined: str, alternative: str | None
) -> None:
    seen = nis2(state="PT", aware="2026-06-10T08:00:00Z", determined=determined)["early_warning"]
    assert (seen["due_at"], seen["alternative"]) == ("2026-06-11T08:00:00.000Z", alternative)
    assert ("which is unconfirmed" in seen["why"]) == (alternative is not None)
    assert seen["why"].startswith("24 h after aware ")


def test_an_unconfirmed_reading_makes_no_projection() -> None:
    croatia = nis2(state="HR", aware="2026-02-28T10:00:00Z", now="2026-02-28T11:00:00Z")["final"]
    assert croatia["projected_at"] == "2026-04-03T21:59:59.000Z"  # one month after 3 March, not 30 days (2 April)


def test_an_own_reading_is_confirmed_unless_it_says_otherwise() -> None:
    for kind, due_at in (({}, "2026-06-10T11:00:00.000Z"), ({"source_kind": "secondary"}, "2026-06-10T20:00:00.000Z")):
        stage = OWN["stages"][0] | {"readings": [{"n": 3, "reading": "x", **kind}]}
        report = {"contract-7": {"anchors": {"aware": "2026-06-10T08:00:00Z"}}}
        assert shown("contract-7", report, rules=[OWN | {"stages": [stage]}])["notice"]["due_at"] == due_at


def test_a_projection_from_an_overdue_stage_says_so() -> None:
    aware = "2026-01-30T10:00:00Z"
    in_time = nis2(state="FR", aware=aware, now="2026-01-31T10:00:00Z")["final"]["why"]
    assert "projection if notification is submitted when it is due;" in in_time
    late = nis2(state="FR", aware=aware, now="2026-03-01T10:00:00Z")
    assert late["notification"]["state"] == "overdue"
    assert "projection if notification is submitted when it is due (it is overdue);" in late["final"]["why"]


def test_a_projection_from_a_date_that_has_passed_says_so() -> None:
    seen = shown("NIS2", {}, detected_at="2026-01-30T10:00:00Z", member_state="FR")["final"]["why"]
    assert "notification is submitted when it is due (its date has passed);" in seen


def test_a_projection_from_a_stage_that_is_off_says_so() -> None:
    report = {"eu-nis2-tsp": {"anchors": {"aware": "2026-06-10T08:00:00Z"}}}
    early, late = (shown("NIS2 trust", report, now, member_state="FR") for now in (NOW, "2026-06-20T00:00:00Z"))
    assert early["notification"]["state"] == "off"
    assert "notification is submitted when it is due (it is off);" in early["final"]["why"]
    assert "notification is submitted when it is due (it is off and its date has passed);" in late["final"]["why"]
    on = shown("NIS2 trust", report, member_state="FR", regimes={"eu-nis2-tsp": "on"})
    assert "notification is submitted when it is due;" in on["final"]["why"]


def test_a_submitted_stage_has_no_words_of_a_projection() -> None:
    report = {"anchors": {"aware": NOW, "classified": NOW}, "stages": {"final": {"submitted_at": NOW}}}
    final = shown("DORA", {"eu-dora": report}, member_state="FR")["final"]
    assert (final["state"], final["projected_at"]) == ("submitted", None)
    assert "projection" not in final["why"]


def test_a_detection_before_a_rule_was_in_force_decides_nothing() -> None:
    report = {"eu-cra-vuln": {"anchors": {"remedy_available": "2026-12-31T18:18:00Z"}}}
    early = shown("CRA", report, detected_at="2026-07-20T10:57:00Z", zone="Europe/Paris")
    assert (early["final"]["state"], early["final"]["due_at"]) == ("running", "2027-01-14T22:59:59.000Z")
    assert (early["early_warning"]["state"], early["early_warning"]["projected_at"]) == ("pending_anchor", None)
    report["eu-cra-vuln"]["anchors"]["aware"] = "2026-07-20T10:57:00Z"
    assert shown("CRA", report, zone="Europe/Paris")["final"]["state"] == "not_applicable"


@pytest.mark.parametrize(("since", "until", "period"), [
    (None, "2020-01-01", "until 2020-01-01"), ("2030-01-01", None, "from 2030-01-01"),
    ("2019-01-01", "2020-01-01", "from 2019-01-01 to 2020-01-01"),
])  # fmt: skip
def test_a_rule_that_is_not_in_force_says_when_it_is(since: str | None, until: str | None, period: str) -> None:
    stage = OWN["stages"][0] | {"effective_from": since, "effective_to": until}
    seen = shown("contract-7", {"contract-7": {"anchors": {"aware": NOW}}}, rules=[OWN | {"stages": [stage]}])
    assert seen["notice"]["why"].startswith(f"the rule is in force {period}; ")


def test_a_time_that_the_clocks_show_twice_has_its_offset() -> None:
    zone = calendars.zone("Europe/Paris")
    first, second = datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert wording.moment(first, zone) == "2026-10-25 02:30 Europe/Paris (UTC+02:00)"
    assert wording.moment(second, zone) == "2026-10-25 02:30 Europe/Paris (UTC+01:00)"
    assert (
        wording.moment(datetime(2026, 3, 29, 1, 0, 0, 1000, tzinfo=UTC), zone) == "2026-03-29 03:00:00.001 Europe/Paris"
    )


@pytest.mark.parametrize(("aware", "due_at"), [
    # The clocks skip 02:00 to 03:00 on 29 March 2026, so 02:30 has the offset from before the change.
    ("2026-03-28T08:00:00Z", "2026-03-29T01:30:00.000Z"),
    ("2026-03-27T08:00:00Z", "2026-03-28T01:30:00.000Z"),
    # The clocks show 02:30 twice on 25 October 2026. The first one counts.
    ("2026-10-24T08:00:00Z", "2026-10-25T00:30:00.000Z"),
])  # fmt: skip
def test_a_time_of_day_that_a_change_of_the_clocks_skips_or_repeats(aware: str, due_at: str) -> None:
    due = {"from": "aware", "n": 1, "unit": "day", "end": "02:30"}
    rule = OWN | {"stages": [OWN["stages"][0] | {"due": due}]}
    seen = shown("contract-7", {"contract-7": {"anchors": {"aware": aware}}}, zone="Europe/Paris", rules=[rule])
    assert seen["notice"]["due_at"] == due_at
    assert clocks.utc(seen["notice"]["due_local"]) == clocks.utc(due_at)


def test_a_date_in_a_zone_whose_offset_has_seconds_is_shown_in_utc() -> None:
    due = {"from": "aware", "n": 1, "unit": "day", "end": "end_of_day"}
    rule = OWN | {"zone": "Africa/Monrovia", "stages": [OWN["stages"][0] | {"due": due}]}
    for aware, due_local in (("1971-03-01T08:00:00Z", "1971-03-03T00:44:29+00:00"),
                             ("2026-03-01T08:00:00Z", "2026-03-02T23:59:59+00:00")):  # fmt: skip
        seen = shown("contract-7", {"contract-7": {"anchors": {"aware": aware}}}, rules=[rule])
        assert seen["notice"]["due_local"] == due_local


def test_a_due_date_shows_its_milliseconds() -> None:
    report = {"eu-gdpr": {"anchors": {"aware": "2026-06-10T08:00:00.001Z"}}}
    seen = shown("GDPR", report, zone="Europe/Paris")["authority"]
    assert seen["due_local"] == "2026-06-13T10:00:00.001+02:00"
    assert "aware 2026-06-10 10:00:00.001 Europe/Paris" in seen["why"]


def dora(aware: str, classified: str | None, **settings: Any) -> dict[str, Any]:
    anchors = {"aware": aware} | ({"classified": classified} if classified else {})
    initial: dict[str, Any] = shown("DORA", {"eu-dora": {"anchors": anchors}}, member_state="FR", **settings)["initial"]
    return initial


def test_no_warning_after_the_last_year_and_none_of_a_stage_that_is_off() -> None:
    assert dora("9998-12-31T03:00:00Z", None)["warn_at"] == "9998-12-31T23:00:00.000Z"
    assert dora("9998-12-31T23:59:59.999Z", None)["warn_at"] is None
    assert dora(NOW, None)["warn_at"] == "2026-06-11T08:00:00.000Z"
    assert dora(NOW, None, regimes={"eu-dora": "off"})["warn_at"] is None


def test_a_cap_that_does_not_apply_says_why() -> None:
    classified = "2026-06-11T12:00:00.001Z"
    why = dora(NOW, classified)["why"]
    assert "the term begins later than 24 h after aware 2026-06-10 14:00 Europe/Paris, so this limit does not" in why
    assert "later than" not in dora(NOW, "2026-06-11T12:00:00Z")["why"]


@pytest.mark.parametrize(("aware", "words"), [
    ("2026-06-13T08:00:00Z", "moved from 2026-06-15 23:59:59 Europe/Paris, because the period has at least two"),
    ("2026-12-24T09:00:00Z", "moved from 2026-12-26 23:59:59 Europe/Paris, because the period has at least two"),
])  # fmt: skip
def test_a_roll_for_two_working_days_says_so(aware: str, words: str) -> None:
    report = {"eu-mdr": {"anchors": {"aware": aware}}}
    assert words in shown("MDR", report, member_state="FR")["public_health_threat"]["why"]
    serious = shown("MDR", {"eu-mdr": {"anchors": {"aware": "2026-03-20T08:00:00Z"}}}, member_state="FR")["serious"]
    assert "moved from 2026-04-04 23:59:59 Europe/Paris to the next working day" in serious["why"]


@pytest.mark.parametrize(("determined", "years"), [
    ("2017-12-29T15:00:00Z", "2017"), ("2032-12-29T15:00:00Z", "2033"), ("2031-12-29T15:00:00Z", None),
    ("2017-12-31T15:00:00Z", None),
])  # fmt: skip
def test_years_without_a_calendar_are_told(determined: str, years: str | None) -> None:
    due = {"from": "determined", "n": 3, "unit": "business_day", "end": "end_of_day"}
    rule = OWN | {"zone": "America/New_York", "calendar": "us-sec", "stages": [
        OWN["stages"][0] | {"id": "first", "anchor": "determined", "due": due},
        OWN["stages"][0] | {"anchor": "stage:first", "due": due | {"from": "stage:first"}},
    ]}  # fmt: skip
    seen = shown("contract-7", {"contract-7": {"anchors": {"determined": determined}}}, rules=[rule])
    assert (f"the holidays of {years} are not known" in seen["first"]["why"]) == (years is not None)
    is_at_the_end = determined > "2018"  # the projection begins after the gap at the start
    assert ("are not known" in seen["notice"]["why"]) == (years is not None and is_at_the_end)


def test_an_own_rule_names_the_version_of_the_settings() -> None:
    seen = shown("contract-7", {"contract-7": {"anchors": {"aware": NOW}}}, rules=[OWN])["notice"]
    assert seen["why"].endswith("; section 4; the tenant's own rules, version 4 of its settings")


@pytest.mark.parametrize(("sent", "state"), [("2026-12-28T11:00:00Z", "submitted"),
                                             ("2026-12-28T11:00:00.001Z", "submitted_late")])  # fmt: skip
def test_noon_is_no_end_of_a_day(sent: str, state: str) -> None:
    stages = {"intermediate": {"submitted_at": "2026-11-26T09:00:00Z"}, "final": {"submitted_at": sent}}
    final = shown("DORA", {"eu-dora": {"stages": stages}}, member_state="FR")["final"]
    assert (final["due_local"], final["state"]) == ("2026-12-28T12:00:00+01:00", state)
