"""One tenant's incidents in the table. Built for one identity: no method takes a tenant or a partition key."""

from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from . import items, keys
from .dynamodb import ConditionFailed, refusals_as_busy, transact
from .errors import NotFound, NumberTaken
from .identity import Identity
from .items import Stored
from .model import Incident

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class Page(NamedTuple):
    """Some incidents in order, and whether there may be more after the last."""

    incidents: list[Incident]
    more: bool


class IncidentRepository:
    """The incidents that one caller may reach: its tenant's, and of these an application reaches its own."""

    def __init__(self, identity: Identity, client: "DynamoDBClient", table_name: str) -> None:
        self.identity = identity
        self._tenant_id = identity.tenant_id
        self._client = client
        self._table = table_name

    def get(self, incident_id: str) -> Stored:
        """Return the incident as its last write left it, deleted or not. Raises NotFound."""
        with refusals_as_busy():
            answer = self._client.get_item(
                TableName=self._table,
                Key=items.key(keys.incident(self._tenant_id, incident_id)),
                ConsistentRead=True,  # who has just written must see it
            )
        if "Item" not in answer:
            raise NotFound
        stored = items.to_incident(answer["Item"])
        if self.identity.app_id is not None and stored.incident.get("app_id") != self.identity.app_id:
            raise NotFound
        return stored

    def page(self, limit: int, *, newest_first: bool, after: str | None) -> Page:
        """Return up to ``limit`` incidents that are not deleted, from behind the incident id ``after``.

        Fewer come back when DynamoDB ends a read at its 1 MB. Eventually consistent, as every index is.
        """
        index, attribute, value = self._active_index()
        start = {}
        if after is not None:
            position = items.key(keys.incident(self._tenant_id, after))
            start["ExclusiveStartKey"] = {**position, attribute: {"S": value}, "id": {"S": after}}
        with refusals_as_busy():
            answer = self._client.query(
                TableName=self._table,
                IndexName=index,
                KeyConditionExpression="#partition = :partition",
                ExpressionAttributeNames={"#partition": attribute},
                ExpressionAttributeValues={":partition": {"S": value}},
                ScanIndexForward=not newest_first,
                Limit=limit + 1,  # one more than wanted tells whether there is a next page, without an empty last one
                **start,  # type: ignore[arg-type]
            )
        found = [items.to_incident(item).incident for item in answer["Items"]]
        return Page(found[:limit], more=len(found) > limit or "LastEvaluatedKey" in answer)

    def create(self, incident: Incident) -> Stored:
        """Write the incident, its change 1 and its number: all or nothing. Raises NumberTaken or Busy."""
        if incident["tenant_id"] != self._tenant_id:
            raise ValueError("an incident of another tenant")
        # A fresh id cannot meet another; the conditions make sure that whatever happens, nothing is overwritten.
        new_item = "attribute_not_exists(pk)"
        writes = [items.from_incident(incident, 1), items.creation(incident), items.number(incident)]
        try:
            transact(
                self._client,
                [{"Put": {"TableName": self._table, "Item": item, "ConditionExpression": new_item}} for item in writes],
            )
        except ConditionFailed as failed:
            if failed.places == [2]:
                raise NumberTaken(incident["incident_number"]) from failed
            raise
        return Stored(incident, 1)

    def next_count(self, year: int) -> int:
        """Draw the next count of a year. Whoever draws gets its own; one that is not used is a gap.

        Outside the create's transaction, where every two creates of a tenant would conflict over it.
        """
        with refusals_as_busy():
            answer = self._client.update_item(
                **self._counter(year),
                UpdateExpression="ADD #count :one",
                ExpressionAttributeValues={":one": {"N": "1"}},
                ReturnValues="UPDATED_NEW",
            )
        return int(answer["Attributes"]["count"]["N"])

    def raise_count(self, year: int, count: int) -> None:
        """Make sure that the counts drawn from now on are above ``count``."""
        never_drawn = "attribute_not_exists(#count)"
        still_below = "#count < :count"
        try:
            with refusals_as_busy():
                self._client.update_item(
                    **self._counter(year),
                    UpdateExpression="SET #count = :count",
                    ConditionExpression=f"{never_drawn} OR {still_below}",
                    ExpressionAttributeValues={":count": {"N": str(count)}},
                )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise

    def _counter(self, year: int) -> dict[str, Any]:
        return {
            "TableName": self._table,
            "Key": items.key(keys.counter(self._tenant_id, year)),
            "ExpressionAttributeNames": {"#count": "count"},  # a reserved word
        }

    def _active_index(self) -> tuple[str, str, str]:
        """Return (index, partition attribute, partition) of the incidents that the caller may list."""
        if self.identity.app_id is not None:
            return keys.ACTIVE_BY_APP, "active_app_pk", keys.active_by_app(self._tenant_id, self.identity.app_id)
        return keys.ACTIVE, "active_pk", keys.active(self._tenant_id)
