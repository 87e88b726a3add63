"""Tests that the rules of the deadlines have the form of their schema, and that the calendars are as generated."""

import importlib.resources
import json
import tomllib
from typing import Any
from zoneinfo import available_timezones

import jsonschema
import pytest
from incidents.domain.deadlines import calendars, rules
from incidents_cli.documents import calendars as generator
from incidents_cli.documents import deadline_table, report_names

from tests.support.templates import CHECKOUT

FOLDER = CHECKOUT / "functions" / "incidents" / "domain" / "deadlines"
RULES = rules.released()
REGIMES: list[dict[str, Any]] = RULES["regimes"]
STAGES = [(regime, stage) for regime in REGIMES for stage in regime["stages"]]


def test_the_rules_have_the_form_of_their_schema() -> None:
    schema = json.loads((FOLDER / "rules.v1.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(RULES)


def test_no_name_is_of_two_regimes() -> None:
    names = [name.casefold() for regime in REGIMES for name in regime["aliases"]]
    names += [regime["id"] for regime in REGIMES if regime["id"] not in map(str.casefold, regime["aliases"])]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(("regime", "stage"), STAGES, ids=[f"{r['id']}/{s['id']}" for r, s in STAGES])
def test_a_stage_fits_together(regime: dict[str, Any], stage: dict[str, Any]) -> None:
    names = [each["id"] for each in regime["stages"]]
    earlier = names[: names.index(stage["id"])]
    assert names.count(stage["id"]) == 1
    if stage["due"] is not None:
        assert stage["anchor"] == stage["due"]["from"]
        assert (stage["due"]["unit"] == "hour") == (stage["due"]["end"] == "instant")
        assert ("roll_read" in stage["due"]) == (stage["due"].get("roll") == "eu_working_day")
    for start in (stage["anchor"], *(reading.get("from", "") for reading in stage.get("readings", ()))):
        assert not start or start in RULES["anchors"] or start.split(":")[1] in earlier
    states = [*stage.get("member_states", ()), *stage.get("national_conditions", ())]
    states += [reading["member_state"] for reading in stage.get("readings", ()) if "member_state" in reading]
    assert {*states} <= {*calendars.member_states()}


@pytest.mark.parametrize("regime", REGIMES, ids=lambda regime: regime["id"])
def test_the_zone_and_the_calendar_of_a_regime_exist(regime: dict[str, Any]) -> None:
    assert regime["zone"] == "entity" or regime["zone"] in available_timezones()
    assert regime["calendar"] in ("entity", "none") or calendars.named(regime["calendar"])
    assert {*regime.get("national_notes", ())} <= {*calendars.member_states()}
    # a rule with business days or a roll needs a calendar
    needs = [
        stage
        for stage in regime["stages"]
        if (due := stage["due"]) and (due["unit"] == "business_day" or due.get("roll"))
    ]
    assert not needs or regime["calendar"] != "none"


def test_the_calendars_are_as_generated_from_the_locked_library() -> None:
    committed = json.loads(generator.GENERATED.read_text())
    assert committed["calendars"] == generator.calendars(), "run: uv run incidents calendars"
    assert committed["zones"] == generator.COUNTRIES
    locked = tomllib.loads((CHECKOUT / "uv.lock").read_text())["package"]
    version = next(package["version"] for package in locked if package["name"] == "holidays")
    assert committed["library"] == f"holidays {version}"


def test_every_zone_is_in_the_locked_package_and_not_only_on_this_machine() -> None:
    zones = {*calendars.member_states().values(), *(regime["zone"] for regime in REGIMES)} - {"entity"}
    folder = importlib.resources.files("tzdata") / "zoneinfo"
    assert [zone for zone in sorted(zones) if not folder.joinpath(*zone.split("/")).is_file()] == []
    assert [zone for zone in sorted(zones) if str(calendars.zone(zone)) != zone] == []


def test_functions_take_their_zones_from_the_locked_package() -> None:
    template = (CHECKOUT / "template.yaml").read_text()
    assert 'PYTHONTZPATH: ""' in template
    assert "\ntzdata==" in (CHECKOUT / "functions" / "requirements.txt").read_text()


def test_regimes_that_are_off_by_default_are_pending_repealed_or_a_contract() -> None:
    states = {regime["id"]: regime["status"] for regime in REGIMES if regime["status"] != "in_force"}
    assert states == {
        "eu-ai-act": "pending", "us-circia": "pending", "in-dpdp": "pending", "eu-psd2": "repealed", "pci": "contract",
    }  # fmt: skip


def test_the_page_has_the_table_of_the_rules_and_the_date_of_the_calendars() -> None:
    page = (CHECKOUT / "docs" / "deadlines.md").read_text()
    assert page.endswith(f"\n{deadline_table.table()}\n"), "replace the table of docs/deadlines.md by this one"
    assert f"generated on {calendars.generated_on()} " in page
    assert f"version {RULES['rules_version']}." in page


def test_the_table_of_names_is_as_generated_from_the_rules() -> None:
    assert report_names.FILE.read_text() == report_names.text(), "run: uv run incidents openapi"
