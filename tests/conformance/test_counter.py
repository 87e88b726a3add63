"""`incidents tenant counter` on AWS's own DynamoDB Local: it repairs a mistyped number, and makes no number twice."""

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from create_incident import handler as create
from incidents.domain import model
from incidents.storage import dynamodb as functions
from incidents.storage import keys, stored_form
from incidents_cli.console import StepFailed
from incidents_cli.operate.tenants import commands, counter
from incidents_cli.operate.tenants.counter import Moved, Year
from incidents_cli.operate.tenants.reading import TenantReader

from tests.support import invariants
from tests.support.events import Context, create_event

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TYPO = 999_999_999
Make = Callable[[], str]


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counter, "SETTLE_SECONDS", 0)


@pytest.fixture
def reader(dynamodb: "DynamoDBClient", service: str) -> TenantReader:
    return TenantReader(dynamodb, service, "acme")


@pytest.fixture
def make(reader: TenantReader) -> Make:
    def made() -> str:
        """Create an incident, and return the number that was drawn."""
        drawn: str = json.loads(create(create_event({"title": "x"}), Context)["body"])["incident_number"]
        return drawn

    return made


@pytest.fixture
def year(make: Make, reader: TenantReader) -> int:
    """This year, in which three numbers were drawn."""
    return int([make() for _ in range(3)][-1][4:8])


def number(year: int, count: int) -> str:
    return model.generated_number(year, count)


def give(year: int, count: int, status: int = 201) -> None:
    answer = create(create_event({"title": "x", "incident_number": number(year, count)}), Context)
    assert answer["statusCode"] == status


def lowered(reader: TenantReader, client: "DynamoDBClient", year: int, below: int | None) -> int:
    found = next(one for one in counter.read(reader) if one.year == year)
    return counter.lower(reader, client, found, below)


def check(reader: TenantReader) -> list[str]:
    return invariants.violations(invariants.everything(reader.client, reader.table_name))


def test_the_counter_is_shown_with_the_highest_number_and_the_widest_gap(reader: TenantReader, year: int) -> None:
    give(year, TYPO)
    give(1999, 7)

    assert counter.read(reader) == [Year(1999, 7, [7], None), Year(year, TYPO, [1, 2, 3, TYPO], None)]
    assert counter.read(reader)[1].widest_gap == (3, TYPO)
    assert commands._described(counter.read(reader)[1]) == (
        f"{year}  counter {TYPO}  highest number INC-{year}-{TYPO}  widest gap 3 to {TYPO}"
    )
    assert counter.read(TenantReader(reader.client, reader.table_name, "globex")) == []


def test_a_counter_that_a_refused_create_raised_is_lowered_to_the_highest_number(
    reader: TenantReader, year: int, make: Make
) -> None:
    reader.client.update_item(
        TableName=reader.table_name, Key=stored_form.key(keys.counter("acme", year)),
        UpdateExpression="SET #count = :count", ExpressionAttributeNames={"#count": "count"},
        ExpressionAttributeValues={":count": {"N": str(TYPO)}},
    )  # fmt: skip

    assert lowered(reader, functions.client(), year, None) == 3

    assert make() == number(year, 4)
    assert check(reader) == []


def test_a_counter_is_lowered_below_a_mistyped_number_for_good(reader: TenantReader, year: int, make: Make) -> None:
    give(year, TYPO)
    assert make() == number(year, TYPO + 1)

    assert lowered(reader, functions.client(), year, TYPO) == 3

    assert make() == number(year, 4)
    give(year, TYPO, status=409)  # as a repeated import does
    give(year, TYPO + 5)
    assert make() == number(year, 5)
    give(year, 100)
    assert make() == number(year, 101)
    assert check(reader) == []
    assert counter.read(reader)[0].highest() == 101


def test_a_create_steps_over_an_ignored_number(reader: TenantReader, year: int, make: Make) -> None:
    give(year, 6)
    give(year, 7)
    lowered(reader, functions.client(), year, 6)

    assert [make() for _ in range(4)] == [number(year, count) for count in (4, 5, 8, 9)]
    assert check(reader) == []


def test_a_number_drawn_in_between_keeps_the_counter_as_it_is(reader: TenantReader, year: int, make: Make) -> None:
    give(year, TYPO)
    found = counter.read(reader)[0]
    drawn = make()

    with pytest.raises(Moved):
        counter.lower(reader, functions.client(), found, TYPO)

    assert drawn == number(year, TYPO + 1)
    assert counter.read(reader)[0].counter == TYPO + 1


def test_a_create_under_way_raises_the_lowered_counter_again(
    reader: TenantReader, year: int, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A create raised the counter to 50, and stores its number only after the command has read the numbers."""
    give(year, 50)
    late = keys.number("acme", number(year, 50))
    item = reader.item(late)
    reader.client.delete_item(TableName=reader.table_name, Key=stored_form.key(late))
    assert item is not None
    monkeypatch.setattr(time, "sleep", lambda _: reader.client.put_item(TableName=reader.table_name, Item=item))

    assert lowered(reader, functions.client(), year, None) == 50

    assert make() == number(year, 51)
    assert check(reader) == []


@pytest.mark.parametrize("below", ["IR-7", "INC-2025-000042", f"INC-2026-{10**20}"])
def test_the_bound_must_be_a_number_of_the_year(below: str) -> None:
    with pytest.raises(StepFailed, match="--below does not fit"):
        commands.counter("acme", lower=2026, below=below)
