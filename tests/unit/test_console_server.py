"""Tests that the API of the console's tests answers as the OpenAPI document says."""

import json
from http.client import HTTPConnection
from typing import Any

import pytest
from incidents_cli.documents import openapi
from jsonschema import Draft202012Validator, FormatChecker

from tests.support.console import API, Server, World, serve

DOCUMENT = json.loads(openapi.FILE.read_text())


def answer(server: Server, path: str) -> tuple[int, Any]:
    connection = HTTPConnection(server.origin.removeprefix("http://"))
    connection.request("GET", API + path, headers={"authorization": "Bearer e30.e30.x"})
    response = connection.getresponse()
    status, body = response.status, json.loads(response.read())
    connection.close()
    return status, body


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ("IncidentPage", "?limit=100"), ("Incident", "/{id}"), ("ChangePage", "/{id}/changes"),
        ("FindingPage", "/{id}/findings"), ("Metrics", "/metrics"),
        ("Metrics", "/metrics?interval=week&group_by=category"),
        ("Deadlines", "/{id}/deadlines"), ("BoardPage", "/deadlines"),
        ("BoardPage", "/deadlines?incident_id={id}"), ("BusyProblem", "?q=busy"),
    ],
)  # fmt: skip
def test_the_made_up_answers_conform_to_the_openapi_document(schema: str, path: str) -> None:
    world = World(fails_with=503 if schema == "BusyProblem" else 0)
    one = world.incidents[2 if schema == "FindingPage" else 0]
    with serve(world) as server:
        status, body = answer(server, path.format(id=one["id"]))
    assert schema != "FindingPage" or body["items"], "the incident has no events"
    whole = {"$ref": f"#/components/schemas/{schema}", "components": DOCUMENT["components"]}
    Draft202012Validator(whole, format_checker=FormatChecker(["date-time", "date"])).validate(body)
    assert status == (503 if schema == "BusyProblem" else 200)


def test_a_request_without_a_token_is_refused_and_an_unknown_filter_too() -> None:
    with serve(World()) as server:
        connection = HTTPConnection(server.origin.removeprefix("http://"))
        connection.request("GET", API)
        assert connection.getresponse().status == 401
        connection.close()
        assert answer(server, "?wrong=1")[0] == 400
