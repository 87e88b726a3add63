"""Tests the operation that returns an incident's deadlines: states, settings, projections and history."""

import json
import os
from datetime import UTC, datetime
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from create_incident import handler as create
from delete_incident import handler as delete
from get_incident_deadlines import handler as get_deadlines
from incidents import incident_deadlines
from incidents.domain.deadlines import assessment, history, rules
from incidents.domain.model import Change
from incidents.storage import dynamodb, guard
from incidents.storage.settings import DEADLINES, Settings, TenantSettings
from update_incident import handler as update

from tests.functions.test_regulatory_reports import OWN
from tests.support.events import Context, claims, create_event, deadlines_event, delete_event, patch_event

AWARE, CLASSIFIED = "2026-06-10T08:00:00+02:00", "2026-06-10T10:30:00+02:00"
PARIS = {"zone": "Europe/Paris", "member_state": "FR"}


def created(caller: dict[str, str] | None = None, **values: Any) -> str:
    answer = create(create_event({"title": "x", **values}, caller=caller), Context)
    assert answer["statusCode"] == 201, answer["body"]
    incident_id: str = json.loads(answer["body"])["id"]
    return incident_id


def patched(incident_id: str, **values: Any) -> None:
    answer = update(patch_event(incident_id, values), Context)
    assert answer["statusCode"] == 200, answer["body"]


def ask(incident_id: str, caller: dict[str, str] | None = None, **parameters: str) -> tuple[int, Any]:
    answer = get_deadlines(deadlines_event(incident_id, caller=caller, **parameters), Context)
    return answer["statusCode"], json.loads(answer["body"])


def deadlines(incident_id: str, **parameters: str) -> Any:
    status, body = ask(incident_id, None, **parameters)
    assert status == 200, body
    return body


def stages(incident_id: str) -> dict[str, Any]:
    """Return every stage of an incident's deadlines by ``regime/stage``."""
    return {f"{entry['regime']}/{stage['stage']}": stage for entry in deadlines(incident_id)["regimes"]
            for stage in entry["stages"]}  # fmt: skip


def put_settings(**value: Any) -> None:
    with guard.serving_tenant("acme"):
        settings = TenantSettings("acme", dynamodb.client(), os.environ["TABLE_NAME"])
        before = settings.read(DEADLINES)
        version = before.version + 1 if before else 1
        settings.write(DEADLINES, Settings(value, version, "2026-11-20T00:00:00.000Z", "ada"))


def report(**parts: Any) -> dict[str, Any]:
    return parts


def four_dates(**dora: str) -> str:
    incident_id = created(reportable_to=["GDPR", "NIS2", "DORA"])
    aware = {"aware": AWARE}
    reports = {"eu-gdpr": {"anchors": aware}, "eu-nis2": {"anchors": aware}, "eu-dora": {"anchors": aware | dora}}
    patched(incident_id, regulatory_reports=reports)
    return incident_id


def test_aware_and_classified_give_four_due_dates_and_labelled_projections() -> None:
    put_settings(**PARIS)
    shown = stages(four_dates(classified=CLASSIFIED))

    assert {name: stage["due_local"] for name, stage in shown.items() if stage["due_at"]} == {
        "eu-gdpr/authority": "2026-06-13T08:00:00+02:00",
        "eu-nis2/early_warning": "2026-06-11T08:00:00+02:00",
        "eu-nis2/notification": "2026-06-13T08:00:00+02:00",
        "eu-dora/initial": "2026-06-10T14:30:00+02:00",
    }
    assert {name: stage["projected_at"] for name, stage in shown.items() if stage["projected_at"]} == {
        "eu-nis2/final": "2026-07-13T21:59:59.000Z",
        "eu-nis2/progress": "2026-07-13T21:59:59.000Z",
        "eu-dora/intermediate": "2026-06-15T10:00:00.000Z",  # the end on Saturday moves to Monday noon
        "eu-dora/final": "2026-07-15T21:59:59.000Z",
    }
    for name in ("eu-nis2/final", "eu-nis2/progress", "eu-dora/intermediate", "eu-dora/final"):
        assert shown[name]["state"] == "waiting_previous"
        assert "projection if" in shown[name]["why"]
    assert shown["eu-gdpr/authority"]["why"].endswith("GDPR Art. 33(1); rules 2026-11")


def test_without_classified_there_are_three_due_dates_and_dora_misses_its_anchor() -> None:
    put_settings(**PARIS)
    shown = stages(four_dates())

    assert sum(stage["due_at"] is not None for stage in shown.values()) == 3
    initial = shown["eu-dora/initial"]
    assert (initial["state"], initial["anchor_missing"], initial["due_at"]) == ("pending_anchor", "classified", None)
    assert initial["warn_at"] == "2026-06-11T02:00:00.000Z"  # four hours before the cap


def test_without_a_zone_hours_are_in_utc_and_dates_say_that_the_zone_is_missing() -> None:
    incident_id = four_dates(classified=CLASSIFIED)
    sent = {"eu-nis2": {"stages": {"notification": {"submitted_at": "2026-06-12T08:00:00Z"}}}}
    patched(incident_id, regulatory_reports=sent)
    shown = stages(incident_id)

    assert shown["eu-dora/initial"]["due_at"] == "2026-06-10T12:30:00.000Z"
    assert shown["eu-dora/initial"]["due_local"] is None
    final = shown["eu-nis2/final"]
    assert (final["state"], final["setting_missing"], final["due_at"]) == ("setting_missing", "zone", None)


def test_detected_stands_in_for_aware_only_in_a_projection() -> None:
    shown = stages(created(reportable_to=["eu-gdpr"], detected_at="2026-06-10T06:00:00Z"))["eu-gdpr/authority"]

    assert (shown["state"], shown["due_at"], shown["anchor_missing"]) == ("pending_anchor", None, "aware")
    assert shown["projected_at"] == "2026-06-13T06:00:00.000Z"
    assert "projection if aware is when the incident was detected" in shown["why"]


def test_a_chained_projection_says_every_assumption() -> None:
    put_settings(**PARIS)
    shown = stages(created(reportable_to=["NIS2", "DORA"], detected_at="2026-06-10T06:00:00Z",
                           regulatory_reports={"eu-dora": {"anchors": {"classified": CLASSIFIED}}}))  # fmt: skip
    assumed = "aware is when the incident was detected"
    for name, earlier in (
        ("eu-nis2/final", ["notification"]), ("eu-nis2/progress", ["notification"]),
        ("eu-dora/intermediate", ["initial"]), ("eu-dora/final", ["initial", "intermediate"]),
    ):  # fmt: skip
        why = shown[name]["why"]
        assert shown[name]["projected_at"]
        parts = [assumed, *(f"{stage} is submitted when it is due (its date has passed)" for stage in earlier)]
        assert f"projection if {', and '.join(parts)};" in why

    dora = {"eu-dora": {"anchors": {"classified": CLASSIFIED}}}
    without_aware = stages(created(reportable_to=["DORA"], regulatory_reports=dora))["eu-dora/final"]["why"]
    assert "projection if aware leaves enough time, and initial is submitted when it is due (its " in without_aware


@pytest.mark.parametrize(
    ("sent", "state"),
    [("2026-06-13T06:00:00.000Z", "submitted"), ("2026-06-13T06:00:00.001Z", "submitted_late")],
)
def test_a_submission_on_the_dot_is_in_time(sent: str, state: str) -> None:
    gdpr = {"anchors": {"aware": AWARE}, "stages": {"authority": {"submitted_at": sent, "reference": "A 1"}}}
    shown = stages(created(reportable_to=["gdpr"], regulatory_reports={"eu-gdpr": gdpr}))["eu-gdpr/authority"]

    assert (shown["state"], shown["submitted_at"], shown["reference"]) == (state, sent, "A 1")


def test_the_last_millisecond_of_a_day_is_in_time() -> None:
    put_settings(**PARIS)
    sent = {"notification": {"submitted_at": "2026-06-12T08:00:00Z"}, "final": {"submitted_at": ""}}
    for moment, state in (("2026-07-12T21:59:59.999Z", "submitted"), ("2026-07-12T22:00:00Z", "submitted_late")):
        reports = {"eu-nis2": {"stages": sent | {"final": {"submitted_at": moment}}}}
        shown = stages(created(reportable_to=["NIS2"], regulatory_reports=reports))
        assert shown["eu-nis2/final"]["state"] == state


def test_an_update_of_the_intermediate_report_moves_the_final_report_of_dora() -> None:
    put_settings(**PARIS)
    sent = {"submitted_at": "2026-06-12T08:00:00Z", "resubmitted_at": "2026-06-16T08:00:00Z"}
    dora = {"eu-dora": {"stages": {"intermediate": sent}}}
    shown = stages(created(reportable_to=["DORA"], regulatory_reports=dora))["eu-dora/final"]
    assert shown["due_at"] == "2026-07-16T21:59:59.000Z"


def test_a_stage_without_a_fixed_term_shows_the_time_that_has_passed() -> None:
    gdpr = {"anchors": {"high_risk_assessed": AWARE}}
    shown = stages(created(reportable_to=["GDPR"], regulatory_reports={"eu-gdpr": gdpr}))["eu-gdpr/individuals"]
    assert (shown["state"], shown["due_at"]) == ("no_fixed_term", None)
    assert shown["elapsed_minutes"] > 100_000
    assert "without undue delay" in shown["why"]


def test_names_without_a_rule_and_reports_that_nobody_named_are_shown_without_clocks() -> None:
    incident_id = created(
        reportable_to=["the board", "GDPR ART. 33", "eu-gdpr"],
        regulatory_reports={"eu-dora": {"anchors": {"aware": AWARE}}},
    )
    entries = deadlines(incident_id)["regimes"]

    assert [(entry["named"], entry["regime"], entry["state"]) for entry in entries] == [
        ("the board", None, "no_rule"), ("GDPR ART. 33", "eu-gdpr", "on"), (None, "eu-dora", "not_reportable"),
    ]  # fmt: skip
    assert "reportable_to does not name" in entries[2]["why"]


@pytest.mark.parametrize(
    ("named", "stage", "anchors", "reason"),
    [
        ("AI Act", "eu-ai-act/report", {"aware": "2026-09-01T08:00:00Z"}, "pending"),
        ("PSD2", "eu-psd2/initial", {"classified": "2024-03-01T08:00:00Z"}, "repealed"),
        ("CERT-In", "in-certin/report", {"aware": "2026-09-01T08:00:00Z"}, "unconfirmed"),
    ],
)
def test_what_is_off_says_why_and_gives_the_unconfirmed_date(
    named: str, stage: str, anchors: dict[str, str], reason: str
) -> None:
    put_settings(**PARIS)
    regime = stage.split("/")[0]
    incident_id = created(reportable_to=[named], regulatory_reports={regime: {"anchors": anchors}})
    shown = stages(incident_id)[stage]
    assert (shown["state"], shown["due_at"]) == ("off", None)
    assert reason in shown["why_off"]
    assert shown["unconfirmed_at"]

    put_settings(**PARIS, regimes={regime: "on"})
    assert stages(incident_id)[stage]["due_at"] == shown["unconfirmed_at"]


def test_a_tenant_switches_a_regime_off() -> None:
    put_settings(regimes={"eu-gdpr": "off"})
    (entry,) = deadlines(created(reportable_to=["GDPR"]))["regimes"]
    assert (entry["state"], entry["why"]) == ("off", "the tenant's settings switch the regime off")


def test_an_incident_s_member_state_goes_before_the_tenant_s() -> None:
    put_settings(**PARIS)
    anchors = {"aware": "2026-07-14T01:00:00+02:00", "classified": "2026-07-14T02:00:00+02:00"}
    dora = {"anchors": anchors}
    due = [
        stages(created(reportable_to=["DORA"], regulatory_reports={"eu-dora": dora | facts}))["eu-dora/initial"]
        for facts in ({}, {"facts": {"member_state": "DE"}}, {"facts": {"dora_exempt": True}})
    ]
    assert [stage["due_local"] for stage in due] == [
        "2026-07-15T12:00:00+02:00", "2026-07-14T06:00:00+02:00", "2026-07-14T06:00:00+02:00",
    ]  # fmt: skip


def test_a_tenant_s_own_rule_has_a_clock() -> None:
    put_settings(rules=[OWN])
    incident_id = created(reportable_to=["Contract 7"])
    patched(incident_id, regulatory_reports={"contract-7": {"anchors": {"aware": AWARE}}})
    assert stages(incident_id)["contract-7/notice"]["due_at"] == "2026-06-10T18:00:00.000Z"


BROKEN = [
    OWN | {"aliases": ["GDPR", "Contract 7"]},
    {"id": "contract-7"},
    OWN | {"stages": [OWN["stages"][0] | {"due": {"from": "aware", "n": 3.0, "unit": "month", "end": "end_of_day"}}]},
    OWN | {"stages": [OWN["stages"][0] | {"readings": [{"unit": "day", "n": 1, "reading": "x"}]}]},
    OWN | {"stages": [{name: value for name, value in OWN["stages"][0].items() if name != "recipient"}]},
    OWN | {"stages": [OWN["stages"][0] | {"effective_from": 2026}]},
    OWN | {"stages": [OWN["stages"][0] | {"due": {"from": "aware", "n": 1, "unit": "week", "end": "instant"}}]},
    OWN | {"stages": 5},
    OWN | {"zone": "right/Europe/Paris"},
    OWN | {"zone": None},
    OWN | {"calendar": ["none"]},
]


@pytest.mark.parametrize("rule", BROKEN)
def test_a_stored_rule_that_cannot_be_read_gives_its_own_entry_with_a_reason(rule: dict[str, Any]) -> None:
    put_settings(rules=[OWN])
    aware = {"anchors": {"aware": AWARE}}
    incident_id = created(
        reportable_to=["contract-7", "GDPR"], regulatory_reports={"contract-7": aware, "eu-gdpr": aware}
    )
    put_settings(**PARIS, rules=[rule, "x", OWN | {"id": "contract-8", "aliases": []}])
    patched(incident_id, reportable_to=["contract-7", "GDPR", "contract-8"])
    answer = deadlines(incident_id, history="true")
    contract, gdpr, other = answer["regimes"][:3]

    assert (contract["named"], contract["state"], contract["stages"]) == ("contract-7", "no_rule", [])
    assert "the tenant's own rule cannot be read: " in contract["why"]
    assert gdpr["regime"] == "eu-gdpr"
    assert gdpr["stages"][0]["due_local"] == "2026-06-13T08:00:00+02:00"
    assert [stage["stage"] for stage in other["stages"]] == ["notice"]


@pytest.mark.parametrize(
    ("value", "left_out"),
    [
        ({"zone": "Europe/Gone"}, "zone"),
        ({"zone": "right/Europe/Paris"}, "zone"),
        ({"zone": 5}, "zone"),
        ({"member_state": "XX"}, "member_state"),
        ({"member_state": ["FR"]}, "member_state"),
        ({"facts": {"bank": True}}, "facts"),
        ({"facts": []}, "facts"),
        ({"regimes": {"eu-gdpr": "auto"}}, "regimes"),
        ({"regimes": []}, "regimes"),
        ({"rules": {}}, "rules"),
        ({"channels": ["mail"]}, "channels"),
        ({"regimes": {"xx-gone": "off"}}, None),
    ],
)
def test_a_stored_setting_that_this_release_does_not_know_is_left_out_and_said(
    value: dict[str, Any], left_out: str | None
) -> None:
    put_settings(**value)
    gdpr = {"eu-gdpr": {"anchors": {"aware": AWARE}}}
    (entry,) = deadlines(created(reportable_to=["GDPR"], regulatory_reports=gdpr))["regimes"]
    assert entry["stages"][0]["due_at"] == "2026-06-13T06:00:00.000Z"
    assert entry["zone"] is None
    assert left_out is None or f"setting `{left_out}` is not known to this release" in entry["note"]


@pytest.mark.parametrize("named", [["contract-7"], []])
def test_a_report_whose_rule_has_left_says_that_there_is_no_rule(named: list[str]) -> None:
    put_settings(rules=[OWN])
    incident_id = created(reportable_to=named, regulatory_reports={"contract-7": {"anchors": {"aware": AWARE}}})
    put_settings()
    *_, entry = deadlines(incident_id)["regimes"]
    assert (entry["regime"], entry["state"]) == ("contract-7", "no_rule")
    assert entry["why"] == "there is no rule of the regime, so its report has no clocks"


def test_a_stored_fact_of_another_form_counts_as_none() -> None:
    gdpr = {"anchors": {"aware": AWARE}, "facts": {"member_state": ["FR"], "dora_exempt": []}}
    incident = {"reportable_to": ["GDPR", "NIS2"], "detected_at": None,
                "regulatory_reports": json.dumps({"eu-gdpr": gdpr, "eu-nis2": gdpr})}  # fmt: skip
    answer = assessment.deadlines(assessment.known(incident), rules.Settings(member_state="FR"), datetime.now(UTC))
    assert [entry["zone"] for entry in answer["regimes"]] == ["Europe/Paris", "Europe/Paris"]
    assert answer["regimes"][0]["stages"][0]["due_at"] == "2026-06-13T06:00:00.000Z"


def test_the_history_tells_what_each_change_made_of_the_due_dates() -> None:
    incident_id = created(reportable_to=["GDPR"], regulatory_reports={"eu-gdpr": {"anchors": {"aware": AWARE}}})
    patched(incident_id, title="y")
    patched(incident_id, regulatory_reports={"eu-gdpr": {"anchors": {"aware": "2026-06-09T06:00:00Z"}}})
    patched(incident_id, reportable_to=None)

    answer = deadlines(incident_id, history="true")
    moves = [(entry["version"], entry["by"], [(move["from"], move["to"]) for move in entry["due_dates"]])
             for entry in answer["history"]]  # fmt: skip
    assert moves == [
        (1, "ada", [(None, "2026-06-13T06:00:00.000Z")]),
        (3, "ada", [("2026-06-13T06:00:00.000Z", "2026-06-12T06:00:00.000Z")]),
        (4, "ada", [("2026-06-12T06:00:00.000Z", None)]),
    ]
    assert (answer["history_since_version"], answer["history_is_partial"]) == (1, False)
    assert "history" not in deadlines(incident_id)


def test_the_history_of_many_changes_has_the_newest_and_says_where_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    incident_id = created(reportable_to=["GDPR"], regulatory_reports={"eu-gdpr": {"anchors": {"aware": AWARE}}})
    for day in (7, 8, 9):
        aware = {"aware": f"2026-06-0{day}T06:00:00Z"}
        patched(incident_id, regulatory_reports={"eu-gdpr": {"anchors": aware}})
    complete = deadlines(incident_id, history="true")["history"]
    monkeypatch.setattr(history, "CHANGES", 2)
    answer = deadlines(incident_id, history="true")

    assert (answer["history_since_version"], answer["history_is_partial"]) == (3, True)
    assert answer["history"] == complete[2:]
    assert [change["version"] for change in answer["history"]] == [3, 4]


def test_the_history_of_many_regimes_ends_before_the_answer_is_too_large_for_lambda() -> None:
    regimes = [f"{'r' * 60}-{n}" for n in range(100)]
    rule = OWN | {"stages": [OWN["stages"][0] | {"id": f"{'s' * 60}_{n}"} for n in range(4)]}
    held = rules.read({"rules": [rule | {"id": regime, "aliases": [regime.upper()]} for regime in regimes]})
    assert ({**held.unread}, [*held.unknown]) == ({}, [])

    def reports(day: int) -> str:
        return json.dumps({regime: {"anchors": {"aware": f"2026-03-{day:02}T06:00:00Z"}} for regime in regimes})

    days = [version % 28 + 1 for version in range(1, 101)]
    changes = [
        Change(version, AWARE, "ada", "updated", {"regulatory_reports": (reports(before), reports(after))})
        for version, (before, after) in enumerate(pairwise(days), 2)
    ]
    incident = {"reportable_to": regimes, "detected_at": None, "regulatory_reports": reports(days[-1]), "version": 100}

    entries, since = history.due_history(incident, changes, held, datetime.now(UTC))

    assert [entry["version"] for entry in entries] == [*range(since, 101)]
    assert len(entries[0]["due_dates"]) == 400
    assert history.DATES <= 400 * len(entries) < history.DATES + 400
    assert len(json.dumps(json.dumps(entries))) < 4_500_000, "Lambda permits 6 MB for the complete answer"


def test_a_history_that_takes_too_long_leaves_out_older_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    incident_id = created(reportable_to=["GDPR"], regulatory_reports={"eu-gdpr": {"anchors": {"aware": AWARE}}})
    for day in (7, 8, 9):
        aware = {"aware": f"2026-06-0{day}T06:00:00Z"}
        patched(incident_id, regulatory_reports={"eu-gdpr": {"anchors": aware}})
    complete = deadlines(incident_id, history="true")["history"]
    seconds = iter([10.0, 9.0])
    monkeypatch.setattr(incident_deadlines, "deadline", SimpleNamespace(left=lambda: next(seconds, 1.0)))

    answer = deadlines(incident_id, history="true")

    assert (answer["history_since_version"], answer["history_is_partial"]) == (3, True)
    assert answer["history"] == complete[2:]


def test_an_application_sees_its_own_incidents_and_a_deleted_one_is_shown() -> None:
    app, other = claims(app_id="soc-portal"), claims(app_id="other")
    incident_id = created(caller=app, reportable_to=["GDPR"])
    assert (ask(incident_id, app)[0], ask(incident_id, other)[0]) == (200, 404)
    delete(delete_event(incident_id), Context)
    assert ask(incident_id)[0] == 200


def test_wrong_parameters_are_refused() -> None:
    incident_id = created()
    for query in ({"history": "yes"}, {"limit": "3"}):
        assert ask(incident_id, None, **query)[0] == 400


def test_the_moment_of_the_answer_is_now() -> None:
    shown = deadlines(created())
    assert abs(datetime.fromisoformat(shown["as_of"]).timestamp() - datetime.now().astimezone().timestamp()) < 60
    assert "not legal advice" in shown["notice"]


def test_a_national_act_has_stages_conditions_and_readings_of_its_own() -> None:
    put_settings(zone="Europe/Lisbon", member_state="PT", regimes={"eu-nis2": "on"})
    sent = {"impact_end": {"submitted_at": "2026-06-12T08:00:00Z"}}
    report = {"anchors": {"aware": AWARE, "impact_ended": "2026-06-11T12:00:00Z"}, "stages": sent}
    portugal, others = (
        stages(created(reportable_to=["NIS2"], regulatory_reports={"eu-nis2": report | facts}))
        for facts in ({}, {"facts": {"member_state": "CZ"}})
    )
    assert portugal["eu-nis2/impact_end"]["due_at"] == "2026-06-12T12:00:00.000Z"
    assert portugal["eu-nis2/final"]["due_at"] == "2026-07-24T22:59:59.000Z"  # after 30 working days without a holiday
    assert "Decree-Law 125/2025" in portugal["eu-nis2/notification"]["condition"]
    assert "eu-nis2/impact_end" not in others
    assert others["eu-nis2/notification"]["condition"] == "Czechia: Act 264/2025 has no report after 72 h"
