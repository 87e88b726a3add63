"""Read one page of a tenant's incidents in the order of their last changes.

The index ``by-updated`` has one small entry for each incident. Each change moves the entry to the end. So a reader that
continues after its last entry finds every changed incident. The incidents themselves are read consistently by
their keys, so their states are at least as new as their entries.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from ..domain.errors import Busy
from ..domain.identity import Identity
from ..domain.model import Incident
from ..runtime import deadline
from . import keys, stored_form
from .dynamodb import refusals_as_busy
from .stored_form import Item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ENTRIES_READ = 1_000  # by one request
_ATTEMPTS = 8
_NO_INDEX = (
    f"The updates cannot be listed, because the table's index {keys.BY_UPDATED} is missing or not yet filled. All "
    "other operations work. Ask the operators of the service to add the index."
)


class Position(NamedTuple):
    """A position in the index. An empty id is before all incidents that changed at this moment."""

    updated_at: str
    incident_id: str


class FeedPage(NamedTuple):
    """Incidents in the order of ``positions``, and the position after which the next page continues.

    ``caught_up`` is true if the page ends with the last entry that may be shown.
    """

    incidents: list[Incident]
    positions: list[Position]
    position: Position
    caught_up: bool


class FeedReader:
    """A reader of the updates that one caller may see. An application sees the updates of its own incidents."""

    def __init__(self, identity: Identity, client: "DynamoDBClient", table_name: str) -> None:
        self.identity = identity
        self.table_name = table_name
        self._client = client
        self._partition = keys.incident(identity.tenant_id, "").pk

    def page(self, after: Position, until: str, limit: int) -> FeedPage:
        """Return up to ``limit`` incidents whose last change is after a position, and at ``until`` or earlier.

        One request reads up to 1 000 entries. If few of them belong to the calling application, the page is shorter.
        Raises Busy, also if the table lacks the index.
        """
        entries: dict[str, tuple[Position, int]] = {}
        position, left, step = after, ENTRIES_READ, limit + 1
        caught_up = after.updated_at > until
        while left > 0 and not caught_up:
            answer = self._query(position, until, min(step, left))
            left -= answer["ScannedCount"]
            step *= 2
            for entry in answer["Items"]:
                here = Position(entry["updated_at"]["S"], entry["sk"]["S"])
                is_own = self.identity.app_id in (None, entry.get("app_id", {}).get("S"))
                if is_own and len(entries) == limit:
                    return self._page(entries, position, caught_up=False)
                position = here
                if is_own:
                    # If an entry moved between two queries, both places were read. Only the later place counts.
                    entries.pop(here.incident_id, None)
                    entries[here.incident_id] = (here, int(entry["version"]["N"]))
            caught_up = "LastEvaluatedKey" not in answer
        return self._page(entries, position, caught_up=caught_up)

    def entries(self, start: str) -> Iterator[Item]:
        """Yield the index entries of the incidents whose last change is at ``start`` or later, oldest change first.

        An incident that changes during the reads may be yielded twice. Raises Busy, also if the table lacks the index.
        """
        position = Position(start, "")
        while True:
            answer = self._query(position, None, ENTRIES_READ)
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            last = answer["LastEvaluatedKey"]
            position = Position(last["updated_at"]["S"], last["sk"]["S"])

    def _query(self, after: Position, until: str | None, limit: int) -> Any:
        window, values = "updated_at >= :after", {":pk": {"S": self._partition}, ":after": {"S": after.updated_at}}
        if until is not None:
            window, values[":until"] = "updated_at BETWEEN :after AND :until", {"S": until}
        parameters: dict[str, Any] = {
            "TableName": self.table_name,
            "IndexName": keys.BY_UPDATED,
            "KeyConditionExpression": f"pk = :pk AND {window}",
            "ExpressionAttributeValues": values,
            "Limit": limit,
        }
        if after.incident_id:
            key = stored_form.key(keys.incident(self.identity.tenant_id, after.incident_id))
            parameters["ExclusiveStartKey"] = key | {"updated_at": {"S": after.updated_at}}
        try:
            with refusals_as_busy():
                return self._client.query(**parameters)
        except ClientError as error:
            # The error's text names the index if the index is missing, or if DynamoDB is still filling it.
            if keys.BY_UPDATED in error.response["Error"].get("Message", ""):
                raise Busy(_NO_INDEX) from error
            raise

    def _page(self, entries: dict[str, tuple[Position, int]], position: Position, *, caught_up: bool) -> FeedPage:
        incidents = self._incidents({incident_id: version for incident_id, (_, version) in entries.items()})
        shown = [incident_id for incident_id in entries if incident_id in incidents]
        return FeedPage(
            [incidents[incident_id] for incident_id in shown],
            [entries[incident_id][0] for incident_id in shown],
            position,
            caught_up,
        )

    def _incidents(self, versions: dict[str, int]) -> dict[str, Incident]:
        """Return the incidents with these ids, each at its version or a later one. Raises Busy.

        An erased incident is left out: its entry may outlive it for a moment.
        """
        current: dict[str, Incident] = {}
        wanted = set(versions)
        for attempt in range(_ATTEMPTS):
            if not wanted:
                return current
            items, unread = self._batch(wanted)
            for item in items:
                incident = stored_form.to_incident(item).incident
                if incident["version"] < versions[incident["id"]]:
                    unread.add(incident["id"])
                else:
                    current[incident["id"]] = incident
            wanted = unread
            if wanted and attempt < _ATTEMPTS - 1:
                deadline.pause(attempt, first=0.02, longest=0.5)
        if wanted:
            raise Busy
        return current

    def _batch(self, ids: set[str]) -> tuple[list[Item], set[str]]:
        """Read up to 100 incidents consistently. Return their items, and the ids that DynamoDB did not process."""
        wanted: Any = [
            stored_form.key(keys.incident(self.identity.tenant_id, incident_id)) for incident_id in sorted(ids)
        ]
        with refusals_as_busy():
            answer: Any = self._client.batch_get_item(
                RequestItems={self.table_name: {"Keys": wanted, "ConsistentRead": True}}
            )
        unprocessed = answer.get("UnprocessedKeys", {}).get(self.table_name, {}).get("Keys", [])
        return answer["Responses"].get(self.table_name, []), {key["sk"]["S"] for key in unprocessed}
