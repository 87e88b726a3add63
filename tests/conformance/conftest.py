"""Fixtures of the conformance tests of the intake."""

import pytest
from incidents.storage import dynamodb
from incidents.storage.account_map import AccountMap

from tests.support.recorded import ACCOUNT


@pytest.fixture
def accounts(service: str) -> AccountMap:
    """Return the account map, with one account linked to the tenant acme."""
    accounts = AccountMap(dynamodb.client(), service)
    accounts.link(ACCOUNT, "acme")
    return accounts
