"""Fixtures that run the handlers on moto.

The fixtures create the table from infra/storage.yaml. If a change of the keys in this file breaks the handlers on AWS,
the change also breaks these tests.
"""

import json
import logging
from collections.abc import Iterator

import boto3
import pytest
from incidents.runtime.log import logger
from incidents.storage import dynamodb
from incidents_cli.documents import openapi
from moto import mock_aws
from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID

from tests.support.templates import STORAGE

DOCUMENTED = {
    operation["operationId"]: operation["responses"]
    for operations in json.loads(openapi.FILE.read_text())["paths"].values()
    for operation in operations.values()
}


@pytest.fixture(scope="package")
def deployed() -> Iterator[str]:
    with mock_aws():
        stack = boto3.client("cloudformation", region_name="us-east-1")
        stack.create_stack(StackName="storage", TemplateBody=STORAGE.read_text())
        outputs = stack.describe_stacks(StackName="storage")["Stacks"][0]["Outputs"]
        dynamodb.client.cache_clear()
        yield next(output["OutputValue"] for output in outputs if output["OutputKey"] == "TableName")
        dynamodb.client.cache_clear()


@pytest.fixture(autouse=True)
def _every_answer_is_documented() -> Iterator[None]:
    """Check after each test that the OpenAPI document has every status that an operation returned."""
    seen: set[tuple[str, int]] = set()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage() == "request":
                seen.add((vars(record)["operation"], vars(record)["status"]))

    listener = Listener()
    logging.getLogger(logger.name).addHandler(listener)
    yield
    logging.getLogger(logger.name).removeHandler(listener)
    for operation, status in seen:
        assert str(status) in DOCUMENTED[operation], f"{operation} answers {status}, which is not documented"


@pytest.fixture(autouse=True)
def table(deployed: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of the table, which is empty before each test."""
    monkeypatch.setenv("TABLE_NAME", deployed)
    # For each transaction, moto copies its tables and the tables' streams. Unless the test clears the stream, the
    # stream grows with every test.
    stored = get_backend("dynamodb")[DEFAULT_ACCOUNT_ID]["us-east-1"].tables[deployed]
    assert stored.stream_shard is not None
    stored.items.clear()
    stored.stream_shard.items.clear()
    return deployed
