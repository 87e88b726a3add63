"""Tests of the template's parameters.

Each parameter has an explanation, a group, and a valid value for each stage.
"""

import re
import tomllib
from collections import Counter
from typing import Any

import pytest
from incidents_cli.local.local_stack import CLAIM_PARAMETERS

from tests.support import templates

TEMPLATE = templates.service()
PARAMETERS: dict[str, dict[str, Any]] = TEMPLATE["Parameters"]
FUNCTIONS = templates.functions()
STORAGE = templates.read(templates.STORAGE)
INTERFACE = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]
SAMCONFIG = tomllib.loads((templates.CHECKOUT / "samconfig.toml").read_text())
STAGES = ("dev", "staging", "prod")
each_stage = pytest.mark.parametrize("stage", STAGES)


def test_every_parameter_has_one_group_and_its_own_label() -> None:
    groups = INTERFACE["ParameterGroups"]
    grouped = Counter(name for group in groups for name in group["Parameters"])
    assert grouped == Counter(list(PARAMETERS))
    assert all(group["Label"]["default"] for group in groups)
    labels = INTERFACE["ParameterLabels"]
    assert set(labels) == set(PARAMETERS)
    assert len({label["default"] for label in labels.values()}) == len(labels)


def test_there_are_no_more_parameters_than_somebody_has_to_set() -> None:
    """After the removal of eight parameters, 28 were left. The test names each later parameter."""
    of_the_console = {name for name in PARAMETERS if name.startswith("Console")} | {"CreateConsole"}
    assert len(of_the_console) == 6
    later = {*CLAIM_PARAMETERS, "QueueKmsKeyArn", "WatchCloudTrail", "HistoryRetentionMode", "HistoryRetentionDays"}
    assert len(set(PARAMETERS) - later - of_the_console) == 28


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("JwtIssuer", ["https://example.b2clogin.com/" + "a" * 400, "http://127.0.0.1:4566/x"], ["x", "https://a b"]),
        ("TenantClaim", ["tid", "https://example.com/tenant_id", "custom:tenant_id"], ["", "a b"]),
        ("AppClaim", ["azp", "https://example.com/app_id"], ["", "a b"]),
        ("AppMarker", ["", "idtyp=app", "gty=client-credentials", "https://a.b/kind=app"], ["a", "=a", "a=", "a=[b]"]),
        ("ScopeClaims", ["scope,scp", "roles", "https://a.example/scopes"], ["", "a,", ",a", "a b", "a,,b"]),
        ("MachineTenantId", ["", "acme", "org_9ybsU1dN2dKfDkBi", "a.b"], ["a", ".a", "a#b", "a" * 64]),
    ],
)  # fmt: skip
def test_the_token_parameters_take_what_issuers_have(name: str, right: list[str], wrong: list[str]) -> None:
    pattern, longest = PARAMETERS[name]["AllowedPattern"], PARAMETERS[name].get("MaxLength", 100)
    assert all(re.search(pattern, value) and len(value) <= longest for value in right)
    assert not [value for value in wrong if re.search(pattern, value)]


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_parameter_has_a_description_and_a_default(name: str) -> None:
    assert PARAMETERS[name]["Description"].endswith(".")
    assert "Default" in PARAMETERS[name]


def test_a_rule_requires_an_issuer_unless_there_is_a_user_pool() -> None:
    assert PARAMETERS["JwtIssuer"]["Default"] == ""
    assert "JwtIssuer" in str(TEMPLATE["Rules"])
    assert "CreateUserPool" in str(TEMPLATE["Rules"])


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_parameter_is_used(name: str) -> None:
    used = str({part: TEMPLATE[part] for part in ("Resources", "Conditions", "Globals")})
    assert f"'Ref': '{name}'" in used or f"${{{name}}}" in used


def overrides(stage: str) -> dict[str, str]:
    given = SAMCONFIG[stage]["deploy"]["parameters"]["parameter_overrides"]
    return dict(one.split("=", 1) for one in given)


@each_stage
def test_a_stage_s_values_are_valid_for_their_parameters(stage: str) -> None:
    for name, value in overrides(stage).items():
        parameter = PARAMETERS[name]
        assert value in [str(one) for one in parameter.get("AllowedValues", [value])]
        assert re.fullmatch(parameter.get("AllowedPattern", ".*"), value)
        assert parameter["Type"] == "String" or value.isdigit()


@each_stage
def test_a_stage_deploys_like_the_default_to_its_own_stack(stage: str) -> None:
    default, own = SAMCONFIG["default"]["deploy"]["parameters"], SAMCONFIG[stage]["deploy"]["parameters"]
    assert {name: own[name] for name in ("capabilities", "resolve_s3", "fail_on_empty_changeset")} == {
        name: default[name] for name in ("capabilities", "resolve_s3", "fail_on_empty_changeset")
    }
    assert SAMCONFIG[stage]["build"] == SAMCONFIG["default"]["build"], "every stage must have the same build"
    names = [SAMCONFIG[one]["deploy"]["parameters"]["stack_name"] for one in STAGES]
    assert own["stack_name"] == own["s3_prefix"] == f"grc-incidents-{stage}"
    assert len(set(names)) == len(STAGES)
    eventing = templates.read(templates.CHECKOUT / "infra" / "eventing.yaml")
    assert re.fullmatch(eventing["Parameters"]["Prefix"]["AllowedPattern"], own["stack_name"])


def test_production_confirms_changes_and_keeps_the_careful_defaults() -> None:
    assert SAMCONFIG["prod"]["deploy"]["parameters"]["confirm_changeset"] is True
    relaxing = {"DeletionProtection", "TakeSimulatedEvents"}
    assert not relaxing & set(overrides("prod")), "production must keep the defaults, which are the careful values"


def test_no_stage_names_an_account_or_a_real_issuer() -> None:
    text = (templates.CHECKOUT / "samconfig.toml").read_text()
    assert not re.search(r"[0-9]{12}", text)
    assert all(overrides(stage)["JwtIssuer"] == f"https://issuer.example.com/{stage}" for stage in STAGES)


# --- limits


def test_throughput_limits_apply_to_the_table_and_every_index_and_are_off_by_default() -> None:
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
    ] * 7
    for name in ("MaxReadUnits", "MaxWriteUnits"):
        assert PARAMETERS[name]["Default"] == STORAGE["Parameters"][name]["Default"] == ""
        assert PARAMETERS[name]["AllowedPattern"] == STORAGE["Parameters"][name]["AllowedPattern"]


def test_only_the_functions_of_the_api_can_have_reserved_concurrency() -> None:
    reserved = {"Fn::If": ["HasApiConcurrency", {"Ref": "ApiConcurrency"}, {"Ref": "AWS::NoValue"}]}
    of_the_api = {*templates.operations(), *templates.PUBLIC}
    for name, properties in FUNCTIONS.items():
        assert properties.get("ReservedConcurrentExecutions") == (reserved if name in of_the_api else None)


def test_every_queue_s_reader_has_a_maximum_concurrency() -> None:
    queues = [
        event["Properties"]
        for function in FUNCTIONS.values()
        for event in function.get("Events", {}).values()
        if event["Type"] == "SQS"
    ]
    assert len(queues) == 2
    assert all(one["ScalingConfig"] == {"MaximumConcurrency": 5} for one in queues)
