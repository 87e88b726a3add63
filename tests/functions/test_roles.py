"""Each role grants what its function uses, and nothing else."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from create_incident import handler as create
from delete_incident import handler as delete
from get_incident import handler as get
from incidents import dynamodb
from incidents_cli.stack import operation_name
from list_incident_changes import handler as list_changes
from list_incidents import handler as list_
from update_incident import handler as update

from tests.support import templates
from tests.support.events import (
    Context,
    changes_event,
    claims,
    create_event,
    delete_event,
    get_event,
    http_event,
    list_event,
    patch_event,
)

Grant = tuple[str, str]  # action, table or index


@pytest.fixture
def used() -> Iterator[set[Grant]]:
    """What the calls that reach DynamoDB need. A transaction needs what its members need."""
    seen: set[Grant] = set()
    client = dynamodb.client()

    def note(params: dict[str, Any], model: Any, **_: object) -> None:
        if model.name == "TransactWriteItems":
            seen.update((f"dynamodb:{kind}Item", "table") for write in params["TransactItems"] for kind in write)
        else:
            seen.add((f"dynamodb:{model.name}", params.get("IndexName", "table")))

    client.meta.events.register("before-parameter-build.dynamodb", note)
    yield seen
    client.meta.events.unregister("before-parameter-build.dynamodb", note)


def granted(function: str) -> set[Grant]:
    (policy,) = templates.service()["Resources"][f"{function}Role"]["Properties"]["Policies"]
    grants = set()
    for statement in policy["PolicyDocument"]["Statement"]:
        actions, resources = (
            value if isinstance(value, list) else [value] for value in (statement["Action"], statement["Resource"])
        )
        for resource in resources:
            path = resource.get("Fn::Sub") or "/".join(resource["Fn::GetAtt"])
            grants |= {(action, path) for action in actions if action.startswith("dynamodb:")}
    return {
        (
            action,
            "table" if path == "Storage/Outputs.TableArn" else path.removeprefix("${Storage.Outputs.TableArn}/index/"),
        )
        for action, path in grants
    }


def exercise(function: str, incident_id: str) -> None:
    """Take every path of a function that calls DynamoDB in its own way."""
    app = claims(app_id="soc-portal")
    match function:
        case "create_incident":
            create(create_event({"title": "x"}, headers={"idempotency-key": "one"}), Context)
            create(create_event({"title": "x", "incident_number": "INC-2026-000900"}, caller=app), Context)
        case "get_incident":
            get(get_event(incident_id), Context)
        case "list_incidents":
            for query in ("", "status=new", "include_deleted=true", "incident_number=1"):
                list_(http_event(query=query, content_type=None), Context)
            list_(list_event(app), Context)
        case "update_incident":
            update(patch_event(incident_id, {"title": "y"}), Context)
        case "delete_incident":
            delete(delete_event(incident_id), Context)
        case "list_incident_changes":
            list_changes(changes_event(incident_id), Context)
        case _:
            raise AssertionError(f"{function} is new: say here how to exercise it")


@pytest.mark.parametrize("function", templates.functions())
def test_granted_is_used_and_used_is_granted(used: set[Grant], function: str) -> None:
    incident_id = json.loads(create(create_event({"title": "x"}), Context)["body"])["id"]
    used.clear()

    exercise(operation_name(function), incident_id)

    assert used == granted(function)
