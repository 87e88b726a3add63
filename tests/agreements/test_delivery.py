"""Who may deploy: one repository and environment, by way of CloudFormation, and no role beyond its boundary."""

import json
import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.support import templates

DELIVERY = templates.read(templates.CHECKOUT / "infra" / "delivery.yaml")["Resources"]
FOLDER = templates.CHECKOUT / "infra" / "delivery"
RUNBOOK = (templates.CHECKOUT / "docs" / "runbooks" / "deploy.md").read_text()
TEXT = (FOLDER / "github-actions.yaml").read_text()
WORKFLOW = templates.read(FOLDER / "github-actions.yaml")
JOBS: dict[str, dict[str, Any]] = WORKFLOW["jobs"]
DEPLOYING = {"staging": "staging", "production": "prod"}
TEMPLATES = (
    "template.yaml",
    "infra/storage.yaml",
    "infra/eventing.yaml",
    "infra/identity.yaml",
    "infra/observability.yaml",
)
CREATED_BY = {
    "AWS::CloudFormation::Stack": "cloudformation:CreateStack",
    "AWS::CloudWatch::Alarm": "cloudwatch:PutMetricAlarm",
    "AWS::CloudWatch::Dashboard": "cloudwatch:PutDashboard",
    "AWS::Cognito::UserPool": "cognito-idp:CreateUserPool",
    "AWS::Cognito::UserPoolClient": "cognito-idp:CreateUserPoolClient",
    "AWS::Cognito::UserPoolDomain": "cognito-idp:CreateUserPoolDomain",
    "AWS::Cognito::UserPoolResourceServer": "cognito-idp:CreateResourceServer",
    "AWS::DynamoDB::Table": "dynamodb:CreateTable",
    "AWS::Events::Archive": "events:CreateArchive",
    "AWS::Events::EventBus": "events:CreateEventBus",
    "AWS::Events::EventBusPolicy": "events:PutPermission",
    "AWS::Events::Rule": "events:PutRule",
    "AWS::IAM::ManagedPolicy": "iam:CreatePolicy",
    "AWS::IAM::Role": "iam:CreateRole",
    "AWS::Lambda::EventSourceMapping": "lambda:CreateEventSourceMapping",
    "AWS::Lambda::Function": "lambda:CreateFunction",
    "AWS::Lambda::Permission": "lambda:AddPermission",
    "AWS::Logs::LogGroup": "logs:CreateLogGroup",
    "AWS::SQS::Queue": "sqs:CreateQueue",
    "AWS::SQS::QueuePolicy": "sqs:SetQueueAttributes",
    "AWS::SecretsManager::Secret": "secretsmanager:CreateSecret",
    "AWS::Serverless::Application": "cloudformation:CreateStack",
    "AWS::Serverless::Function": "lambda:CreateFunction",
    "AWS::Serverless::HttpApi": "apigateway:POST",
}


def statements(name: str) -> list[dict[str, Any]]:
    """Return the statements of a role, its managed policies' too, or of a policy, with those under a condition."""
    properties = DELIVERY[name]["Properties"]
    managed = [DELIVERY[one["Ref"]]["Properties"] for one in properties.get("ManagedPolicyArns", [])]
    documents = [one["PolicyDocument"] for one in properties.get("Policies", managed or [properties])]
    found = [statement for document in documents for statement in document["Statement"]]
    return [one["Fn::If"][1] if "Fn::If" in one else one for one in found]


def actions(statement: dict[str, Any]) -> list[str]:
    action: list[str] | str = statement["Action"]
    return [action] if isinstance(action, str) else action


def test_one_environment_of_one_repository_takes_the_role_and_says_so_in_full() -> None:
    (trust,) = DELIVERY["DeployRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert trust["Condition"] == {
        "StringEquals": {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": {"Fn::Sub": "repo:${Repository}:environment:${Environment}"},
        }
    }
    parameters = templates.read(templates.CHECKOUT / "infra" / "delivery.yaml")["Parameters"]
    for name, bad in (("Repository", "acme/*"), ("Repository", "acme/x:ref:y"), ("Environment", "*")):
        assert not re.fullmatch(parameters[name]["AllowedPattern"], bad)


@pytest.mark.parametrize("name", ["DeployRole", "CloudFormationRole", "Boundary"])
def test_no_action_is_a_pattern_and_what_has_no_resource_is_known(name: str) -> None:
    of_everything = set()
    for statement in statements(name):
        assert statement["Effect"] == "Allow"
        assert all("*" not in action for action in actions(statement))
        if statement["Resource"] == "*" and "Condition" not in statement:
            of_everything.add(statement["Sid"])
    assert of_everything <= {"WithoutAResource", "Traces", "MakeAUserPool", "MakeAPassword"}


def test_the_workflow_hands_over_to_cloudformation_and_can_do_nothing_by_itself() -> None:
    services = {action.split(":")[0] for statement in statements("DeployRole") for action in actions(statement)}
    assert services == {"cloudformation", "iam", "s3"}
    by_sid = {statement["Sid"]: statement for statement in statements("DeployRole")}
    role = {"Fn::GetAtt": ["CloudFormationRole", "Arn"]}
    assert by_sid["HandTheServiceRoleOver"]["Resource"] == role
    assert by_sid["WithTheServiceRoleAlone"]["Condition"] == {"StringEquals": {"cloudformation:RoleArn": role}}


def test_cloudformation_makes_no_role_without_the_boundary_and_cannot_take_it_away() -> None:
    granted = {action: one for one in statements("CloudFormationRole") for action in actions(one)}
    bounded = {"StringEquals": {"iam:PermissionsBoundary": {"Ref": "Boundary"}}}
    for action in ("iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:PutRolePermissionsBoundary"):
        assert granted[action]["Condition"] == bounded
    assert "iam:DeleteRolePermissionsBoundary" not in granted
    reached = str([granted[action]["Resource"] for action in ("iam:CreatePolicyVersion", "iam:PutRolePolicy")])
    assert "Boundary" not in reached, "its own bounds are out of its reach"
    assert "DeployRole" not in str(statements("CloudFormationRole"))


def test_cloudformation_does_nothing_with_the_roles_that_bound_it() -> None:
    """Whatever the two stacks are called: by its ARN, each, and in a policy that no parameter leaves out."""
    denial = DELIVERY["OutOfReach"]
    assert "Condition" not in denial
    assert denial["Properties"]["Roles"] == [{"Ref": "CloudFormationRole"}]
    (statement,) = denial["Properties"]["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Action"], set(statement)) == (
        "Deny", "iam:*", {"Sid", "Effect", "Action", "Resource"}
    )  # fmt: skip
    roles = [{"Fn::GetAtt": [name, "Arn"]} for name, one in DELIVERY.items() if one["Type"] == "AWS::IAM::Role"]
    policies = [{"Ref": name} for name, one in DELIVERY.items() if one["Type"] == "AWS::IAM::ManagedPolicy"]
    assert (len(roles), len(policies)) == (2, 5)
    assert sorted(map(str, statement["Resource"])) == sorted(map(str, roles + policies)), "each that there is"
    assert {one["Type"] for one in DELIVERY.values() if "IAM" in one["Type"]} == {
        "AWS::IAM::ManagedPolicy", "AWS::IAM::OIDCProvider", "AWS::IAM::Policy", "AWS::IAM::Role"
    }  # fmt: skip


def test_cloudformations_role_has_managed_policies_alone_and_they_are_nobody_elses() -> None:
    role = DELIVERY["CloudFormationRole"]["Properties"]
    assert "Policies" not in role
    attached = [one["Ref"] for one in role["ManagedPolicyArns"]]
    managed = {name for name, one in DELIVERY.items() if one["Type"] == "AWS::IAM::ManagedPolicy"}
    assert sorted(attached) == sorted(managed - {"Boundary"})
    sids = [statement["Sid"] for statement in statements("CloudFormationRole")]
    assert len(set(sids)) == len(sids)


LONG = {
    "AWS::Partition": "aws-us-gov", "AWS::Region": "ap-southeast-2", "AWS::AccountId": "1" * 12, "StackName": "g" * 22,
    "KmsKeyArn": f"arn:aws-us-gov:kms:ap-southeast-2:{'1' * 12}:key/{'0' * 36}",
    "Boundary": f"arn:aws-us-gov:iam::{'1' * 12}:policy/{'d' * 22}-Boundary-{'X' * 12}",
    "Artifacts.Arn": f"arn:aws-us-gov:s3:::{'a' * 63}",
}  # fmt: skip


def filled(value: Any) -> Any:
    """Return a part of a policy with values in the place of what it refers to, long ones."""
    match value:
        case {"Ref": name}:
            return LONG[name]
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{([^}]+)\}", lambda found: LONG[found[1]], text)
        case {"Fn::If": [_, then, _]}:
            return filled(then)
        case dict():
            return {name: filled(member) for name, member in value.items()}
        case list():
            return [filled(member) for member in value]
    return value


@pytest.mark.parametrize("name", [name for name, one in DELIVERY.items() if one["Type"] == "AWS::IAM::ManagedPolicy"])
def test_a_managed_policy_has_room_for_what_comes(name: str) -> None:
    """IAM takes 6,144 characters, white space not counted."""
    document = filled(DELIVERY[name]["Properties"]["PolicyDocument"])
    assert len(json.dumps(document, separators=(",", ":"))) < 5_000


def test_what_holds_data_is_not_for_the_pipeline_to_delete() -> None:
    granted = {action for statement in statements("CloudFormationRole") for action in actions(statement)}
    kept = {
        one["Type"]
        for name in TEMPLATES
        for one in templates.read(templates.CHECKOUT / name)["Resources"].values()
        if one.get("DeletionPolicy") == "Retain"
    }  # fmt: skip
    assert kept == {"AWS::DynamoDB::Table", "AWS::Cognito::UserPool"}
    assert not {"dynamodb:DeleteTable", "cognito-idp:DeleteUserPool"} & granted


def test_the_stack_may_be_called_only_what_no_name_of_a_role_cuts_short() -> None:
    """CloudFormation joins a stack's name, a logical id and up to 13 characters, and cuts the stack's name to make 64.

    A role or function whose name no longer began with the whole of it and a hyphen could not be made.
    """
    named = {"AWS::IAM::Role", "AWS::Lambda::Function", "AWS::Serverless::Function"}
    longest = max(
        len(name)
        for file in TEMPLATES
        for name, one in templates.read(templates.CHECKOUT / file)["Resources"].items()
        if one["Type"] in named
    )
    made_by_sam = [
        len(f"{name}{event}Role")
        for name, function in templates.functions().items()
        for event, of in function.get("Events", {}).items()
        if of["Type"] == "ScheduleV2"
    ]
    assert made_by_sam
    most = 64 - len("-") - max(longest, *made_by_sam) - len("-") - 13
    pattern = templates.read(templates.CHECKOUT / "infra" / "delivery.yaml")["Parameters"]["StackName"][
        "AllowedPattern"
    ]
    assert re.fullmatch(pattern, "g" * most)
    assert not re.fullmatch(pattern, "g" * (most + 1))
    assert f"with the pipeline below at most {most}" in RUNBOOK
    stages = tomllib.loads((templates.CHECKOUT / "samconfig.toml").read_text())
    for stage in DEPLOYING.values():
        assert re.fullmatch(pattern, stages[stage]["deploy"]["parameters"]["stack_name"])


def test_the_boundary_admits_what_the_functions_are_granted_and_no_more() -> None:
    resources = templates.service()["Resources"]
    policies = [
        policy["PolicyDocument"]
        for one in resources.values()
        if one["Type"] == "AWS::IAM::Role"
        for policy in one["Properties"]["Policies"]
    ] + [one["Properties"]["PolicyDocument"] for one in resources.values() if one["Type"] == "AWS::IAM::ManagedPolicy"]
    needed = {action for policy in policies for statement in policy["Statement"] for action in actions(statement)}
    needed -= {"sqs:SendMessageBatch"}  # the emulator's; on AWS sqs:SendMessage grants both
    needed |= {"lambda:InvokeFunction"}  # of the schedule, whose role SAM makes
    assert {action for statement in statements("Boundary") for action in actions(statement)} == needed


def test_cloudformation_may_create_every_kind_of_resource_that_there_is() -> None:
    granted = {action for statement in statements("CloudFormationRole") for action in actions(statement)}
    kinds = {
        one["Type"]
        for name in TEMPLATES
        for one in templates.read(templates.CHECKOUT / name)["Resources"].values()
    }  # fmt: skip
    assert kinds <= set(CREATED_BY), "say how it is created, and grant it in infra/delivery.yaml"
    assert {CREATED_BY[kind] for kind in kinds} <= granted
    for action in ("scheduler:CreateSchedule", "lambda:AddPermission", "lambda:CreateEventSourceMapping"):
        assert action in granted  # what SAM makes of events


# --- the workflow


def test_every_action_of_others_is_pinned_to_a_commit() -> None:
    used = re.findall(r"uses: (\S+)(.*)", TEXT)
    assert len(used) == 7
    for action, comment in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action)
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment)
    assert len(set(used)) == 3, "one commit each"


def test_a_job_has_no_permission_that_it_does_not_need() -> None:
    assert WORKFLOW["permissions"] == {}
    assert JOBS["test"]["permissions"] == {"contents": "read"}
    for name, stage in DEPLOYING.items():
        job = JOBS[name]
        assert job["permissions"] == {"contents": "read", "id-token": "write"}
        assert job["environment"] == stage
        assert job["steps"][-1]["run"] == f"infra/delivery/deploy {stage}"
    assert "secrets." not in TEXT
    assert "pull_request_target" not in TEXT


def test_nothing_is_deployed_that_was_not_tested_and_nothing_but_tags() -> None:
    assert JOBS["test"]["steps"][-1]["run"] == ".ci/run"
    assert (JOBS["staging"]["needs"], JOBS["production"]["needs"]) == ("test", "staging")
    assert JOBS["staging"]["if"] == "startsWith(github.ref, 'refs/tags/v')"
    assert all(step.get("with", {}).get("persist-credentials") is False
               for job in JOBS.values() for step in job["steps"] if "checkout" in step.get("uses", ""))  # fmt: skip


def test_a_stage_has_one_deployment_at_a_time_whatever_was_tagged() -> None:
    for name, stage in DEPLOYING.items():
        assert JOBS[name]["concurrency"] == {"group": f"deploy-{stage}", "cancel-in-progress": False}


@pytest.mark.parametrize(("answers", "accepted"), [("200 401", True), ("200 200", False), ("403 401", False)])
def test_the_script_deploys_the_stage_of_the_configuration_and_tries_the_gateway(
    tmp_path: Path, answers: str, accepted: bool
) -> None:
    """With stand-ins for what would reach AWS, that note what they are told."""
    said = tmp_path / "said"
    document, list_of = answers.split()
    for command, answer in (
        ("uvx", ""),
        ("aws", "echo https://api.example.com"),
        ("curl", f"case $* in */openapi.json) echo {document};; *) echo {list_of};; esac"),
    ):
        (tmp_path / command).write_text(f'#!/bin/sh\necho {command} "$@" >> {said}\n{answer}\n')
        (tmp_path / command).chmod(0o755)
    environment = os.environ | {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "ARTIFACTS_BUCKET": "artifacts",
        "CLOUDFORMATION_ROLE_ARN": "role",
    }
    ended = subprocess.run([FOLDER / "deploy", "staging"], env=environment, capture_output=True, check=False)
    assert (ended.returncode == 0) is accepted, ended.stderr
    deployed, asked = said.read_text().splitlines()[:2]
    assert deployed.endswith(
        "sam deploy --config-env staging --no-confirm-changeset --no-resolve-s3 --s3-bucket artifacts --role-arn role"
    )
    stages = tomllib.loads((templates.CHECKOUT / "samconfig.toml").read_text())
    assert f"--stack-name {stages['staging']['deploy']['parameters']['stack_name']} " in asked
    source = (FOLDER / "deploy").read_text()
    assert not re.search(r"grc-incidents", source), "it is told in samconfig.toml alone"


def test_the_script_of_the_workflow_can_be_run() -> None:
    assert os.access(FOLDER / "deploy", os.X_OK)
    outputs = templates.read(templates.CHECKOUT / "infra" / "delivery.yaml")["Outputs"]
    for variable in ("DEPLOY_ROLE_ARN", "CLOUDFORMATION_ROLE_ARN", "ARTIFACTS_BUCKET"):
        assert f"vars.{variable}" in TEXT
        assert any(variable in output["Description"] for output in outputs.values())
    assert "PermissionsBoundaryArn" in outputs["BoundaryArn"]["Description"]
