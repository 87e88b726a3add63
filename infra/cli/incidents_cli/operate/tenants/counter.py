"""`incidents tenant counter`: each year's counter and numbers, and the lowering of a counter that a typo raised.

A number of the server's form that a person gives raises the year's counter. A mistyped ``INC-2026-999999999`` makes all
later numbers ten digits long. Its incident keeps the number forever, so a counter can be lowered below that number: the
counter's item then holds ``ignored_from``, and numbers from there on neither raise the counter nor count in ``verify``.
"""

import time
from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from incidents.domain import model
from incidents.domain.identity import Identity
from incidents.storage import guard, keys, stored_form
from incidents.storage.incident_repository import IncidentRepository

from .reading import TenantReader

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SETTLE_SECONDS = 16  # longer than the timeout of a function that creates incidents


class Year(NamedTuple):
    """A year's counter, and the counts of its numbers, in order.

    ``counter`` is None if no number was drawn. Numbers from ``ignored_from`` on are ignored; it may be None.
    """

    year: int
    counter: int | None
    counts: list[int]
    ignored_from: int | None

    def highest(self, below: int | None = None) -> int:
        """Return the highest count, or the highest below a bound; 0 if there is none."""
        bound = self.ignored_from if below is None else below
        return max((count for count in self.counts if bound is None or count < bound), default=0)

    @property
    def widest_gap(self) -> tuple[int, int] | None:
        """The two neighboring counts that are furthest apart."""
        return max(pairwise([0, *self.counts]), key=lambda pair: pair[1] - pair[0], default=None)


class Moved(Exception):
    """The counter changed after it was read. Nothing was written."""


def read(reader: TenantReader) -> list[Year]:
    """Return the years of a tenant that have a counter or a number of the server's form."""
    counters = {int(item["sk"]["S"]): item for item in reader.items("COUNTER")}
    counts: defaultdict[int, list[int]] = defaultdict(list)
    for item in reader.items("NUMBER"):
        if generated := model.parse_generated(item["sk"]["S"]):
            counts[generated[0]].append(generated[1])
    return [
        Year(
            year,
            _number(counters.get(year), "count"),
            sorted(counts[year]),
            _number(counters.get(year), "ignored_from"),
        )
        for year in sorted({*counters, *counts})
    ]


def lower(reader: TenantReader, client: "DynamoDBClient", year: Year, below: int | None) -> int:
    """Lower a year's counter to the highest number that exists, below a bound if one is given; return the count.

    The write is conditional: a number that is drawn in between makes it fail. Concurrent creates cannot make duplicate
    numbers, because a create never overwrites a number. After a pause, a number of a create that was under way raises
    the counter again. Raises Moved.
    """
    count = year.highest(below)
    ignored = {":from": {"N": str(below)}} if below is not None else {}
    with guard.serving_tenant(reader.tenant_id):
        try:
            client.update_item(
                TableName=reader.table_name,
                Key=stored_form.key(keys.counter(reader.tenant_id, year.year)),
                UpdateExpression="SET #count = :count" + (", ignored_from = :from" if ignored else ""),
                ConditionExpression="#count = :read",
                ExpressionAttributeNames={"#count": "count"},
                ExpressionAttributeValues={":count": {"N": str(count)}, ":read": {"N": str(year.counter)}, **ignored},
            )
        except client.exceptions.ConditionalCheckFailedException:
            raise Moved from None
    time.sleep(SETTLE_SECONDS)
    now = next(after for after in read(reader) if after.year == year.year)
    if now.highest() > count:
        identity = Identity(reader.tenant_id, "operator", None, frozenset())
        with guard.serving_tenant(reader.tenant_id):
            IncidentRepository(identity, client, reader.table_name).raise_count(year.year, now.highest())
    return now.highest()


def _number(item: dict[str, Any] | None, name: str) -> int | None:
    return int(item[name]["N"]) if item and name in item else None
