"""Tests that the adapters, the table of sources, the recorded events and the published schema agree."""

import importlib
import json
import pkgutil
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from incidents import findings
from incidents.domain import model
from incidents.findings import MalformedEvent, mapping

from tests.support.recorded import FOLDER, GONE, NAMES, event
from tests.support.templates import CHECKOUT

SCHEMA = json.loads((CHECKOUT / "functions/incidents/findings/alert_escalated.v1.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

MODULES = [importlib.import_module(f"incidents.findings.{one.name}") for one in pkgutil.iter_modules(findings.__path__)]
ADAPTERS = [module for module in MODULES if hasattr(module, "read") and module is not mapping]


@pytest.mark.parametrize("module", ADAPTERS, ids=lambda module: module.__name__.rpartition(".")[2])
def test_every_adapter_is_in_the_table_and_has_a_recorded_event(module: Any) -> None:
    name = module.__name__.rpartition(".")[2]
    assert module.read in findings.ADAPTERS.values()
    assert f"``{name}``" in (findings.__doc__ or "")
    assert [recorded for recorded in NAMES if recorded.startswith(name)]


def test_the_table_of_sources_matches_the_recorded_events() -> None:
    lines = [(event(name)["source"], event(name)["detail-type"]) for name in NAMES]
    assert {findings.adapter(*line) for line in lines} == {*findings.ADAPTERS.values()}
    wild = (findings.ANY_SERVICE, findings.ANY_SOURCE)
    assert {line for line in findings.ADAPTERS if line[0] not in wild} <= {*lines}
    assert {kind for source, kind in findings.ADAPTERS if source in wild} <= {kind for _, kind in lines}


def test_every_recorded_event_has_its_expected_findings() -> None:
    assert sorted(path.stem for path in (FOLDER / "expected").glob("*.json")) == NAMES


def test_the_alert_schema_is_valid_and_has_the_model_s_severities() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["properties"]["severity"]["enum"] == list(model.SEVERITIES)


def is_taken(detail: Any) -> bool:
    try:
        findings.read(event("alert_escalated", detail=detail))
    except MalformedEvent:
        return False
    return True


DETAIL = event("alert_escalated")["detail"]
odd: st.SearchStrategy[Any] = st.sampled_from(
    [GONE, None, "", " ", "\t\n", "\x00", "x",
     "high", "HIGH", "acme", "Acme", "a", "a" * 64, 0, 1, 1.0, 1.5, "1", 2, True,
     [], ["a"], [""], [" "], [None], [1], [["a"]], ["a", "a"], {}, {"a": 1}, "2026-11-17T02:12:07Z", "soon"]
)  # fmt: skip
details = st.dictionaries(st.sampled_from([*SCHEMA["properties"], "unknown"]), odd, max_size=4).map(
    lambda changed: {name: value for name, value in (DETAIL | changed).items() if value is not GONE}
)


@settings(deadline=None, max_examples=500)
@given(details)
def test_the_adapter_accepts_exactly_the_alerts_that_the_schema_allows(detail: Any) -> None:
    assert is_taken(detail) == VALIDATOR.is_valid(detail)


@pytest.mark.parametrize("name", SCHEMA["properties"])
def test_schema_and_adapter_agree_on_each_member_of_an_alert(name: str) -> None:
    for value in odd.elements:  # type: ignore[attr-defined]
        detail = {key: one for key, one in (DETAIL | {name: value}).items() if one is not GONE}
        assert is_taken(detail) == VALIDATOR.is_valid(detail), value


@pytest.mark.parametrize("detail", [None, [], "text", 1, {}])
def test_schema_and_adapter_refuse_a_value_that_is_not_an_alert(detail: Any) -> None:
    assert not is_taken(detail)
    assert not VALIDATOR.is_valid(detail)


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("alert_escalated")])
def test_recorded_alerts_conform_to_the_schema(name: str) -> None:
    VALIDATOR.validate(event(name)["detail"])


def test_the_adapter_reads_every_member_of_the_schema() -> None:
    full = findings.read(event("alert_escalated"))
    for name in set(SCHEMA["properties"]) - {"schema_version"}:
        assert name in DETAIL
        other = event("alert_escalated")
        del other["detail"][name]
        if name not in ("title", "severity"):
            assert findings.read(other) != full, name
