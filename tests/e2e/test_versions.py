"""Tests that a call reaches the version that the alias `live` points to, in a deployment as on AWS.

The tests follow docs/runbooks/roll-back.md for one function. They also deploy a change of a single parameter.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from incidents_cli.local.local_stack import operation_name

from tests.support.checkout import Caller
from tests.support.templates import operations
from tests.support.user_pool import BOTH, Pool

# The warning is expected, because the emulator runs until the fixture stops it.
pytestmark = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")


@pytest.fixture
def caller(pool: Pool) -> Caller:
    token = pool.as_machine(pool.machine, scope=f"{BOTH} tenant:acme/soc-portal").json()["access_token"]
    return pool.caller(token)


@pytest.fixture
def function(pool: Pool) -> Iterator[str]:
    """Yield the name of the function get_incident, and restore the function after the test."""
    name = functions(pool)["get_incident"]
    client = pool.stack.client("lambda")
    handler, version = client.get_function_configuration(FunctionName=name)["Handler"], live(pool, name)
    yield name
    client.update_function_configuration(FunctionName=name, Handler=handler)
    client.update_alias(FunctionName=name, Name="live", FunctionVersion=version)


def functions(pool: Pool) -> dict[str, str]:
    assert pool.stack.functions is not None
    return {name: named for name, named in pool.stack.functions.items() if name != "add_tenant"}


def live(pool: Pool, function: str) -> str:
    return pool.stack.client("lambda").get_alias(FunctionName=function, Name="live")["FunctionVersion"]


def settings(pool: Pool, function: str) -> dict[str, Any]:
    """Return the environment variables of the version that serves callers."""
    named = pool.stack.client("lambda").get_function_configuration(FunctionName=function, Qualifier="live")
    return dict(named["Environment"]["Variables"])


def test_callers_reach_the_version_of_the_alias_also_after_a_rollback(
    pool: Pool, caller: Caller, function: str
) -> None:
    client = pool.stack.client("lambda")
    made = caller.post(json={"title": "x"}).json()
    good = live(pool, function)

    def answers() -> int:
        return caller.get(f"/{made['id']}").status_code

    client.update_function_configuration(FunctionName=function, Handler="no_such_module.handler")
    assert answers() == 200, "unpublished code must not reach callers"

    bad = client.publish_version(FunctionName=function)["Version"]
    assert bad != good
    client.update_alias(FunctionName=function, Name="live", FunctionVersion=bad)
    assert answers() >= 500

    client.update_alias(FunctionName=function, Name="live", FunctionVersion=good)
    assert answers() == 200
    assert caller.get(f"/{made['id']}").json() == made


def test_every_trigger_of_a_function_calls_its_alias(pool: Pool) -> None:
    stack, client = pool.stack, pool.stack.client("lambda")
    scheduler: Any = stack._session.client("scheduler", endpoint_url=stack.endpoint_url)
    started = [mapping["FunctionArn"] for mapping in client.list_event_source_mappings()["EventSourceMappings"]]
    for schedule in scheduler.list_schedules()["Schedules"]:
        started.append(scheduler.get_schedule(Name=schedule["Name"], GroupName=schedule["GroupName"])["Target"]["Arn"])
    integrations = stack.client("apigatewayv2").get_integrations(ApiId=stack.api_id)["Items"]
    started += [one["IntegrationUri"].removesuffix("/invocations") for one in integrations]
    assert len(started) == 2 + 2 + 3 + 15
    assert {arn.rpartition(":")[2] for arn in started} == {"live"}


def test_a_deployment_of_parameters_alone_publishes_only_the_functions_that_use_them(
    pool: Pool, caller: Caller
) -> None:
    """The deployment rotates the cursor keys, as in docs/runbooks/keys.md, and changes the name of the scopes' claim.

    No version's description contains this name. Because of the name, only the functions check scopes, and not the
    gateway.
    """
    rotated = {
        "list_incidents", "list_incident_changes", "list_incident_findings", "list_incident_updates", "list_deadlines"
    }  # fmt: skip
    changed = {operation_name(name) for name in operations()}
    before = {name: live(pool, named) for name, named in functions(pool).items()}

    pool.deploy(CursorKeysVersion="2", ScopeClaims="scope")

    after = {name: live(pool, named) for name, named in functions(pool).items()}
    assert {name for name in after if after[name] != before[name]} == changed | {"get_console"} > rotated
    for name in changed:
        served_with = settings(pool, functions(pool)[name])
        assert served_with.get("CURSOR_KEYS_VERSION") == ("2" if name in rotated else None)
        assert served_with["TOKEN_CLAIMS"] == "tenant_id app_id  scope"
    assert caller.get().status_code == 200
    only_reads = pool.as_machine(pool.machine, scope="incidents/read tenant:acme/soc-portal").json()["access_token"]
    refused = pool.caller(only_reads).post(json={"title": "x"})
    assert (refused.status_code, refused.headers["content-type"]) == (403, "application/problem+json")
    assert "incidents:write" in refused.json()["detail"]
    client = pool.stack.client("lambda")
    kept = client.list_versions_by_function(FunctionName=functions(pool)["list_incidents"])["Versions"]
    assert before["list_incidents"] in {one["Version"] for one in kept}, (
        "the earlier version must remain for a rollback"
    )
