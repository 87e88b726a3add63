"""Tests the deadlines on the local stack, with settings by the command and reports by PATCH."""

from typing import Any

from tests.support.checkout import Caller, Checkout

AWARE, CLASSIFIED = "2026-06-10T08:00:00+02:00", "2026-06-10T10:30:00+02:00"


def shown(caller: Caller, incident_id: str) -> dict[str, Any]:
    answer = caller.get(f"/{incident_id}/deadlines")
    assert answer.status_code == 200, answer.text
    return {f"{regime['regime']}/{stage['stage']}": stage for regime in answer.json()["regimes"]
            for stage in regime["stages"]}  # fmt: skip


def dates(stages: dict[str, Any], kind: str) -> dict[str, str]:
    return {name: stage[kind] for name, stage in stages.items() if stage[kind]}


def test_aware_and_classified_by_patch_give_four_due_dates_and_four_projections(stack: Checkout) -> None:
    caller = stack.caller(stack.token("deadlines"))
    place = ("--tenant", "deadlines")
    stack.told("deadlines", "settings", "set", *place, "--zone", "Europe/Paris", "--member-state", "FR")
    made = caller.post(json={"title": "x", "reportable_to": ["GDPR", "NIS2", "DORA"]}).json()
    aware = {"anchors": {"aware": AWARE}}
    reports = {"eu-gdpr": aware, "eu-nis2": aware, "eu-dora": aware}
    assert caller.patch(f"/{made['id']}", {"regulatory_reports": reports}).status_code == 200

    stages = shown(caller, made["id"])
    assert len(dates(stages, "due_at")) == 3
    assert stages["eu-dora/initial"]["anchor_missing"] == "classified"

    classified = {"regulatory_reports": {"eu-dora": {"anchors": {"classified": CLASSIFIED}}}}
    assert caller.patch(f"/{made['id']}", classified).status_code == 200
    stages = shown(caller, made["id"])
    assert dates(stages, "due_local") == {
        "eu-gdpr/authority": "2026-06-13T08:00:00+02:00",
        "eu-nis2/early_warning": "2026-06-11T08:00:00+02:00",
        "eu-nis2/notification": "2026-06-13T08:00:00+02:00",
        "eu-dora/initial": "2026-06-10T14:30:00+02:00",
    }
    projected = dates(stages, "projected_at")
    assert [*projected] == ["eu-nis2/final", "eu-nis2/progress", "eu-dora/intermediate", "eu-dora/final"]
    assert all("projection if" in stages[name]["why"] for name in projected)

    printed = stack.told("deadlines", "show", made["incident_number"], *place)
    assert "2026-06-10T14:30:00+02:00" in printed
    assert "DORA Art. 19(4)(a)" in printed
