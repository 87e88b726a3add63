"""Delete every item of a tenant permanently, and write the proof: a strongly consistent read that finds no item.

The tenant's id determines the places of its items. The places are a partition for each kind of item, a range of the
marks, a shard of the alerts, and the tenant's rows of the account map. So the table is never scanned.

New items can appear after the deletion. The table's stream reports the deleted incidents. So these incidents and their
days are marked, and a job writes an empty day bucket for each marked day. The command erases the new items until none
has appeared for longer than a job can run.
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

from ...console import StepFailed, require_new, writing
from ...local.local_stack import write
from .checkpoint import Checkpoint
from .reading import TenantReader, batches, give_way, nothing_of

QUIET_SECONDS = 120  # twice the longest run of a metrics job
_LOOK_EVERY = 2.0  # seconds
_ROUNDS = 100  # if this many rounds in a row find new items, somebody must still be writing items
_AT_ONCE = 25  # the most items that one BatchWriteItem accepts
_THREADS = 4
_MARKS, _ALERTS, _ACCOUNTS = "MARK", "ALERTDUE", "ACCOUNT"

Tell = Callable[[str, int], None]
"""A function that receives the progress of an erasure: a kind of items, and a number of erased items."""


class Erased(NamedTuple):
    """The proof of an erasure. The times are RFC 3339 texts.

    ``items`` has the number of erased items by kind. ``remaining`` has the number of items that the last read found, by
    kind.
    """

    tenant: str
    table: str
    started: str
    ended: str
    quiet_seconds: float
    items: dict[str, int]
    remaining: dict[str, int]


def erase(reader: TenantReader, proof: Path, quiet: float, tell: Tell) -> Erased:
    """Erase a tenant until ``quiet`` seconds pass without a new item. Then write the proof, and return it.

    An interrupted erasure continues from its checkpoint, which has the numbers of erased items. The items of the
    interrupted step are missing from these numbers. Raises StepFailed if the table has no item of the tenant, or if
    somebody still writes such items. Also raises it if the last read finds an item, or if the proof cannot be written.
    """
    require_new(proof)
    table = reader.table_arn()
    checkpoint = Checkpoint(proof.with_name(f"{proof.name}.checkpoint"), erased=reader.tenant_id, table=table)
    state: dict[str, Any] = checkpoint.load({"started": _now(), "items": {}})
    # Save the checkpoint before any deletion. If this fails, the proof could not be written into the folder either.
    checkpoint.save(state)

    def gone(kind: str, count: int) -> None:
        state["items"][kind] = state["items"].get(kind, 0) + count
        checkpoint.save(state)
        tell(kind, state["items"][kind])

    partitions = _Partitions(reader)
    partitions.erase(gone)
    if not state["items"]:
        checkpoint.remove()
        raise nothing_of(reader, "Nothing was erased, so no proof of erasure was written.")
    rounds, silent_since = 0, time.monotonic()
    while time.monotonic() - silent_since < quiet:
        time.sleep(min(_LOOK_EVERY, quiet))
        if came_back := partitions.erase(gone):
            rounds, silent_since = rounds + 1, time.monotonic()
        if rounds == _ROUNDS:
            raise StepFailed(
                f"Somebody still writes items of the tenant {reader.tenant_id}.",
                f"  After {rounds} rounds, there are still new items of these kinds: {', '.join(sorted(came_back))}",
                "Revoke the tenant's tokens and producers, then run the same command again to continue.",
            )  # fmt: skip
    remaining = partitions.remaining()
    if any(remaining.values()):
        detail = ", ".join(f"{kind} {count}" for kind, count in remaining.items() if count)
        raise StepFailed("The last read still found items.", f"  {detail}", "Run the same command again to continue.")
    # The seal of the proof covers only incidents until its end, and this machine's clock may be slow.
    ended = max(_now(), reader.now())
    done = Erased(reader.tenant_id, table, state["started"], ended, quiet, state["items"], remaining)
    with writing(proof):
        write(proof, json.dumps(done._asdict(), indent=2).encode() + b"\n")
    checkpoint.remove()
    return done


class _Partitions:
    """All items of a tenant, by kind: its own partitions, its alerts and marks, and its rows of the account map."""

    def __init__(self, reader: TenantReader) -> None:
        self._reader = reader
        self._client, self._table = reader.client, reader.table_name
        of_tenant = {":pk": {"S": keys.account("").pk}, ":tenant": {"S": reader.tenant_id}}
        self._queries: dict[str, dict[str, Any]] = {
            # The account map is erased first, so that no new finding is stored for the tenant. Incidents are next, so
            # that the stream reports their deletion early.
            _ACCOUNTS: {
                "KeyConditionExpression": "pk = :pk", "FilterExpression": "contains(tenants, :tenant)",
                "ExpressionAttributeValues": of_tenant,
            },
            **{
                kind: {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": {"S": partition}}}
                for kind, partition in reader.partitions.items()
            },
            # The sort key of an alert begins with a time, so the query reads the tenant's shard and filters it.
            _ALERTS: {
                "KeyConditionExpression": "pk = :pk", "FilterExpression": "tenant_id = :tenant",
                "ExpressionAttributeValues": {
                    ":pk": {"S": keys.alert(reader.tenant_id, "", "").pk}, ":tenant": {"S": reader.tenant_id},
                },
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
        """Erase all items that exist now, and call ``gone`` for each page. Return the kinds of the erased items."""
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
        """Return the numbers of items that exist now, by kind. The reads are strongly consistent."""
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
        """Remove the tenant from a row of the account map, and keep the row's other tenants.

        If somebody has changed the row, keep it. The next round then tries again.
        """
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
