"""The evidence of a finding: the received event as compressed canonical JSON.

Canonical JSON has sorted names, no blanks, and UTF-8. So the same event always gives the same bytes, and their SHA-256
identifies the event.
"""

import json
import math
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, NamedTuple
from zlib import compress

PACKED_BYTES = 300 * 1024  # the limit of a compressed event, because an item of DynamoDB has at most 400 KB
EVENTS_KEPT = 100  # the most stored events of an incident; later events are only counted

# The limits for an event that is too large: characters of each text, and members of each list and object. If the event
# is still too large, the next pair applies.
_CUTS = ((16_384, 1_000), (2_048, 200), (256, 40), (64, 10))
_LEVELS = 64
_LIFTED, _LIFTED_CHARACTERS = 10, 256  # a member of a mapping's summary has at most 10 texts of 256 characters
_ENVELOPE = ("account", "detail-type", "id", "region", "source", "time", "version")


class Evidence(NamedTuple):
    """One event that created or confirmed an incident.

    ``observed_at`` is the time at which the source last saw the problem. ``adapter`` read the event.
    ``rule`` explains in words why the finding became an incident. ``packed`` has the compressed bytes of the event, and
    ``sha256`` is the hash of the bytes before the compression. ``is_cut`` is true if parts of the event were left out
    because the event was too large. ``summary`` has the values that a tenant's mapping takes from the event.
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
    text, packed, is_cut = _within_bounds(event)
    lifted = summary and {
        name: [text[:_LIFTED_CHARACTERS] for text in texts[:_LIFTED]] for name, texts in summary.items()
    }
    return Evidence(observed_at, source, adapter, rule, packed, sha256(text).hexdigest(), is_cut, lifted)


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


def _within_bounds(event: Any) -> tuple[bytes, bytes, bool]:
    """Return the canonical JSON of an event, the compressed JSON, and whether the event had to be cut."""
    if not _is_deeper(event, _LEVELS):
        try:
            text = canonical(event)
            if len(packed := compress(text)) <= PACKED_BYTES:
                return text, packed, False
        except ValueError:  # 1e999 is valid JSON, but too large for a float of Python
            pass
    for characters, members in _CUTS:
        text = canonical(_cut(event, characters, members, _LEVELS))
        if len(packed := compress(text)) <= PACKED_BYTES:
            return text, packed, True
    envelope = {name: event[name] for name in _ENVELOPE if name in event} if isinstance(event, Mapping) else {}
    text = canonical(_cut(envelope, *_CUTS[-1], levels=1))
    return text, compress(text), True


def _is_deeper(value: Any, levels: int) -> bool:
    """Return whether a value has more nested levels than the limit. Python's json has a limit, too."""
    layer = [value]
    for _ in range(levels):
        layer = [
            member
            for outer in layer
            if isinstance(outer, dict | list)
            for member in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not layer:
            return False
    return any(isinstance(value, dict | list) for value in layer)


def _cut(value: Any, characters: int, members: int, levels: int) -> Any:
    """Return a value with shortened texts, lists and objects. A note replaces each part that was left out."""
    match value:
        case str() if len(value) > characters:
            return f"{value[:characters]} (cut: {len(value) - characters} more characters)"
        case float() if not math.isfinite(value):
            return "(cut: a number that is too large)"
        case dict() | list() if not levels:
            return "(cut: nested too deeply)"
        case list():
            kept = [_cut(item, characters, members, levels - 1) for item in value[:members]]
            return [*kept, f"(cut: {len(value) - members} more items)"] if len(value) > members else kept
        case dict():
            names = sorted(value)
            shown = {name[:characters]: _cut(value[name], characters, members, levels - 1) for name in names[:members]}
            return shown | ({"(cut)": f"{len(names) - members} more members"} if len(names) > members else {})
    return value
