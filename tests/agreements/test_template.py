"""Tests that the template agrees with the code.

The tests compare names, routes, roles, environment variables, versions, queues and streams.
"""

import importlib
import json
import re
from fnmatch import fnmatchcase
from itertools import product
from typing import Any

import pytest
from incidents import findings
from incidents.domain.identity import ClaimNames, claim_names
from incidents.findings import cloudtrail
from incidents.storage import keys
from incidents_cli.local.local_stack import operation_name

from tests.agreements.test_updates import only_at_creation
from tests.support import rendered, templates

FUNCTIONS = templates.functions()
RESOURCES = templates.service()["Resources"]
MODULES = {path.stem for path in (templates.CHECKOUT / "functions").glob("*.py")}
PARTITIONS = [
    keys.incident("acme", "").pk, keys.change("acme", "", 1).pk, keys.number("acme", "").pk, keys.counter("acme", 1).pk,
    keys.idempotency("acme", None, "", "").pk, keys.active("acme"), keys.active_by_status("acme", "new"),
    keys.active_by_app("acme", "app"), keys.by_detected_day("acme", "day"), keys.by_closed_day("acme", "day"),
    keys.account("").pk, keys.finding("acme", "").pk, keys.settings("acme", "").pk,
    keys.evidence("acme", "", "", "").pk,
    keys.metric_day("acme", "closed", "day").pk,
    keys.mark(keys.METRIC_DAYS, "acme", "closed", "day").pk, keys.mark(keys.DEADLINES, "acme", "incident").pk,
    keys.mark(keys.SEALS, "acme").pk,
    keys.deadline_head("acme", "incident").pk, keys.alert("acme", "time", "incident").pk,
]  # fmt: skip
PATTERNS = {
    "TENANT#*", "TENANT#*#INCIDENT", "TENANT#*#CHANGE", "TENANT#*#NUMBER", "TENANT#*#COUNTER", "TENANT#*#IDEMPOTENCY",
    "TENANT#*#STATUS#*", "TENANT#*#APP#*", "TENANT#*#FINDING", "TENANT#*#EVIDENCE", "TENANT#*#SETTINGS", "ACCOUNTS",
    "TENANT#*#METRIC", "TENANT#*#DETECTED#*", "TENANT#*#CLOSED#*", "METRICDUE#*",
    "TENANT#*#DEADLINE", "DEADLINEDUE#*", "ALERTDUE#*", "SEALDUE#*",
}  # fmt: skip
TABLE_AND_INDEXES = [
    {"Fn::GetAtt": ["Storage", "Outputs.TableArn"]},
    *({"Fn::Sub": f"${{Storage.Outputs.TableArn}}/index/{index['IndexName']}"}
      for index in templates.table()["GlobalSecondaryIndexes"]),
]  # fmt: skip
TOKEN_CLAIMS = {"Fn::Sub": "${TenantClaim} ${AppClaim} ${AppMarker} ${ScopeClaims}"}
# Two functions answer these routes without a token. They read only their own files.
PUBLIC = {
    "/api/v1/grc/incidents/openapi.json": templates.DOCUMENTATION,
    "/api/v1/grc/incidents/docs": templates.DOCUMENTATION,
    "/api/v1/grc/incidents/console": templates.CONSOLE,
    "/api/v1/grc/incidents/console/{file}": templates.CONSOLE,
}
each_http_function = pytest.mark.parametrize("name", templates.operations())
each_function = pytest.mark.parametrize("name", FUNCTIONS)


def routes(name: str) -> list[dict[str, Any]]:
    return [event["Properties"] for event in FUNCTIONS[name].get("Events", {}).values() if event["Type"] == "HttpApi"]


def test_every_handler_module_has_a_function_and_every_function_has_a_module() -> None:
    assert {operation_name(name) for name in FUNCTIONS if name not in templates.PUBLIC} == MODULES


@each_http_function
def test_handler_docstring_and_scope_match_the_template(name: str) -> None:
    properties, module_name = FUNCTIONS[name], operation_name(name)
    module = importlib.import_module(module_name)
    assert properties["Handler"] == f"{module_name}.handler"
    (route,) = routes(name)
    documented = re.match(r"([A-Z]+) (\S+): ", module.__doc__ or "")
    assert documented is not None
    assert documented.groups() == (route["Method"], route["Path"])
    only_where_it_can = {"Fn::If": ["GatewayReadsScopes", module.handler.scope, {"Ref": "AWS::NoValue"}]}
    assert route["Auth"] == {"AuthorizationScopes": [only_where_it_can]}
    assert route["ApiId"] == {"Ref": "Api"}


def test_every_route_except_the_public_ones_needs_a_token() -> None:
    auth = RESOURCES["Api"]["Properties"]["Auth"]
    assert auth["DefaultAuthorizer"] in auth["Authorizers"]
    assert set(auth["Authorizers"]["Jwt"]) == {"IdentitySource", "JwtConfiguration"}
    for name in FUNCTIONS:
        for route in routes(name):
            if route["Path"] in PUBLIC:
                assert (name, route["Auth"]) == (PUBLIC[route["Path"]], {"Authorizer": "NONE"})
            else:
                assert set(route["Auth"]) == {"AuthorizationScopes"}, "a route must not choose another authorizer"
                assert route["Auth"]["AuthorizationScopes"]


@pytest.mark.parametrize("gateway_reads_scopes", [True, False])
def test_as_translated_every_route_has_its_authorizer_and_its_scope_where_the_gateway_reads_it(
    gateway_reads_scopes: bool,
) -> None:
    """SAM drops the scopes of some other forms of the same condition without a message."""
    template = templates.translated()
    truth = dict.fromkeys(template["Conditions"], True) | {"GatewayReadsScopes": gateway_reads_scopes}
    body = rendered.decide(template["Resources"]["Api"]["Properties"]["Body"], truth)
    found = {
        (method.upper(), path): operation["security"]
        for path, operations in body["paths"].items()
        for method, operation in operations.items()
    }
    wanted = {}
    for name in templates.operations():
        scope = importlib.import_module(operation_name(name)).handler.scope
        (route,) = routes(name)
        wanted[route["Method"], route["Path"]] = [{"Jwt": [scope] if gateway_reads_scopes else []}]
    assert found == wanted | {("GET", path): [{"NONE": []}] for path in PUBLIC}
    assert list(body["components"]["securitySchemes"]) == ["Jwt"]


def test_the_gateway_checks_scopes_unless_they_are_in_claims_that_it_cannot_read() -> None:
    scopes = templates.service()["Parameters"]["ScopeClaims"]["Default"]
    assert templates.service()["Conditions"]["GatewayReadsScopes"] == {"Fn::Equals": [{"Ref": "ScopeClaims"}, scopes]}
    assert tuple(scopes.split(",")) == ClaimNames().scopes == ("scope", "scp")


def test_the_default_parameters_are_the_default_names_of_claims() -> None:
    defaults = {name: one.get("Default") for name, one in templates.service()["Parameters"].items()}
    text = TOKEN_CLAIMS["Fn::Sub"]
    assert claim_names(re.sub(r"\$\{(\w+)\}", lambda name: defaults[name[1]], text)) == ClaimNames()
    assert templates.service()["Outputs"]["TokenClaims"]["Value"] == TOKEN_CLAIMS


def environment(name: str) -> dict[str, Any]:
    """Return the environment variables of one function, without the variables that all functions share."""
    variables: dict[str, Any] = FUNCTIONS[name].get("Environment", {}).get("Variables", {})
    return variables


@each_function
def test_only_functions_behind_the_authorizer_and_the_console_get_the_issuer(name: str) -> None:
    issuer = RESOURCES["Api"]["Properties"]["Auth"]["Authorizers"]["Jwt"]["JwtConfiguration"]["issuer"]
    given = name in {*templates.operations(), templates.CONSOLE}
    assert environment(name).get("JWT_ISSUER") == (issuer if given else None)
    assert environment(name).get("TOKEN_CLAIMS") == (TOKEN_CLAIMS if given else None)


@each_function
def test_only_functions_with_grants_on_the_table_get_its_name(name: str) -> None:
    """Without TABLE_NAME, a function that uses the table would skip its warm-up without an error.

    See the module ``warm_up``.
    """
    (policy,) = RESOURCES[f"{name}Role"]["Properties"]["Policies"]
    uses = any(one["Resource"] in TABLE_AND_INDEXES for one in policy["PolicyDocument"]["Statement"])
    table = {"Fn::GetAtt": ["Storage", "Outputs.TableName"]}
    assert environment(name).get("TABLE_NAME") == (table if uses else None)
    assert uses is (name not in {"PublishIncidentEvents", *templates.PUBLIC})


def test_all_functions_share_only_five_environment_variables() -> None:
    assert set(templates.service()["Globals"]["Function"]["Environment"]["Variables"]) == {
        "RES_OPTIONS", "POWERTOOLS_SERVICE_NAME", "POWERTOOLS_LOG_LEVEL", "STAGE", "PYTHONTZPATH"
    }  # fmt: skip


def test_browsers_may_send_every_method_of_the_routes() -> None:
    _, cors, _ = RESOURCES["Api"]["Properties"]["CorsConfiguration"]["Fn::If"]
    assert set(cors["AllowMethods"]) == {route["Method"] for name in FUNCTIONS for route in routes(name)}


@each_function
def test_every_function_has_its_own_role_and_log_group(name: str) -> None:
    properties = FUNCTIONS[name]
    assert properties["Role"] == {"Fn::GetAtt": [f"{name}Role", "Arn"]}
    assert properties["LoggingConfig"] == {"LogGroup": {"Ref": f"{name}Logs"}}
    logs = RESOURCES[f"{name}Logs"]["Properties"]
    assert logs["LogGroupName"] == {"Fn::Sub": f"/${{AWS::StackName}}/{operation_name(name)}"}
    assert logs["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def uses_queues(role: dict[str, Any]) -> bool:
    """Return whether a role may use a queue."""
    (policy,) = role["Policies"]
    return any(action.startswith("sqs:") for one in policy["PolicyDocument"]["Statement"] for action in one["Action"])


@each_function
def test_a_role_s_statements_have_no_wildcard_in_actions_or_resources(name: str) -> None:
    role = RESOURCES[f"{name}Role"]["Properties"]
    if name in templates.PUBLIC:
        assert "ManagedPolicyArns" not in role, "a public function must not use the table"
    else:
        assert role["ManagedPolicyArns"] == [
            {"Fn::If": ["HasKmsKey", {"Ref": "UseTableKey"}, {"Ref": "AWS::NoValue"}]},
            *(
                [{"Fn::If": ["HasQueueKey", {"Ref": "UseQueueKey"}, {"Ref": "AWS::NoValue"}]}]
                if uses_queues(role)
                else []
            ),
            {"Ref": "SendTraces"},
        ]
    assert role["PermissionsBoundary"] == {
        "Fn::If": ["HasBoundary", {"Ref": "PermissionsBoundaryArn"}, {"Ref": "AWS::NoValue"}]
    }
    (policy,) = role["Policies"]
    for statement in policy["PolicyDocument"]["Statement"]:
        resource = json.dumps(statement["Resource"]).replace("${History.Outputs.BucketArn}/*", "all manifests")
        assert "*" not in json.dumps(statement["Action"]) + resource
        assert statement["Effect"] == "Allow"
        # A role may delete only items of metrics and deadlines, because the jobs can compute these items again.
        if "dynamodb:DeleteItem" in statement["Action"]:
            (pattern,) = statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
            assert (name, pattern) in {
                ("ComputeMetrics", "METRICDUE#*"), ("ComputeMetrics", "TENANT#*#METRIC"),
                ("AnnounceDeadlines", "DEADLINEDUE#*"), ("AnnounceDeadlines", "TENANT#*#DEADLINE"),
                ("AnnounceDeadlines", "ALERTDUE#*"), ("SealHistory", "SEALDUE#*"),
            }  # fmt: skip
        if "logs:PutLogEvents" in statement["Action"]:
            assert statement["Resource"] == {"Fn::GetAtt": [f"{name}Logs", "Arn"]}


@each_function
def test_only_lambda_may_assume_a_function_s_role(name: str) -> None:
    (statement,) = RESOURCES[f"{name}Role"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert statement == {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": "lambda.amazonaws.com"},
    }


def test_the_shared_key_policy_permits_only_the_table_s_key() -> None:
    (statement,) = RESOURCES["UseTableKey"]["Properties"]["PolicyDocument"]["Statement"]
    assert all(action.startswith("kms:") and "*" not in action for action in statement["Action"])
    assert statement["Resource"] == {"Ref": "KmsKeyArn"}
    assert list(statement["Condition"]) == ["StringEquals"]
    assert list(statement["Condition"]["StringEquals"]) == ["kms:ViaService"]
    assert RESOURCES["UseTableKey"]["Condition"] == "HasKmsKey"


def test_the_queues_key_policy_permits_only_the_queues_key() -> None:
    policy = RESOURCES["UseQueueKey"]
    (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]
    assert statement["Resource"] == {"Ref": "QueueKmsKeyArn"}
    via = {"kms:ViaService": {"Fn::Sub": "sqs.${AWS::Region}.${AWS::URLSuffix}"}}
    assert statement["Condition"] == {"StringEquals": via}
    assert policy["Condition"] == "HasQueueKey"


def test_only_the_functions_that_publish_may_announce_on_the_bus() -> None:
    policy = RESOURCES["OnlyFunctionsAnnounce"]["Properties"]
    statement = policy["Statement"]
    assert policy["EventBusName"] == {"Fn::GetAtt": ["Eventing", "Outputs.BusName"]}
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "events:PutEvents")
    assert statement["Resource"] == {"Fn::GetAtt": ["Eventing", "Outputs.BusArn"]}
    publishing = [
        {"Fn::GetAtt": [name, "Arn"]}
        for name, one in RESOURCES.items()
        if one["Type"] == "AWS::IAM::Role" and "events:PutEvents" in str(one)
    ]
    assert publishing
    assert statement["Condition"] == {
        "ForAnyValue:StringEquals": {"events:source": [findings.OWN_SOURCE]},
        "ArnNotEquals": {"aws:PrincipalArn": publishing},
    }


def test_every_queue_refuses_what_is_not_tls_and_may_have_its_own_key() -> None:
    eventing = templates.read(templates.CHECKOUT / "infra" / "eventing.yaml")["Resources"]
    queues = {name: one["Properties"] for name, one in eventing.items() if one["Type"] == "AWS::SQS::Queue"}
    policies = [one["Properties"] for one in eventing.values() if one["Type"] == "AWS::SQS::QueuePolicy"]
    covered = [queue["Ref"] for policy in policies for queue in policy["Queues"]]
    assert sorted(covered) == sorted(queues), "SQS keeps one policy for each queue"
    for policy in policies:
        (denial,) = [one for one in policy["PolicyDocument"]["Statement"] if one["Effect"] == "Deny"]
        assert (denial["Principal"], denial["Action"]) == ("*", "sqs:*")
        assert denial["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    for queue in queues.values():
        assert queue["KmsMasterKeyId"] == {"Fn::If": ["HasKey", {"Ref": "QueueKmsKeyArn"}, {"Ref": "AWS::NoValue"}]}
        assert queue["SqsManagedSseEnabled"] == {"Fn::If": ["HasKey", False, True]}


def test_every_rule_of_findings_puts_each_account_into_its_own_group() -> None:
    eventing = templates.read(templates.CHECKOUT / "infra" / "eventing.yaml")["Resources"]
    targets = [
        target
        for one in eventing.values()
        if one["Type"] == "AWS::Events::Rule"
        for target in one["Properties"]["Targets"]
    ]
    assert len(targets) == 9
    assert all(target["SqsParameters"] == {"MessageGroupId": "$.account"} for target in targets)


def test_the_access_log_says_who_was_where() -> None:
    text, values = RESOURCES["Api"]["Properties"]["AccessLogSettings"]["Format"]["Fn::Sub"]
    line = json.loads(text)
    assert line["source_ip"] == "$context.identity.sourceIp"
    assert (line["tenant_id"], line["route"], line["status"]) == ("${Tenant}", "$context.routeKey", "$context.status")
    claim = {"Fn::Sub": "$context.authorizer.claims.${TenantClaim}"}
    assert values == {"Tenant": {"Fn::If": ["HasPlainTenantClaim", claim, "-"]}}
    plain = templates.service()["Conditions"]["HasPlainTenantClaim"]["Fn::And"]
    signs = [one["Fn::Equals"][0]["Fn::Join"][1]["Fn::Split"][0] for one in plain]

    def is_plain(claim: str) -> bool:
        return all("".join(claim.split(sign)) == claim for sign in signs)

    assert all(map(is_plain, ("tenant_id", "tid", "org_id")))
    assert not any(map(is_plain, ("https://example.com/tenant_id", "custom:tenant_id", "a.b", "urn:x")))


def test_the_alarm_of_refused_callers_counts_the_statuses_of_the_access_log() -> None:
    observability = templates.read(templates.CHECKOUT / "infra" / "observability.yaml")["Resources"]
    counted = observability["CountRefusedCallers"]["Properties"]
    assert counted["FilterPattern"] == '{ ($.status = "401") || ($.status = "403") }'
    assert RESOURCES["Observability"]["Properties"]["Parameters"]["AccessLogGroup"] == {"Ref": "AccessLogs"}
    (made,) = counted["MetricTransformations"]
    alarm = observability["RefusedCallers"]["Properties"]
    assert (alarm["Namespace"], alarm["MetricName"]) == (made["MetricNamespace"], made["MetricName"])


def test_the_shared_trace_policy_permits_only_sending_traces() -> None:
    (statement,) = RESOURCES["SendTraces"]["Properties"]["PolicyDocument"]["Statement"]
    assert statement == {
        "Effect": "Allow",
        "Action": ["xray:PutTelemetryRecords", "xray:PutTraceSegments"],
        "Resource": "*",
    }


@each_function
def test_every_function_except_the_public_ones_is_traced(name: str) -> None:
    assert templates.service()["Globals"]["Function"]["Tracing"] == "Active"
    assert FUNCTIONS[name].get("Tracing") == ("PassThrough" if name in templates.PUBLIC else None)


@each_function
def test_a_role_permits_only_requests_for_its_kinds_of_partition(name: str) -> None:
    (policy,) = RESOURCES[f"{name}Role"]["Properties"]["Policies"]
    for statement in policy["PolicyDocument"]["Statement"]:
        if statement["Resource"] not in TABLE_AND_INDEXES:
            uses = {"dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem"}
            assert not uses & set(statement["Action"])
            continue
        patterns = statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
        assert statement["Condition"] == {
            "ForAllValues:StringLike": {"dynamodb:LeadingKeys": patterns},
            "Null": {"dynamodb:LeadingKeys": "false"},
        }
        assert set(patterns) <= PATTERNS


def test_each_pattern_matches_one_kind_of_partition() -> None:
    # The pattern TENANT#* is used only for the index `active`. The policy's statement names this index by its ARN.
    for pattern in PATTERNS - {"TENANT#*"}:
        assert sum(fnmatchcase(partition, pattern) for partition in PARTITIONS) == 1


def test_no_parameter_or_condition_removes_the_limit_to_named_partitions() -> None:
    """The limit is a line with ``dynamodb:LeadingKeys`` in a policy. No parameter or condition may affect it."""
    text = (templates.CHECKOUT / "template.yaml").read_text()
    lines = [line.strip() for line in text.splitlines() if "Null" in line and not line.lstrip().startswith("#")]
    assert lines == ['"Null": { dynamodb:LeadingKeys: "false" }'] * text.count("dynamodb:LeadingKeys: [")
    assert len(lines) == 45
    for name in FUNCTIONS:
        role = RESOURCES[f"{name}Role"]
        assert role.get("Condition") == templates.OPTIONAL.get(name)
        (policy,) = role["Properties"]["Policies"]
        assert "Fn::If" not in json.dumps(policy)
        assert not {one for one in named(policy) if one in templates.service()["Parameters"]}


def test_the_functions_share_one_build() -> None:
    everywhere = templates.service()["Globals"]["Function"]
    assert everywhere["CodeUri"] == "functions/"
    for name, properties in FUNCTIONS.items():
        assert properties.get("CodeUri") == templates.PUBLIC.get(name)
        assert RESOURCES[name]["Metadata"] == {"BuildMethod": "python-uv"}


GIVEN_ONCE = re.compile(r"AWS::.*|CursorKey(Before)?|(Eventing|History)\.Outputs\..*")
"""Values that stay the same for the life of the stack.

The keys in the secrets change only together with the parameter CursorKeysVersion.
"""
POOL = dict.fromkeys(
    ("Identity.Outputs.Issuer", "Identity.Outputs.SignInUrl", "Identity.Outputs.Clients", "MakesUserPool"),
    "CreateUserPool",
)
CONSOLE_SETTINGS = {"ConsoleClientId", "ConsoleAuthorizeUrl", "ConsoleTokenUrl", "ConsoleSignOutUrl", "ConsoleScopes"}
SETTINGS = {"JwtIssuer", "TenantClaim", "AppClaim", "AppMarker", "ScopeClaims"}  # too long for a version's description
NOT_OF_A_VERSION = {"Role", "ReservedConcurrentExecutions", "LoggingConfig", "Events", "VersionDescription"}


def named(value: object) -> set[str]:
    """Return the parameters, conditions, resources and outputs that intrinsic functions in a value refer to."""
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
def test_every_change_of_a_function_makes_a_version_and_moves_the_alias(name: str) -> None:
    everywhere = templates.service()["Globals"]["Function"]
    assert everywhere["AutoPublishAlias"] == "live"
    assert FUNCTIONS[name]["AutoPublishAliasAllProperties"] is True, (
        "without this property, SAM makes a version only for new code"
    )
    assert "AutoPublishAlias" not in FUNCTIONS[name]
    assert RESOURCES[name]["UpdateReplacePolicy"] == "Retain", (
        "without this policy, a changed parameter deletes the earlier version"
    )
    assert "DeletionPolicy" not in RESOURCES[name], "a DeletionPolicy would apply to the versions too"
    given = {key: value for key, value in (everywhere | FUNCTIONS[name]).items() if key not in NOT_OF_A_VERSION}
    given["Environment"] = [everywhere["Environment"], FUNCTIONS[name].get("Environment")]
    wanted = {POOL.get(one, one) for one in named(given) if not GIVEN_ONCE.fullmatch(one)}
    for settings, policy in ((SETTINGS, "TokenSettings"), (CONSOLE_SETTINGS, "ConsoleSettings")):
        wanted = (wanted - settings) | ({policy} if wanted & settings else set())
    described = named(FUNCTIONS[name]["VersionDescription"])
    assert described == wanted, "without every changing value in the description, no new version is made"


@each_function
def test_the_description_of_a_version_has_at_most_256_characters(name: str) -> None:
    parameters = templates.service()["Parameters"]

    def longest(one: str) -> int:
        if one == "Storage.Outputs.TableName":
            return 90  # the limit in the pattern of the parameter RestoredTable
        if one in ("TokenSettings", "ConsoleSettings"):  # this is the length of a policy's ARN
            return len(f"arn:aws-us-gov:iam::{'1' * 12}:policy/{'s' * 44}-{one}-{'X' * 12}")
        of = parameters[one]
        if "AllowedValues" in of:
            return max(map(len, map(str, of["AllowedValues"])))
        return len(str(of["MaxValue"])) if "MaxValue" in of else int(of["MaxLength"])

    text = FUNCTIONS[name]["VersionDescription"]["Fn::Sub"]
    assert re.fullmatch(r"(\$\{[^}]+\} ?)+", text)
    assert "{3,90}" in parameters["RestoredTable"]["AllowedPattern"]
    assert sum(longest(one) + 1 for one in named({"Fn::Sub": text})) <= 256


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("TokenSettings", SETTINGS, "Token settings:     "),
        ("ConsoleSettings", CONSOLE_SETTINGS, "Console settings:     "),
    ],
)
def test_a_change_of_a_long_setting_replaces_the_policy_that_versions_name(
    name: str, settings: set[str], words: str
) -> None:
    """CloudFormation gives the new policy another name, and each description that contains the name changes."""
    policy = RESOURCES[name]
    assert only_at_creation(policy["Type"]) >= {"Description"}
    assert named(policy["Properties"]["Description"]) == settings
    assert "ManagedPolicyName" not in policy["Properties"], "two policies with one name cannot be"
    parameters = templates.service()["Parameters"]
    longest = sum(parameters[one]["MaxLength"] for one in settings) + len(words)
    assert longest <= 1000, "the limit of a policy's description"
    assert parameters["JwtIssuer"]["MaxLength"] == 512


def test_no_role_has_the_policy_that_only_names_settings() -> None:
    text = json.dumps({name: one for name, one in RESOURCES.items() if one["Type"] == "AWS::IAM::Role"})
    for name in ("TokenSettings", "ConsoleSettings"):
        properties = RESOURCES[name]["Properties"]
        assert {statement["Effect"] for statement in properties["PolicyDocument"]["Statement"]} == {"Deny"}
        assert name not in text
        assert not {"Roles", "Users", "Groups"} & set(properties)


def test_the_operator_s_output_and_the_schedule_use_the_same_alias() -> None:
    output = templates.service()["Outputs"]["ScheduleMetricsFunction"]["Value"]
    assert output == {"Ref": "ScheduleMetrics.Alias"}


def test_the_table_is_protected_from_loss() -> None:
    resource = templates.read(templates.STORAGE)["Resources"]["Incidents"]
    table = resource["Properties"]
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain"), (
        "a rollback must not try to delete the protected table"
    )
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["DeletionProtectionEnabled"] == {"Ref": "DeletionProtection"}
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert table["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert templates.service()["Parameters"]["DeletionProtection"]["Default"] == "true"


def test_the_service_can_use_a_restored_table() -> None:
    """Every resource that uses the table gets the table's name from the nested stack.

    The nested stack returns either its own table or the restored table.
    """
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


def test_the_rules_match_every_event_with_an_adapter_and_never_our_own_events() -> None:
    rules = {
        name: one["Properties"]["EventPattern"]
        for name, one in templates.read(templates.CHECKOUT / "infra" / "eventing.yaml")["Resources"].items()
        if one["Type"] == "AWS::Events::Rule"
    }
    wild = (findings.ANY_SOURCE, findings.ANY_SERVICE)
    of_aws = {(source, kind) for source, kind in findings.ADAPTERS if source not in wild}
    for first, second in (("Findings", "Alarms"), ("ForwardedFindings", "ForwardedAlarms")):
        brought = {
            (source, kind)
            for rule in (rules[first], rules[second])
            for source, kind in product(rule["source"], rule["detail-type"])
        }
        assert of_aws <= brought
        assert {kind for _, kind in brought} == {kind for _, kind in of_aws}
        assert rules[second]["detail"] == {"alarmName": [{"prefix": {"Ref": "AlarmNamePrefix"}}]}
    names = sorted({name for names in cloudtrail.SWITCHES_OFF.values() for name in names})
    assert rules["CloudTrail"] == rules["ForwardedCloudTrail"]
    assert rules["CloudTrail"] == {
        "source": [{"prefix": "aws."}],
        "detail-type": [kind for source, kind in sorted(findings.ADAPTERS) if source == findings.ANY_SERVICE],
        "detail": {
            "$or": [
                {"eventName": [cloudtrail.CONSOLE_LOGIN], "userIdentity": {"type": ["Root"]}},
                {"eventSource": sorted(cloudtrail.SWITCHES_OFF), "eventName": names},
            ]
        },
    }
    assert len(json.dumps(rules["CloudTrail"])) < 2048, "EventBridge's limit"
    assert rules["PartnerEvents"] == {
        "source": [{"prefix": findings.PARTNER}],
        "detail-type": [{"anything-but": ["Alert Escalated"]}],
    }
    assert rules["EscalatedAlerts"] == {
        "source": [{"anything-but": [findings.OWN_SOURCE]}],
        "detail-type": [kind for source, kind in findings.ADAPTERS if source == findings.ANY_SOURCE],
    }


def test_the_archives_hold_the_stack_s_bus_and_what_the_rules_take_from_the_default_bus() -> None:
    resources = templates.read(templates.CHECKOUT / "infra" / "eventing.yaml")["Resources"]
    archives = {name: one for name, one in resources.items() if one["Type"] == "AWS::Events::Archive"}
    assert {one["Condition"] for one in archives.values()} == {"HasArchive"}
    assert "EventPattern" not in archives["Archive"]["Properties"]
    of_default = archives["DefaultBusArchive"]["Properties"]
    assert of_default["SourceArn"]["Fn::Sub"].endswith(":event-bus/default")
    taken = {
        name: one["Properties"]["EventPattern"]
        for name, one in resources.items()
        if one["Type"] == "AWS::Events::Rule" and "EventBusName" not in one["Properties"]
    }
    opted_in = {"Fn::If": ["WatchesCloudTrail", taken["CloudTrail"], {"Ref": "AWS::NoValue"}]}
    assert of_default["EventPattern"] == {"$or": [taken["Findings"], taken["Alarms"], opted_in]}
    assert len(json.dumps(of_default["EventPattern"])) < 4096, "the limit of CreateArchive"
    assert resources["CloudTrail"]["Condition"] == resources["ForwardedCloudTrail"]["Condition"] == "WatchesCloudTrail"


@pytest.mark.parametrize(("name", "queue"), [("IngestFinding", "Queue"), ("ComputeMetrics", "MetricsQueue")])
def test_the_visibility_timeout_is_six_times_the_function_s_timeout(name: str, queue: str) -> None:
    (event,) = FUNCTIONS[name]["Events"].values()
    assert event["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert event["Properties"]["Queue"] == {"Fn::GetAtt": ["Eventing", f"Outputs.{queue}Arn"]}
    resources = templates.read(templates.CHECKOUT / "infra" / "eventing.yaml")["Resources"]
    assert resources[queue]["Properties"]["RedrivePolicy"]["maxReceiveCount"] == 5
    assert resources[queue]["Properties"]["VisibilityTimeout"] >= 6 * FUNCTIONS[name]["Timeout"]


def test_the_feed_waits_twice_as_long_as_any_write_of_an_incident_can_last() -> None:
    """If a write takes longer than the feed waits, followers may already be past its time, and miss the change."""
    everywhere = templates.service()["Globals"]["Function"]["Timeout"]
    writers = set()
    for name in FUNCTIONS:
        (policy,) = RESOURCES[f"{name}Role"]["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]:
            patterns = statement.get("Condition", {}).get("ForAllValues:StringLike", {}).get("dynamodb:LeadingKeys", [])
            if "TENANT#*#INCIDENT" in patterns and {"dynamodb:PutItem", "dynamodb:UpdateItem"} & {*statement["Action"]}:
                writers.add(name)
    assert writers == {"CreateIncident", "UpdateIncident", "DeleteIncident", "IngestFinding"}
    longest = max(FUNCTIONS[name].get("Timeout", everywhere) for name in writers)
    assert int(environment("ListIncidentUpdates")["FEED_SETTLE_SECONDS"]) >= 2 * longest


def test_only_the_template_s_rules_may_send_to_the_queue() -> None:
    resources = templates.read(templates.CHECKOUT / "infra" / "eventing.yaml")["Resources"]
    statements = resources["QueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    (statement,) = [one for one in statements if one["Effect"] == "Allow"]
    admitted = json.dumps(statement["Condition"]["ArnEquals"]["aws:SourceArn"])
    rules = [one["Properties"]["Name"]["Fn::Sub"] for one in resources.values() if one["Type"] == "AWS::Events::Rule"]
    assert len(rules) == 9
    assert all(f"/{name}" in admitted for name in rules)
    assert admitted.count("arn:") == len(rules)


def readers() -> dict[str, dict[str, Any]]:
    """Return the properties of each reader of the stream, by the name of the reader's function."""
    explicit = [one["Properties"] for one in RESOURCES.values() if one["Type"] == "AWS::Lambda::EventSourceMapping"]
    events = [(name, event) for name, one in FUNCTIONS.items() for event in one.get("Events", {}).values()]
    return {name: event["Properties"] for name, event in events if event["Type"] == "DynamoDB"} | {
        one["FunctionName"]["Ref"].removesuffix(".Alias"): one for one in explicit
    }


# The stream has a record for each erased incident. PublishIncidentEvents does not get this record, because the service
# publishes no event for an erased incident. FollowIncidents gets the record, because it marks the days of the incident.
@pytest.mark.parametrize(
    ("name", "wanted"),
    [("PublishIncidentEvents", {"eventName": ["INSERT", "MODIFY"]}), ("FollowIncidents", {})],
)
def test_a_failing_stream_record_does_not_block_others_forever(name: str, wanted: dict[str, object]) -> None:
    stream = readers()[name]
    assert stream["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert stream["BisectBatchOnFunctionError"] is True
    assert stream["MaximumRetryAttempts"] in (20, -1)
    assert "OnFailure" in stream["DestinationConfig"]
    (only,) = stream["FilterCriteria"]["Filters"]
    assert json.loads(only["Pattern"]) == wanted | {"dynamodb": {"Keys": {"pk": {"S": [{"suffix": "#INCIDENT"}]}}}}


def test_the_stream_has_only_two_readers() -> None:
    assert set(readers()) == {"PublishIncidentEvents", "FollowIncidents"}


def test_the_old_stream_reader_calls_the_alias_of_the_renamed_function() -> None:
    """The stream reader must keep its logical id: see `tests/agreements/test_updates.py`.

    A change of FunctionName does not replace the reader.
    """
    assert RESOURCES["MarkMetricDaysStream"]["Properties"]["FunctionName"] == {"Ref": "FollowIncidents.Alias"}
    assert "FunctionName" not in only_at_creation("AWS::Lambda::EventSourceMapping")
    assert "MarkMetricDays" not in RESOURCES, "SAM would make a second reader from an event of this function"
