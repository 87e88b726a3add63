"""The same verb names an operation in the template, the module, the route's docstring and the role."""

import importlib
import json
import re
from fnmatch import fnmatchcase
from itertools import product
from typing import Any

import pytest
from incidents import findings
from incidents.storage import keys
from incidents_cli.local.local_stack import operation_name

from tests.agreements.test_updates import only_at_creation
from tests.support import templates

FUNCTIONS = templates.functions()
RESOURCES = templates.service()["Resources"]
MODULES = {path.stem for path in (templates.CHECKOUT / "functions").glob("*.py")}
PARTITIONS = [
    keys.incident("acme", "").pk, keys.change("acme", "", 1).pk, keys.number("acme", "").pk, keys.counter("acme", 1).pk,
    keys.idempotency("acme", None, "", "").pk, keys.active("acme"), keys.active_by_status("acme", "new"),
    keys.active_by_app("acme", "app"), keys.by_detected_day("acme", "day"), keys.by_closed_day("acme", "day"),
    keys.account("").pk, keys.finding("acme", "").pk, keys.metric_day("acme", "closed", "day").pk,
    keys.mark(keys.METRIC_DAYS, "acme", "closed", "day").pk,
]  # fmt: skip
PATTERNS = {
    "TENANT#*", "TENANT#*#INCIDENT", "TENANT#*#CHANGE", "TENANT#*#NUMBER", "TENANT#*#COUNTER", "TENANT#*#IDEMPOTENCY",
    "TENANT#*#STATUS#*", "TENANT#*#APP#*", "TENANT#*#FINDING", "ACCOUNTS",
    "TENANT#*#METRIC", "TENANT#*#DETECTED#*", "TENANT#*#CLOSED#*", "METRICDUE#*",
}  # fmt: skip
TABLE_AND_INDEXES = [
    {"Fn::GetAtt": ["Storage", "Outputs.TableArn"]},
    *({"Fn::Sub": f"${{Storage.Outputs.TableArn}}/index/{index['IndexName']}"}
      for index in templates.table()["GlobalSecondaryIndexes"]),
]  # fmt: skip
PUBLIC = {"/api/v1/grc/incidents/openapi.json", "/api/v1/grc/incidents/docs"}  # reads nothing but its own files
each_http_function = pytest.mark.parametrize("name", templates.operations())
each_function = pytest.mark.parametrize("name", FUNCTIONS)


def routes(name: str) -> list[dict[str, Any]]:
    return [event["Properties"] for event in FUNCTIONS[name].get("Events", {}).values() if event["Type"] == "HttpApi"]


def test_every_module_is_a_function_and_every_function_a_module() -> None:
    assert {operation_name(name) for name in FUNCTIONS if name != templates.DOCUMENTATION} == MODULES


@each_http_function
def test_handler_docstring_and_scope_say_what_the_template_says(name: str) -> None:
    properties, module_name = FUNCTIONS[name], operation_name(name)
    module = importlib.import_module(module_name)
    assert properties["Handler"] == f"{module_name}.handler"
    (route,) = routes(name)
    documented = re.match(r"([A-Z]+) (\S+): ", module.__doc__ or "")
    assert documented is not None
    assert documented.groups() == (route["Method"], route["Path"])
    assert route["Auth"] == {"AuthorizationScopes": [module.handler.scope]}
    assert route["ApiId"] == {"Ref": "Api"}


def test_every_route_but_the_documentations_is_behind_the_jwt_authorizer() -> None:
    auth = RESOURCES["Api"]["Properties"]["Auth"]
    assert auth["DefaultAuthorizer"] in auth["Authorizers"]
    assert set(auth["Authorizers"]["Jwt"]) == {"IdentitySource", "JwtConfiguration"}
    for name in FUNCTIONS:
        for route in routes(name):
            if route["Path"] in PUBLIC:
                assert (name, route["Auth"]) == (templates.DOCUMENTATION, {"Authorizer": "NONE"})
            else:
                assert set(route["Auth"]) == {"AuthorizationScopes"}, "a route must not choose another authorizer"
                assert route["Auth"]["AuthorizationScopes"]


def environment(name: str) -> dict[str, Any]:
    """Return a function's own variables, beside those that each function has."""
    variables: dict[str, Any] = FUNCTIONS[name].get("Environment", {}).get("Variables", {})
    return variables


@each_function
def test_who_answers_behind_the_authorizer_is_told_whom_to_trust_and_nobody_else(name: str) -> None:
    issuer = RESOURCES["Api"]["Properties"]["Auth"]["Authorizers"]["Jwt"]["JwtConfiguration"]["issuer"]
    assert environment(name).get("JWT_ISSUER") == (issuer if name in templates.operations() else None)


@each_function
def test_who_may_use_the_table_is_told_its_name_and_nobody_else(name: str) -> None:
    """A function that loads the table's client without it would start cold, and in silence: see ``warm_up``."""
    (policy,) = RESOURCES[f"{name}Role"]["Properties"]["Policies"]
    uses = any(one["Resource"] in TABLE_AND_INDEXES for one in policy["PolicyDocument"]["Statement"])
    table = {"Fn::GetAtt": ["Storage", "Outputs.TableName"]}
    assert environment(name).get("TABLE_NAME") == (table if uses else None)
    assert uses is (name not in {"PublishIncidentEvents", templates.DOCUMENTATION})


def test_all_functions_share_what_is_neither_the_tables_nor_the_callers() -> None:
    assert set(templates.service()["Globals"]["Function"]["Environment"]["Variables"]) == {
        "RES_OPTIONS", "POWERTOOLS_SERVICE_NAME", "POWERTOOLS_LOG_LEVEL", "STAGE"
    }  # fmt: skip


def test_browsers_may_send_every_method_that_there_is() -> None:
    _, cors, _ = RESOURCES["Api"]["Properties"]["CorsConfiguration"]["Fn::If"]
    assert set(cors["AllowMethods"]) == {route["Method"] for name in FUNCTIONS for route in routes(name)}


@each_function
def test_every_function_has_a_role_and_a_log_group_of_its_own(name: str) -> None:
    properties = FUNCTIONS[name]
    assert properties["Role"] == {"Fn::GetAtt": [f"{name}Role", "Arn"]}
    assert properties["LoggingConfig"] == {"LogGroup": {"Ref": f"{name}Logs"}}
    logs = RESOURCES[f"{name}Logs"]["Properties"]
    assert logs["LogGroupName"] == {"Fn::Sub": f"/${{AWS::StackName}}/{operation_name(name)}"}
    assert logs["RetentionInDays"] == {"Ref": "LogRetentionDays"}


@each_function
def test_a_role_names_its_actions_and_resources(name: str) -> None:
    role = RESOURCES[f"{name}Role"]["Properties"]
    if name == templates.DOCUMENTATION:
        assert "ManagedPolicyArns" not in role, "it has nothing to do with the table"
    else:
        assert role["ManagedPolicyArns"] == [
            {"Fn::If": ["HasKmsKey", {"Ref": "UseTableKey"}, {"Ref": "AWS::NoValue"}]},
            {"Ref": "SendTraces"},
        ]
    assert role["PermissionsBoundary"] == {
        "Fn::If": ["HasBoundary", {"Ref": "PermissionsBoundaryArn"}, {"Ref": "AWS::NoValue"}]
    }
    (policy,) = role["Policies"]
    for statement in policy["PolicyDocument"]["Statement"]:
        assert "*" not in json.dumps([statement["Action"], statement["Resource"]])
        assert statement["Effect"] == "Allow"
        if "dynamodb:DeleteItem" in statement["Action"]:  # of what the metrics are computed with, and can be again
            (pattern,) = statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
            assert (name, pattern) in {("ComputeMetrics", "METRICDUE#*"), ("ComputeMetrics", "TENANT#*#METRIC")}
        if "logs:PutLogEvents" in statement["Action"]:
            assert statement["Resource"] == {"Fn::GetAtt": [f"{name}Logs", "Arn"]}


@each_function
def test_only_lambda_takes_a_role(name: str) -> None:
    (statement,) = RESOURCES[f"{name}Role"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert statement == {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": "lambda.amazonaws.com"},
    }


def test_the_policy_that_all_roles_share_is_for_the_key_of_the_table_alone() -> None:
    (statement,) = RESOURCES["UseTableKey"]["Properties"]["PolicyDocument"]["Statement"]
    assert all(action.startswith("kms:") and "*" not in action for action in statement["Action"])
    assert statement["Resource"] == {"Ref": "KmsKeyArn"}
    assert list(statement["Condition"]) == ["StringEquals"]
    assert list(statement["Condition"]["StringEquals"]) == ["kms:ViaService"]
    assert RESOURCES["UseTableKey"]["Condition"] == "HasKmsKey"


def test_the_policy_that_all_roles_share_for_traces_sends_them_and_nothing_else() -> None:
    (statement,) = RESOURCES["SendTraces"]["Properties"]["PolicyDocument"]["Statement"]
    assert statement == {
        "Effect": "Allow",
        "Action": ["xray:PutTelemetryRecords", "xray:PutTraceSegments"],
        "Resource": "*",
    }


@each_function
def test_every_function_is_traced_but_the_one_that_anybody_may_call(name: str) -> None:
    assert templates.service()["Globals"]["Function"]["Tracing"] == "Active"
    assert FUNCTIONS[name].get("Tracing") == ("PassThrough" if name == templates.DOCUMENTATION else None)


@each_function
def test_a_role_is_held_to_kinds_of_partition_and_to_requests_that_name_one(name: str) -> None:
    (policy,) = RESOURCES[f"{name}Role"]["Properties"]["Policies"]
    for statement in policy["PolicyDocument"]["Statement"]:
        if statement["Resource"] not in TABLE_AND_INDEXES:
            assert not {"dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem"} & set(statement["Action"])
            continue
        patterns = statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
        assert statement["Condition"] == {
            "ForAllValues:StringLike": {"dynamodb:LeadingKeys": patterns},
            "Null": {"dynamodb:LeadingKeys": "false"},
        }
        assert set(patterns) <= PATTERNS


def test_a_pattern_fits_one_kind_of_partition() -> None:
    for pattern in PATTERNS - {"TENANT#*"}:  # which stands for the index `active` alone, named by its ARN
        assert sum(fnmatchcase(partition, pattern) for partition in PARTITIONS) == 1


def test_nothing_switches_off_that_a_request_must_name_its_partition() -> None:
    """As it is deployed: no parameter and no condition touches such a line, or the document that it stands in."""
    text = (templates.CHECKOUT / "template.yaml").read_text()
    lines = [line.strip() for line in text.splitlines() if "Null" in line and not line.lstrip().startswith("#")]
    assert lines == ['"Null": { dynamodb:LeadingKeys: "false" }'] * text.count("dynamodb:LeadingKeys: [")
    assert len(lines) == 25
    for name in FUNCTIONS:
        role = RESOURCES[f"{name}Role"]
        assert "Condition" not in role
        (policy,) = role["Properties"]["Policies"]
        assert "Fn::If" not in json.dumps(policy)
        assert not {one for one in named(policy) if one in templates.service()["Parameters"]}


def test_the_functions_share_one_build() -> None:
    everywhere = templates.service()["Globals"]["Function"]
    assert everywhere["CodeUri"] == "functions/"
    for name, properties in FUNCTIONS.items():
        assert properties.get("CodeUri") == (
            "infra/functions/documentation/" if name == templates.DOCUMENTATION else None
        )
        assert RESOURCES[name]["Metadata"] == {"BuildMethod": "python-uv"}


GIVEN_ONCE = re.compile(r"AWS::.*|CursorKey(Before)?|Eventing\.Outputs\..*")
"""What stays as it is for as long as the stack is there; the keys in the secrets change with CursorKeysVersion."""
POOL = {"Identity.Outputs.Issuer": "CreateUserPool", "MakesUserPool": "CreateUserPool"}
NOT_OF_A_VERSION = {"Role", "ReservedConcurrentExecutions", "LoggingConfig", "Events", "VersionDescription"}


def named(value: object) -> set[str]:
    """Return what intrinsic functions in a value refer to: parameters, conditions, resources, outputs."""
    match value:
        case {"Ref": str(name)} | {"Fn::GetAtt": str(name)}:
            return {name}
        case {"Fn::GetAtt": list(parts)}:
            return {".".join(parts)}
        case {"Fn::Sub": str(text)}:
            return set(re.findall(r"\$\{([^}]+)\}", text))
        case {"Fn::If": [str(condition), *rest]}:
            return {condition} | named(rest)
        case dict():
            return named(list(value.values()))
        case list():
            return {name for one in value for name in named(one)}
    return set()


@each_function
def test_whatever_a_deployment_changes_of_a_function_is_a_version_and_the_alias_goes_there(name: str) -> None:
    everywhere = templates.service()["Globals"]["Function"]
    assert everywhere["AutoPublishAlias"] == "live"
    assert FUNCTIONS[name]["AutoPublishAliasAllProperties"] is True, "SAM makes a version of new code alone"
    assert "AutoPublishAlias" not in FUNCTIONS[name]
    assert RESOURCES[name]["UpdateReplacePolicy"] == "Retain", "or the version before a parameter changed were gone"
    assert "DeletionPolicy" not in RESOURCES[name], "it were that of versions too"
    given = {key: value for key, value in (everywhere | FUNCTIONS[name]).items() if key not in NOT_OF_A_VERSION}
    given["Environment"] = [everywhere["Environment"], FUNCTIONS[name].get("Environment")]
    wanted = {POOL.get(one, one) for one in named(given) if not GIVEN_ONCE.fullmatch(one)}
    described = named(FUNCTIONS[name]["VersionDescription"])
    assert described == wanted, "SAM makes no version where a parameter changes, Lambda none where nothing does"


@each_function
def test_the_description_of_a_version_is_not_too_long(name: str) -> None:
    parameters = templates.service()["Parameters"]

    def longest(one: str) -> int:
        if one == "Storage.Outputs.TableName":
            return 90  # as RestoredTable says
        of = parameters[one]
        if "AllowedValues" in of:
            return max(map(len, map(str, of["AllowedValues"])))
        return len(str(of["MaxValue"])) if "MaxValue" in of else int(of["MaxLength"])

    text = FUNCTIONS[name]["VersionDescription"]["Fn::Sub"]
    assert re.fullmatch(r"(\$\{[^}]+\} ?)+", text)
    assert "{3,90}" in parameters["RestoredTable"]["AllowedPattern"]
    assert sum(longest(one) + 1 for one in named({"Fn::Sub": text})) <= 256


def test_an_operator_starts_what_the_schedule_starts() -> None:
    output = templates.service()["Outputs"]["ScheduleMetricsFunction"]["Value"]
    assert output == {"Ref": "ScheduleMetrics.Alias"}


def test_the_table_is_kept_safe() -> None:
    resource = templates.read(templates.STORAGE)["Resources"]["Incidents"]
    table = resource["Properties"]
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain"), (
        "no rollback stops at it"
    )
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["DeletionProtectionEnabled"] == {"Ref": "DeletionProtection"}
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert table["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert templates.service()["Parameters"]["DeletionProtection"]["Default"] == "true"


def test_the_service_can_serve_from_a_table_that_was_restored() -> None:
    """Everything that names the table asks the nested stack for it, which names one of two."""
    outputs = templates.read(templates.STORAGE)["Outputs"]
    for output, restored in (
        ("TableName", {"Ref": "RestoredTable"}),
        (
            "TableArn",
            {"Fn::Sub": outputs["TableArn"]["Value"]["Fn::If"][2]["Fn::Sub"].replace("Incidents", "RestoredTable")},
        ),
        ("StreamArn", {"Ref": "RestoredTableStream"}),
    ):
        condition, chosen, _ = outputs[output]["Value"]["Fn::If"]
        assert (condition, chosen) == ("IsRestored", restored)
    parameters = RESOURCES["Storage"]["Properties"]["Parameters"]
    for name in ("RestoredTable", "RestoredTableStream"):
        assert parameters[name] == {"Ref": name}
        assert templates.service()["Parameters"][name]["Default"] == ""


def test_the_rules_bring_what_there_is_an_adapter_for_and_never_our_own_events() -> None:
    rules = {
        name: one["Properties"]["EventPattern"]
        for name, one in templates.read(templates.CHECKOUT / "infra" / "eventing.yaml")["Resources"].items()
        if one["Type"] == "AWS::Events::Rule"
    }
    of_aws = {(source, kind) for source, kind in findings.ADAPTERS if source != findings.ANY_SOURCE}
    for first, second in (("Findings", "Alarms"), ("ForwardedFindings", "ForwardedAlarms")):
        brought = {
            (source, kind)
            for rule in (rules[first], rules[second])
            for source, kind in product(rule["source"], rule["detail-type"])
        }
        assert of_aws <= brought
        assert {kind for _, kind in brought} == {kind for _, kind in of_aws}
        assert rules[second]["detail"] == {"alarmName": [{"prefix": {"Ref": "AlarmNamePrefix"}}]}
    assert rules["EscalatedAlerts"] == {
        "source": [{"anything-but": [findings.OWN_SOURCE]}],
        "detail-type": [kind for source, kind in findings.ADAPTERS if source == findings.ANY_SOURCE],
    }


@pytest.mark.parametrize(("name", "queue"), [("IngestFinding", "Queue"), ("ComputeMetrics", "MetricsQueue")])
def test_a_message_is_hidden_for_six_times_as_long_as_its_function_may_take(name: str, queue: str) -> None:
    (event,) = FUNCTIONS[name]["Events"].values()
    assert event["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert event["Properties"]["Queue"] == {"Fn::GetAtt": ["Eventing", f"Outputs.{queue}Arn"]}
    resources = templates.read(templates.CHECKOUT / "infra" / "eventing.yaml")["Resources"]
    assert resources[queue]["Properties"]["RedrivePolicy"]["maxReceiveCount"] == 5
    assert resources[queue]["Properties"]["VisibilityTimeout"] >= 6 * FUNCTIONS[name]["Timeout"]


def test_the_queue_admits_the_rules_of_the_template_alone() -> None:
    resources = templates.read(templates.CHECKOUT / "infra" / "eventing.yaml")["Resources"]
    (statement,) = resources["QueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    admitted = json.dumps(statement["Condition"]["ArnEquals"]["aws:SourceArn"])
    rules = [one["Properties"]["Name"]["Fn::Sub"] for one in resources.values() if one["Type"] == "AWS::Events::Rule"]
    assert len(rules) == 6
    assert all(f"/{name}" in admitted for name in rules)
    assert admitted.count("arn:") == len(rules)


def readers() -> dict[str, dict[str, Any]]:
    """Return how the stream is read, by the function that it is read for."""
    explicit = [one["Properties"] for one in RESOURCES.values() if one["Type"] == "AWS::Lambda::EventSourceMapping"]
    events = [(name, event) for name, one in FUNCTIONS.items() for event in one.get("Events", {}).values()]
    return {name: event["Properties"] for name, event in events if event["Type"] == "DynamoDB"} | {
        one["FunctionName"]["Ref"].removesuffix(".Alias"): one for one in explicit
    }


# An incident that is erased for good is not announced, but it leaves its days.
@pytest.mark.parametrize(
    ("name", "wanted"),
    [("PublishIncidentEvents", {"eventName": ["INSERT", "MODIFY"]}), ("FollowIncidents", {})],
)
def test_a_record_of_the_stream_that_fails_holds_up_no_other_for_ever(name: str, wanted: dict[str, object]) -> None:
    stream = readers()[name]
    assert stream["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert stream["BisectBatchOnFunctionError"] is True
    assert stream["MaximumRetryAttempts"] in (20, -1)
    assert "OnFailure" in stream["DestinationConfig"]
    (only,) = stream["FilterCriteria"]["Filters"]
    assert json.loads(only["Pattern"]) == wanted | {"dynamodb": {"Keys": {"pk": {"S": [{"suffix": "#INCIDENT"}]}}}}


def test_the_stream_has_two_readers_which_is_all_that_it_takes() -> None:
    assert set(readers()) == {"PublishIncidentEvents", "FollowIncidents"}


def test_the_reader_whose_function_was_renamed_sends_to_the_alias_of_the_new_one() -> None:
    """With this name and no other: `tests/agreements/test_updates.py`. FunctionName is none of what replaces it."""
    assert RESOURCES["MarkMetricDaysStream"]["Properties"]["FunctionName"] == {"Ref": "FollowIncidents.Alias"}
    assert "FunctionName" not in only_at_creation("AWS::Lambda::EventSourceMapping")
    assert "MarkMetricDays" not in RESOURCES, "SAM would make a second one of its event"
