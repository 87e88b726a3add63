"""Tests that the user pool and its trigger match the routes and functions, and that no caller can choose a tenant."""

import re

import add_tenant
import pytest
from incidents.domain import identity, model

from tests.agreements.test_updates import only_at_creation
from tests.support import templates

TEMPLATE = templates.read(templates.CHECKOUT / "infra" / "identity.yaml")
RESOURCES = TEMPLATE["Resources"]
SERVICE = templates.service()
POOL = RESOURCES["UserPool"]["Properties"]
CLIENTS = {name: one["Properties"] for name, one in RESOURCES.items() if one["Type"] == "AWS::Cognito::UserPoolClient"}
each_client = pytest.mark.parametrize("name", CLIENTS)


def test_the_user_pool_has_the_scopes_of_the_routes() -> None:
    asked = {
        scope
        for function in templates.operations().values()
        for event in function["Events"].values()
        for scope in templates.scopes_of(event["Properties"])
    }
    server = RESOURCES["Scopes"]["Properties"]
    spelled = [f"{server['Identifier']}/{scope['ScopeName']}" for scope in server["Scopes"]]
    assert all(scope.startswith(add_tenant.RESOURCE_SERVER) for scope in spelled)
    assert {scope.replace("/", ":") for scope in spelled} == asked
    for client in CLIENTS.values():
        granted = [scope["Fn::Sub"] for scope in client["AllowedOAuthScopes"] if "Fn::Sub" in scope]
        assert granted[:2] == ["${Scopes}/read", "${Scopes}/write"]


def test_the_trigger_and_the_functions_accept_the_same_tenant_and_application_ids() -> None:
    forms = {name: form.pattern for name, (form, _) in identity._FORMS.items()}
    assert add_tenant.TENANT_ID.pattern == model.TENANT_ID.pattern == forms["tenant_id"]
    assert add_tenant.APP_ID.pattern == forms["app_id"]
    for parameter, form in (("MachineTenantId", add_tenant.TENANT_ID), ("MachineAppId", add_tenant.APP_ID)):
        assert SERVICE["Parameters"][parameter]["AllowedPattern"] == f"^({form.pattern})?$"


def test_the_trigger_runs_before_every_access_token_of_users_and_machines() -> None:
    assert POOL["LambdaConfig"] == {
        "PreTokenGenerationConfig": {"LambdaArn": {"Fn::GetAtt": ["AddTenant", "Arn"]}, "LambdaVersion": "V3_0"}
    }
    assert POOL["UserPoolTier"] == "ESSENTIALS", "version 3 of the trigger's event needs at least this tier"
    function = RESOURCES["AddTenant"]["Properties"]
    assert function["Handler"] == f"{add_tenant.__name__}.handler"
    assert (templates.CHECKOUT / "infra" / function["Code"] / "add_tenant.py").exists()
    assert function["Timeout"] <= 5, "Cognito waits at most 5 s for the trigger"


def test_only_this_pool_may_call_the_trigger() -> None:
    assert RESOURCES["MayAddTenant"]["Properties"] == {
        "Action": "lambda:InvokeFunction",
        "FunctionName": {"Fn::GetAtt": ["AddTenant", "Arn"]},
        "Principal": "cognito-idp.amazonaws.com",
        "SourceAccount": {"Ref": "AWS::AccountId"},
        "SourceArn": {"Fn::GetAtt": ["UserPool", "Arn"]},
    }


def test_the_trigger_may_only_write_its_logs() -> None:
    assert RESOURCES["AddTenant"]["Properties"]["Role"] == {"Fn::GetAtt": ["AddTenantRole", "Arn"]}
    role = RESOURCES["AddTenantRole"]["Properties"]
    assert set(role) == {"AssumeRolePolicyDocument", "PermissionsBoundary", "Policies"}
    (policy,) = role["Policies"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement == {
        "Effect": "Allow",
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": {"Fn::GetAtt": ["AddTenantLogs", "Arn"]},
    }


def test_only_administrators_make_users_and_set_their_tenant() -> None:
    assert POOL["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": True}
    (tenant,) = POOL["Schema"]
    assert (tenant["Name"], tenant["AttributeDataType"]) == ("tenant_id", "String")


@each_client
def test_no_client_lets_users_write_their_tenant(name: str) -> None:
    written = CLIENTS[name]["WriteAttributes"]  # without WriteAttributes, users may write every attribute
    assert written
    assert not [attribute for attribute in written if attribute.startswith(("custom:", "email"))]


@each_client
def test_no_client_accepts_a_password_or_gets_a_token_in_a_url(name: str) -> None:
    client = CLIENTS[name]
    assert client["AllowedOAuthFlows"] == [{"UserClient": "code", "MachineClient": "client_credentials"}[name]]
    assert client["GenerateSecret"] is (name == "MachineClient")
    assert client["ExplicitAuthFlows"], "without this list, Cognito allows several flows"
    assert not {"ALLOW_USER_PASSWORD_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH"} & set(client["ExplicitAuthFlows"])
    assert client["PreventUserExistenceErrors"] == "ENABLED"


def test_the_documents_say_to_delete_the_machine_client_before_its_tenant_changes() -> None:
    """CloudFormation changes the machine client in place, so the old tenant's secret would work for the new tenant.

    A deployment with an empty MachineTenantId deletes the client.
    """
    client = RESOURCES["MachineClient"]
    assert only_at_creation(client["Type"]) == {"UserPoolId", "GenerateSecret"}, (
        "a change of another property now makes a new client: change the advice"
    )
    assert client["Properties"]["UserPoolId"] == {"Ref": "UserPool"}
    assert client["Condition"] == RESOURCES["MachineTenant"]["Condition"] == "HasMachine"
    assert TEMPLATE["Conditions"]["HasMachine"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "MachineTenantId"}, ""]}]}
    assert "Before you change it, deploy with an empty value" in SERVICE["Parameters"]["MachineTenantId"]["Description"]
    assert "deploy with an empty MachineTenantId" in SERVICE["Parameters"]["MachineAppId"]["Description"]
    runbook = (templates.CHECKOUT / "docs" / "runbooks" / "deploy.md").read_text()
    (section,) = re.findall(r"^## The machine client.*?(?=^## )", runbook, flags=re.MULTILINE | re.DOTALL)
    assert section.index("'MachineTenantId=\"\"'") < section.index("MachineTenantId=globex"), (
        "the runbook must first show how to pass SAM an empty value"
    )


def test_users_need_a_second_factor_and_their_tokens_are_short_lived() -> None:
    assert (POOL["MfaConfiguration"], POOL["EnabledMfas"]) == ("ON", ["SOFTWARE_TOKEN_MFA"])
    assert POOL["Policies"]["PasswordPolicy"]["MinimumLength"] >= 14
    client = CLIENTS["UserClient"]
    assert (client["AccessTokenValidity"], client["TokenValidityUnits"]["AccessToken"]) == (15, "minutes")
    assert client["RefreshTokenRotation"]["Feature"] == "ENABLED"


def test_the_pool_is_protected_from_deletion() -> None:
    pool = RESOURCES["UserPool"]
    assert (pool["DeletionPolicy"], pool["UpdateReplacePolicy"]) == ("Retain", "Retain"), (
        "a rollback must not try to delete the protected pool"
    )
    assert pool["Properties"]["DeletionProtection"] == {"Fn::If": ["IsProtected", "ACTIVE", "INACTIVE"]}


def test_every_identity_parameter_has_a_description_and_a_value() -> None:
    assert set(SERVICE["Resources"]["Identity"]["Properties"]["Parameters"]) == set(TEMPLATE["Parameters"])
    for parameters in (SERVICE["Parameters"], TEMPLATE["Parameters"]):
        for name, parameter in parameters.items():
            assert parameter.get("Description"), name


def test_the_gateway_and_the_functions_trust_the_pool_or_the_given_issuer() -> None:
    trusted = {"Fn::If": ["MakesUserPool", {"Fn::GetAtt": ["Identity", "Outputs.Issuer"]}, {"Ref": "JwtIssuer"}]}
    configuration = SERVICE["Resources"]["Api"]["Properties"]["Auth"]["Authorizers"]["Jwt"]["JwtConfiguration"]
    assert configuration["issuer"] == trusted
    for function in templates.operations().values():
        assert function["Environment"]["Variables"]["JWT_ISSUER"] == trusted
    clients = {"Fn::Sub": "${Identity.Outputs.Clients},${JwtAudience}"}
    choice = {"Fn::If": ["MakesUserPool", clients, {"Ref": "JwtAudience"}]}
    assert configuration["audience"] == {"Fn::Split": [",", choice]}
    assert SERVICE["Resources"]["Identity"]["Condition"] == "MakesUserPool"
    assert SERVICE["Parameters"]["CreateUserPool"]["Default"] == "false"


def test_a_stack_with_a_pool_must_keep_the_default_names_of_claims() -> None:
    rule = SERVICE["Rules"]["NobodyElseIssuesTokens"]
    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "CreateUserPool"}, "true"]}
    _, claims = rule["Assertions"]
    kept = {one["Fn::Equals"][0]["Ref"]: one["Fn::Equals"][1] for one in claims["Assert"]["Fn::And"]}
    assert kept == {name: SERVICE["Parameters"][name]["Default"] for name in ("TenantClaim", "AppClaim", "AppMarker")}


def test_a_stack_without_a_pool_needs_an_issuer() -> None:
    rule = SERVICE["Rules"]["SomebodyIssuesTokens"]
    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "CreateUserPool"}, "false"]}
    (assertion,) = rule["Assertions"]
    assert assertion["Assert"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "JwtIssuer"}, ""]}]}
    assert "CreateUserPool=true" in assertion["AssertDescription"]
