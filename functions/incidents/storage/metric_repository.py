"""One tenant's day buckets in the table.

A repository has one identity, so no method takes a tenant or a partition key.
"""

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ..domain.errors import Busy
from ..domain.identity import Identity
from ..domain.metric_definitions import KINDS, Kind
from ..domain.tally import DayBucket, Facts
from ..runtime import deadline
from . import keys, stored_form
from .dynamodb import refusals_as_busy

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_INDEX = {
    "detected": (keys.BY_DETECTED_DAY, "detected_day_pk", keys.by_detected_day),
    "closed": (keys.BY_CLOSED_DAY, "closed_day_pk", keys.by_closed_day),
}
_TRIES = 4
MAX_CLOCK_SKEW_MS = 24 * 3_600_000
"""A stored ``read_from`` that is more than 24 h in the future comes from a wrong clock. It may be overwritten."""
_NOBODY_YET, _READ_EARLIER = "attribute_not_exists(read_from)", "read_from < :read_from"
_NOT_OVERTAKEN = f"{_NOBODY_YET} OR {_READ_EARLIER} OR read_from > :beyond"


class Overtaken(Exception):
    """Another run read the day's incidents later. This run's older result must not be written."""


class UnreadableIncident(Exception):
    """An incident of a day cannot be read. ``incident_id`` names the incident."""

    def __init__(self, incident_id: str) -> None:
        super().__init__(incident_id)
        self.incident_id = incident_id


class MetricRepository:
    """The metrics that one caller may read: the tenant's metrics or, for an application, its own incidents' metrics."""

    def __init__(self, identity: Identity, client: "DynamoDBClient", table_name: str) -> None:
        self._identity = identity
        self._tenant_id = identity.tenant_id
        self._client = client
        self._table = table_name

    @property
    def tells_times(self) -> bool:
        """Whether the caller may know when a day was computed.

        A change of any incident causes the computation of a day. So an application could see when others have changes.
        """
        return self._identity.app_id is None

    def pending_days(self, first_day: str, last_day: str) -> int:
        """Return how many days from ``first_day`` to ``last_day`` are marked, so that a job will compute them again.

        For an application, only days with changes of its own incidents count. The read is eventually consistent. Raises
        Busy.
        """
        days = set()
        for kind in KINDS:
            first, last = (keys.mark(keys.METRIC_DAYS, self._tenant_id, kind, day) for day in (first_day, last_day))
            for item in self._between(first, last):
                if self._identity.app_id is None or self._identity.app_id in item.get("apps", {}).get("SS", ()):
                    days.add(item["sk"]["S"].rpartition("#")[2])
        return len(days)

    def buckets(self, kind: Kind, first_day: str, last_day: str) -> Iterator[DayBucket]:
        """Yield the buckets of the days from ``first_day`` to ``last_day``, both included, in the order of the days.

        The read is eventually consistent. Raises Busy.
        """
        first, last = keys.metric_buckets(self._tenant_id, self._identity.app_id, kind, first_day, last_day)
        for day, of_day in groupby(self._between(first, last), key=lambda item: item["day"]["S"]):
            bucket = _whole(list(of_day)) or self._read_anew(kind, day)
            if bucket.chunks:
                yield bucket

    def incidents(self, kind: Kind, day: str) -> Iterator[Facts]:
        """Yield the incidents of a day, including deleted and dismissed incidents.

        The read is eventually consistent, because it queries an index. Raises UnreadableIncident or Busy.
        """
        index, attribute, partition = _INDEX[kind]
        for item in self._query(
            IndexName=index,
            KeyConditionExpression=f"{attribute} = :partition",
            ExpressionAttributeValues={":partition": {"S": partition(self._tenant_id, day)}},
        ):
            try:
                facts = to_facts(item)
            except Exception as error:
                raise UnreadableIncident(item["sk"]["S"]) from error
            yield facts

    def take_day(self, kind: Kind, day: str, read_from: int, apps: frozenset[str]) -> frozenset[str]:
        """Begin to replace a day's buckets. Return every application that ever had an incident on that day.

        The caller must replace the buckets of all these applications. ``read_from`` is the time at which reading the
        incidents began, in milliseconds since 1970. ``apps`` are the applications that have an incident on the day now.
        Raises Overtaken or Busy.
        """
        expression, values = "SET read_from = :read_from", _reading(read_from)
        if apps:
            expression += " ADD apps :apps"
            values[":apps"] = {"SS": sorted(apps)}
        try:
            with refusals_as_busy():
                answer = self._client.update_item(
                    TableName=self._table,
                    Key=stored_form.key(keys.metric_day(self._tenant_id, kind, day)),
                    UpdateExpression=expression,
                    ConditionExpression=_NOT_OVERTAKEN,
                    ExpressionAttributeValues=values,
                    ReturnValues="ALL_NEW",
                )
        except ClientError as error:
            raise _overtaken_or(error) from error
        known = answer["Attributes"]
        return frozenset(known["apps"]["SS"] if "apps" in known else ())

    def replace(self, app_id: str | None, kind: Kind, new: DayBucket) -> None:
        """Replace a bucket and all its parts at once. Raises Overtaken or Busy; then the old version stays valid.

        The bucket's own item is the first part and is written last. The other parts have ``read_from`` in their keys,
        so they do not overwrite parts of another version. When the bucket's item is written, all new parts become valid
        at once:

            put the other parts           put the bucket's item           delete the parts of older versions
            ─────────●──────────────────────────────●───────────────────────────────────●────────────────▶ time
              readers see the old version             readers see the new version
        """
        bucket, read_from = keys.metric_bucket(self._tenant_id, app_id, kind, new.day), new.computed_at
        first, *others = _to_items(new)
        for n, part in enumerate(others, start=1):
            item = stored_form.key(keys.metric_chunk(bucket, read_from, n)) | part
            with refusals_as_busy():
                self._client.put_item(TableName=self._table, Item=item)
        try:
            with refusals_as_busy():
                answer = self._client.put_item(
                    TableName=self._table,
                    Item=stored_form.key(bucket) | first,
                    ConditionExpression=_NOT_OVERTAKEN,
                    ExpressionAttributeValues=_reading(read_from),
                    ReturnValues="ALL_OLD",
                )
        except ClientError as error:
            raise _overtaken_or(error) from error
        before = answer.get("Attributes")
        if others or (before and before["parts"]["N"] != "1"):
            self._remove_older(bucket, read_from)

    def days(self) -> Iterator[tuple[Kind, str]]:
        """Yield (kind, day) of every day that has an incident or ever had a bucket. The same day may be yielded again.

        This method is for operators' commands, because it reads all incidents of the tenant.
        """
        for item in self._query(**self._everything(keys.incident(self._tenant_id, "").pk)):
            for kind in KINDS:
                if moment := item.get(f"{kind}_at", {}).get("S"):
                    yield kind, moment[:10]
        for item in self._query(**self._everything(keys.metric_day(self._tenant_id, "", "").pk, "DAY#")):
            _, name, day = item["sk"]["S"].split("#")
            yield next(kind for kind in KINDS if kind.upper() == name), day

    def _read_anew(self, kind: Kind, day: str) -> DayBucket:
        """Read a day's bucket again after it was replaced during a read. Raises Busy."""
        key = keys.metric_bucket(self._tenant_id, self._identity.app_id, kind, day)
        for attempt in range(_TRIES):
            bucket = _whole(list(self._between(key, key._replace(sk=f"{key.sk}#~"), ConsistentRead=True)))
            if bucket is not None:
                return bucket
            deadline.pause(attempt, first=0.05)
        raise Busy

    def _remove_older(self, bucket: keys.Key, read_from: int) -> None:
        """Delete the parts of a bucket's older versions. No reader needs these parts anymore."""
        for item in self._between(bucket._replace(sk=f"{bucket.sk}#"), bucket._replace(sk=f"{bucket.sk}#~")):
            if int(item["read_from"]["N"]) < read_from:
                with refusals_as_busy():
                    self._client.delete_item(TableName=self._table, Key={"pk": item["pk"], "sk": item["sk"]})

    def _between(self, first: keys.Key, last: keys.Key, **more: Any) -> Iterator[stored_form.Item]:
        return self._query(
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues={":pk": {"S": first.pk}, ":first": {"S": first.sk}, ":last": {"S": last.sk}},
            **more,
        )

    def _everything(self, partition: str, behind: str = "!") -> dict[str, Any]:
        return {
            "KeyConditionExpression": "pk = :pk AND sk > :behind",
            "ExpressionAttributeValues": {":pk": {"S": partition}, ":behind": {"S": behind}},
        }

    def _query(self, **parameters: Any) -> Iterator[stored_form.Item]:
        while True:
            with refusals_as_busy():
                answer = self._client.query(TableName=self._table, **parameters)
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            parameters["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def to_facts(item: stored_form.Item) -> Facts:
    """Return the fields of an incident that the metrics use.

    ``item`` is the incident's item in the table or in a day index. An index has only some of the attributes.
    """

    def text(name: str) -> str | None:
        return item[name]["S"] if name in item else None

    def whole(name: str) -> int | None:
        return int(item[name]["N"]) if name in item else None

    return Facts(
        app_id=text("app_id"),
        severity=text("severity"),
        category=text("category"),
        status=item["status"]["S"],
        is_deleted=item["is_deleted"]["BOOL"],
        occurred_at=text("occurred_at"),
        detected_at=text("detected_at"),
        contained_at=text("contained_at"),
        closed_at=text("closed_at"),
        mttd_minutes=whole("mttd_minutes"),
        mttr_minutes=whole("mttr_minutes"),
    )


def _reading(read_from: int) -> dict[str, Any]:
    return {":read_from": {"N": str(read_from)}, ":beyond": {"N": str(read_from + MAX_CLOCK_SKEW_MS)}}


def _to_items(bucket: DayBucket) -> list[stored_form.Item]:
    """Return the items of a bucket without their keys: one item for each chunk, with a share of the categories."""
    share = -(-len(bucket.categories) // len(bucket.chunks)) or 1
    items: list[stored_form.Item] = []
    for n, text in enumerate(bucket.chunks):
        item: stored_form.Item = {
            "day": {"S": bucket.day},
            "read_from": {"N": str(bucket.computed_at)},
            "parts": {"N": str(len(bucket.chunks))},  # the stored names "parts" and "rows" never change
            "rows": {"S": text},
        }
        if categories := bucket.categories[n * share : (n + 1) * share]:
            item["categories"] = {"B": categories}
        items.append(item)
    return items


def _whole(items: list[stored_form.Item]) -> DayBucket | None:
    """Return a bucket from its item and its parts, or None if a part is missing. Ignores the parts of other runs."""
    first = items[0]
    day, read_from = first["day"]["S"], first["read_from"]
    if not first["sk"]["S"].endswith(day):  # the day has only parts, because their bucket is not written yet
        return DayBucket(day, 0, [], b"")
    valid = [item for item in items if item["read_from"] == read_from]
    if len(valid) != int(first["parts"]["N"]):
        return None
    categories = b"".join(stored_form.to_bytes(item["categories"]["B"]) for item in valid if "categories" in item)
    return DayBucket(day, int(read_from["N"]), [item["rows"]["S"] for item in valid], categories)


def _overtaken_or(error: ClientError) -> Exception:
    return Overtaken() if error.response["Error"]["Code"] == "ConditionalCheckFailedException" else error
