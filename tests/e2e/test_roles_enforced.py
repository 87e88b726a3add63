"""Tests that the local stack enforces IAM.

So every other test on the stack depends on the grants of the functions' own roles.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.checkout import Checkout


@pytest.fixture
def role(stack: Checkout, aws: Any) -> Iterator[str]:
    """Yield the role of get_incident, and restore its policy after the test."""
    function = aws("lambda").get_function_configuration(FunctionName=stack.status["functions"]["get_incident"])
    name = function["Role"].rpartition("/")[2]
    policy = aws("iam").get_role_policy(RoleName=name, PolicyName="get_incident")["PolicyDocument"]
    yield name
    aws("iam").put_role_policy(RoleName=name, PolicyName="get_incident", PolicyDocument=json.dumps(policy))


def test_a_function_without_a_grant_cannot_read_the_table(stack: Checkout, aws: Any, role: str) -> None:
    caller = stack.caller(stack.token())
    path = f"/{caller.post(json={'title': 'x'}).json()['id']}"
    assert caller.get(path).status_code == 200
    statements = aws("iam").get_role_policy(RoleName=role, PolicyName="get_incident")["PolicyDocument"]["Statement"]
    without_the_table = [one for one in statements if "dynamodb:GetItem" not in one["Action"]]
    assert len(without_the_table) == len(statements) - 1

    narrowed = {"Version": "2012-10-17", "Statement": without_the_table}
    aws("iam").put_role_policy(RoleName=role, PolicyName="get_incident", PolicyDocument=json.dumps(narrowed))

    refused = caller.get(path)
    assert (refused.status_code, refused.json()["title"]) == (500, "Internal error")
    assert "AccessDenied" not in refused.text
    assert caller.get().status_code == 200, "the other functions have their own roles"


def test_the_deployed_policy_grants_only_the_calls_of_its_function(aws: Any, role: str) -> None:
    (read, _) = aws("iam").get_role_policy(RoleName=role, PolicyName="get_incident")["PolicyDocument"]["Statement"]

    assert read["Action"] == ["dynamodb:GetItem"]
    assert read["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["TENANT#*#INCIDENT"]}}
    assert read["Resource"].startswith("arn:aws:dynamodb:")
    assert "*" not in read["Resource"]
