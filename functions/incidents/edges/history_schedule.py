"""The edge of the schedule for seals. A run seals the marked tenants, or the tenant that an operator names.

An operator's event is ``{"tenant_id": "acme", "whole": true, "erasure": null, "restored_to": null}``. The schedule's
event has no tenant. The order for an erasure has the erasure's end and the SHA-256 of its proof, as a list. The order
for a restore has the time to which the table was restored.
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any

from .. import manifest_store
from ..domain import manifests, model, timestamps
from ..domain.identity import Identity
from ..domain.manifests import Erasure, Record
from ..manifest_store import ManifestStore
from ..runtime import cloudwatch, deadline, start
from ..runtime.log import logger
from ..sealing import Order, Unsealable
from ..storage import dynamodb, guard, marks
from ..storage.feed_reader import FeedReader

_CLOCKS_MS = 60_000  # the operator's clock may be ahead by so much


class Run:
    """One run. It can read the marks of all tenants, and can read the index of one tenant at a time."""

    def __init__(self, order: Order | None) -> None:
        self.order = order
        self.marks = marks.seals()
        self.store = ManifestStore()
        self.settle_ms = round(float(os.environ["MARK_SETTLE_SECONDS"]) * 1000)

    @contextmanager
    def serving(self, tenant_id: str) -> Iterator[FeedReader]:
        """Yield the reader of one tenant. Inside the context, the guard refuses requests for other tenants' items."""
        identity = Identity(tenant_id, "system:history", None, frozenset())
        with guard.serving_tenant(tenant_id):
            yield FeedReader(identity, dynamodb.client(), dynamodb.table_name())


def consumer(operate: Callable[[Run], list[str]]) -> Callable[[Mapping[str, Any], Any], dict[str, int]]:
    """Return a Lambda handler for an operation. The operation gets a run, and returns one outcome for each tenant.

    The handler raises Unsealable at its end if an incident was left out, so that the alarm for failed jobs starts.
    """
    start.prepare(dynamodb.warm_up, manifest_store.s3, manifest_store.kms)

    @wraps(operate)
    def handler(event: Mapping[str, Any], context: Any) -> dict[str, int]:
        started = time.perf_counter()
        with deadline.within(context.get_remaining_time_in_millis() / 1000):
            outcomes = Counter(operate(Run(_order(event))))
        cloudwatch.count("Seals", "outcome", outcomes)
        line = {"operation": operate.__module__, "outcomes": dict(outcomes)}
        logger.info("run", extra=line | {"duration_ms": round((time.perf_counter() - started) * 1000, 1)})
        if outcomes["unsealable"]:
            raise Unsealable
        return dict(outcomes)

    return handler


def _order(event: Mapping[str, Any]) -> Order | None:
    if "tenant_id" not in event:
        return None
    restored_to, whole = event.get("restored_to"), event.get("whole") is True
    match event.get("erasure"):
        case None:
            erasure = None
        case [str(ended), str(proof)]:
            erasure = Erasure(ended, proof)
        case _:
            raise ValueError("the order must name an erasure with its end and the SHA-256 of its proof")
    at = erasure.ended if erasure else restored_to
    is_right = (
        model.TENANT_ID.fullmatch(event["tenant_id"])
        and (erasure is None or manifests.HASH.fullmatch(erasure.proof))
        and (at is None or manifests.TIME.fullmatch(at))
        and (erasure is None or (restored_to is None and not whole))
    )
    if not is_right:
        raise ValueError("the order must name a tenant, and may name an erasure or the time of a restore")
    # Raises ValueError for a day that does not exist. An erasure that ends in the future would cover future incidents.
    if at is not None and timestamps.to_milliseconds(at) > time.time_ns() // 1_000_000 + _CLOCKS_MS:
        raise ValueError("the order must name an erasure or a restore of the past")
    return Order(event["tenant_id"], whole or restored_to is not None, Record(erasure, restored_to))
