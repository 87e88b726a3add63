"""Tests of the rights to deploy.

Only one environment of one repository may deploy, and only through CloudFormation. Every role that a deployment creates
has the permissions boundary.
"""

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
    "infra/history.yaml",
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
    "AWS::KMS::Key": "kms:CreateKey",
    "AWS::Lambda::EventSourceMapping": "lambda:CreateEventSourceMapping",
    "AWS::Lambda::Function": "lambda:CreateFunction",
    "AWS::Lambda::Permission": "lambda:AddPermission",
    "AWS::Logs::LogGroup": "logs:CreateLogGroup",
    "AWS::Logs::MetricFilter": "logs:PutMetricFilter",
    "AWS::S3::Bucket": "s3:CreateBucket",
    "AWS::S3::BucketPolicy": "s3:PutBucketPolicy",
    "AWS::SQS::Queue": "sqs:CreateQueue",
    "AWS::SQS::QueuePolicy": "sqs:SetQueueAttributes",
    "AWS::SecretsManager::Secret": "secretsmanager:CreateSecret",
    "AWS::Serverless::Application": "cloudformation:CreateStack",
    "AWS::Serverless::Function": "lambda:CreateFunction",
    "AWS::Serverless::HttpApi": "apigateway:POST",
}


def statements(name: str) -> list[dict[str, Any]]:
    """Return all statements of a policy or a role, including conditional statements and a role's managed policies."""
    properties = DELIVERY[name]["Properties"]
    managed = [DELIVERY[one["Ref"]]["Properties"] for one in properties.get("ManagedPolicyArns", [])]
    documents = [one["PolicyDocument"] for one in properties.get("Policies", managed or [properties])]
    found = [statement for document in documents for statement in document["Statement"]]
    return [one["Fn::If"][1] if "Fn::If" in one else one for one in found]


def actions(statement: dict[str, Any]) -> list[str]:
    action: list[str] | str = statement["Action"]
    return [action] if isinstance(action, str) else action


def test_only_one_environment_of_one_repository_may_assume_the_deploy_role() -> None:
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
def test_no_action_is_a_pattern_and_only_known_statements_lack_a_resource(name: str) -> None:
    of_everything = set()
    for statement in statements(name):
        assert statement["Effect"] == "Allow"
        assert all("*" not in action for action in actions(statement))
        if statement["Resource"] == "*" and "Condition" not in statement:
            of_everything.add(statement["Sid"])
    assert of_everything <= {"WithoutAResource", "Traces", "MakeAUserPool", "MakeAPassword"}


def test_the_deploy_role_can_only_pass_its_work_to_cloudformation() -> None:
    services = {action.split(":")[0] for statement in statements("DeployRole") for action in actions(statement)}
    assert services == {"cloudformation", "iam", "s3"}
    by_sid = {statement["Sid"]: statement for statement in statements("DeployRole")}
    role = {"Fn::GetAtt": ["CloudFormationRole", "Arn"]}
    assert by_sid["HandTheServiceRoleOver"]["Resource"] == role
    assert by_sid["WithTheServiceRoleAlone"]["Condition"] == {"StringEquals": {"cloudformation:RoleArn": role}}


def test_cloudformation_can_neither_make_a_role_without_the_boundary_nor_remove_it() -> None:
    granted = {action: one for one in statements("CloudFormationRole") for action in actions(one)}
    bounded = {"StringEquals": {"iam:PermissionsBoundary": {"Ref": "Boundary"}}}
    for action in ("iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:PutRolePermissionsBoundary"):
        assert granted[action]["Condition"] == bounded
    assert "iam:DeleteRolePermissionsBoundary" not in granted
    reached = str([granted[action]["Resource"] for action in ("iam:CreatePolicyVersion", "iam:PutRolePolicy")])
    assert "Boundary" not in reached, "the role must not change its own boundary"
    assert "DeployRole" not in str(statements("CloudFormationRole"))


def test_cloudformation_may_create_exactly_the_policies_of_the_service() -> None:
    prefix = "arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/${StackName}-"
    (keeping,) = [one for one in statements("CloudFormationRole") if "iam:CreatePolicy" in actions(one)]
    allowed = {one["Fn::Sub"] for one in keeping["Resource"]}
    created = {
        f"{prefix}{name}-*"
        for path in TEMPLATES
        for name, one in templates.read(templates.CHECKOUT / path)["Resources"].items()
        if one["Type"] == "AWS::IAM::ManagedPolicy"
    }
    assert allowed == created


def test_cloudformation_may_not_use_iam_on_its_own_roles_and_policies() -> None:
    """The denial names roles and policies by ARN, so the denial does not depend on the names of stacks.

    No parameter can remove the denial.
    """
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
    assert sorted(map(str, statement["Resource"])) == sorted(map(str, roles + policies)), (
        "the denial must name every role and policy"
    )
    assert {one["Type"] for one in DELIVERY.values() if "IAM" in one["Type"]} == {
        "AWS::IAM::ManagedPolicy", "AWS::IAM::OIDCProvider", "AWS::IAM::Policy", "AWS::IAM::Role"
    }  # fmt: skip


def test_cloudformation_s_role_has_only_managed_policies_of_its_own() -> None:
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
    "QueueKmsKeyArn": f"arn:aws-us-gov:kms:ap-southeast-2:{'1' * 12}:key/{'0' * 36}",
    "Boundary": f"arn:aws-us-gov:iam::{'1' * 12}:policy/{'d' * 22}-Boundary-{'X' * 12}",
    "Artifacts.Arn": f"arn:aws-us-gov:s3:::{'a' * 63}",
}  # fmt: skip


def filled(value: Any) -> Any:
    """Return a part of a policy, with each reference replaced with a long value."""
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
def test_each_managed_policy_has_room_for_more_statements(name: str) -> None:
    """IAM allows a managed policy at most 6,144 characters, without white space."""
    document = filled(DELIVERY[name]["Properties"]["PolicyDocument"])
    assert len(json.dumps(document, separators=(",", ":"))) < 5_000


def test_the_pipeline_may_not_delete_a_resource_that_holds_data() -> None:
    granted = {action for statement in statements("CloudFormationRole") for action in actions(statement)}
    kept = {
        one["Type"]
        for name in TEMPLATES
        for one in templates.read(templates.CHECKOUT / name)["Resources"].values()
        if one.get("DeletionPolicy") == "Retain"
    }  # fmt: skip
    assert kept == {
        "AWS::DynamoDB::Table", "AWS::Cognito::UserPool", "AWS::S3::Bucket", "AWS::S3::BucketPolicy", "AWS::KMS::Key"
    }  # fmt: skip
    assert not {"dynamodb:DeleteTable", "cognito-idp:DeleteUserPool"} & granted
    assert not {action for action in granted if action.startswith("s3:Delete")}


UNDOING = {
    "s3:BypassGovernanceRetention", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObjectLegalHold",
    "s3:PutObjectRetention", "s3:ReplicateDelete", "s3:ReplicateObject", "s3:PutReplicationConfiguration",
    "s3:PutLifecycleConfiguration", "kms:DisableKey", "kms:ScheduleKeyDeletion", "kms:CreateGrant",
}  # fmt: skip


@pytest.mark.parametrize("name", ["DeployRole", "CloudFormationRole", "Boundary"])
def test_neither_the_pipeline_nor_a_function_may_undo_the_proof_of_the_history(name: str) -> None:
    on_the_table_s_key = [{"Ref": "KmsKeyArn"}, {"Ref": "QueueKmsKeyArn"}]
    granted = {
        action for one in statements(name) if one["Resource"] not in on_the_table_s_key for action in actions(one)
    }
    assert not UNDOING & granted
    assert ("kms:Sign" in granted) is (name == "Boundary")
    bucket = [action for action in granted if action.startswith("s3:PutBucket")]
    conditional = [one["Fn::If"] for one in DELIVERY["WhatHoldsData"]["Properties"]["PolicyDocument"]["Statement"]
                   if "Fn::If" in one]  # fmt: skip
    only_at_first = {
        action for condition, then, _ in conditional if condition == "MakesHistory" for action in actions(then)
    }
    key = {"kms:CreateKey", "kms:PutKeyPolicy"} & granted
    assert {*bucket, *key} <= only_at_first
    assert bool(key) is (name == "CloudFormationRole")
    parameters = templates.read(templates.CHECKOUT / "infra" / "delivery.yaml")["Parameters"]
    assert parameters["CreatesHistory"]["Default"] == "false"


def test_only_the_role_of_the_job_signs_and_only_its_statements_name_the_bucket() -> None:
    roles = {name: json.dumps(one) for name, one in templates.service()["Resources"].items() if "Policies" in str(one)}
    assert [name for name, text in roles.items() if "kms:Sign" in text] == ["SealHistoryRole"]
    assert [name for name, text in roles.items() if '"s3:' in text] == ["SealHistoryRole"]
    assert not [action for action in UNDOING if action in roles["SealHistoryRole"]]
    history = templates.read(templates.CHECKOUT / "infra" / "history.yaml")["Resources"]
    only = {"ArnNotLike": {"aws:PrincipalArn": {
        "Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${Prefix}-SealHistoryRole-*"
    }}}  # fmt: skip
    by_sid = {
        statement["Sid"]: statement
        for document in (
            history["ManifestsPolicy"]["Properties"]["PolicyDocument"], history["Key"]["Properties"]["KeyPolicy"]
        )
        for statement in document["Statement"]
    }  # fmt: skip
    for sid, denied in {
        "OnlyTheJobWrites": ["s3:PutObject", "s3:ReplicateObject"], "OnlyTheJobSigns": ["kms:CreateGrant", "kms:Sign"]
    }.items():  # fmt: skip
        one = by_sid[sid]
        assert (one["Effect"], one["Principal"], one["Action"], one["Condition"]) == ("Deny", "*", denied, only)
    bypass = by_sid["NobodyDeletesOrBypasses"]
    assert (bypass["Effect"], bypass["Principal"], set(bypass)) == (
        "Deny", "*", {"Sid", "Effect", "Principal", "Action", "Resource"}
    )  # fmt: skip
    assert set(bypass["Action"]) <= UNDOING
    assert by_sid["EncryptedOnTheWay"]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_bucket_of_manifests_locks_each_object_and_its_lock_has_no_default() -> None:
    template = templates.read(templates.CHECKOUT / "infra" / "history.yaml")
    bucket, key = (template["Resources"][name] for name in ("Manifests", "Key"))
    for kept in (bucket, key):
        assert (kept["DeletionPolicy"], kept["UpdateReplacePolicy"]) == ("Retain", "Retain")
    properties = bucket["Properties"]
    assert properties["ObjectLockEnabled"] is True
    retention = {"Mode": {"Ref": "RetentionMode"}, "Days": {"Ref": "RetentionDays"}}
    assert properties["ObjectLockConfiguration"] == {
        "ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}
    }  # fmt: skip
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert (key["Properties"]["KeySpec"], key["Properties"]["KeyUsage"]) == ("ECC_NIST_P256", "SIGN_VERIFY")
    for name in ("RetentionMode", "RetentionDays"):
        assert "Default" not in template["Parameters"][name]
    service = templates.service()
    assert service["Parameters"]["HistoryRetentionMode"]["Default"] == ""
    assert "HistoryRetentionDays" in str(service["Rules"]["ManifestsHaveRetention"])
    optional = [name for name, one in service["Resources"].items() if one.get("Condition") == "SealsHistory"]
    assert optional == ["History", "SealHistory", "SealHistoryRole", "SealHistoryLogs"]


def test_the_pipeline_may_change_recovery_only_at_a_first_deployment() -> None:
    table = DELIVERY["WhatHoldsData"]["Properties"]["PolicyDocument"]["Statement"]
    conditional = {one["Fn::If"][0]: one["Fn::If"] for one in table if "Fn::If" in one}
    _, then, otherwise = conditional["MakesFirstDeployment"]
    assert then["Action"] == "dynamodb:UpdateContinuousBackups"
    assert otherwise == {"Ref": "AWS::NoValue"}
    granted = [
        action for name in ("CloudFormationRole", "Boundary") for one in statements(name) for action in actions(one)
    ]
    assert granted.count("dynamodb:UpdateContinuousBackups") == 1
    parameters = templates.read(templates.CHECKOUT / "infra" / "delivery.yaml")["Parameters"]
    assert parameters["FirstDeployment"]["Default"] == "false"


def test_the_boundary_permits_deletions_only_of_what_the_jobs_must_delete() -> None:
    (deletion,) = [one for one in statements("Boundary") if "dynamodb:DeleteItem" in actions(one)]
    needed = {
        pattern
        for one in templates.service()["Resources"].values()
        if one["Type"] == "AWS::IAM::Role"
        for policy in one["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        if "dynamodb:DeleteItem" in actions(statement)
        for pattern in statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
    }
    assert needed == {
        "METRICDUE#*", "TENANT#*#METRIC", "ALERTDUE#*", "DEADLINEDUE#*", "TENANT#*#DEADLINE", "SEALDUE#*"
    }  # fmt: skip
    assert deletion["Condition"] == {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": sorted(needed)},
        "Null": {"dynamodb:LeadingKeys": "false"},
    }
    assert actions(deletion) == ["dynamodb:DeleteItem"]


def test_the_stack_s_name_is_short_enough_for_the_longest_role_name() -> None:
    """CloudFormation makes a resource's name from the stack's name, the logical id and up to 13 more characters.

    The result has at most 64 characters. CloudFormation shortens a longer result by cutting the stack's name. But the
    pipeline may create only roles and functions whose names start with the complete stack name and a hyphen.
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
    assert f"If you use [the pipeline](#deploy-with-a-pipeline), it may have at most {most} letters" in RUNBOOK
    stages = tomllib.loads((templates.CHECKOUT / "samconfig.toml").read_text())
    for stage in DEPLOYING.values():
        assert re.fullmatch(pattern, stages[stage]["deploy"]["parameters"]["stack_name"])


def test_the_boundary_permits_exactly_the_actions_of_the_functions() -> None:
    """The functions are in the service's template and in the nested templates."""
    read = [templates.read(templates.CHECKOUT / file)["Resources"] for file in TEMPLATES]
    resources = {(n, name): resource for n, of_file in enumerate(read) for name, resource in of_file.items()}
    policies = [
        policy["PolicyDocument"]
        for one in resources.values()
        if one["Type"] == "AWS::IAM::Role"
        for policy in one["Properties"]["Policies"]
    ] + [one["Properties"]["PolicyDocument"] for one in resources.values() if one["Type"] == "AWS::IAM::ManagedPolicy"]
    needed = {action for policy in policies for statement in policy["Statement"] for action in actions(statement)}
    needed -= {"*"}  # the policy TokenSettings denies it, and no role has that policy
    # Only the emulator needs sqs:SendMessageBatch. On AWS, sqs:SendMessage also permits batches.
    needed -= {"sqs:SendMessageBatch"}
    # The schedule needs lambda:InvokeFunction. SAM creates the schedule's role, so the role is not in the template.
    needed |= {"lambda:InvokeFunction"}
    assert {action for statement in statements("Boundary") for action in actions(statement)} == needed


def test_cloudformation_may_create_every_kind_of_resource_in_the_templates() -> None:
    granted = {action for statement in statements("CloudFormationRole") for action in actions(statement)}
    kinds = {
        one["Type"]
        for name in TEMPLATES
        for one in templates.read(templates.CHECKOUT / name)["Resources"].values()
    }  # fmt: skip
    assert kinds <= set(CREATED_BY), "add the create action here, and grant it in infra/delivery.yaml"
    assert {CREATED_BY[kind] for kind in kinds} <= granted
    for action in ("scheduler:CreateSchedule", "lambda:AddPermission", "lambda:CreateEventSourceMapping"):
        assert action in granted  # SAM creates these kinds of resources from the functions' events


# --- the workflow


def test_every_third_party_action_is_pinned_to_a_commit() -> None:
    used = re.findall(r"uses: (\S+)(.*)", TEXT)
    assert len(used) == 7
    for action, comment in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action)
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment)
    assert len(set(used)) == 3, "each action must have only one commit"


def test_each_job_has_only_the_permissions_it_needs() -> None:
    assert WORKFLOW["permissions"] == {}
    assert JOBS["test"]["permissions"] == {"contents": "read"}
    for name, stage in DEPLOYING.items():
        job = JOBS[name]
        assert job["permissions"] == {"contents": "read", "id-token": "write"}
        assert job["environment"] == stage
        assert job["steps"][-1]["run"] == f"infra/delivery/deploy {stage}"
    assert "secrets." not in TEXT
    assert "pull_request_target" not in TEXT


def test_only_a_tested_tag_is_deployed() -> None:
    assert JOBS["test"]["steps"][-1]["run"] == ".ci/run"
    assert (JOBS["staging"]["needs"], JOBS["production"]["needs"]) == ("test", "staging")
    assert JOBS["staging"]["if"] == "startsWith(github.ref, 'refs/tags/v')"
    assert all(step.get("with", {}).get("persist-credentials") is False
               for job in JOBS.values() for step in job["steps"] if "checkout" in step.get("uses", ""))  # fmt: skip


def test_a_stage_has_one_deployment_at_a_time() -> None:
    for name, stage in DEPLOYING.items():
        assert JOBS[name]["concurrency"] == {"group": f"deploy-{stage}", "cancel-in-progress": False}


@pytest.mark.parametrize(("answers", "accepted"), [("200 401", True), ("200 200", False), ("403 401", False)])
def test_the_deploy_script_deploys_the_configured_stage_and_checks_the_gateway(
    tmp_path: Path, answers: str, accepted: bool
) -> None:
    """The test replaces the commands that would reach AWS. The replacements record their arguments."""
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
    assert not re.search(r"grc-incidents", source), "only samconfig.toml may contain the stack's name"


def test_the_deploy_script_is_executable_and_its_variables_are_outputs() -> None:
    assert os.access(FOLDER / "deploy", os.X_OK)
    outputs = templates.read(templates.CHECKOUT / "infra" / "delivery.yaml")["Outputs"]
    for variable in ("DEPLOY_ROLE_ARN", "CLOUDFORMATION_ROLE_ARN", "ARTIFACTS_BUCKET"):
        assert f"vars.{variable}" in TEXT
        assert any(variable in output["Description"] for output in outputs.values())
    assert "PermissionsBoundaryArn" in outputs["BoundaryArn"]["Description"]
