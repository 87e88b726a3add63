"""Delete every item of a tenant permanently, and write the proof: a strongly consistent read of each partition.

The keys determine the partitions that a tenant can have: one per kind of item, its marks among all marks, and its rows
of the account map. The table is never scanned. The table's stream reports the deletions, so the incidents' days are
marked, and a job writes an empty day bucket for each mark. So items can come back. They are erased again until no item
has come back for longer than a job can run.
"""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from botocore.exceptions import ClientError
from incidents.domain import timestamps
from incidents.storage import keys
from incidents.storage.stored_form import Item

from ...console import StepFailed, writing
from ...local.local_stack import write
from .checkpoint import Checkpoint
from .reading import TenantReader, batches, give_way

QUIET_SECONDS = 120  # twice the longest run of a metrics job
_LOOK_EVERY = 2.0  # seconds
_ROUNDS = 100  # rounds in which an item came back; after so many, somebody is still writing
_AT_ONCE = 25  # the items that one BatchWriteItem accepts
_THREADS = 4
_MARKS, _ACCOUNTS = "MARK", "ACCOUNT"

Tell = Callable[[str, int], None]
"""Receives each step's progress: the kind of items, and how many of them were erased."""


class Erased(NamedTuple):
    """The proof: the numbers of erased ``items`` and of items that the last read found (``remaining``), by kind."""

    tenant: str
    table: str
    started: str
    ended: str
    quiet_seconds: float
    items: dict[str, int]
    remaining: dict[str, int]


def erase(reader: TenantReader, proof: Path, quiet: float, tell: Tell) -> Erased:
    """Erase a tenant, wait until no item came back for ``quiet`` seconds, and write the proof.

    An interrupted erasure continues. The checkpoint has the counts of erased items, except of the interrupted step.
    Raises StepFailed if somebody still writes, if the last read finds an item, or if the proof cannot be written.
    """
    if proof.exists():
        raise StepFailed(
            f"{proof} is there already.", "", "The file proves another erasure. Name a new file: --proof FILE"
        )
    table = reader.table_arn()
    checkpoint = Checkpoint(proof.with_name(f"{proof.name}.checkpoint"), erased=reader.tenant_id, table=table)
    state: dict[str, Any] = {"started": _now(), "items": {}} | checkpoint.load()
    checkpoint.save(state)  # before any deletion: if the checkpoint cannot be written, the proof cannot either

    def gone(kind: str, count: int) -> None:
        state["items"][kind] = state["items"].get(kind, 0) + count
        checkpoint.save(state)
        tell(kind, state["items"][kind])

    partitions = _Partitions(reader)
    partitions.erase(gone)
    rounds, silent_since = 0, time.monotonic()
    while time.monotonic() - silent_since < quiet:
        time.sleep(min(_LOOK_EVERY, quiet))
        if came_back := partitions.erase(gone):
            rounds, silent_since = rounds + 1, time.monotonic()
        if rounds == _ROUNDS:
            raise StepFailed(
                f"Somebody still writes for the tenant {reader.tenant_id}.",
                f"  Items that came back even after {rounds} rounds: {', '.join(sorted(came_back))}",
                "Revoke the tenant's tokens and producers, then run the same command again to continue.",
            )  # fmt: skip
    remaining = partitions.remaining()
    if any(remaining.values()):
        detail = ", ".join(f"{kind} {count}" for kind, count in remaining.items() if count)
        raise StepFailed("The last read still found items.", f"  {detail}", "Run the same command again to continue.")
    done = Erased(reader.tenant_id, table, state["started"], _now(), quiet, state["items"], remaining)
    with writing(proof):
        write(proof, json.dumps(done._asdict(), indent=2).encode() + b"\n")
    checkpoint.remove()
    return done


class _Partitions:
    """All items of a tenant, by kind: its own partitions, its marks, and its rows of the account map."""

    def __init__(self, reader: TenantReader) -> None:
        self._reader = reader
        self._client, self._table = reader.client, reader.table_name
        of_tenant = {":pk": {"S": keys.account("").pk}, ":tenant": {"S": reader.tenant_id}}
        self._queries: dict[str, dict[str, Any]] = {
            # The account map is first, so that no new finding is stored. Incidents are next, so that the stream reports
            # their deletion early.
            _ACCOUNTS: {
                "KeyConditionExpression": "pk = :pk", "FilterExpression": "contains(tenants, :tenant)",
                "ExpressionAttributeValues": of_tenant,
            },
            **{
                kind: {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": {"S": partition}}}
                for kind, partition in reader.partitions.items()
            },
            **{_MARKS if kind is keys.METRIC_DAYS else kind.partition: self._marks(kind) for kind in keys.MARK_KINDS},
        }  # fmt: skip

    def _marks(self, kind: keys.MarkKind) -> dict[str, Any]:
        first, last = keys.marks_of_tenant(kind, self._reader.tenant_id)
        return {
            "KeyConditionExpression": "pk = :pk AND sk BETWEEN :first AND :last",
            "ExpressionAttributeValues": {
                ":pk": {"S": first.pk}, ":first": {"S": first.sk}, ":last": {"S": last.sk},
            },
        }  # fmt: skip

    def erase(self, gone: Tell) -> set[str]:
        """Erase all items found now, and report each page to ``gone``; return the kinds of the erased items."""
        kinds: set[str] = set()
        with ThreadPoolExecutor(_THREADS) as pool:
            for kind, query in self._queries.items():
                shown = "pk, sk, tenants" if kind == _ACCOUNTS else "pk, sk"
                for page in batches(self._reader.query(**query, ProjectionExpression=shown), _AT_ONCE * _THREADS):
                    if kind == _ACCOUNTS:
                        for row in page:
                            self._leave(row)
                    else:
                        list(pool.map(self._delete, batches(page, _AT_ONCE)))
                    kinds.add(kind)
                    gone(kind, len(page))
        return kinds

    def remaining(self) -> dict[str, int]:
        """Return the number of items now, by kind, from strongly consistent reads."""
        return {kind: sum(1 for _ in self._reader.query(**query)) for kind, query in self._queries.items()}

    def _delete(self, batch: list[Item]) -> None:
        left: dict[str, Any] = {self._table: [{"DeleteRequest": {"Key": key}} for key in batch]}
        attempt = 0
        while left:
            sent = len(left[self._table])
            left = self._client.batch_write_item(RequestItems=left).get("UnprocessedItems") or {}
            if left:
                attempt = attempt + 1 if len(left[self._table]) == sent else 0
                give_way(attempt)

    def _leave(self, row: Item) -> None:
        """Remove the tenant from a row of the account map; other tenants stay. The next round retries a changed row."""
        key, tenant = {"pk": row["pk"], "sk": row["sk"]}, {":tenant": {"SS": [self._reader.tenant_id]}}
        try:
            if len(row["tenants"]["SS"]) == 1:
                self._client.delete_item(
                    TableName=self._table, Key=key, ConditionExpression="tenants = :tenant",
                    ExpressionAttributeValues=tenant,
                )  # fmt: skip
            else:
                self._client.update_item(
                    TableName=self._table, Key=key, UpdateExpression="DELETE tenants :tenant",
                    ConditionExpression="size(tenants) > :one",
                    ExpressionAttributeValues=tenant | {":one": {"N": "1"}},
                )  # fmt: skip
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise


def _now() -> str:
    return timestamps.from_milliseconds(time.time_ns() // 1_000_000)
