"""Seal the histories of tenants: write signed manifests with the newest hashes of the changed incidents.

A run handles each marked tenant:

    read the mark    newest manifest    changed incidents    sign    put, if absent    unmark, if not marked again
    ──────●────────────────●───────────────────●──────────────●────────────●───────────────────●──────────────▶ time

If a run ends at any point before the last step, the mark stays. The next run continues after the newest manifest. If
the manifest was put, but the mark was not removed, the next manifest repeats some entries, which is harmless.

A window begins an hour before the end of the manifest before it. So a manifest also has the changes that were written,
or that appeared in the index, after the end of the earlier window.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, NamedTuple

from .domain import manifests, timestamps
from .domain.errors import Busy
from .domain.manifests import Entry, Window
from .manifest_store import ManifestStore, Overtaken
from .runtime import cloudwatch, deadline
from .runtime.log import logger
from .storage.feed_reader import FeedReader
from .storage.marks import Marks
from .storage.stored_form import CHAIN_HEAD, Item

BEGINNING = "1970-01-01T00:00:00.000Z"
_OVERLAP_MS = 3_600_000
_MANIFEST_SECONDS = 10.0  # one manifest takes at most so long; with less time left, a run starts no other manifest
_AT_ONCE = 25  # after so many tenants of a shard, the run handles other shards first

Serving = Callable[[str], AbstractContextManager[FeedReader]]


class Order(NamedTuple):
    """An operator's order to seal a tenant now. ``whole`` begins the window with the tenant's first incident.

    ``erasure`` is the SHA-256 of the proof of the tenant's erasure, or None.
    """

    tenant_id: str
    whole: bool = False
    erasure: str | None = None


def seal_history(marks: Marks, store: ManifestStore, serving: Serving, settle_ms: int) -> list[str]:
    """Seal the marked tenants. Return one outcome for each mark.

    The outcomes are those of ``Marks.work_off``, ``overtaken`` (another run was faster), and ``failed``. If too little
    time is left, the last outcome is ``postponed``. The marks of failed, overtaken and postponed tenants stay.
    """
    now = oldest = time.time_ns() // 1_000_000
    outcomes: list[str] = []
    try:
        for mark in marks.in_turns(_AT_ONCE):
            oldest = min(oldest, mark.since)
            if deadline.left() < _MANIFEST_SECONDS:
                outcomes.append("postponed")
                break
            seal = partial(_seal, Order(mark.tenant_id), store, serving, settle_ms)
            try:
                outcomes.append(marks.work_off(mark, settle_ms, seal))
            except Overtaken:
                outcomes.append("overtaken")
            except Exception as error:  # a failed tenant must not block the other tenants
                logger.error("tenant failed", extra={"tenant_id": mark.tenant_id, "error": type(error).__qualname__})
                outcomes.append("failed")
    except Busy:
        logger.error("the marks cannot be read")
        outcomes.append("failed")
    cloudwatch.gauge("OldestSealMarkMinutes", (now - oldest) // 60_000)
    return outcomes


def seal_tenant(order: Order, store: ManifestStore, serving: Serving, settle_ms: int) -> str:
    """Seal a tenant as an operator ordered. Return ``computed``. The tenant's mark stays for the schedule.

    Raises Busy, Overtaken, ClientError, and the errors of a damaged manifest.
    """
    _seal(order, store, serving, settle_ms, time.time_ns() // 1_000_000)
    return "computed"


def _seal(order: Order, store: ManifestStore, serving: Serving, settle_ms: int, now: int) -> None:
    """Put as many manifests as the window from the newest manifest until now needs."""
    newest, erasure = store.newest(order.tenant_id), order.erasure
    end = timestamps.from_milliseconds(now - settle_ms)
    start = BEGINNING
    if newest and not order.whole:
        start = min(end, timestamps.from_milliseconds(timestamps.to_milliseconds(newest.to) - _OVERLAP_MS))
    with serving(order.tenant_id) as reader:
        for window, entries in _windows(reader, start, end):
            if deadline.left() < _MANIFEST_SECONDS:
                raise Busy
            manifest = manifests.dump(order.tenant_id, reader.table_name, newest, window, entries, erasure)
            newest, erasure = store.put(order.tenant_id, manifest), None


def _windows(reader: FeedReader, start: str, end: str) -> Iterator[tuple[Window, dict[str, Entry]]]:
    """Yield the windows of manifests with at most 10 000 entries. The last window ends at ``end``."""
    entries: dict[str, Entry] = {}
    for item in reader.entries(start, end):
        entries[item["sk"]["S"]] = _entry(item)
        if len(entries) == manifests.ENTRIES:
            reached = item["updated_at"]["S"]
            yield Window(start, reached), entries
            start, entries = reached, {}
    yield Window(start, end), entries


def _entry(item: Item) -> Entry:
    head: Any = item.get(CHAIN_HEAD, {}).get("S")
    return Entry(int(item["version"]["N"]), head)
