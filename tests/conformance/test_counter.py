"""Tests of `incidents tenant counter` on AWS's own DynamoDB Local.

The command lowers a counter that a mistyped number raised. Afterwards, no number is assigned twice.
"""

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
from incidents_cli.operate.tenants.counter import Refused, Year
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
        """Create an incident, and return the incident's number."""
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


def lowered(reader: TenantReader, year: int, below: int | None = None) -> int | None:
    """Lower the counter, and return it."""
    return counter.lower(reader, functions.client(), year, below).counter


def check(reader: TenantReader) -> list[str]:
    return invariants.violations(invariants.everything(reader.client, reader.table_name))


def set_counter(reader: TenantReader, year: int, count: int) -> None:
    reader.client.update_item(
        TableName=reader.table_name, Key=stored_form.key(keys.counter("acme", year)),
        UpdateExpression="SET #count = :count", ExpressionAttributeNames={"#count": "count"},
        ExpressionAttributeValues={":count": {"N": str(count)}},
    )  # fmt: skip


def test_the_counter_is_shown_with_the_highest_numbers_and_the_widest_gap(
    reader: TenantReader, year: int, make: Make
) -> None:
    give(year, TYPO)
    make()
    give(1999, 7)
    give(year, 10**20)  # this number has too many digits to raise the counter

    shown = counter.read(reader)

    assert shown == [Year(1999, 7, [7]), Year(year, TYPO + 1, [1, 2, 3, TYPO, TYPO + 1])]
    assert shown[1].widest_gap == (3, TYPO)
    assert commands._described(shown[1]) == (
        f"{year}  counter {TYPO + 1}  highest numbers INC-{year}-{TYPO + 1}, INC-{year}-{TYPO}, INC-{year}-000003  "
        f"widest gap 3 to {TYPO}"
    )
    assert counter.read(TenantReader(reader.client, reader.table_name, "globex")) == []


def test_a_counter_that_a_refused_create_raised_is_lowered_to_the_highest_number(
    reader: TenantReader, year: int, make: Make
) -> None:
    set_counter(reader, year, TYPO)
    give(year, 10**20)

    assert lowered(reader, year) == 3

    assert make() == number(year, 4)
    assert check(reader) == []


def test_a_counter_is_lowered_below_a_mistyped_number_for_good(reader: TenantReader, year: int, make: Make) -> None:
    give(year, TYPO)
    assert make() == number(year, TYPO + 1)

    assert lowered(reader, year, TYPO) == 3

    assert make() == number(year, 4)
    give(year, TYPO, status=409)  # a repeated import gives the mistyped number again
    give(year, TYPO + 1, status=409)
    assert make() == number(year, 5)
    give(year, 100)
    assert make() == number(year, 101)
    assert check(reader) == []
    assert counter.read(reader)[0].highest() == 101
    assert commands._described(counter.read(reader)[0]).endswith(f"ignored {TYPO} to {TYPO + 1}")


def test_a_number_above_the_ignored_ones_raises_the_counter_again(reader: TenantReader, year: int, make: Make) -> None:
    give(year, TYPO)
    lowered(reader, year, TYPO)

    give(year, TYPO + 5)
    assert make() == number(year, TYPO + 6)

    assert lowered(reader, year, TYPO) == 3
    assert make() == number(year, 4)
    assert check(reader) == []


def test_a_create_steps_over_an_ignored_number(reader: TenantReader, year: int, make: Make) -> None:
    give(year, 6)
    give(year, 7)
    lowered(reader, year, 6)

    assert [make() for _ in range(4)] == [number(year, count) for count in (4, 5, 8, 9)]
    assert check(reader) == []


def test_a_counter_that_passed_the_ignored_numbers_is_not_lowered_below_the_server_s_own(
    reader: TenantReader, year: int, make: Make
) -> None:
    give(year, 8)
    assert make() == number(year, 9)
    lowered(reader, year, 8)
    assert [make() for _ in range(8)][-1] == number(year, 13)

    with pytest.raises(Refused, match="There is nothing to lower"):
        lowered(reader, year)

    give(year, 20)
    assert make() == number(year, 21)
    set_counter(reader, year, TYPO)
    assert lowered(reader, year) == 21
    assert check(reader) == []


def test_one_create_passes_all_taken_numbers(reader: TenantReader, year: int, make: Make) -> None:
    """The counter reaches numbers that the server drew before an operator lowered the counter."""
    give(year, 990)
    drawn = [make() for _ in range(20)]
    item = reader.item(keys.number("acme", drawn[0]))
    assert item is not None
    for count in range(1011, 2400):
        sk = {"S": number(year, count)}
        reader.client.put_item(TableName=reader.table_name, Item={**item, "sk": sk})
    set_counter(reader, year, 989)

    assert make() == number(year, 2400)
    assert make() == number(year, 2401)


def test_taken_numbers_are_passed_across_a_change_of_their_length(reader: TenantReader, year: int, make: Make) -> None:
    give(year, 999_998)
    drawn = [make() for _ in range(4)]
    set_counter(reader, year, 999_997)

    assert drawn[-1] == number(year, 1_000_002)
    assert make() == number(year, 1_000_003)


@pytest.mark.parametrize(("below", "fault"), [(2, "end of a gap"), (1, "end of a gap"), (9, "not exist")])
def test_only_a_number_above_a_gap_can_be_mistyped(reader: TenantReader, year: int, below: int, fault: str) -> None:
    give(year, TYPO)

    with pytest.raises(Refused, match=fault):
        lowered(reader, year, below)

    assert counter.read(reader) == [Year(year, TYPO, [1, 2, 3, TYPO])]


def test_a_wrong_bound_is_taken_back_by_the_right_one(reader: TenantReader, year: int, make: Make) -> None:
    give(year, 5)  # meant
    own = [make() for _ in range(12)]
    give(year, TYPO)
    assert lowered(reader, year, 5) == 3

    assert lowered(reader, year, TYPO) == int(own[-1][-6:])
    assert counter.read(reader)[0].ignored == range(TYPO, TYPO + 1)
    with pytest.raises(Refused, match="There is nothing to lower"):
        lowered(reader, year, TYPO)

    assert [make() for _ in range(2)] == [number(year, count) for count in (18, 19)]
    give(year, 50)
    assert make() == number(year, 51)
    assert check(reader) == []


def test_an_earlier_typo_above_a_second_one_stays_ignored(reader: TenantReader, year: int, make: Make) -> None:
    give(year, TYPO)
    lowered(reader, year, TYPO)
    give(year, 500)
    assert make() == number(year, 501)

    assert lowered(reader, year, 500) == 3

    give(year, TYPO, status=409)
    assert make() == number(year, 4)
    assert check(reader) == []


def test_the_counter_is_lowered_while_creates_go_on(
    reader: TenantReader, year: int, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time the command has read the numbers, a create draws the next number."""
    give(year, TYPO)
    read = counter.read

    def read_late(of: TenantReader) -> list[Year]:
        found = read(of)
        make()
        return found

    monkeypatch.setattr(counter, "read", read_late)
    lowered(reader, year, TYPO)

    assert read(reader)[0].ignored == range(TYPO, TYPO + 2)
    assert make() == number(year, 5)
    assert check(reader) == []


def test_a_counter_that_moves_is_read_again(
    reader: TenantReader, year: int, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_counter(reader, year, TYPO)
    read = counter.read
    readings: list[list[Year]] = []

    def read_and_count(of: TenantReader) -> list[Year]:
        readings.append(read(of))
        if len(readings) == 1:
            give(year, TYPO + 1)
        return readings[-1]

    monkeypatch.setattr(counter, "read", read_and_count)
    with pytest.raises(Refused, match="There is nothing to lower"):
        lowered(reader, year)

    assert len(readings) == 2
    assert read(reader)[0].counter == TYPO + 1


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

    assert lowered(reader, year) == 50

    assert make() == number(year, 51)
    assert check(reader) == []


@pytest.mark.parametrize("below", ["IR-7", "INC-2025-000042", f"INC-2026-{10**20}"])
def test_the_bound_must_be_a_number_of_the_year(below: str) -> None:
    with pytest.raises(StepFailed, match="--below does not fit"):
        commands.counter("acme", lower=2026, below=below)
