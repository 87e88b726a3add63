"""Kills runs of the job that seals histories, with the table on DynamoDB Local. The bucket is on moto."""

from collections.abc import Iterator

import pytest
from moto import mock_aws

from tests.functions.test_seal_history import (
    kms,  # noqa: F401  # a fixture
    test_after_a_kill_at_any_call_the_next_run_leaves_a_valid_chain,  # noqa: F401  # here, it runs on DynamoDB Local
)


@pytest.fixture
def table(service: str) -> Iterator[str]:
    """Yield the table's name. moto imitates all other services."""
    with mock_aws(config={"core": {"passthrough": {"services": ["dynamodb"]}, "mock_credentials": False}}):
        yield service
