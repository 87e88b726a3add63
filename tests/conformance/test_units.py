"""Tests the exact read and write units of each operation, so that a more expensive operation does not go unnoticed."""

from typing import TYPE_CHECKING

import pytest

from tests.support import releases, units
from tests.support.templates import CHECKOUT

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# The read and write units of each operation, for incidents of up to 2 KB and up to 3 KB, including their keys.
COSTS = {
    "create": ((0, 15), (0, 19)),
    "create with a key": ((1, 17), (1, 21)),
    "create by an application": ((0, 17), (0, 22)),
    "update": ((1, 12), (1, 16)),
    "update of what metrics count by": ((1, 13), (1, 17)),
    "move": ((1, 15), (1, 20)),
    "close": ((1, 16), (1, 21)),
    "delete": ((1, 13), (1, 17)),
    "get": ((1, 0), (1, 0)),
    "list 50": ((12, 0), (18.5, 0)),
    "list 50 updates": ((51.5, 0), (51.5, 0)),
    "ingest a finding": ((1, 25), (1, 29)),
    "ingest it again, with an asset": ((3, 22), (3, 26)),
    "ingest it again, with nothing new": ((3, 8), (3, 8)),
    "list 10 events": ((5, 0), (5, 0)),
}


@pytest.mark.parametrize(("kilobytes", "column"), [(2, 0), (3, 1)])
def test_each_operation_costs_exactly_these_units(
    dynamodb: "DynamoDBClient", table_name: str, kilobytes: int, column: int
) -> None:
    found = units.of_operations(dynamodb, table_name, kilobytes)

    assert found == {operation: costs[column] for operation, costs in COSTS.items()}


def test_a_tenant_can_create_as_many_incidents_a_second_as_the_documentation_says(
    dynamodb: "DynamoDBClient", table_name: str
) -> None:
    rows = [
        f"| {kilobytes} KB | {units.creates_a_second(dynamodb, table_name, kilobytes * units.KB - 100)} |"
        for kilobytes in (1, 2, 3, 8, 32, 96)
    ]

    assert "\n".join(rows) in (CHECKOUT / "docs" / "performance.md").read_text()


def test_the_hashes_of_a_history_cost_at_most_two_write_units_on_average(
    dynamodb: "DynamoDBClient", table_name: str
) -> None:
    sizes = range(512, 4 * 1024, 97)  # spread evenly over the steps of 1 KB in which DynamoDB counts
    with_hashes = units.of_sizes(dynamodb, table_name, sizes)
    with releases.without_hashes():
        without = units.of_sizes(dynamodb, table_name, sizes)

    for operation, cost in with_hashes.items():
        added = [one - other for one, other in zip(cost, without[operation], strict=True)]
        assert min(added) >= 0
        assert 0 < sum(added) / len(added) <= 2
