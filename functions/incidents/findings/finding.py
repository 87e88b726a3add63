"""The results of an adapter. A finding becomes an incident, and a skipped report does not.

A value that is longer than the model allows is cut here, and characters that the model refuses are removed. So a real
finding is never refused for its size or for its characters.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from hashlib import sha256
from typing import Any, Literal, NamedTuple, get_args

from ..domain import intake_policy, model, texts
from ..domain.intake_policy import Kind
from .dates import Dates
from .nodes import MalformedEvent, Node

SkipReason = Literal[
    "archived", "suppressed", "resolved", "closed", "in_progress", "passed", "warning", "not_available", "sample",
    "ok_state", "insufficient_data", "already_in_alarm", "no_threats", "backup", "own",
    "not_watched", "failed", "not_mapped",
]  # fmt: skip
REASONS: tuple[str, ...] = (*get_args(SkipReason), *get_args(intake_policy.Reason))
"""The reasons for which a report becomes no incident: its own state, or the tenant's policy."""

KEY_CHARACTERS = 1024
OTHER_BYTES = 12 * 1024  # the room for all fields except the description, the tags and the lists of ids


class Finding(NamedTuple):
    """A report of a real problem, within the limits of ``model``. All events of the same problem have the same ``key``.

    Dates are texts in the form of ``timestamps``. ``dates`` names the field of the event from which each date was read,
    or the reason why the date was dropped. ``page`` distinguishes events of one report with the same ``seen_at``.
    For nearly all sources, ``page`` is 1. ``grouped`` is true if several reports, each with its own alert ids, share
    the key. ``by_hand`` is true if a person sent the finding.

    ``kind``, ``names`` and ``exploited`` are for the policy: the kind of the finding, the names of its types and of its
    control, and whether its vulnerability has an exploit. ``finding_class`` is a class of ``kinds``. ``former_keys``
    are keys under which an earlier release or another hub may have stored the same problem. ``related_keys`` are the
    keys of other findings that belong to this finding, such as the signals of an attack sequence.

    ``received`` is the event as it was received, without the event's other findings. ``adapter`` names the adapter that
    read the event. ``summary`` has the values that a tenant's mapping takes from the event for the evidence.
    """

    source: str
    account_id: str
    tenant_id: str | None
    producer: str | None
    key: str
    title: str
    description: str | None
    category: str | None
    severity: str | None
    occurred_at: str | None
    detected_at: str
    seen_at: str
    account_ids: list[str]
    asset_ids: list[str]
    alert_ids: list[str]
    dates: dict[str, str]
    tags: list[str]
    page: int = 1
    grouped: bool = False
    by_hand: bool = False
    kind: Kind = "detection"
    finding_class: str = "unknown"
    names: Sequence[str] = ()
    exploited: bool = False
    former_keys: Sequence[str] = ()
    related_keys: Sequence[str] = ()
    received: Any = None
    adapter: str = ""
    summary: Mapping[str, list[str]] | None = None

    @property
    def facts(self) -> intake_policy.Facts:
        """The facts that the tenant's policy uses for its decision."""
        names = tuple(self.names)
        return intake_policy.Facts(self.kind, self.severity, self.source, names, self.by_hand, self.exploited)


class Skipped(NamedTuple):
    """A report that creates no incident. A metric counts ``reason``. ``source`` is the product that sent the report.

    ``solved`` is set if the report is about a check that passed, or that somebody resolved in the hub. The value of
    ``solved`` is the check's finding. The intake records in the finding's sighting that the check is solved.
    """

    reason: SkipReason
    source: str
    solved: Finding | None = None


def build_finding(
    dates: Dates,
    *,
    source: str,
    account_id: str,
    key: str,
    title: str,
    description: str | None,
    category: str | None,
    severity: str | None,
    asset_ids: Iterable[str | None],
    alert_ids: Iterable[str | None],
    account_ids: Iterable[str | None] | None = None,
    tags: Iterable[str | None] = (),
    tenant_id: str | None = None,
    producer: str | None = None,
    page: int = 1,
    grouped: bool = False,
    by_hand: bool = False,
    kind: Kind = "detection",
    finding_class: str = "unknown",
    names: Iterable[str] = (),
    exploited: bool = False,
    former_keys: Iterable[str] = (),
    related_keys: Iterable[str | None] = (),
) -> Finding:
    """Return a finding with all values cut to the limits of ``model`` and repaired. Ids that are None are left out.

    ``key`` keeps every character, because it only identifies the finding.
    """
    description = description and texts.repair_paragraphs(cut_bytes(description, model.TEXT_BYTES))
    tags = _each_once((_line(tag, model.TAG_CHARACTERS) for tag in tags), model.TAGS)
    lists = _within_bytes(
        model.DOCUMENT_BYTES - OTHER_BYTES - _json_bytes(description) - sum(_json_bytes(tag) + 1 for tag in tags),
        [_ids([account_id] if account_ids is None else account_ids), _ids(alert_ids), _ids(asset_ids)],
    )
    return Finding(
        source=_line(source, model.SOURCE_CHARACTERS) or "unknown",
        account_id=account_id,
        tenant_id=tenant_id,
        producer=producer,
        key=_short_key(key),
        title=_line(title, model.TITLE_CHARACTERS) or texts.UNTITLED,
        description=description,
        category=_line(category, model.CATEGORY_CHARACTERS),
        severity=severity,
        occurred_at=dates.occurred_at,
        detected_at=dates.detected_at,
        seen_at=dates.seen_at,
        account_ids=lists[0],
        alert_ids=lists[1],
        asset_ids=lists[2],
        dates=dates.read_from,
        tags=tags,
        page=page,
        grouped=grouped,
        by_hand=by_hand,
        kind=kind,
        finding_class=finding_class,
        names=_each_once((_line(name, model.TAG_CHARACTERS) for name in names), model.TAGS),
        exploited=exploited,
        former_keys=[_short_key(former) for former in former_keys],
        related_keys=[_short_key(related) for related in related_keys if related],
    )


Report = Finding | Skipped | MalformedEvent
"""The result of reading one report: a finding, a skipped report, or the error of a report that is not usable."""


def each(items: Iterable[Node], read: Callable[[Node], Finding | Skipped]) -> list[Report]:
    """Read the reports of an event one by one.

    A malformed report does not affect the other reports. An item that is not an object is a malformed report. Raises
    MalformedEvent if all reports are malformed.
    """
    reports: list[Report] = []
    for item in items:
        try:
            reports.append(read(item.needed_object()))
        except MalformedEvent as refused:
            reports.append(refused)
    refusals = [report for report in reports if isinstance(report, MalformedEvent)]
    if len(refusals) == len(reports):
        raise refusals[0]
    return reports


def own_part(event: dict[str, Any], place: int) -> dict[str, Any]:
    """Return an event of Security Hub with only the report at this place.

    The event's other findings can belong to other tenants. The envelope's ``resources`` names all findings of the
    event. The result keeps only the entries for this report.
    """
    detail = event.get("detail")
    findings = detail.get("findings") if isinstance(detail, dict) else None
    if not isinstance(detail, dict) or not isinstance(findings, list) or len(findings) < 2:
        return event
    own = findings[place]
    part = copy(event)  # ``copy`` also copies the marks of ``event_json``
    part["detail"] = copy(detail)
    part["detail"]["findings"] = [own]
    if isinstance(resources := event.get("resources"), list):
        ids = (Node(own).at("Id").value, Node(own).at("finding_info.uid").value)
        part["resources"] = [resource for resource in resources if resource in ids]
    return part


def composed_key(*parts: str) -> str:
    """Return one key for several parts. The key is a JSON list, so that different parts never give the same key."""
    return json.dumps(parts, ensure_ascii=False, separators=(",", ":"))


def _short_key(key: str) -> str:
    return key if len(key) <= KEY_CHARACTERS else f"sha256:{sha256(key.encode()).hexdigest()}"


def severity_named(word: str | None) -> str | None:
    """Return the severity that ``word`` names in upper or lower case, or None for any other word."""
    return word.lower() if word and word.lower() in model.SEVERITIES else None


def cut_bytes(text: str, size: int) -> str:
    """Return as many complete characters of ``text`` as fit into ``size`` bytes of UTF-8."""
    return text.encode()[:size].decode(errors="ignore")


def cut_id(identifier: str) -> str:
    """Return an id cut to its maximum length. A cut id ends with a hash of the full id. So cut ids stay unique."""
    if len(identifier) <= model.ID_CHARACTERS:
        return identifier
    mark = f"~{sha256(identifier.encode()).hexdigest()[:16]}"
    return identifier[: model.ID_CHARACTERS - len(mark)] + mark


def _ids(identifiers: Iterable[str | None]) -> list[str]:
    return _each_once(
        (texts.repair_line(cut_id(identifier)) for identifier in dict.fromkeys(identifiers) if identifier),
        model.LIST_IDS,
    )


def _line(text: str | None, characters: int) -> str | None:
    """Return a text of one line, cut and then repaired, or None if nothing visible is left."""
    return texts.repair_line((text or "")[:characters]) or None


def _each_once(lines: Iterable[str | None], most: int) -> list[str]:
    """Return the first ``most`` different lines. The other lines are not computed, because there can be thousands."""
    kept: dict[str, None] = {}
    for line in lines:
        if line:
            kept[line] = None
            if len(kept) == most:
                break
    return list(kept)


def _within_bytes(left: int, lists: list[list[str]]) -> list[list[str]]:
    """Return the lists, cut to ``left`` bytes of JSON in total.

    The lists take turns, one id at a time. So no list takes the room of another. A list ends at its first id that is
    larger than the bytes that are left.
    """
    kept: list[list[str]] = [[] for _ in lists]
    for place in range(max(map(len, lists))):
        for whole, part in zip(lists, kept, strict=True):
            if place < len(whole) and len(part) == place and (size := _json_bytes(whole[place]) + 1) <= left:
                part.append(whole[place])
                left -= size
    return kept


def _json_bytes(text: str | None) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode())
