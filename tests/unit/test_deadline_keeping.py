"""Tests the stored facts about an incident's deadlines: the board entry and the times of the alerts."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from incidents.domain import board_entry, timestamps
from incidents.domain.deadlines import alerts, assessment, clocks, keeping, rules
from incidents.domain.deadlines.alerts import Watched
from incidents.domain.model import Change
from incidents.domain.questions import OPEN_STAGES, BoardFilters

from tests.functions.test_regulatory_reports import OWN

AWARE = "2026-06-08T06:00:00.000Z"
HOUR = 3_600_000
PARIS = rules.Settings(zone="Europe/Paris", member_state="FR")


def at(text: str) -> int:
    return timestamps.to_milliseconds(timestamps.parse(text))


def incident(*names: str, reports: object = None, **changed: Any) -> dict[str, Any]:
    return {
        "id": "inc_01M83J8EHSBKC38ZQ0R08TEPS6", "tenant_id": "acme", "incident_number": "INC-2026-000001", "version": 3,
        "status": "investigating", "is_deleted": False, "detected_at": None, "created_at": "2026-06-01T00:00:00.000Z",
        "reportable_to": list(names), "regulatory_reports": json.dumps(reports) if reports else None,
    } | changed  # fmt: skip


def aware(regime: str, **stages: str) -> dict[str, Any]:
    sent = {stage: {"submitted_at": moment} for stage, moment in stages.items()}
    return {regime: {"anchors": {"aware": AWARE}, "stages": sent}}


def plan(of: dict[str, Any], now: str = AWARE, settings: rules.Settings = PARIS, **since: str) -> keeping.Plan:
    return keeping.plan(of, settings, at(now), lambda: {name.replace("_", "-"): when for name, when in since.items()})


def stages(made: keeping.Plan, now: str = AWARE) -> list[dict[str, Any]]:
    entry = board_entry.shown(json.loads(made.entry or ""), at(now))
    found: list[dict[str, Any]] = entry["stages"]
    return found


def times(watched: Watched) -> dict[str, str]:
    return {kind: timestamps.from_milliseconds(when) for kind, when in watched.thresholds}


def watched_of(made: keeping.Plan, stage: str) -> Watched:
    (found,) = [one for one in made.watched if one.stage == stage]
    return found


def test_the_entry_has_the_open_stages_the_soonest_first_and_those_without_a_date_last() -> None:
    made = plan(incident("NIS2", "GDPR", reports=aware("eu-nis2") | aware("eu-gdpr")))

    found = stages(made)
    dates = [board_entry.date(stage) for stage in found]
    assert (found[0]["regime"], found[0]["stage"]) == ("eu-nis2", "early_warning")
    assert made.soonest == "2026-06-09T06:00:00.000Z"
    assert dates == sorted(filter(None, dates)) + [None] * dates.count(None)
    assert {stage["state"] for stage in found} == {"running", "waiting_previous", "pending_anchor", "no_fixed_term"}
    assert all(set(stage) == {"regime", "stage", "state", "due_at", "projected_at", "anchor_missing", "setting_missing"}
               for stage in found)  # fmt: skip


def test_an_incident_leaves_the_board_with_its_last_open_stage() -> None:
    sent = dict.fromkeys(("ftc",), "2026-06-09T00:00:00.000Z")
    assert plan(incident("FTC", reports=aware("us-ftc-safeguards"))).entry is not None
    assert plan(incident("FTC", reports=aware("us-ftc-safeguards", **sent))).entry is None
    assert plan(incident("a free text")).entry is None
    assert plan(incident("UK GDPR", reports=aware("uk-gdpr"))).entry is None, "the regime is off"


def test_missing_anchors_are_shown_without_a_date() -> None:
    made = plan(incident("GDPR"))
    assert made.soonest is None
    assert next((stage["stage"], stage["anchor_missing"]) for stage in stages(made)) == ("authority", "aware")


@pytest.mark.parametrize(
    ("regime", "reports", "due"),
    [
        ("GDPR", aware("eu-gdpr"), "2026-06-11T06:00:00.000Z"),
        ("MDR", aware("eu-mdr"), "2026-06-23T21:59:59.000Z"),
        ("FTC", aware("us-ftc-safeguards"), "2026-07-09T03:59:59.000Z"),
    ],
)
def test_a_running_stage_becomes_overdue_when_the_deadlines_of_the_incident_say_so(
    regime: str, reports: Any, due: str
) -> None:
    of = incident(regime, reports=reports)
    made = plan(of)
    for step in (-1, 0, 1, 998, 999, 1000, 1001):
        now = timestamps.from_milliseconds(at(due) + step)
        shown = {(one["stage"], one["state"]) for one in stages(made, now) if one["due_at"] == due}
        told = assessment.deadlines(assessment.known(of), PARIS, clocks.utc(now))["regimes"][0]["stages"]
        assert shown == {(one["stage"], one["state"]) for one in told if one["due_at"] == due}, now
        assert shown


def test_the_thresholds_of_a_due_date() -> None:
    watched = watched_of(plan(incident("GDPR", reports=aware("eu-gdpr"))), "authority")
    assert times(watched) == {
        "half": "2026-06-09T18:00:00.000Z",
        "four_fifths": "2026-06-10T15:36:00.000Z",
        "hour_before": "2026-06-11T05:00:00.000Z",
        "missed": "2026-06-11T06:00:00.001Z",
    }
    assert watched.is_due
    assert list(times(watched).values()) == sorted(times(watched).values())


@pytest.mark.parametrize(("hours", "has_it"), [(1, False), (2, False), (3, True)])
def test_one_hour_before_is_told_only_for_terms_of_more_than_two_hours(hours: int, has_it: bool) -> None:
    due = {"from": "aware", "n": hours, "unit": "hour", "end": "instant"}
    own = OWN | {"stages": [OWN["stages"][0] | {"due": due}]}
    of = incident("contract-7", reports={"contract-7": {"anchors": {"aware": AWARE}}})
    (watched,) = plan(of, settings=rules.Settings(rules=[own])).watched
    assert ("hour_before" in times(watched)) is has_it
    assert list(times(watched).values()) == sorted(times(watched).values())


def test_a_date_without_a_zone_or_a_fixed_term_is_not_watched() -> None:
    assert not plan(incident("MDR", reports=aware("eu-mdr")), settings=rules.Settings()).watched
    assert not plan(incident("PCI", reports=aware("pci"))).watched


def test_a_date_submitted_in_time_is_paused_and_what_is_late_was_missed() -> None:
    def kinds(moment: str) -> tuple[bool, list[str]]:
        (watched,) = plan(incident("GDPR", reports=aware("eu-gdpr", authority=moment))).watched
        return watched.is_paused, [kind for kind, _ in watched.thresholds]

    assert kinds("2026-06-11T06:00:00.000Z") == (True, ["half", "four_fifths", "hour_before", "missed"])
    assert kinds("2026-06-11T06:00:00.001Z") == (False, ["missed"])


@pytest.mark.parametrize(
    ("detected", "begin"),
    [("2026-06-08T06:00:00.000Z", "2026-06-08T06:00:00.000Z"), (None, "2026-06-02T12:00:00.000Z")],
)
def test_a_missing_awareness_is_told_at_half_of_the_term(detected: str | None, begin: str) -> None:
    of = incident("GDPR", "NIS2", "DORA", detected_at=detected)
    named = "2026-06-02T12:00:00.000Z"
    made = plan(of, eu_gdpr=named, eu_nis2=named, eu_dora=named)
    found = {(one.regime, one.stage): one for one in made.watched}
    for (regime, stage), hours in {
        ("eu-gdpr", "authority"): 72, ("eu-nis2", "early_warning"): 24, ("eu-nis2", "notification"): 72,
        ("eu-dora", "initial"): 24,
    }.items():  # fmt: skip
        one = found.pop((regime, stage))
        assert one.thresholds == [alerts.Threshold("anchor_missing", at(begin) + hours * HOUR // 2)]
        assert (at(one.date), one.is_due) == (at(begin) + hours * HOUR, False)
    assert not found


def test_a_missing_awareness_is_told_also_without_a_zone() -> None:
    of = incident("MDR", detected_at="2026-06-08T06:00:00.000Z")
    found = {one.stage: one.date for one in plan(of, settings=rules.Settings()).watched}
    assert found["serious"] == "2026-06-23T23:59:59.000Z"


def test_another_anchor_than_awareness_is_not_told_as_missing() -> None:
    assert not plan(incident("SEC", detected_at=AWARE)).watched


def test_an_incident_of_dora_that_is_not_classified_is_told_20_hours_after_awareness() -> None:
    watched = watched_of(plan(incident("DORA", reports=aware("eu-dora"))), "initial")
    assert times(watched) == {"not_classified": "2026-06-09T02:00:00.000Z"}
    assert (watched.date, watched.is_due) == ("2026-06-09T06:00:00.000Z", False)


def test_settings_choose_the_kinds_and_a_missed_date_is_always_told() -> None:
    of = incident("GDPR", "NIS2", "DORA", reports=aware("eu-gdpr") | aware("eu-dora"), detected_at=AWARE)
    for chosen in (["half"], [], ["anchor_missing"], ["not_classified"]):
        made = plan(of, settings=PARIS._replace(alerts=chosen))
        found = {kind for one in made.watched for kind, _ in one.thresholds}
        assert found == {"missed", *chosen}
    assert rules.parse({"alerts": ["half"]}).alerts == ["half"]
    assert rules.read({"alerts": ["third"]}).alerts == alerts.APPROACHING
    with pytest.raises(
        ValueError, match=r"`alerts` must be a list of kinds of alerts\. The kinds are half, four_fifths"
    ):
        rules.parse({"alerts": ["third"]})


def gdpr(wanted: Sequence[str] = alerts.APPROACHING) -> list[Watched]:
    settings = PARIS._replace(alerts=wanted)
    return [*plan(incident("GDPR", reports=aware("eu-gdpr")), settings=settings).watched]


def kinds(kept: alerts.Kept, watched: list[Watched], now: str) -> list[str]:
    return [alert.threshold.kind for alert in alerts.due(kept, watched, at(now))]


def run(
    kept: alerts.Kept, watched: list[Watched], now: str, awaited_at: int | None
) -> tuple[dict[str, list[str]], list[str]]:
    """Return the done kinds after a run of the job, and the kinds that it told."""
    remembered = alerts.remembered(kept, watched, at(now), awaited_at)
    due = alerts.due(remembered, watched, at(now))
    return alerts.with_done(remembered, due), [alert.threshold.kind for alert in due]


@pytest.mark.parametrize(
    ("first_seen", "told"),
    [
        ("2026-06-08T06:00:00Z", []),
        ("2026-06-09T18:00:00Z", ["half"]),
        ("2026-06-10T20:00:00Z", ["four_fifths"]),
        ("2026-06-11T05:30:00Z", ["hour_before"]),
        ("2026-06-11T06:00:00.001Z", ["missed"]),
        ("2026-06-18T06:00:00Z", ["missed"]),
        ("2026-06-18T06:00:00.001Z", []),
    ],
)
def test_only_the_last_threshold_that_is_past_at_first_is_told(first_seen: str, told: list[str]) -> None:
    watched = gdpr()
    kept = alerts.remembered({}, watched, at(first_seen), None)
    assert kinds(kept, watched, first_seen) == told
    later = "2027-01-01T00:00:00Z"
    assert kinds(kept, watched, later)[: len(told)] == told
    noted = alerts.with_done(kept, alerts.due(kept, watched, at(later)))
    assert kinds(noted, watched, later) == []
    assert alerts.next_at(noted, watched) is None


def test_thresholds_that_pass_later_are_all_told_also_after_an_outage() -> None:
    watched = gdpr()
    kept = alerts.remembered({}, watched, at(AWARE), None)
    assert alerts.next_at(kept, watched) == at("2026-06-09T18:00:00Z")
    again = alerts.remembered(kept, watched, at("2026-06-11T12:00:00Z"), alerts.next_at(kept, watched))
    assert again == kept
    assert kinds(again, watched, "2026-06-11T12:00:00Z") == ["half", "four_fifths", "hour_before", "missed"]


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        ([], "2026-06-11T05:30:00Z", ["hour_before"]),
        ([], "2026-06-10T20:00:00Z", ["four_fifths"]),
        ([], "2026-06-11T12:00:00Z", ["missed"]),
        ([], "2026-06-08T07:00:00Z", []),
        (["half"], "2026-06-11T05:30:00Z", ["hour_before"]),
        (["hour_before"], "2026-06-10T20:00:00Z", ["four_fifths"]),
    ],
)
def test_of_the_kinds_that_are_switched_on_only_the_last_past_one_is_told(
    before: list[str], now: str, told: list[str]
) -> None:
    few, every = gdpr(before), gdpr()
    kept = run({}, few, AWARE, None)[0]
    if "half" in before:
        kept, told_before = run(kept, few, "2026-06-09T18:00:00Z", alerts.next_at(kept, few))
        assert told_before == ["half"]

    kept, found = run(kept, every, now, alerts.next_at(kept, few))

    assert found == told
    assert run(kept, every, now, alerts.next_at(kept, every))[1] == []
    rest = run(kept, every, "2026-06-12T00:00:00Z", alerts.next_at(kept, every))[1]
    assert [*found, *rest] == ["half", "four_fifths", "hour_before", "missed"][-len([*found, *rest]) :], "none is lost"


def test_a_kind_that_is_switched_off_and_on_is_not_told_again() -> None:
    none, every = gdpr([]), gdpr()
    kept = run({}, every, AWARE, None)[0]
    kept, told = run(kept, every, "2026-06-09T18:00:00Z", alerts.next_at(kept, every))
    assert told == ["half"]
    kept, told = run(kept, none, "2026-06-09T19:00:00Z", alerts.next_at(kept, every))
    assert told == []
    kept, told = run(kept, every, "2026-06-09T20:00:00Z", alerts.next_at(kept, none))
    assert told == []
    assert alerts.next_at(kept, every) == at("2026-06-10T15:36:00Z")


def paused(watched: list[Watched]) -> list[Watched]:
    return [date._replace(is_paused=True) for date in watched]


def test_after_a_pause_only_the_last_threshold_is_told_and_nothing_twice() -> None:
    watched = gdpr()
    kept = alerts.with_done({watched[0].key: []}, alerts.due({}, watched, at("2026-06-09T18:00:00Z")))
    kept = alerts.remembered(kept, paused(watched), at("2026-06-09T19:00:00Z"), None)
    assert kinds(kept, paused(watched), "2026-06-11T05:30:00Z") == []
    assert alerts.next_at(kept, paused(watched)) is None
    back = alerts.remembered(kept, watched, at("2026-06-11T05:30:00Z"), None)
    assert kinds(back, watched, "2026-06-11T05:30:00Z") == ["hour_before"]
    noted = alerts.with_done(back, alerts.due(back, watched, at("2026-06-11T05:30:00Z")))
    kept = alerts.remembered(noted, paused(watched), at("2026-06-11T05:35:00Z"), None)
    again = alerts.remembered(kept, watched, at("2026-06-11T05:40:00Z"), None)
    assert kinds(again, watched, "2026-06-11T05:40:00Z") == []


@pytest.mark.parametrize(
    ("first_seen", "told"), [("2026-06-18T06:00:00Z", ["missed"]), ("2026-06-18T06:00:00.001Z", [])]
)
def test_only_a_date_that_was_too_old_at_first_stays_silent_after_a_pause(first_seen: str, told: list[str]) -> None:
    watched = gdpr()
    kept = alerts.remembered({}, paused(watched), at(first_seen), None)
    kept = alerts.remembered(kept, paused(watched), at("2026-09-01T00:00:00Z"), None)
    back = alerts.remembered(kept, watched, at("2027-06-18T06:00:00Z"), None)
    assert kinds(back, watched, "2027-06-18T06:00:00Z") == told


def test_a_moved_due_date_is_a_new_date() -> None:
    watched = gdpr()
    (moved,) = plan(incident("GDPR", reports={"eu-gdpr": {"anchors": {"aware": "2026-06-10T06:00:00.000Z"}}})).watched
    kept = alerts.with_done({}, alerts.due({}, watched, at("2026-06-11T05:30:00Z")))
    after = alerts.remembered(kept, [moved], at("2026-06-11T05:30:00Z"), None)
    assert after == {moved.key: []}
    assert kinds(after, [moved], "2026-06-11T18:00:00Z") == ["half"]


def test_a_key_names_incident_regime_stage_kind_and_date() -> None:
    alert = alerts.Alert(gdpr()[0], alerts.Threshold("half", 0))
    assert alert.dedup_key("inc_1") == "inc_1/eu-gdpr/authority/half/2026-06-11T06:00:00.000Z"


def change(version: int, before: list[str] | None, after: list[str]) -> Change:
    return Change(version, f"2026-06-0{version}T00:00:00.000Z", "ada", "updated", {"reportable_to": (before, after)})


@pytest.mark.parametrize(
    ("trail", "since"),
    [
        ([], {"eu-gdpr": 1}),
        ([change(2, None, ["GDPR"])], {"eu-gdpr": 2}),
        (
            [change(2, ["gdpr"], ["gdpr", "x"]), change(3, ["gdpr", "x"], ["GDPR", "NIS2"])],
            {"eu-gdpr": 1, "eu-nis2": 3},
        ),
        ([change(2, ["GDPR"], []), change(4, [], ["eu-gdpr"])], {"eu-gdpr": 4}),
    ],
)
def test_a_regime_is_named_since_the_change_after_which_it_was_always_there(
    trail: list[Change], since: dict[str, int]
) -> None:
    names = trail[-1].changes["reportable_to"][1] if trail else ["GDPR"]
    found = keeping.named_since(incident(*names), reversed(trail), PARIS)
    assert found == {name: f"2026-06-0{day}T00:00:00.000Z" for name, day in since.items()}


def test_filters_look_for_one_stage_that_passes_all_of_them() -> None:
    found = stages(plan(incident("NIS2", "GDPR", reports=aware("eu-nis2"))))

    def passes(**asked: Any) -> bool:
        return any(map(BoardFilters(**asked).accept, found))

    assert passes()
    assert passes(states=("running",), regimes=("eu-nis2",))
    assert not passes(states=("running",), regimes=("eu-gdpr",))
    assert passes(states=("overdue", "pending_anchor"), regimes=("eu-gdpr",))
    assert not passes(due_before="2026-06-09T06:00:00.000Z")
    assert passes(due_before="2026-06-09T06:00:00.001Z")
    assert not passes(due_before="9998-12-31T00:00:00.000Z", regimes=("eu-gdpr",)), "it has no date"
    assert {stage["state"] for stage in found} <= {*OPEN_STAGES}


@pytest.mark.parametrize(
    ("changed", "off"),
    [({}, False), ({"status": "closed"}, False), ({"status": "dismissed"}, True), ({"is_deleted": True}, True)],
)
def test_closing_stops_no_clock_but_dismissal_and_deletion_do(changed: dict[str, Any], off: bool) -> None:
    assert keeping.is_off(incident("GDPR", **changed)) is off
