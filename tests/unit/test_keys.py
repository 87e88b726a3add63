from typing import Any, cast

import pytest
from incidents import keys, model
from incidents.model import Incident

from tests.support import templates

DETECTED, CLOSED = "2026-11-20T23:59:59.999Z", "2026-11-22T00:00:00.000Z"


def incident(**values: Any) -> Incident:
    return cast("Incident", model.blank() | {"tenant_id": "acme", "id": "inc_1", "status": "new"} | values)


def test_every_partition_begins_with_the_tenant_and_tells_the_kind() -> None:
    primary = [
        keys.incident("acme", "inc_1"),
        keys.change("acme", "inc_1", 12),
        keys.number("acme", "INC-2026-000001"),
        keys.counter("acme", 2026),
    ]

    assert primary == [
        ("TENANT#acme#INCIDENT", "inc_1"),
        ("TENANT#acme#CHANGE", "inc_1#0000000012"),
        ("TENANT#acme#NUMBER", "INC-2026-000001"),
        ("TENANT#acme#COUNTER", "2026"),
    ]


@pytest.mark.parametrize(
    ("values", "attributes"),
    [
        ({}, {"active_pk": "TENANT#acme", "active_status_pk": "TENANT#acme#STATUS#new"}),
        (
            {"app_id": "soc-portal", "status": "review"},
            {
                "active_pk": "TENANT#acme",
                "active_status_pk": "TENANT#acme#STATUS#review",
                "active_app_pk": "TENANT#acme#APP#soc-portal",
            },
        ),
        ({"is_deleted": True, "app_id": "soc-portal"}, {}),
        (
            {"is_deleted": True, "detected_at": DETECTED, "closed_at": CLOSED},
            {
                "detected_day_pk": "TENANT#acme#DETECTED#2026-11-20",
                "closed_day_pk": "TENANT#acme#CLOSED#2026-11-22",
            },
        ),
    ],
)
def test_an_incident_is_in_the_indexes_of_its_state_and_absent_from_the_others(
    values: dict[str, Any], attributes: dict[str, str]
) -> None:
    assert keys.index_attributes(incident(**values)) == attributes


def test_the_indexes_are_those_of_the_deployed_table() -> None:
    deployed = {
        index["IndexName"]: [key["AttributeName"] for key in index["KeySchema"]]
        for index in templates.table()["GlobalSecondaryIndexes"]
    }
    everywhere = keys.index_attributes(incident(app_id="a", detected_at=DETECTED, closed_at=CLOSED))

    assert set(deployed) == {
        keys.ACTIVE, keys.ACTIVE_BY_STATUS, keys.ACTIVE_BY_APP, keys.BY_DETECTED_DAY, keys.BY_CLOSED_DAY
    }  # fmt: skip
    assert {partition for partition, _ in deployed.values()} == set(everywhere)
    assert {sort for _, sort in deployed.values()} == {"id"}


@pytest.mark.parametrize("tenant", ["ab", "a1", "acme-corp", "0" * 63])
def test_tenant_ids(tenant: str) -> None:
    assert keys.TENANT_ID.fullmatch(tenant)


@pytest.mark.parametrize("tenant", ["", "a", "-ab", "Acme", "a#b", "a*", "a b", "a/b", "ab\n", "a" * 64, "аcme"])  # noqa: RUF001
def test_what_is_no_tenant_id(tenant: str) -> None:
    assert not keys.TENANT_ID.fullmatch(tenant)
