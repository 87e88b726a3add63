"""Check every item of a tenant against the rules in ``invariants``. The check writes nothing to the table.

An interrupted check continues from its checkpoint. A correct item can look wrong if somebody writes between the reads
of two items that belong together. So the check waits and reads a suspicious item again before it reports the item.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple, Protocol

from incidents.domain import model
from incidents.storage import keys
from incidents.storage.stored_form import Item

from . import invariants, trails
from .checkpoint import Checkpoint, going_on, write_durably
from .deadline_items import DeadlineItems
from .metric_days import MetricDays
from .reading import AT_ONCE, Progress, TenantReader, batches
from .violations import Violation

Tell = Callable[[str, int, float | None], None]
"""A function that receives the progress: a kind of items, the number of checked items, and the finished part.

The finished part is a number from 0 to 1, or None if it is unknown.
"""

PAUSE_SECONDS = 3.0  # the wait before a suspicious item is read again


class Outcome(NamedTuple):
    """The result of a check: the numbers of checked items by kind, and the numbers of violations by rule."""

    looked_at: dict[str, int]
    violations: dict[str, int]


class Step(NamedTuple):
    """A checked batch of a section: the last sort key, the number of items, and the suspicious items' sort keys."""

    last: str
    looked_at: int
    suspects: list[str]


class Section(Protocol):
    """The items of one kind, and how to check them."""

    def steps(self, after: str | None) -> Iterator[Step]:
        """Check the items after a sort key in batches, in the order of the keys. Yield each batch's result."""

    def look_again(self, sk: str) -> list[Violation]:
        """Read a suspicious item again, and return its violations."""


def verify(
    reader: TenantReader, checkpoint: Checkpoint, report: Path | None, say: Callable[[Violation], None], tell: Tell,
) -> Outcome:  # fmt: skip
    """Check a tenant's items from the checkpoint on. Call ``say`` for each violation, and ``tell`` for the progress.

    Write the violations to ``report`` as JSON Lines, unless it is None.
    """
    state = checkpoint.load({"section": 0, "after": None, "bytes": 0, "looked_at": {}, "violations": {}})
    progress = Progress(reader)
    sections = _sections(reader)
    with going_on(report, state["bytes"]) if report else nullcontext() as lines:
        if lines:  # without a checkpoint, a report with content belongs to somebody else
            checkpoint.save(state)
        for place in range(state["section"], len(sections)):
            kind, section = sections[place]
            for step in section.steps(state["after"]):
                violations: list[Violation] = []
                if step.suspects:
                    time.sleep(PAUSE_SECONDS)
                    violations = [violation for suspect in step.suspects for violation in section.look_again(suspect)]
                content = b""
                for violation in violations:
                    say(violation)
                    state["violations"][violation.rule] = state["violations"].get(violation.rule, 0) + 1
                    about = {"tenant_id": reader.tenant_id, **violation._asdict()}
                    content += json.dumps(about, ensure_ascii=False).encode() + b"\n"
                state["looked_at"][kind] = state["looked_at"].get(kind, 0) + step.looked_at
                state |= {"section": place, "after": step.last, "bytes": write_durably(lines, content) if lines else 0}
                checkpoint.save(state)
                tell(kind, state["looked_at"][kind], progress.at(step.last))
            state |= {"section": place + 1, "after": None}
    return Outcome(state["looked_at"], state["violations"])


class _Incidents:
    """The section of the incidents. Each incident is checked with its changes, its number and its days' metrics.

    The section also finds incidents that need a head of their deadlines and have none.
    """

    def __init__(self, reader: TenantReader, days: MetricDays, deadlines: DeadlineItems) -> None:
        self._reader, self._days, self._deadlines = reader, days, deadlines

    def steps(self, after: str | None) -> Iterator[Step]:
        histories = (
            (incident_id, item, trails.history(self._reader.tenant_id, incident_id, changes))
            for incident_id, item, changes in self._reader.incidents(after)
        )
        for batch in batches(histories, AT_ONCE):
            there = self._reader.references(
                key for incident_id, item, _ in batch if item for key in (self._number(item), self._head(incident_id))
            )
            suspects = [
                incident_id
                for incident_id, item, history in batch
                if self._violations(incident_id, item, history, there)
            ]
            yield Step(batch[-1][0], len(batch), suspects)

    def look_again(self, sk: str) -> list[Violation]:
        _, item, changes = self._reader.incident(sk)
        there = self._reader.references([self._number(item), self._head(sk)] if item else [])
        return self._violations(sk, item, trails.history(self._reader.tenant_id, sk, changes), there)

    def _violations(
        self, incident_id: str, item: Item | None, history: trails.History, there: Mapping[keys.Key, Item]
    ) -> list[Violation]:
        """Return an incident's violations. ``there`` has the items of its number and of its head, if they exist."""
        events = self._reader.events(incident_id) if history.evidence else set()
        number = there.get(self._number(item)) if item else None
        violations = invariants.of_incident(self._reader.tenant_id, incident_id, item, history, number, events)
        if item is None or any(violation.rule == "readable" for violation in violations):
            return violations
        violations += self._days.of_incident(incident_id, item)
        if "reportable_to" in item and self._head(incident_id) not in there:
            violations += self._deadlines.of_incident(incident_id, item)
        return violations

    def _number(self, item: Item) -> keys.Key:
        return keys.number(self._reader.tenant_id, item.get("incident_number", {}).get("S") or "none")

    def _head(self, incident_id: str) -> keys.Key:
        return keys.deadline_head(self._reader.tenant_id, incident_id)


Look = Callable[[list[Item]], Iterable[tuple[str, list[Violation]]]]
"""A function that checks items of one kind. It yields the sort key and the violations of each item."""


class _Items:
    """The section of the items of one kind. Each item is checked without the other items of its kind."""

    def __init__(self, reader: TenantReader, kind: str, look: Look, at_once: int = AT_ONCE) -> None:
        self._reader, self._kind, self._look, self._at_once = reader, kind, look, at_once

    def steps(self, after: str | None) -> Iterator[Step]:
        for batch in batches(self._reader.items(self._kind, after), self._at_once):
            yield Step(batch[-1]["sk"]["S"], len(batch), [sk for sk, violations in self._look(batch) if violations])

    def look_again(self, sk: str) -> list[Violation]:
        item = self._reader.item(keys.Key(self._reader.partitions[self._kind], sk))
        return [violation for _, violations in self._look([item] if item else []) for violation in violations]


def _sections(reader: TenantReader) -> list[tuple[str, Section]]:
    """Return the kinds of items with their sections, in the order in which they are checked.

    Changes have no section, because they are checked with their incidents.
    """
    days, deadlines = MetricDays(reader), DeadlineItems(reader)

    def named(batch: list[Item]) -> Iterator[tuple[str, Item, Item | None]]:
        at = [keys.incident(reader.tenant_id, item.get("incident_id", {}).get("S") or "none") for item in batch]
        incidents = reader.references(at)
        for item, key in zip(batch, at, strict=True):
            yield item["sk"]["S"], item, incidents.get(key)

    def numbers(batch: list[Item]) -> Iterator[tuple[str, list[Violation]]]:
        counters = {item["sk"]["S"]: item for item in reader.items("COUNTER")}

        for number, item, incident in named(batch):
            generated = model.parse_generated(number)
            counter = counters.get(f"{generated[0]:04d}", {}) if generated else {}
            digits: str = counter.get("count", {}).get("N", "")
            count = int(digits) if digits.isdigit() else None
            yield number, invariants.of_number(number, item, incident, count, invariants.ignored_counts(counter))

    def key_records(batch: list[Item]) -> Iterator[tuple[str, list[Violation]]]:
        return ((sk, invariants.of_key_record(sk, item, incident)) for sk, item, incident in named(batch))

    def sightings(batch: list[Item]) -> Iterator[tuple[str, list[Violation]]]:
        for sk, item, incident in named(batch):
            counts = incident is not None and invariants.counted_events(item)
            events = len(reader.events(item["incident_id"]["S"])) if counts else 0
            yield sk, invariants.of_sighting(sk, item, incident, events)

    def evidence(batch: list[Item]) -> Iterator[tuple[str, list[Violation]]]:
        at = [keys.incident(reader.tenant_id, item["sk"]["S"].partition("#")[0]) for item in batch]
        incidents = reader.references(at)
        for item, key in zip(batch, at, strict=True):
            sk = item["sk"]["S"]
            yield sk, invariants.of_evidence(reader.tenant_id, sk, item, incidents.get(key))

    def settings(batch: list[Item]) -> Iterator[tuple[str, list[Violation]]]:
        for item in batch:
            sk = item["sk"]["S"]
            name, numbered = sk.partition("#")[::2]
            other = keys.settings(reader.tenant_id, name)
            if not numbered:  # compare the current settings with their newest version
                version = item.get("version", {}).get("N", "")
                other = keys.settings_version(reader.tenant_id, name, int(version) if version.isdigit() else 0)
            yield sk, invariants.of_settings(sk, item, reader.item(other))

    def counters(batch: list[Item]) -> Iterator[tuple[str, list[Violation]]]:
        return ((item["sk"]["S"], invariants.of_counter(item["sk"]["S"], item)) for item in batch)

    return [
        ("incidents", _Incidents(reader, days, deadlines)),
        ("numbers", _Items(reader, "NUMBER", numbers)),
        ("counters", _Items(reader, "COUNTER", counters)),
        ("idempotency keys", _Items(reader, "IDEMPOTENCY", key_records)),
        ("findings", _Items(reader, "FINDING", sightings)),
        ("evidence", _Items(reader, "EVIDENCE", evidence, at_once=10)),
        ("settings", _Items(reader, "SETTINGS", settings)),
        ("deadline items", _Items(reader, "DEADLINE", deadlines.look, at_once=10)),
        ("metric items", _Items(reader, "METRIC", days.look, at_once=10)),
    ]
