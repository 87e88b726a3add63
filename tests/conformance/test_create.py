"""Tests of creates on AWS's own DynamoDB Local, with real conditions, transactions and concurrency."""

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from incidents.commands import creating
from incidents.domain.errors import NumberTaken
from incidents.domain.identity import Identity
from incidents.domain.model import Change
from incidents.storage import keys, stored_form
from incidents.storage.incident_repository import IncidentRepository
from incidents.storage.stored_form import Stored

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture
def everything(dynamodb: "DynamoDBClient", table_name: str) -> Any:
    """Return a function that reads the complete table, sorted by key."""

    def read() -> list[Any]:
        pages = dynamodb.get_paginator("scan").paginate(TableName=table_name, ConsistentRead=True)
        return sorted(
            (item for page in pages for item in page["Items"]), key=lambda item: str((item["pk"], item["sk"]))
        )

    return read


def create(body: object, incidents: IncidentRepository) -> Stored:
    return creating.create_incident(body, incidents).stored


def of_kind(found: list[Any], kind: str, tenant: str = "acme") -> list[Any]:
    return [item for item in found if item["pk"]["S"] == f"TENANT#{tenant}#{kind}"]


def test_200_concurrent_creates_get_200_numbers(acme: IncidentRepository, everything: Any) -> None:
    with ThreadPoolExecutor(32) as pool:
        created = list(pool.map(lambda n: create({"title": f"number {n}"}, acme), range(200)))

    found = everything()
    numbers = {stored.incident["incident_number"] for stored in created}
    assert len(numbers) == 200
    assert {item["sk"]["S"]: item["incident_id"]["S"] for item in of_kind(found, "NUMBER")} == {
        stored.incident["incident_number"]: stored.incident["id"] for stored in created
    }
    assert [item["sk"]["S"] for item in of_kind(found, "CHANGE")] == sorted(
        f"{stored.incident['id']}#0000000001" for stored in created
    )
    assert len(found) == 3 * 200 + 1


def test_concurrent_given_and_generated_numbers_never_collide(acme: IncidentRepository, everything: Any) -> None:
    first = create({"title": "x"}, acme).incident
    year = first["created_at"][:4]

    def try_to(n: int) -> Stored | None:
        given = {"incident_number": f"INC-{year}-{n:06d}"} if n % 2 else {}
        try:
            return create({"title": "x", **given}, acme)
        except NumberTaken:
            return None

    with ThreadPoolExecutor(32) as pool:
        outcomes = list(pool.map(try_to, range(2, 102)))

    assert all(outcomes[::2]), "a generated number is never refused"
    created = [stored for stored in outcomes if stored]
    numbers = [stored.incident["incident_number"] for stored in created]
    assert len(numbers) == len(set(numbers))
    found = everything()
    assert len(of_kind(found, "NUMBER")) == len(of_kind(found, "INCIDENT")) == len(created) + 1
    above = create({"title": "x"}, acme).incident["incident_number"]
    assert int(above[-6:]) > max(int(number[-6:]) for number in numbers)


def test_a_create_with_a_number_in_use_writes_nothing(acme: IncidentRepository, everything: Any) -> None:
    first = create({"title": "x", "incident_number": "IR-1"}, acme).incident
    before = everything()

    with pytest.raises(NumberTaken, match="is taken"):
        create({"title": "y", "incident_number": "IR-1"}, acme)
    assert everything() == before
    assert acme.get(first["id"]).incident == first


def test_two_tenants_may_use_the_same_number(
    acme: IncidentRepository, dynamodb: "DynamoDBClient", table_name: str
) -> None:
    globex = IncidentRepository(Identity("globex", "bob", None, frozenset()), dynamodb, table_name)

    for tenant in (acme, globex):
        create({"title": "x", "incident_number": "IR-1"}, tenant)


def test_a_repository_never_writes_an_incident_of_another_tenant(acme: IncidentRepository, everything: Any) -> None:
    stored = create({"title": "x"}, acme)
    before = everything()

    with pytest.raises(ValueError, match="another tenant"):
        acme.create({**stored.incident, "tenant_id": "globex"})
    with pytest.raises(ValueError, match="another tenant"):
        acme.update(stored, {**stored.incident, "tenant_id": "globex"}, Change(2, "t", "ada", "updated", {}))
    assert everything() == before


def test_the_largest_incident_with_its_indexes_fits_in_the_table(acme: IncidentRepository) -> None:
    ids = [f"{n:0128}" for n in range(500)]
    large = {"title": "x", "affected_asset_ids": ids, "commander_ids": ids[:400], "status": "closed",
             "detected_at": "2026-01-01T00:00:00Z"}  # fmt: skip

    stored = create(large, acme)

    assert acme.get(stored.incident["id"]) == stored


def test_a_stored_incident_has_the_index_attributes_of_its_state(acme: IncidentRepository, everything: Any) -> None:
    create({"title": "x", "status": "closed", "detected_at": "2026-01-01T00:00:00Z"}, acme)

    (item,) = of_kind(everything(), "INCIDENT")
    expected = keys.index_attributes(stored_form.to_incident(item).incident)
    assert {name: item[name]["S"] for name in item if name.endswith("_pk")} == expected
    assert len(expected) == 4
