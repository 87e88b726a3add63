"""Whoever deploys meets the parameters of the template: explained, in groups, and the same at each stage's section."""

import re
import tomllib
from collections import Counter
from typing import Any

import pytest

from tests.support import templates

TEMPLATE = templates.service()
PARAMETERS: dict[str, dict[str, Any]] = TEMPLATE["Parameters"]
FUNCTIONS = templates.functions()
STORAGE = templates.read(templates.STORAGE)
INTERFACE = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]
SAMCONFIG = tomllib.loads((templates.CHECKOUT / "samconfig.toml").read_text())
STAGES = ("dev", "staging", "prod")
each_stage = pytest.mark.parametrize("stage", STAGES)


def test_every_parameter_is_in_exactly_one_group_under_a_label_of_its_own() -> None:
    groups = INTERFACE["ParameterGroups"]
    grouped = Counter(name for group in groups for name in group["Parameters"])
    assert grouped == Counter(list(PARAMETERS))
    assert all(group["Label"]["default"] for group in groups)
    labels = INTERFACE["ParameterLabels"]
    assert set(labels) == set(PARAMETERS)
    assert len({label["default"] for label in labels.values()}) == len(labels)


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_parameter_says_what_it_is_for_and_has_a_default(name: str) -> None:
    assert PARAMETERS[name]["Description"].endswith(".")
    assert "Default" in PARAMETERS[name]


def test_an_issuer_is_demanded_unless_the_user_pool_is_one() -> None:
    assert PARAMETERS["JwtIssuer"]["Default"] == ""
    assert "JwtIssuer" in str(TEMPLATE["Rules"])
    assert "CreateUserPool" in str(TEMPLATE["Rules"])


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_parameter_is_used(name: str) -> None:
    used = str({part: TEMPLATE[part] for part in ("Resources", "Conditions", "Globals")})
    assert f"'Ref': '{name}'" in used


def overrides(stage: str) -> dict[str, str]:
    given = SAMCONFIG[stage]["deploy"]["parameters"]["parameter_overrides"]
    return dict(one.split("=", 1) for one in given)


@each_stage
def test_a_stage_gives_values_that_the_parameters_take(stage: str) -> None:
    for name, value in overrides(stage).items():
        parameter = PARAMETERS[name]
        assert value in [str(one) for one in parameter.get("AllowedValues", [value])]
        assert re.fullmatch(parameter.get("AllowedPattern", ".*"), value)
        assert parameter["Type"] == "String" or value.isdigit()


@each_stage
def test_a_stage_deploys_as_the_default_does_to_a_stack_of_its_own(stage: str) -> None:
    default, own = SAMCONFIG["default"]["deploy"]["parameters"], SAMCONFIG[stage]["deploy"]["parameters"]
    assert {name: own[name] for name in ("capabilities", "resolve_s3", "fail_on_empty_changeset")} == {
        name: default[name] for name in ("capabilities", "resolve_s3", "fail_on_empty_changeset")
    }
    assert SAMCONFIG[stage]["build"] == SAMCONFIG["default"]["build"], "sam build --config-env builds the same"
    names = [SAMCONFIG[one]["deploy"]["parameters"]["stack_name"] for one in STAGES]
    assert own["stack_name"] == own["s3_prefix"] == f"grc-incidents-{stage}"
    assert len(set(names)) == len(STAGES)
    eventing = templates.read(templates.CHECKOUT / "infra" / "eventing.yaml")
    assert re.fullmatch(eventing["Parameters"]["Prefix"]["AllowedPattern"], own["stack_name"])


def test_the_stage_of_production_is_the_careful_one() -> None:
    assert SAMCONFIG["prod"]["deploy"]["parameters"]["confirm_changeset"] is True
    relaxing = {"DeletionProtection", "TakeSimulatedEvents"}
    assert not relaxing & set(overrides("prod")), "their defaults are the careful values"


def test_no_stage_names_anybody() -> None:
    text = (templates.CHECKOUT / "samconfig.toml").read_text()
    assert not re.search(r"[0-9]{12}", text)
    assert all(overrides(stage)["JwtIssuer"] == f"https://issuer.example.com/{stage}" for stage in STAGES)


# --- bounds


def test_bounds_on_throughput_are_the_tables_and_every_indexs_and_off_by_default() -> None:
    table = STORAGE["Resources"]["Incidents"]["Properties"]
    nothing = {"Ref": "AWS::NoValue"}
    bound = {
        "Fn::If": [
            "BoundsThroughput",
            {
                f"Max{kind}RequestUnits": {"Fn::If": [f"Bounds{kind}s", {"Ref": f"Max{kind}Units"}, nothing]}
                for kind in ("Read", "Write")
            },
            nothing,
        ]
    }
    assert [table["OnDemandThroughput"], *(one["OnDemandThroughput"] for one in table["GlobalSecondaryIndexes"])] == [
        bound
    ] * 6
    for name in ("MaxReadUnits", "MaxWriteUnits"):
        assert PARAMETERS[name]["Default"] == STORAGE["Parameters"][name]["Default"] == ""
        assert PARAMETERS[name]["AllowedPattern"] == STORAGE["Parameters"][name]["AllowedPattern"]


def test_every_function_of_the_api_can_have_a_concurrency_of_its_own_and_no_other() -> None:
    reserved = {"Fn::If": ["HasApiConcurrency", {"Ref": "ApiConcurrency"}, {"Ref": "AWS::NoValue"}]}
    of_the_api = {*templates.operations(), templates.DOCUMENTATION}
    for name, properties in FUNCTIONS.items():
        assert properties.get("ReservedConcurrentExecutions") == (reserved if name in of_the_api else None)


def test_every_queue_is_worked_on_within_a_bound() -> None:
    queues = [
        event["Properties"]
        for function in FUNCTIONS.values()
        for event in function.get("Events", {}).values()
        if event["Type"] == "SQS"
    ]
    assert len(queues) == 2
    assert all(one["ScalingConfig"] == {"MaximumConcurrency": 5} for one in queues)
