"""List the findings of an incident: the events as they were received, each with a summary.

This module loads neither pydantic nor ``findings``, which would slow down the start.
"""

from .domain import json_text, wire_form
from .domain.evidence import within_bounds
from .domain.questions import ChangesRequest
from .domain.summary import summary_of
from .domain.wire_form import JsonPage
from .storage import cursor
from .storage.evidence_reader import EvidenceReader, StoredEvidence, Unreadable, to_evidence, to_unreadable


def list_incident_findings(incident_id: str, request: ChangesRequest, stored: EvidenceReader) -> JsonPage:
    """Return a page of the events that created or confirmed an incident, newest last.

    A page ends early if it would become too large for Lambda. The function decompresses the events one by one, so a
    page needs little memory. If an event cannot be read, a note replaces it. Raises NotFound, or MalformedRequest if
    the cursor does not belong to this list.
    """
    about = ("list_incident_findings", incident_id)
    after = cursor.unseal(request.cursor, stored.identity, *about) if request.cursor is not None else ""
    items, more = stored.page(incident_id, request.limit, after)
    documents: list[str] = []
    size, last = 0, None
    for item in items:
        try:
            evidence = to_evidence(item)
        except Unreadable:  # one damaged item must not hide the other events
            evidence = to_unreadable(item)
        document = _within_a_page(evidence)
        size += wire_form.answered_bytes(document)
        if documents and size > wire_form.PAGE_BYTES:
            more = True
            break
        documents.append(document)
        last = evidence.position
    return JsonPage(documents, cursor.seal(last, stored.identity, *about) if more and last else None)


def _within_a_page(evidence: StoredEvidence) -> str:
    """Return the JSON of one event. If the JSON is larger than a page, the event is cut.

    The table may have such events from before ``ANSWERED_BYTES``. A large summary also takes room of the event.
    """
    document = _dump(evidence)
    excess = wire_form.answered_bytes(document) - wire_form.PAGE_BYTES
    if excess <= 0:
        return document
    text, _, _ = within_bounds(evidence.value, wire_form.answered_bytes(evidence.event) - excess)
    return _dump(evidence._replace(event=text.decode(), is_cut=True))


def _dump(evidence: StoredEvidence) -> str:
    """Return the JSON of one event. The event itself stays byte for byte as it is stored."""
    first = json_text.dumps({
        "observed_at": evidence.observed_at, "source": evidence.source, "adapter": evidence.adapter,
        "rule": evidence.rule, "sha256": evidence.sha256, "is_cut": evidence.is_cut,
        "summary": summary_of(evidence.value, evidence.summary),
    })  # fmt: skip
    return f'{first[:-1]},"event":{evidence.event}}}'
