"""Tests over HTTP that a request to a hanging table gets our own 503 in time, and never the gateway's bare 502."""

import socket
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from tests.support.checkout import Checkout


@pytest.fixture
def hanging(stack: Checkout) -> Iterator[None]:
    """Replace the table of get_incident with a server that never answers."""
    status: dict[str, Any] = stack.status
    session = boto3.Session(status["access_key_id"], status["secret_access_key"], region_name=status["region"])
    functions = session.client("lambda", endpoint_url=status["endpoint_url"])
    name = status["functions"]["get_incident"]
    variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
        functions.update_function_configuration(
            FunctionName=name, Environment={"Variables": variables | {"AWS_ENDPOINT_URL_DYNAMODB": endpoint}}
        )
        yield
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})


def test_a_table_that_hangs_gives_our_own_503(stack: Checkout, hanging: None) -> None:
    caller = stack.caller(stack.token())

    answer = caller.get("/inc_01M83J8EHSBKC38ZQ0R08TEPS6")

    assert (answer.status_code, answer.headers.get("retry-after")) == (503, "1"), answer.text
    assert answer.json()["type"] == "urn:problem-type:incidents:busy"
