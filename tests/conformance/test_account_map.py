"""Tests of the account map on AWS's own DynamoDB Local, with the client that the functions use."""

import pytest
from create_incident import handler as create
from incidents.domain.identity import Identity
from incidents.storage import dynamodb, guard
from incidents.storage.account_map import AccountMap, Link
from incidents.storage.incident_repository import IncidentRepository

from tests.support.events import Context, create_event


@pytest.fixture
def system(service: str) -> AccountMap:
    return AccountMap(dynamodb.client(), service)


def test_an_account_belongs_to_its_last_linked_tenant(system: AccountMap) -> None:
    assert system.tenant_of("111122223333") is None

    system.link("111122223333", "globex")
    system.link("111122223333", "acme")
    system.link("444455556666", "globex")

    assert system.tenant_of("111122223333") == "acme"
    assert system.links() == [Link("111122223333", None, ("acme",)), Link("444455556666", None, ("globex",))]

    system.unlink("111122223333")
    assert system.tenant_of("111122223333") is None


@pytest.mark.parametrize(("account", "tenant"), [("1", "acme"), ("x" * 12, "acme"), ("111122223333", "Acme#1")])
def test_an_invalid_account_or_tenant_is_not_linked(system: AccountMap, account: str, tenant: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        system.link(account, tenant)
    assert system.links() == []


def test_a_producer_may_escalate_for_each_allowed_tenant(system: AccountMap) -> None:
    for tenant in ("globex", "acme"):
        system.allow("111122223333", "example.soc", tenant)

    assert sorted(system.tenants_of("111122223333", "example.soc")) == ["acme", "globex"]
    assert system.tenants_of("111122223333", "example.other") == []
    assert system.tenants_of("444455556666", "example.soc") == []
    assert system.tenant_of("111122223333") is None
    assert system.links() == [Link("111122223333", "example.soc", ("acme", "globex"))]

    system.disallow("111122223333", "example.soc")
    assert system.tenants_of("111122223333", "example.soc") == []
    with pytest.raises(ValueError, match="must be"):
        system.allow("111122223333", "aws.guardduty", "acme")


def test_one_request_may_serve_the_system_and_then_a_tenant_each_within_its_own_data(
    system: AccountMap, service: str
) -> None:
    create(create_event({"title": "x", "incident_number": "IR-1"}), Context)
    system.link("111122223333", "acme")
    repository = IncidentRepository(Identity("acme", "system:guardduty", None, frozenset()), dynamodb.client(), service)

    with guard.serving_tenant("acme"):
        assert system.tenant_of("111122223333") == "acme"
        assert repository.find_key("one", 0) is None
    with guard.serving_tenant("globex"), pytest.raises(guard.Breach):
        repository.find_key("one", 0)
    with pytest.raises(guard.Breach):
        repository.find_key("one", 0)
