"""Check a tenant's heads, board rows and alerts.

The module computes each incident's board entry from the incident, the settings and the rules. It compares the result
with the stored entry.
"""

import json
import time
from collections.abc import Iterator
from typing import Any

from incidents.domain import board_entry
from incidents.domain.deadlines import keeping, rules
from incidents.domain.model import Incident
from incidents.storage import deadline_repository, keys, settings, stored_form
from incidents.storage.deadline_repository import Head
from incidents.storage.stored_form import Item

from .reading import TenantReader
from .violations import Violation, of_expiry

_RULE = "deadlines"
_UNREADABLE = (KeyError, ValueError, TypeError, AttributeError)
_AS_COMPUTED = "the stages of the incident by the current rules and settings"


class DeadlineItems:
    """Checks a tenant's heads and board rows. It does not check marked incidents, because a job will replace their
    heads.
    """

    def __init__(self, reader: TenantReader) -> None:
        self._reader, self._tenant_id = reader, reader.tenant_id

    def look(self, batch: list[Item]) -> Iterator[tuple[str, list[Violation]]]:
        """Check a batch of items. Yield the sort key and the violations of each item."""
        for item in batch:
            sk = item["sk"]["S"]
            incident_id = keys.incident_of_head(sk)
            violations = self._of_row(sk) if incident_id is None else self._of_head(incident_id, item)
            yield sk, [*of_expiry(sk, item), *violations]

    def of_incident(self, incident_id: str, item: Item) -> list[Violation]:
        """Check that an incident without a head needs no head, or is marked."""
        try:
            needs_no_head = self._plan(stored_form.to_incident(item).incident).is_empty
        except _UNREADABLE:  # another rule reports the incident
            return []
        if needs_no_head or self._is_marked(incident_id):
            return []
        return [Violation(_RULE, incident_id, "deadlines without a head", "a head, or a mark of the incident")]

    def _is_marked(self, incident_id: str) -> bool:
        return self._reader.item(keys.mark(keys.DEADLINES, self._tenant_id, incident_id)) is not None

    def _plan(self, incident: Incident) -> keeping.Plan:
        """Return the facts that the service would store about an incident now."""
        item = self._reader.item(keys.settings(self._tenant_id, settings.DEADLINES))
        chosen = rules.Settings() if item is None else rules.read(settings.to_settings(item).value)
        return keeping.plan(incident, chosen, time.time_ns() // 1_000_000, dict)

    def _of_row(self, sk: str) -> list[Violation]:
        incident_id = sk.rpartition("#")[2]
        head = self._reader.item(keys.deadline_head(self._tenant_id, incident_id))
        if head is not None and "entry" in head:
            soonest = head["soonest"]["S"] if "soonest" in head else None
            if keys.board_row(self._tenant_id, soonest, incident_id).sk == sk:
                return []
        return [Violation(_RULE, incident_id, f"the board row {sk}", "a row that the incident's head names")]

    def _of_head(self, incident_id: str, item: Item) -> list[Violation]:
        if self._is_marked(incident_id):
            return []
        try:
            head = deadline_repository.to_head(item).head
            stored = self._reader.item(keys.incident(self._tenant_id, incident_id))
            incident = None if stored is None else stored_form.to_incident(stored).incident
            return [*self._of_places(incident_id, head), *self._of_entry(incident_id, head, incident)]
        except _UNREADABLE as error:
            actual = f"a head that cannot be read ({type(error).__name__})"
            return [Violation(_RULE, incident_id, actual, "a head as the service writes it")]

    def _of_places(self, incident_id: str, head: Head) -> Iterator[Violation]:
        """Check that the board row and the alert of a head exist."""
        if head.entry is not None:
            row = self._reader.item(keys.board_row(self._tenant_id, head.soonest, incident_id))
            if row is None or row.get("entry") != {"S": head.entry}:
                yield Violation(
                    _RULE, incident_id, "a different board row, or no board row", "the row that the head names"
                )
        at = head.alert_at
        if at is not None and self._reader.item(keys.alert(self._tenant_id, at, incident_id)) is None:
            yield Violation(_RULE, incident_id, f"no alert at {at}", "the alert that the head names")

    def _of_entry(self, incident_id: str, head: Head, incident: Incident | None) -> Iterator[Violation]:
        """Check that the entry of a head is the entry that the service would compute now."""
        if incident is None:
            yield Violation(_RULE, incident_id, "a head without an incident", "the incident, or no head")
            return
        wanted, now = self._plan(incident).entry, time.time_ns() // 1_000_000
        if _stages(head.entry, now) != _stages(wanted, now):
            yield Violation(_RULE, incident_id, f"the stages {_stages(head.entry, now)}", _AS_COMPUTED)


def _stages(entry: str | None, now: int) -> list[Any]:
    return [] if entry is None else board_entry.shown(json.loads(entry), now)["stages"]
