"""What each operation costs the table: exact figures, so that no change makes one dearer unnoticed."""

from typing import TYPE_CHECKING

import pytest

from tests.support import units

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Units by operation, of an incident of up to 2 KB and of up to 3 KB with its keys.
MOST_WRITTEN = {
    "create": (14, 18),
    "create with a key": (16, 20),
    "create by an application": (16, 21),
    "update": (10, 14),
    "update of what metrics count by": (11, 15),
    "move": (13, 18),
    "close": (14, 19),
    "delete": (11, 15),
}
MOST_READ = {"get": (1, 1), "list 50": (14, 20)}


@pytest.mark.parametrize(("kilobytes", "column"), [(2, 0), (3, 1)])
def test_no_operation_costs_more_than_this(
    dynamodb: "DynamoDBClient", table_name: str, kilobytes: int, column: int
) -> None:
    found = units.of_operations(dynamodb, table_name, kilobytes)

    assert set(found) == {*MOST_WRITTEN, *MOST_READ}
    for operation, most in MOST_WRITTEN.items():
        assert 0 < found[operation].written <= most[column], operation
    for operation, most in MOST_READ.items():
        assert 0 < found[operation].read <= most[column], operation
        assert found[operation].written == 0
