"""Export every incident of a tenant to a file, in the order of creation. Each line is a JSON object:

    {"incident": {...}, "changes": [{...}, ...]}

If the service derived ``reported_to_regulators_at`` from the submissions, the line also has the member ``derived``.
Then an import does not give the value, and the service derives it again:

    {"incident": {...}, "derived": ["reported_to_regulators_at"], "changes": [{...}, ...]}

Each stored event of a finding has its own line. ``event`` is the event as it was received:

    {"evidence": {"incident_id": "...", "observed_at": "...", "source": "...", "adapter": "...", "rule": "...",
                  "sha256": "...", "is_cut": false, "event": {...}}}

If the tenant has settings, the file ends with one line for each version of the settings:

    {"settings": {"name": "intake", "version": 1, "changed_at": "...", "changed_by": "...", "value": {...}}}

``incident`` is the incident as a GET shows it. Deleted incidents are included. ``changes`` is the complete trail as the
list of changes shows it, oldest first. The trail ends with the change that made the incident's exported version. The
file may or may not have a change or an incident that is written during the export. If an export was interrupted and
continues, its file has every incident that was created before the continuation.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from incidents.domain import json_text, model, wire_form
from incidents.storage import settings, stored_form
from incidents.storage.evidence_reader import Unreadable, to_evidence
from incidents.storage.stored_form import Item

from ...console import StepFailed, command, open_own
from .checkpoint import Checkpoint, going_on, write_durably
from .reading import AT_ONCE, IncidentWithTrail, Progress, TenantReader, batches, made_at, nothing_of

if TYPE_CHECKING:
    from io import BufferedRandom

_EVENTS_AT_ONCE = 20  # the number limits the memory, because one event has up to 1 MB


# A create needs at most so many seconds from the choice of the incident's id to the write. So an incident with an older
# id may appear after a younger incident was exported. The checkpoint waits until this can no longer happen.
SETTLE_SECONDS = 60.0


class Exported(NamedTuple):
    """The numbers of incidents, changes and stored events in an exported file, and the file's SHA-256.

    ``incomplete`` counts the incidents whose trail has gaps and the trails whose incident is missing.
    """

    incidents: int
    changes: int
    events: int
    incomplete: int
    sha256: str


class _Line(NamedTuple):
    incident_id: str
    text: str | None  # None if the incident is missing
    changes: int
    is_whole: bool


def export(
    reader: TenantReader,
    file: Path,
    tell: Callable[[int, float | None], None],
    unreadable: list[str] | None = None,
) -> Exported:
    """Write a tenant's incidents to a file. Until the file is complete, its name is ``FILE.part``.

    An interrupted export continues from its checkpoint. Raises StepFailed if the file exists already, if an incident
    cannot be read, or if the tenant has no incident. After such an error, the file is not created. If ``unreadable`` is
    given, incidents and events that cannot be read are named there, and left out of the file, which may be empty.
    """
    part, checkpoint_file = (file.with_name(f"{file.name}.{suffix}") for suffix in ("part", "checkpoint"))
    checkpoint = Checkpoint(checkpoint_file, exported=reader.tenant_id, table=reader.table_arn())
    if not checkpoint_file.exists() and part.exists() and part.stat().st_size:
        raise StepFailed(f"{part} exists already.", "", "The export would write this file. Move it away.")
    state = checkpoint.load({
        "after": None, "after_event": None, "bytes": 0, "incidents": 0, "changes": 0, "events": 0, "incomplete": 0,
    })  # fmt: skip
    is_complete = "sha256" in state and _sha256(part if part.exists() else file) == state["sha256"]
    if file.exists() and (part.exists() or not is_complete):
        raise StepFailed(f"{file} exists already.", "", "Name another file, or move this file away.")
    if not is_complete:
        progress = Progress(reader)
        is_settled = True
        checkpoint.save(state)  # without a checkpoint, a file with the name of the part belongs to somebody else
        with going_on(part, state["bytes"]) as whole:
            lines = (line_of(incident, reader, unreadable) for incident in reader.incidents(state["after"]))
            for batch in batches(lines, AT_ONCE):
                for line in batch:
                    state["incomplete"] += not line.is_whole
                    if line.text is not None:
                        state["incidents"] += 1
                        state["changes"] += line.changes
                state |= {
                    "after": batch[-1].incident_id,
                    "bytes": write_durably(whole, "".join(line.text or "" for line in batch).encode()),
                }
                is_settled = _is_settled(batch[-1].incident_id)
                if is_settled:
                    checkpoint.save(state)
                tell(state["incidents"], progress.at(state["after"]))
            for items in batches(reader.items("EVIDENCE", state["after_event"]), _EVENTS_AT_ONCE):
                state |= {
                    "after_event": items[-1]["sk"]["S"],
                    "events": state["events"] + len(items),
                    "bytes": write_durably(whole, "".join(_event(item, unreadable) for item in items).encode()),
                }
                # Otherwise, an older incident and its events may still be written, and must be read.
                is_settled = is_settled and _is_settled(state["after_event"].partition("#")[0])
                if is_settled:
                    checkpoint.save(state)
                tell(state["incidents"], 1.0)
            of_settings = "".join(_settings(reader))
            write_durably(whole, of_settings.encode())
            whole.seek(0)
            state["sha256"] = file_digest(cast("BufferedRandom", whole), "sha256").hexdigest()
        if state["after"] is None and not state["events"] and not of_settings and unreadable is None:
            part.unlink()
            checkpoint.remove()
            raise nothing_of(reader, "Nothing was exported.")
        checkpoint.save(state)
    if part.exists():
        part.replace(file)
    checkpoint.remove()
    return Exported(state["incidents"], state["changes"], state["events"], state["incomplete"], state["sha256"])


def _event(item: Item, unreadable: list[str] | None) -> str:
    """Return the line of a stored event. The event itself stays byte for byte as it is stored."""
    incident_id = item["sk"]["S"].partition("#")[0]
    try:
        about = to_evidence(item)._asdict()
    except Unreadable as error:
        if unreadable is not None:
            unreadable.append(f"{incident_id}: an event of it cannot be read ({error})")
            return ""
        raise StepFailed(
            f"An event of the incident {incident_id} cannot be read.", f"  {error}",
            f"Find the cause ({command('verify')}) and fix it. Then run the export again to continue from here.",
        ) from None  # fmt: skip
    event = about.pop("event")
    del about["position"], about["value"]
    first = json_text.dumps({"incident_id": incident_id, **about})
    return f'{{"evidence":{first[:-1]},"event":{event}}}}}\n'


def _sha256(file: Path) -> str | None:
    """Return the SHA-256 of a file, or None if the file is a link or belongs to somebody else."""
    with suppress(OSError), open_own(file) as whole:
        return file_digest(whole, "sha256").hexdigest()
    return None


def _settings(reader: TenantReader) -> Iterator[str]:
    """Yield the line of each version of the tenant's settings."""
    for item in reader.items("SETTINGS"):
        name, _, numbered = item["sk"]["S"].partition("#")
        if numbered:
            line = {"settings": {"name": name, **settings.to_settings(item)._asdict()}}
            yield f"{json.dumps(line, ensure_ascii=False, separators=(',', ':'))}\n"


def _is_settled(incident_id: str) -> bool:
    """Return whether every incident with a lower id than this one must already be written."""
    made = made_at(incident_id)
    return made is None or made / 1000 < time.time_ns() / 1e9 - SETTLE_SECONDS


def line_of(incident: IncidentWithTrail, reader: TenantReader, unreadable: list[str] | None = None) -> _Line:
    """Return the line of an incident. If it cannot be read, name it in ``unreadable``, or raise StepFailed."""
    if incident.item is None:  # the incident was created after the last page was read, or it is lost
        incident = reader.incident(incident.incident_id)
    if incident.item is None:
        return _Line(incident.incident_id, None, 0, is_whole=False)
    try:
        stored = stored_form.to_incident(incident.item)
        changes = [stored_form.to_change(item) for item in incident.changes]
        if len(changes) != stored.version:  # somebody has changed the incident between the reads, or the trail is wrong
            _, item, at_once = reader.incident(incident.incident_id)
            stored = stored_form.to_incident(item or incident.item)
            changes = [stored_form.to_change(item) for item in at_once]
        trail = ",".join(map(wire_form.dump_change, changes))
        derived = f',"derived":["{model.TOLD_AT}"]' if model.is_derived(stored.incident) else ""
        text = f'{{"incident":{wire_form.dump_incident(stored.incident)}{derived},"changes":[{trail}]}}\n'
    except (KeyError, ValueError, TypeError, AttributeError, ArithmeticError) as error:
        if unreadable is not None:
            unreadable.append(f"{incident.incident_id}: it cannot be read ({type(error).__name__}: {error})")
            return _Line(incident.incident_id, None, 0, is_whole=False)
        raise StepFailed(
            f"The incident {incident.incident_id} cannot be read.", f"  {type(error).__name__}: {error}",
            f"Find the cause ({command('verify')}) and fix it. Then run the export again to continue from here.",
        ) from None  # fmt: skip
    is_whole = [change.version for change in changes] == [*range(1, stored.version + 1)]
    return _Line(incident.incident_id, text, len(changes), is_whole)
