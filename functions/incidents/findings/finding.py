"""What an adapter makes of an event: findings that become incidents, and reports that make nothing.

Whatever is longer than the model allows is cut here, so that size never refuses a true finding.
"""

import json
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Literal, NamedTuple, get_args

from ..domain import model
from .dates import Dates
from .nodes import MalformedEvent, Node

Reason = Literal[
    "archived", "suppressed", "resolved", "closed", "in_progress", "passed", "sample", "not_a_detection", "ok_state",
    "insufficient_data", "already_in_alarm", "backup", "own", "disabled",
]  # fmt: skip
REASONS: tuple[str, ...] = get_args(Reason)

KEY_CHARACTERS = 1024
OTHER_BYTES = 12 * 1024  # of a document, beside the description and the lists of ids


class Finding(NamedTuple):
    """One report of one true problem, within the bounds of ``model``; events of the same problem share its ``key``.

    Dates are texts of ``timestamps``; ``dates`` says which field of the event each was read from, or why it was
    dropped. ``page`` tells events of one report apart that share their ``seen_at``, and is 1 for nearly all sources.
    ``grouped``: several reports share the key, each with alert ids of its own. ``by_hand``: somebody sent it.
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


class Skipped(NamedTuple):
    """A report that makes nothing: why, as a word that is counted, and the product that it came from."""

    reason: Reason
    source: str


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
) -> Finding:
    """Return a finding with everything cut to the bounds of ``model``; ids that are None are left out."""
    description = description and cut_bytes(description, model.TEXT_BYTES)
    lists = _within_bytes(
        model.DOCUMENT_BYTES - OTHER_BYTES - _json_bytes(description),
        [_ids([account_id] if account_ids is None else account_ids), _ids(alert_ids), _ids(asset_ids)],
    )
    return Finding(
        source=source[: model.SOURCE_CHARACTERS],
        account_id=account_id,
        tenant_id=tenant_id,
        producer=producer,
        key=key if len(key) <= KEY_CHARACTERS else f"sha256:{sha256(key.encode()).hexdigest()}",
        title=title[: model.TITLE_CHARACTERS],
        description=description,
        category=category and category[: model.CATEGORY_CHARACTERS],
        severity=severity,
        occurred_at=dates.occurred_at,
        detected_at=dates.detected_at,
        seen_at=dates.seen_at,
        account_ids=lists[0],
        alert_ids=lists[1],
        asset_ids=lists[2],
        dates=dates.read_from,
        tags=list(dict.fromkeys(tag[: model.TAG_CHARACTERS] for tag in tags if tag))[: model.TAGS],
        page=page,
        grouped=grouped,
        by_hand=by_hand,
    )


Report = Finding | Skipped | MalformedEvent
"""What one report of an event makes: a finding, nothing for a reason, or a refusal of it alone."""


def each(items: Iterable[Node], read: Callable[[Node], Finding | Skipped]) -> list[Report]:
    """Read the reports of an event one by one: what is wrong with one is no matter of the others.

    Raises MalformedEvent if all of them are refused.
    """
    reports: list[Report] = []
    for item in items:
        try:
            reports.append(read(item))
        except MalformedEvent as refused:
            reports.append(refused)
    refusals = [report for report in reports if isinstance(report, MalformedEvent)]
    if len(refusals) == len(reports):
        raise refusals[0]
    return reports


def composed_key(*parts: str) -> str:
    """Return one key for several parts; framed, so that no other parts give the same one."""
    return json.dumps(parts, ensure_ascii=False, separators=(",", ":"))


def severity_named(word: str | None) -> str | None:
    """Return the severity that has this name, in any case of letters, or None."""
    return word.lower() if word and word.lower() in model.SEVERITIES else None


def cut_bytes(text: str, size: int) -> str:
    """Return as many whole characters of ``text`` as fit into ``size`` bytes of UTF-8."""
    return text.encode()[:size].decode(errors="ignore")


def cut_id(identifier: str) -> str:
    """Return an id within its bound; what is cut off leaves its hash, so that two long ids stay two."""
    if len(identifier) <= model.ID_CHARACTERS:
        return identifier
    mark = f"~{sha256(identifier.encode()).hexdigest()[:16]}"
    return identifier[: model.ID_CHARACTERS - len(mark)] + mark


def _ids(identifiers: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(cut_id(identifier) for identifier in identifiers if identifier))[: model.LIST_IDS]


def _within_bytes(left: int, lists: list[list[str]]) -> list[list[str]]:
    """Return the lists without what no longer fits; the first list is served first, and within one its beginning."""
    kept: list[list[str]] = []
    for identifiers in lists:
        kept.append([])
        for identifier in identifiers:
            left -= _json_bytes(identifier) + 1
            if left < 0:
                break
            kept[-1].append(identifier)
    return kept


def _json_bytes(text: str | None) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode())
