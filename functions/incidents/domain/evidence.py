"""The evidence of a finding: the received event as compressed canonical JSON.

Canonical JSON has sorted names, no blanks, and UTF-8. So the same event always gives the same bytes, and their SHA-256
identifies the event.
"""

import json
import math
import sys
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, NamedTuple
from zlib import compress

from . import wire_form
from .event_json import Repeated
from .json_text import Number
from .summary import is_link, shortened

PACKED_BYTES = 300 * 1024  # the limit of a compressed event, because an item of DynamoDB has at most 400 KB
ANSWERED_BYTES = wire_form.PAGE_BYTES - 300_000  # the limit of an event in an answer, which also has a summary
EVENTS_KEPT = 100  # the most stored events of an incident; later events are counted, but not stored

# A mapping can take these facts from an event. LIFTED limits the stored texts of a member, and LIFTED_CHARACTERS limits
# the characters of a text. But the member `link` has only one text, which is never cut.
LIFTED_MEMBERS = ("remote_addresses", "principals", "link", "remediation", "processes", "images")
LIFTED, LIFTED_CHARACTERS = 10, 256

# If an event is too large, the next pair cuts it. The first number limits the characters of a text. The second number
# limits the items of a list and the members of an object.
_CUTS = ((131_072, 8_000), (16_384, 1_000), (2_048, 200), (256, 40), (64, 10))
_WHOLE = (sys.maxsize, sys.maxsize)
_LEVELS = 64
CUT = "(cut"  # every note begins with this text
_NOTE = f"{CUT})"  # the name of a note in an object
_NOTE_CHARACTERS = 50  # the limit for the note that ``shortened`` adds
_DIGITS, _NAMES = 100, 10  # a note has at most so many characters of a number or a name, and at most so many names
_ENVELOPE = ("account", "detail-type", "id", "region", "source", "time", "version")


class Evidence(NamedTuple):
    """One event that created or confirmed an incident.

    ``observed_at`` is the time at which the source last saw the problem. ``adapter`` is the name of the adapter that
    read the event. ``rule`` is the reason, in words, why the finding became an incident. ``packed`` has the compressed
    bytes of the event, and ``sha256`` is the hash of the bytes before the compression. ``is_cut`` is true if notes
    replace parts of the event. ``summary`` has the facts that a tenant's mapping took from the event.
    """

    observed_at: str
    source: str
    adapter: str
    rule: str
    packed: bytes
    sha256: str
    is_cut: bool
    summary: Mapping[str, list[str]] | None = None


def of_event(
    event: Any,
    *,
    observed_at: str,
    source: str,
    adapter: str,
    rule: str,
    summary: Mapping[str, list[str]] | None = None,
) -> Evidence:
    """Return the evidence in a received event. An event of any size and any depth gives evidence."""
    text, packed, is_cut = within_bounds(event)
    kept = summary and lifted(summary)
    return Evidence(observed_at, source, adapter, rule, packed, sha256(text).hexdigest(), is_cut, kept)


def lifted(summary: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Return the part of a mapping's summary that the service stores. If a text is cut, a note says so."""
    return {
        name: [link for text in texts if is_link(link := text.strip())][:1]
        if name == "link"
        else [shortened(text, LIFTED_CHARACTERS) for text in texts[:LIFTED]]
        for name, texts in summary.items()
    }


def is_lifted(summary: Mapping[str, list[str]]) -> bool:
    """Return whether a stored summary has only members, lists and texts that ``lifted`` can return."""
    return set(summary) <= set(LIFTED_MEMBERS) and all(
        (len(texts) <= 1 and all(map(is_link, texts)))
        if name == "link"
        else len(texts) <= LIFTED and all(len(text) <= LIFTED_CHARACTERS + _NOTE_CHARACTERS for text in texts)
        for name, texts in summary.items()
    )


def canonical(value: Any) -> bytes:
    """Return the canonical JSON of a value.

    A text with half a surrogate pair has no UTF-8, so its JSON is escaped to ASCII. Raises ValueError for a number that
    is not finite.
    """
    try:
        return _dump(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return _dump(value, ensure_ascii=True).encode()


def _dump(value: Any, *, ensure_ascii: bool) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, sort_keys=True, separators=(",", ":"), allow_nan=False)


def within_bounds(event: Any, answered_bytes: int = ANSWERED_BYTES) -> tuple[bytes, bytes, bool]:
    """Return the canonical JSON of an event, the compressed JSON, and whether notes replace parts of the event.

    The event is cut if it has more than ``PACKED_BYTES``, or takes more than ``answered_bytes`` in an answer.
    """
    is_cut = _needs_notes(event)
    for characters, members in (_WHOLE, *_CUTS):
        text = canonical(_cut(event, characters, members, _LEVELS) if is_cut else event)
        packed = compress(text)
        if len(packed) <= PACKED_BYTES and wire_form.answered_bytes(text.decode()) <= answered_bytes:
            return text, packed, is_cut
        is_cut = True
    whole: Mapping[str, Any] = event if isinstance(event, Mapping) else {}
    envelope = {name: whole[name] for name in _ENVELOPE if name in whole}
    note = {_NOTE: f"{len(whole) - len(envelope)} more members"}
    text = canonical(_cut(envelope, *_CUTS[-1], levels=1) | note)
    return text, compress(text), True


def _needs_notes(value: Any) -> bool:
    """Return whether a value has lost a part of the received JSON, or has too many levels for Python's json to write
    it.
    """
    layer = [value]
    for _ in range(_LEVELS):
        if any(map(_is_lossy, layer)):
            return True
        layer = [
            member
            for outer in layer
            if isinstance(outer, dict | list)
            for member in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not layer:
            return False
    return any(isinstance(member, dict | list) or _is_lossy(member) for member in layer)


def _is_lossy(value: Any) -> bool:
    """Return whether a value is a rounded or infinite number, NaN, or an object with repeated names."""
    return isinstance(value, Number | Repeated) or (isinstance(value, float) and not math.isfinite(value))


def _cut(value: Any, characters: int, members: int, levels: int) -> Any:
    """Return a value with shortened texts, lists and objects. A note replaces each part that was left out."""
    match value:
        case str():
            return shortened(value, characters)
        case float() if _is_lossy(value):
            literal = value.literal if isinstance(value, Number) else str(value)
            return f"(cut: the number {shortened(literal, _DIGITS)})"
        case dict() | list() if not levels:
            return "(cut: nested too deeply)"
        case list():
            kept = [_cut(item, characters, members, levels - 1) for item in value[:members]]
            return [*kept, f"(cut: {len(value) - members} more items)"] if len(value) > members else kept
        case dict():
            return _cut_object(value, characters, members, levels)
    return value


def _cut_object(value: dict[str, Any], characters: int, members: int, levels: int) -> dict[str, Any]:
    shown, notes, names = {}, list[str](), sorted(value)
    for place, name in enumerate(names[:members]):
        # Two long names can have the same beginning. So the cut name also has its position.
        own = name if len(name) <= characters else f"{name[:characters]} (cut: name {place})"
        shown[own] = _cut(value[name], characters, members, levels - 1)
    if len(names) > members:
        notes.append(f"{len(names) - members} more members")
    if isinstance(value, Repeated):
        repeated = ", ".join(shortened(name, _DIGITS) for name in value.names[:_NAMES])
        notes.append(f"only the last member of each of these names is kept: {repeated}")
    if notes:
        note = _NOTE
        while note in value:  # the event itself has a member with the note's name
            note += ")"
        shown[note] = "; ".join(notes)
    return shown
