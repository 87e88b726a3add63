"""Tests the deadlines on the local stack, with settings by the command and reports by PATCH."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from tests.functions.test_regulatory_reports import OWN
from tests.support import scale
from tests.support.checkout import Caller, Checkout
from tests.support.templates import CHECKOUT
from tests.support.waiting import until

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


SCHEMA = json.loads((CHECKOUT / "functions" / "incidents" / "deadline_event.v1.json").read_text())
TWO_MINUTES = OWN | {
    "id": "contract-2m", "aliases": [],
    "stages": [OWN["stages"][0] | {"due": {"from": "aware", "n": 2, "unit": "minute", "end": "instant"}}],
}  # fmt: skip
# The full test waits for the entire term and for the schedule. The short test begins after a part of the term, and
# starts the runs itself.
PASSED = timedelta(seconds=scale.of(short=85, full=0))


def test_a_rule_of_two_minutes_is_announced_and_a_submission_stops_the_second_event(
    stack: Checkout, aws: Callable[[str], Any], announced: Callable[[], list[dict[str, Any]]], tmp_path: Path
) -> None:
    caller, place = stack.caller(stack.token("contract")), ("--tenant", "contract")
    (tmp_path / "rules.json").write_text(json.dumps([TWO_MINUTES]))
    stack.answer("deadlines", "settings", "set", *place, "--rules", str(tmp_path / "rules.json"))
    report = {"contract-2m": {"anchors": {"aware": (datetime.now(UTC) - PASSED).isoformat()}}}
    fields = {"title": "x", "reportable_to": ["contract-2m"], "regulatory_reports": report}
    missed, in_time = (caller.post(json=fields).json()["id"] for _ in range(2))

    def kinds(incident_id: str) -> list[str]:
        if not scale.FULL:
            aws("lambda").invoke(FunctionName=stack.status["functions"]["announce_deadlines"])
        told = {
            event["detail"]["deduplication_key"]: event
            for event in announced()
            if event["detail-type"].startswith("IncidentDeadline") and event["detail"]["incident_id"] == incident_id
        }
        for event in told.values():
            assert list(Draft202012Validator(SCHEMA).iter_errors(event["detail"])) == []
        return [event["detail"]["kind"] for event in told.values()]

    until(lambda: kinds(missed) and kinds(in_time), 180, every=1)
    submitted = {"contract-2m": {"stages": {"notice": {"submitted_at": datetime.now(UTC).isoformat()}}}}
    assert caller.patch(f"/{in_time}", {"regulatory_reports": submitted}).status_code == 200
    (entry,) = caller.get("/deadlines", params={"incident_id": missed}).json()["items"]
    assert entry["stages"][0]["regime"] == "contract-2m"
    assert missed in stack.answer("deadlines", "board", *place, "--json")

    until(lambda: "missed" in kinds(missed), 180, every=1)
    assert "missed" not in kinds(in_time)
    until(lambda: kinds(in_time) and caller.get("/deadlines", params={"incident_id": in_time}).json()["items"] == [])
    assert [one["incident_id"] for one in caller.get("/deadlines", params={"state": "overdue"}).json()["items"]] == [
        missed
    ]
    stack.answer("deadlines", "rebuild", *place)
    assert stack.run("verify", *place).returncode == 0
