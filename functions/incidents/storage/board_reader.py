"""Read the board of deadlines for one caller. An application sees only its own incidents."""

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from ..domain import board_entry
from ..domain.errors import Busy
from ..domain.identity import Identity
from ..domain.model import INCIDENT_ID
from ..domain.questions import BoardFilters
from ..runtime import deadline
from . import keys, stored_form
from .dynamodb import refusals_as_busy

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ROWS_READ = 1_000
UNITS_READ = 128  # the read units of 1 MB if the reads are eventually consistent
_ATTEMPTS = 8

Entry = dict[str, Any]


class BoardPage(NamedTuple):
    """Board entries in their order, with their positions.

    ``position`` is the position after which the next page continues, or None at the end of the board.
    """

    entries: list[Entry]
    positions: list[str]
    position: str | None


class BoardReader:
    """A reader of the board of one caller."""

    def __init__(self, identity: Identity, client: "DynamoDBClient", table_name: str) -> None:
        self.identity = identity
        self._tenant_id = identity.tenant_id
        self._client = client
        self._table = table_name

    def page(self, filters: BoardFilters, limit: int, after: str, as_of: int) -> BoardPage:
        """Return up to ``limit`` entries after a position that pass the filters. ``as_of`` is the current time in
        milliseconds.

        One request reads up to 1 000 rows or 1 MB. If few of these rows pass, the page is shorter than ``limit``. The
        read is eventually consistent. Raises Busy.
        """
        entries: list[Entry] = []
        positions: list[str] = []
        position, step = after, limit + 1
        rows_left, units_left = ROWS_READ, float(UNITS_READ)
        while rows_left > 0 and units_left > 0:
            answer = self._query(position, filters.due_before, min(step, rows_left))
            rows_left -= answer["ScannedCount"]
            units_left -= answer["ConsumedCapacity"]["CapacityUnits"]
            step *= 2
            for row in answer["Items"]:
                entry = board_entry.shown(json.loads(row["entry"]["S"]), as_of)
                passes = any(map(filters.accept, entry["stages"]))
                if passes and len(entries) == limit:
                    return BoardPage(entries, positions, positions[-1])
                position = keys.position_of_row(row["sk"]["S"])
                if passes:
                    entries.append(entry)
                    positions.append(position)
            if "LastEvaluatedKey" not in answer:
                return BoardPage(entries, positions, None)
            position = keys.position_of_row(answer["LastEvaluatedKey"]["sk"]["S"])
        return BoardPage(entries, positions, position)

    def of_incidents(self, incident_ids: tuple[str, ...], as_of: int) -> list[Entry]:
        """Return the entries of up to 100 incidents, in the order of their dates. Incidents that are not on the board
        have no entry.

        The read is consistent. Raises Busy.
        """
        wanted: Any = [
            stored_form.key(keys.deadline_head(self._tenant_id, incident_id))
            for incident_id in incident_ids
            if INCIDENT_ID.fullmatch(incident_id)
        ]
        if not wanted:
            return []
        heads: list[stored_form.Item] = []
        for attempt in range(_ATTEMPTS):
            with refusals_as_busy():
                answer: Any = self._client.batch_get_item(
                    RequestItems={self._table: {"Keys": wanted, "ConsistentRead": True}}
                )
            heads += answer["Responses"].get(self._table, [])
            wanted = answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
            if not wanted:
                entries = [
                    board_entry.shown(json.loads(head["entry"]["S"]), as_of) for head in heads if self._shows(head)
                ]
                return sorted(
                    entries, key=lambda entry: (board_entry.sort_key(entry["stages"][0]), entry["incident_id"])
                )
            deadline.pause(attempt, first=0.02, longest=0.5)
        raise Busy

    def _shows(self, head: stored_form.Item) -> bool:
        return "entry" in head and self.identity.app_id in (None, head.get("app_id", {}).get("S"))

    def _query(self, after: str, due_before: str | None, limit: int) -> Any:
        first, last = keys.board_rows(self._tenant_id, after, due_before)
        parameters: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :pk AND sk BETWEEN :first AND :last",
            "ExpressionAttributeValues": {":pk": {"S": first.pk}, ":first": {"S": first.sk}, ":last": {"S": last.sk}},
            "Limit": limit,
            "ReturnConsumedCapacity": "TOTAL",
        }
        if self.identity.app_id is not None:
            parameters["FilterExpression"] = "app_id = :app"
            parameters["ExpressionAttributeValues"][":app"] = {"S": self.identity.app_id}
        with refusals_as_busy():
            return self._client.query(**parameters)
