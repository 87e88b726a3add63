"""The service's table on moto, made from infra/storage.yaml."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import boto3
from incidents.storage import dynamodb
from moto import mock_aws
from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID

from tests.support.templates import STORAGE


@contextmanager
def deployed() -> Iterator[str]:
    """Yield the name of the table. All of the process's calls to AWS go to moto until the end of the block."""
    with mock_aws():
        stack = boto3.client("cloudformation", region_name="us-east-1")
        with suppress(stack.exceptions.AlreadyExistsException):  # the fixture of another folder of tests made it
            stack.create_stack(StackName="storage", TemplateBody=STORAGE.read_text())
        outputs = stack.describe_stacks(StackName="storage")["Stacks"][0]["Outputs"]
        dynamodb.client.cache_clear()
        yield next(output["OutputValue"] for output in outputs if output["OutputKey"] == "TableName")
        dynamodb.client.cache_clear()


@contextmanager
def another() -> Iterator[str]:
    """Yield the name of another empty table, such as the table that a restore makes."""
    stack = boto3.client("cloudformation", region_name="us-east-1")
    with suppress(stack.exceptions.AlreadyExistsException):
        stack.create_stack(StackName="another", TemplateBody=STORAGE.read_text())
    outputs = stack.describe_stacks(StackName="another")["Stacks"][0]["Outputs"]
    table = next(output["OutputValue"] for output in outputs if output["OutputKey"] == "TableName")
    yield table
    clear(table)  # the template protects the table from deletion


def clear(table: str) -> None:
    """Empty the table and its stream.

    For each transaction, moto copies its tables and the tables' streams, so a stream that grows makes tests slower.
    """
    stored = get_backend("dynamodb")[DEFAULT_ACCOUNT_ID]["us-east-1"].tables[table]
    assert stored.stream_shard is not None
    stored.items.clear()
    stored.stream_shard.items.clear()
