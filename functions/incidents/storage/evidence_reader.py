"""Read the evidence of an incident, one page at a time."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import decompressobj
from zlib import error as zlib_error

from ..domain.identity import Identity
from . import keys, stored_form
from .dynamodb import read_incident, refusals_as_busy
from .stored_form import Item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


_UNREADABLE = '{"(cut)":"the stored event is damaged and cannot be read"}'
EVENT_BYTES = 8_000_000  # of a decompressed event; the queue takes 1 MB, which is at most 6 MB of escaped JSON


class StoredEvidence(NamedTuple):
    """One event of an incident. ``event`` is its canonical JSON, and ``position`` is its place in the incident's list.

    ``value`` is the value of this JSON. The other values are those of ``domain.evidence.Evidence``.
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
    value: Any


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


class Unreadable(Exception):
    """The item has not the form of an event. The text says why."""


def to_evidence(item: Item) -> StoredEvidence:
    """Return the event in an item. Raises Unreadable for an item of another form."""
    try:
        return _to_evidence(item)
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError, zlib_error) as error:
        raise Unreadable(f"{type(error).__name__}: {error}") from error


def to_unreadable(item: Item) -> StoredEvidence:
    """Return what a damaged item says about its event. A note stands in the place of the event."""
    position = item["sk"]["S"].partition("#")[2]
    observed_at, _, half_a_hash = position.partition("#")
    source, adapter, rule, sha256 = (_text_in(item.get(name)) for name in ("source", "adapter", "rule", "sha256"))
    return StoredEvidence(
        position, observed_at, source, adapter, rule, sha256 or half_a_hash.ljust(64, "0"), True, _UNREADABLE, {}, None
    )


def _text_in(attribute: Any) -> str:
    return attribute.get("S") or "" if isinstance(attribute, Mapping) else ""


def _to_evidence(item: Item) -> StoredEvidence:
    event = _decompressed(stored_form.to_bytes(item["event"]["B"])).decode()
    value = json.loads(event, parse_constant=_no_constant)
    if not isinstance(value, dict):
        raise TypeError("the event is no object")
    return StoredEvidence(
        position=item["sk"]["S"].partition("#")[2],
        observed_at=item["observed_at"]["S"],
        source=item["source"]["S"],
        adapter=item["adapter"]["S"],
        rule=item["rule"]["S"],
        sha256=item["sha256"]["S"],
        is_cut=item["is_cut"]["BOOL"],
        event=event,
        summary=_summary(json.loads(item["summary"]["S"])) if "summary" in item else {},
        value=value,
    )


def _decompressed(packed: bytes) -> bytes:
    unpacking = decompressobj()
    text = unpacking.decompress(packed, EVENT_BYTES)
    if not unpacking.eof:
        raise ValueError("the event is incomplete, or too large")
    return text


def _no_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _summary(value: Any) -> dict[str, list[str]]:
    """Return the members of a stored summary. Raises TypeError for a value of another form."""
    lists = value.values() if isinstance(value, dict) else [None]
    if not all(isinstance(texts, list) and all(isinstance(text, str) for text in texts) for texts in lists):
        raise TypeError("the summary is no object of lists of texts")
    summary: dict[str, list[str]] = value
    return summary
