"""Seal the histories of tenants: write signed manifests with the newest hashes of the changed incidents.

A run handles each marked tenant:

    read the mark    newest manifest    changed incidents    sign    put, if absent    unmark, if not marked again
    ──────●────────────────●───────────────────●──────────────●────────────●───────────────────●──────────────▶ time

The tenant with the oldest mark is first. So if a run has no time for all tenants, the next run begins with the others.
A tenant takes at most half of the time that the run has left. So a tenant with many changes leaves time for others.

If a run ends at any point before the last step, the mark stays. The next run continues after the newest manifest. If
the manifest was put, but the mark was not removed, the next manifest repeats some entries, which is harmless.

A window begins an hour before the end of the manifest before it. So a manifest also has the changes that were written,
or that appeared in the index, after the end of the earlier window. A run reads the index to its very end. So each run
has an incident that changes all the time, and an incident with a time in the future.

For each change, this makes sure that the first run which ends at least an hour later has the change. The verifier
reports a change that this run does not have, because somebody wrote the change later with a false time.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from itertools import chain
from typing import NamedTuple

from .domain import manifests, timestamps
from .domain.errors import Busy
from .domain.manifests import BEGINNING, Entry, Record, Window
from .manifest_store import ManifestStore, Overtaken
from .runtime import cloudwatch, deadline
from .runtime.log import logger
from .storage.feed_reader import FeedReader
from .storage.marks import Mark, Marks
from .storage.stored_form import CHAIN_HEAD, Item

_OVERLAP_MS = 3_600_000
_MANIFEST_SECONDS = 10.0  # one manifest takes at most so long; with less time left, a run starts no other manifest

Serving = Callable[[str], AbstractContextManager[FeedReader]]


class Order(NamedTuple):
    """An operator's order to seal a tenant now. ``whole`` begins the window with the tenant's first incident."""

    tenant_id: str
    whole: bool = False
    record: Record = manifests.NOTHING


class Unsealable(Exception):
    """Incidents of a tenant are in no manifest, because their items have another form than the service writes."""


class Unfinished(Exception):
    """A tenant had too little time for all its manifests. The next run continues after the newest manifest."""


def seal_history(marks: Marks, store: ManifestStore, serving: Serving, settle_ms: int) -> list[str]:
    """Seal the marked tenants, the oldest mark first. Return one outcome for each handled mark.

    The outcomes are those of ``Marks.work_off``, ``overtaken`` (another run was faster), ``unsealable`` (all incidents
    but those with an unsealable item were sealed), ``postponed`` (the tenant had too little time for all its
    manifests), and ``failed``. If too little time is left for another tenant, the last outcome is ``postponed``. The
    marks of all these tenants stay, with their ages.
    """
    now = time.time_ns() // 1_000_000
    outcomes: list[str] = []
    waiting: list[Mark] = []
    try:
        # A tenant has one mark. So one read of 1 MB has thousands of tenants, more than a run can seal.
        for mark in marks.of_all_tenants():
            waiting.append(mark)  # if a read fails, the run seals the tenants before it
    except Busy:
        logger.error("the marks cannot be read")
        outcomes.append("failed")
    waiting.sort(key=lambda mark: mark.since)
    for mark in waiting:
        if (left := deadline.left()) < _MANIFEST_SECONDS:
            outcomes.append("postponed")
            break
        reserved = max(_MANIFEST_SECONDS, left / 2)
        seal = partial(_seal, Order(mark.tenant_id), store, serving, settle_ms, reserved)
        try:
            outcomes.append(marks.work_off(mark, settle_ms, seal))
        except Overtaken:
            outcomes.append("overtaken")
        except Unsealable:
            outcomes.append("unsealable")
        except Unfinished:
            logger.warning("tenant unfinished", extra={"tenant_id": mark.tenant_id})
            outcomes.append("postponed")
        except Exception as error:  # a failed tenant must not block the other tenants
            logger.error("tenant failed", extra={"tenant_id": mark.tenant_id, "error": type(error).__qualname__})
            outcomes.append("failed")
    oldest = min([now, *(mark.since for mark in waiting)])
    cloudwatch.gauge("OldestSealMarkMinutes", (now - oldest) // 60_000)
    return outcomes


def seal_tenant(order: Order, store: ManifestStore, serving: Serving, settle_ms: int) -> str:
    """Seal a tenant as an operator ordered. Return ``computed``. The tenant's mark stays for the schedule.

    Raises Busy, Unfinished, Overtaken, Unsealable and ClientError.
    """
    _seal(order, store, serving, settle_ms, _MANIFEST_SECONDS, time.time_ns() // 1_000_000)
    return "computed"


def _seal(order: Order, store: ManifestStore, serving: Serving, settle_ms: int, reserved: float, now: int) -> None:
    """Put as many manifests as the window from the newest manifest until now needs.

    Raises Unfinished if a manifest is missing, and less than ``reserved`` seconds of the run are left.
    """
    newest, record = store.newest(order.tenant_id), order.record
    end, unsealable = timestamps.from_milliseconds(now - settle_ms), list[str]()
    start, is_finished = BEGINNING, True
    with serving(order.tenant_id) as reader:
        # After a restore, the first run reads all incidents: a run on the old table may have ended early.
        if newest.table == reader.table_name and not order.whole:
            start = min(end, timestamps.from_milliseconds(timestamps.to_milliseconds(newest.to) - _OVERLAP_MS))
        # A run reads its newest entries twice. While an entry moves to its new place, a reader may miss it.
        items = chain(reader.entries(start), reader.entries(end))
        windows = _windows(_entries(items, unsealable), start, end)
        if record.erasure:
            # The manifest has no entries, because the index may still show the erased incidents for a moment.
            windows = iter([(Window(newest.to, newest.to, more=True), dict[str, Entry]())])
        for window, entries in windows:
            if deadline.left() < reserved:
                is_finished = False
                break
            manifest = manifests.dump(order.tenant_id, reader.table_name, newest, window, entries, record)
            newest, record = store.put(order.tenant_id, manifest), manifests.NOTHING
    for incident_id in dict.fromkeys(unsealable):
        logger.error("unsealable incident", extra={"tenant_id": order.tenant_id, "incident_id": incident_id})
    if unsealable:
        raise Unsealable
    if not is_finished:
        raise Unfinished


def _windows(
    changed: Iterable[tuple[str, str, Entry]], start: str, end: str
) -> Iterator[tuple[Window, dict[str, Entry]]]:
    """Yield the windows of manifests with at most 10 000 entries. The last window ends at ``end``."""
    entries: dict[str, Entry] = {}
    for incident_id, updated_at, entry in changed:
        if incident_id not in entries or entry.version > entries[incident_id].version:
            entries[incident_id] = entry
        if len(entries) == manifests.ENTRIES:
            reached = min(updated_at, end)
            yield Window(start, reached, more=True), entries
            start, entries = reached, {}
    yield Window(start, end), entries


def _entries(items: Iterable[Item], unsealable: list[str]) -> Iterator[tuple[str, str, Entry]]:
    """Yield the id, the time and the entry of each item. An item of another form goes to ``unsealable``."""
    for item in items:
        incident_id, updated_at = item["sk"]["S"], item["updated_at"]["S"]
        try:
            head = item[CHAIN_HEAD]["S"] if CHAIN_HEAD in item else None
            entry = Entry(int(item["version"]["N"]), head)
        except (KeyError, ValueError):
            unsealable.append(incident_id)
            continue
        if manifests.is_sealable(incident_id, updated_at, entry):
            yield incident_id, updated_at, entry
        else:
            unsealable.append(incident_id)
