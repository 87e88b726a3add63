import inspect
import typing
from typing import Any, cast

import pytest
from incidents.domain import model
from incidents.domain.model import Incident
from incidents.storage import keys

from tests.support import templates

DETECTED, CLOSED = "2026-11-20T23:59:59.999Z", "2026-11-22T00:00:00.000Z"


def incident(**values: Any) -> Incident:
    return cast("Incident", model.unset_fields() | {"tenant_id": "acme", "id": "inc_1", "status": "new"} | values)


def test_every_partition_key_has_the_tenant_and_the_kind_of_item() -> None:
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
def test_an_incident_is_only_in_the_indexes_of_its_state(values: dict[str, Any], attributes: dict[str, str]) -> None:
    assert keys.index_attributes(incident(**values)) == attributes


def test_the_deployed_table_has_the_same_indexes() -> None:
    deployed = {
        index["IndexName"]: [key["AttributeName"] for key in index["KeySchema"]]
        for index in templates.table()["GlobalSecondaryIndexes"]
    }
    everywhere = keys.index_attributes(incident(app_id="a", detected_at=DETECTED, closed_at=CLOSED))

    assert set(deployed) == set(keys.INDEXES)
    assert deployed.pop(keys.BY_UPDATED) == ["pk", "updated_at"]
    assert {partition for partition, _ in deployed.values()} == set(everywhere)
    assert {sort for _, sort in deployed.values()} == {"id"}


def test_the_tenant_s_partitions_are_complete_except_for_its_marks_and_alerts() -> None:
    """`incidents tenant erase` reads these partitions."""
    made = {
        name: function(*["acme" if parameter == "tenant_id" else 1 if hint is int else "x"
                         for parameter, hint in typing.get_type_hints(function).items() if parameter != "return"])
        for name, function in inspect.getmembers(keys, inspect.isfunction)
        if {"tenant_id": str, "return": keys.Key}.items() <= typing.get_type_hints(function).items()
        and function not in (keys.mark, keys.alert)
    }  # fmt: skip

    marked = keys.mark(keys.METRIC_DAYS, "acme", "closed", "2026-11-23")
    assert len(made) > 7
    assert {key.pk for key in made.values()} == set(keys.partitions("acme").values())
    assert all(kind == partition.rpartition("#")[2] for kind, partition in keys.partitions("acme").items())
    first, last = keys.marks_of_tenant(keys.METRIC_DAYS, "acme")
    assert first.pk == marked.pk
    assert first.sk < marked.sk < last.sk


def test_board_rows_sort_by_time_and_those_without_a_time_are_last() -> None:
    times = ("2026-06-09T18:00:00.000Z", "2026-06-10T18:00:00.000Z", None)
    first, second, last = (keys.board_row("acme", at, "inc_1").sk for at in times)
    assert first < second < last

    def between(**ends: str) -> list[str]:
        low, high = keys.board_rows("acme", **ends)
        return [sk for sk in (first, second, last, keys.deadline_head("acme", "inc_1").sk) if low.sk <= sk <= high.sk]

    assert between() == [first, second, last]
    assert between(after=keys.position_of_row(first)) == [second, last]
    assert between(before="2026-06-10T18:00:00.000Z") == [first]
    assert between(before="2026-06-10T18:00:00.001Z") == [first, second]
    assert len(keys.position_of_row(keys.board_row("acme", times[0], f"inc_{'0' * 26}").sk)) <= 64


@pytest.mark.parametrize("tenant", ["ab", "a1", "acme-corp", "0" * 63, "Acme", "org_9ybsU1dN2dKfDkBi", "a.b_c-"])
def test_a_valid_tenant_id_is_accepted(tenant: str) -> None:
    assert model.TENANT_ID.fullmatch(tenant)


@pytest.mark.parametrize(
    "tenant",
    ["", "a", "-ab", ".ab", "_ab", "a+b", "a#b", "a*", "a b", "a/b", "ab\n", "a" * 64, "\u0430cme"],
)
def test_an_invalid_tenant_id_is_refused(tenant: str) -> None:
    assert not model.TENANT_ID.fullmatch(tenant)
