"""`incidents tenant counter`: each year's counter and numbers, and the lowering of a counter that a typo raised.

A number of the server's form that a person gives raises the year's counter. A mistyped ``INC-2026-999999999`` makes all
later numbers ten digits long. The incident keeps its mistyped number forever. But the counter can be lowered below this
number. The counter's item then has a range, ``ignored_from`` to ``ignored_to``. The range begins at the mistyped
number, and ends at the counter's value before it was lowered. Numbers in this range do not raise the counter again, and
`incidents verify` does not compare them with the counter.
"""

import time
from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from incidents.domain import model
from incidents.domain.identity import Identity
from incidents.storage import guard, keys, stored_form
from incidents.storage.incident_repository import IncidentRepository

from .invariants import ignored_counts
from .reading import TenantReader

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SETTLE_SECONDS = 16  # longer than the timeout of a function that creates incidents
_TRIES = 5


class Year(NamedTuple):
    """A year's counter, the counts of its numbers in order, and the ignored counts.

    ``counter`` is None if no number was drawn.
    """

    year: int
    counter: int | None
    counts: list[int]
    ignored: range = range(0)

    def highest(self, below: int | None = None) -> int:
        """Return the highest count of an existing number, to which the counter may be lowered, or 0 if there is none.

        If ``below`` is given, only counts below it are considered. The ignored counts are not considered either, as
        long as the counter is below all of them. If the counter has reached an ignored count, the server may have
        assigned the ignored counts itself, so they are considered.
        """
        passed = self.counter is not None and self.counter >= self.ignored.start
        return max(
            (
                count
                for count in self.counts
                if (below is None or count < below) and (passed or count not in self.ignored)
            ),
            default=0,
        )

    @property
    def widest_gap(self) -> tuple[int, int] | None:
        """The two neighboring counts that are furthest apart."""
        return max(pairwise([0, *self.counts]), key=lambda pair: pair[1] - pair[0], default=None)


class Refused(Exception):
    """The counter was not changed. The first argument is the reason. The second is the year as it was read, or None."""


def read(reader: TenantReader) -> list[Year]:
    """Return the years of a tenant that have a counter or a number that raises it.

    The counters are read before the numbers. So a number that is assigned between the two reads never makes a counter
    look too high.
    """
    counters = {int(item["sk"]["S"]): item for item in reader.items("COUNTER")}
    counts: defaultdict[int, list[int]] = defaultdict(list)
    for item in reader.items("NUMBER"):
        if raised := model.count_raised_by(item["sk"]["S"]):
            counts[raised[0]].append(raised[1])
    return [
        Year(year, _count(counters.get(year)), sorted(counts[year]), ignored_counts(counters.get(year)))
        for year in sorted({*counters, *counts})
    ]


def lower(reader: TenantReader, client: "DynamoDBClient", year: int, below: int | None) -> Year:
    """Lower a year's counter to the highest count, or to the highest count below ``below``. Return the year afterwards.

    Callers may create incidents meanwhile. They cannot make duplicate numbers, because a create never overwrites a
    number. With ``below``, the count of a mistyped number, all numbers that are assigned meanwhile are above ``below``.
    So the write only requires that the counter is not below ``below`` (or still below it, if it was lowered before).
    Without ``below``, the write requires that the counter has the value that was read. If the requirement fails, the
    function reads again, up to five times. A create that had drawn its number before the write may store the number
    after the write. So the function waits until such creates have ended, and then raises the counter to the highest
    number.

    Raises Refused.
    """
    for _ in range(_TRIES):
        current = next((each for each in read(reader) if each.year == year), None)
        if fault := _fault(current, below):
            raise Refused(fault, current)
        if current is not None and _write(reader, client, current, below):
            break
    else:
        raise Refused("The counter changed again and again while it was read.", current)
    time.sleep(SETTLE_SECONDS)
    after = next(current for current in read(reader) if current.year == year)
    highest = after.highest(below)
    identity = Identity(reader.tenant_id, "operator", None, frozenset())
    with guard.serving_tenant(reader.tenant_id):
        IncidentRepository(identity, client, reader.table_name).raise_count(year, highest)
    return after._replace(counter=max(after.counter or 0, highest))


def _fault(current: Year | None, below: int | None) -> str | None:
    """Return why the counter cannot be lowered, or None."""
    nothing = "There is nothing to lower."
    if current is None or current.counter is None:
        return nothing
    if below is None:
        return None if current.counter > current.highest() else nothing
    number = model.generated_number(current.year, below)
    if below not in current.counts:
        return f"The number {number} does not exist."
    if below - 1 in (0, *current.counts):
        return f"The number {number} is not at the upper end of a gap."
    return None if current.counter >= below or below != current.ignored.start else nothing


def _write(reader: TenantReader, client: "DynamoDBClient", current: Year, below: int | None) -> bool:
    """Write the counter and the ignored range. Return False if the counter has moved in a way that forbids it."""
    count = str(current.highest(below))
    if below is None:
        update, condition = "SET #count = :count", "#count = :read"
        values = {":count": count, ":read": str(current.counter)}
    # The counter was lowered before, below another mistyped number.
    elif current.counter is not None and current.counter < below:
        update, condition = "SET ignored_from = :from, ignored_to = :to", "#count < :from"
        values = {":from": str(below), ":to": str(current.counts[-1])}
    else:
        update, condition = "SET #count = :count, ignored_from = :from", "#count >= :from"
        values = {":count": count, ":from": str(below)}
        if current.ignored.stop - 1 <= (current.counter or 0):
            # The range ends at the value that the counter has at the time of the write.
            update += ", ignored_to = #count"
    with guard.serving_tenant(reader.tenant_id):
        try:
            client.update_item(
                TableName=reader.table_name,
                Key=stored_form.key(keys.counter(reader.tenant_id, current.year)),
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeNames={"#count": "count"},
                ExpressionAttributeValues={name: {"N": value} for name, value in values.items()},
            )
        except client.exceptions.ConditionalCheckFailedException:
            return False
    return True


def _count(item: dict[str, Any] | None) -> int | None:
    return int(item["count"]["N"]) if item and "count" in item else None
