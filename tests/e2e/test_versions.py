"""What is called is the version that the alias `live` names, and whoever points it back is back at once.

The steps of infra/runbooks/roll-back.md, on one function of the local stack.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.checkout import Checkout


@pytest.fixture
def function(stack: Checkout, aws: Callable[[str], Any]) -> Iterator[str]:
    """The function that answers a get; afterwards it is as it was."""
    name: str = stack.status["functions"]["get_incident"]
    client = aws("lambda")
    handler = client.get_function_configuration(FunctionName=name)["Handler"]
    version = client.get_alias(FunctionName=name, Name="live")["FunctionVersion"]
    yield name
    client.update_function_configuration(FunctionName=name, Handler=handler)
    client.update_alias(FunctionName=name, Name="live", FunctionVersion=version)


def test_callers_reach_the_version_of_the_alias_and_the_one_before_when_it_is_put_back(
    stack: Checkout, aws: Callable[[str], Any], function: str
) -> None:
    caller, client = stack.caller(stack.token("versions")), aws("lambda")
    made = caller.post(json={"title": "x"}).json()
    good = client.get_alias(FunctionName=function, Name="live")["FunctionVersion"]

    def answers() -> int:
        return caller.get(f"/{made['id']}").status_code

    client.update_function_configuration(FunctionName=function, Handler="no_such_module.handler")
    assert answers() == 200, "what is not published reaches nobody"

    bad = client.publish_version(FunctionName=function)["Version"]
    assert bad != good
    client.update_alias(FunctionName=function, Name="live", FunctionVersion=bad)
    assert answers() >= 500

    client.update_alias(FunctionName=function, Name="live", FunctionVersion=good)
    assert answers() == 200
    assert caller.get(f"/{made['id']}").json() == made


def test_whatever_starts_a_function_starts_its_alias(stack: Checkout, aws: Callable[[str], Any]) -> None:
    client, schedules = aws("lambda"), aws("scheduler")
    started = [mapping["FunctionArn"] for mapping in client.list_event_source_mappings()["EventSourceMappings"]]
    (schedule,) = schedules.list_schedules()["Schedules"]
    started.append(schedules.get_schedule(Name=schedule["Name"], GroupName=schedule["GroupName"])["Target"]["Arn"])
    api_id = stack.status["api_url"].rpartition("/")[2]
    integrations = aws("apigatewayv2").get_integrations(ApiId=api_id)["Items"]
    started += [one["IntegrationUri"].removesuffix("/invocations") for one in integrations]
    assert len(started) == 2 + 2 + 1 + 9
    assert {arn.rpartition(":")[2] for arn in started} == {"live"}
