"""Check a tenant's day buckets. This module computes each day's buckets from the incidents and compares them."""

import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from incidents.domain import tally
from incidents.domain.identity import Identity
from incidents.domain.metric_definitions import KINDS, Kind
from incidents.domain.tally import DayBucket, Tally, Totals
from incidents.storage import keys
from incidents.storage.metric_repository import MetricRepository, UnreadableIncident
from incidents.storage.stored_form import Item

from .reading import TenantReader
from .violations import Violation, of_expiry

# The most days that are remembered as computed. An incident of a remembered day needs no read of the day's bucket.
_REMEMBERED = 100_000


class MetricDays:
    """Checks a tenant's day buckets, but not those of marked days, because a job will compute these days again."""

    def __init__(self, reader: TenantReader) -> None:
        self._reader = reader
        self._computed: set[tuple[Kind, str]] = set()

    def look(self, batch: list[Item]) -> Iterator[tuple[str, list[Violation]]]:
        """Check a batch of metric items. Yield the sort key and the violations of each item."""
        return ((sk := item["sk"]["S"], [*of_expiry(sk, item), *self._of_item(item)]) for item in batch)

    def of_incident(self, incident_id: str, item: Item) -> list[Violation]:
        """Check that the metrics of an incident's days were computed, or that the days are marked."""
        days = ((kind, item[f"{kind}_at"]["S"][:10]) for kind in KINDS if f"{kind}_at" in item)
        return [
            Violation("metrics", incident_id, f"{kind} on {day}, a day never computed", "a computed or marked day")
            for kind, day in days
            if not (self._is_computed(kind, day) or self._is_due(kind, day))
        ]

    def _of_item(self, item: Item) -> list[Violation]:
        sk = item["sk"]["S"]
        *scope, named, day = sk.split("#")
        kind = next((kind for kind in KINDS if kind.upper() == named), None)
        match scope:
            case ["DAY"] if kind:
                return self._of_day(kind, day, _apps(item))
            case ["ALL"] | ["APP", _] if kind:
                return self._of_bucket(sk, kind, day, *scope[1:])
            case ["ALL", _, _] | [
                "APP",
                _,
                _,
                _,
            ]:  # A part of a bucket. A part counts only if its bucket names it, so a part without a bucket is harmless.
                return []
        return [Violation("metrics", sk, "an item of another form", "a day, a bucket or a part of a bucket")]

    def _of_bucket(self, sk: str, kind: Kind, day: str, app: str | None = None) -> list[Violation]:
        """Check that the item of a day names a bucket of that day.

        The next computation of the day replaces only the named buckets.
        """
        item = self._reader.item(keys.metric_day(self._reader.tenant_id, kind, day))
        if (item is not None and app in (None, *_apps(item))) or self._is_due(kind, day):
            return []
        return [Violation("metrics", sk, "a bucket that its day does not name", "a day that names it, or no bucket")]

    def _of_day(self, kind: Kind, day: str, apps: set[str]) -> list[Violation]:
        if self._is_due(kind, day):
            return []
        about = f"{kind} {day}"
        try:
            totals = tally.totals_by_group(kind, self._repository(None).incidents(kind, day))
        except UnreadableIncident as error:
            return [Violation("metrics", about, "an incident that cannot be read", f"see {error.incident_id}")]
        violations = []
        for app in (None, *sorted(apps | {group.app for group in totals if group.app is not None})):
            wanted = {group: total for group, total in totals.items() if app in (None, group.app)}
            try:
                stored = next(iter(self._repository(app).buckets(kind, day, day)), None)
                faults = ["no bucket"] if stored is None else _faults(stored, wanted)
            except (KeyError, ValueError, TypeError, zlib.error):
                faults = ["a bucket that cannot be read"]
            name = about if app is None else f"{about} of {app}"
            violations += [
                Violation("metrics", name, fault, f"{_sum(wanted)}, the sum of its incidents") for fault in faults
            ]
        return violations

    def _repository(self, app: str | None) -> MetricRepository:
        identity = Identity(self._reader.tenant_id, "operator", app, frozenset())
        return MetricRepository(identity, self._reader.client, self._reader.table_name)

    def _is_computed(self, kind: Kind, day: str) -> bool:
        if (kind, day) in self._computed:
            return True
        if self._reader.item(keys.metric_day(self._reader.tenant_id, kind, day)) is None:
            return False
        if len(self._computed) >= _REMEMBERED:
            self._computed.clear()
        self._computed.add((kind, day))
        return True

    def _is_due(self, kind: Kind, day: str) -> bool:
        return self._reader.item(keys.mark(keys.METRIC_DAYS, self._reader.tenant_id, kind, day)) is not None


def _apps(day: Item) -> set[str]:
    return set(day.get("apps", {}).get("SS", ()))


def _faults(stored: DayBucket, wanted: Totals) -> Iterator[str]:
    """Yield a description of each difference between a stored bucket and the day's incidents."""
    rows = tally.merged(stored.rows(), lambda group: group)
    # A bucket without categories is right on a day without categories, and in a table of release 0.1.0.
    if not stored.categories and _plain(rows) == _plain(wanted):
        return
    if _plain(rows) != _plain(tally.merged(wanted.items(), lambda group: group._replace(category=None))):
        yield _sum(rows)
        return
    by_category = tally.merged(wanted.items(), lambda group: group.category)
    expected = {name: total for name, total in by_category.items() if total.incidents}
    omitted, categories = tally.unpack(stored.categories) if stored.categories else tally.Categories(0, [])
    kept = {category.name: category.tally for category in categories}
    largest = max((total.incidents for name, total in expected.items() if name not in kept), default=0)
    if expected.keys() - {None} and (largest, _plain(kept)) != (
        omitted, _plain({name: total for name, total in expected.items() if name in kept})
    ):  # fmt: skip
        yield f"other totals by category, in {len(kept)} categories"


def _plain(totals: Mapping[Any, Tally]) -> dict[object, object]:
    return {
        group: (total.minutes, total.imported, total.excluded, sorted(total.open_since))
        for group, total in totals.items()
    }


def _sum(totals: Totals) -> str:
    whole = Tally()
    for total in totals.values():
        whole.merge(total)
    minutes = sum(value * count for (_, value), count in whole.minutes.items())
    return (
        f"{whole.minutes.total()} values with {minutes} minutes in all, {whole.excluded.total()} excluded, "
        f"{len(whole.open_since)} open, in {len(totals)} groups"
    )
