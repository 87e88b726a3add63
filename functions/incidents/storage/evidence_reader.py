"""Read the evidence of an incident, one page at a time."""

import json
from typing import TYPE_CHECKING, NamedTuple
from zlib import decompress

from ..domain.identity import Identity
from . import keys, stored_form
from .dynamodb import read_incident, refusals_as_busy
from .stored_form import Item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class StoredEvidence(NamedTuple):
    """One event of an incident. ``event`` is its canonical JSON, and ``position`` is its place in the incident's list.

    The other members are those of ``domain.evidence.Evidence``.
    """

    position: str
    observed_at: str
    source: str
    adapter: str
    rule: str
    sha256: str
    is_cut: bool
    event: str
    summary: dict[str, list[str]]


class EvidenceReader:
    """A reader of the evidence of the incidents that one caller may reach."""

    def __init__(self, identity: Identity, client: "DynamoDBClient", table_name: str) -> None:
        self.identity = identity
        self._client = client
        self._table = table_name

    def page(self, incident_id: str, limit: int, after: str) -> tuple[list[Item], bool]:
        """Return the items of up to ``limit`` events after a position, oldest first, and whether more follow.

        One query reads up to 1 MB. ``to_evidence`` reads an item, which takes more memory. Raises NotFound or Busy.
        """
        # A caller who may not reach the incident may not reach its evidence.
        read_incident(self._client, self._table, self.identity, incident_id)
        first, last = keys.evidence_after(self.identity.tenant_id, incident_id, after)
        with refusals_as_busy():
            answer = self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
                ExpressionAttributeValues={
                    ":pk": {"S": first.pk}, ":first": {"S": first.sk}, ":last": {"S": last.sk},
                },
                ConsistentRead=True,
                Limit=limit + 1,
            )  # fmt: skip
        items = answer["Items"]
        return items[:limit], len(items) > limit or "LastEvaluatedKey" in answer


def to_evidence(item: Item) -> StoredEvidence:
    """Return the event in an item. Raises KeyError or ValueError for an item of another form, and zlib's error."""
    return StoredEvidence(
        position=item["sk"]["S"].partition("#")[2],
        observed_at=item["observed_at"]["S"],
        source=item["source"]["S"],
        adapter=item["adapter"]["S"],
        rule=item["rule"]["S"],
        sha256=item["sha256"]["S"],
        is_cut=item["is_cut"]["BOOL"],
        event=decompress(stored_form.to_bytes(item["event"]["B"])).decode(),
        summary=json.loads(item["summary"]["S"]) if "summary" in item else {},
    )
