"""Tests the exact read and write units of each operation, so that a more expensive operation does not go unnoticed."""

from typing import TYPE_CHECKING

import pytest

from tests.support import units

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# The read and write units of each operation, for incidents of up to 2 KB and up to 3 KB, including their keys.
COSTS = {
    "create": ((0, 14), (0, 18)),
    "create with a key": ((1, 16), (1, 20)),
    "create by an application": ((0, 16), (0, 21)),
    "update": ((1, 10), (1, 14)),
    "update of what metrics count by": ((1, 11), (1, 15)),
    "move": ((1, 13), (1, 18)),
    "close": ((1, 14), (1, 19)),
    "delete": ((1, 11), (1, 15)),
    "get": ((1, 0), (1, 0)),
    "list 50": ((12, 0), (18.5, 0)),
    "ingest a finding": ((1, 20), (1, 24)),
    "ingest it again, with an asset": ((3, 16), (3, 20)),
}


@pytest.mark.parametrize(("kilobytes", "column"), [(2, 0), (3, 1)])
def test_each_operation_costs_exactly_these_units(
    dynamodb: "DynamoDBClient", table_name: str, kilobytes: int, column: int
) -> None:
    found = units.of_operations(dynamodb, table_name, kilobytes)

    assert found == {operation: costs[column] for operation, costs in COSTS.items()}
