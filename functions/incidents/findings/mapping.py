"""Read an event by a tenant's mapping. The mapping gives the paths in a partner's event to the values of a finding.

A mapping is data. The module ``paths`` reads its paths. ``docs/mapping.md`` describes the members of a mapping.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from ..domain import intake_policy, model
from ..domain.evidence import LIFTED_MEMBERS
from ..domain.intake_policy import Kind
from . import PARTNER, adapter, paths
from .dates import choose_dates
from .finding import Report, Skipped, build_finding, composed_key, severity_named
from .nodes import MalformedEvent, Node
from .paths import PathReader

ADAPTER = "mapping"
MAPPINGS, VALUES, TABLE_LINES = 20, 20, 200
PATHS, PATHS_OF_TENANT = 100, 400  # the limits for one mapping, and for all mappings of a tenant

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_RESERVED = ("aws.", "edm", "grc.incidents", "grc-incidents", "simulated.")
_TEXTS = ("title", "description", "category", "severity")
_LISTS = ("key", "alert_ids", "asset_ids", "account_ids", "tags")
_DATES = ("occurred_at", "detected_at", "updated_at")
_NEEDED = ("name", "source", "detail_type", "kind", "title", "key")
_MEMBERS = {*_NEEDED, "when", "summary", *_TEXTS, *_LISTS, *_DATES}

Place = tuple[str | int, ...]


class InvalidMapping(ValueError):
    """A member of a mapping is wrong. ``place`` has the names and the positions that lead to the member."""

    def __init__(self, place: Place, reason: str) -> None:
        super().__init__(f"{spelled(place)} {reason}" if place else f"The mapping {reason}")
        self.place = place


class ValueMissing(MalformedEvent):
    """The event has no value for the title or for a part of the key. ``place`` leads to the member of the mapping."""

    def __init__(self, place: Place, reason: str) -> None:
        super().__init__(reason)
        self.place = place


class Value(NamedTuple):
    """The source of one value of a finding: a constant or a path, one of which is None.

    ``place`` leads to this object in the mapping. ``table`` translates each text at the path. ``otherwise`` is used if
    the table lacks a text, or if the path finds nothing.
    """

    place: Place
    path: str | None
    constant: str | None
    table: Mapping[str, str] | None
    otherwise: str | None

    def texts(self, event: PathReader) -> list[str]:
        """Return the different texts that an event has for this value. Raises TooManySteps."""
        if self.path is None:
            return [self.constant] if self.constant else []
        present = event.texts(self.path)
        if self.table is not None:
            present = [text for word in present if (text := self.table.get(word, self.otherwise))]
        return list(dict.fromkeys(present or ([self.otherwise] if self.otherwise else [])))


class Condition(NamedTuple):
    """A condition on an event: its path must give one of the values. ``place`` is the condition's place."""

    place: Place
    path: str
    values: frozenset[str]

    def is_fulfilled(self, event: PathReader) -> bool:
        """Return whether an event has one of the values at the path. Raises TooManySteps."""
        return not self.values.isdisjoint(event.texts(self.path))


class SourceMapping(NamedTuple):
    """A checked mapping. ``values`` has the values by member, and ``summary`` those for the evidence's summary."""

    name: str
    source: str
    detail_types: tuple[str, ...]
    when: tuple[Condition, ...]
    kind: Kind
    values: Mapping[str, tuple[Value, ...]]
    summary: Mapping[str, tuple[Value, ...]]

    @property
    def paths(self) -> int:
        """The number of paths in the mapping, including its conditions."""
        given = (*self.values.values(), *self.summary.values())
        return len(self.when) + sum(value.path is not None for values in given for value in values)

    def takes(self, source: str, detail_type: str) -> bool:
        """Return whether the mapping is for events of this source and detail-type."""
        return fnmatchcase(source, self.source) and detail_type in self.detail_types


def read(mapping: SourceMapping, event: Node) -> Report:
    """Return the finding of an event, or the reason why the event gives no finding.

    The account map decides the tenant by the event's source and account, as it does for ``Alert Escalated``. Raises
    MalformedEvent if the event lacks a needed value, or if the paths take too many steps.
    """
    whole = PathReader(event.value, mapping.name)
    if not all(condition.is_fulfilled(whole) for condition in mapping.when):
        return Skipped("not_mapped", mapping.name)
    producer, account_id = event.at("source").exact_text(), event.at("account").needed_account_id()
    if not model.EVENT_SOURCE.fullmatch(producer):
        raise MalformedEvent(f"source must be {model.EVENT_SOURCE_RULE}")
    texts = {name: [value.texts(whole) for value in mapping.values.get(name, ())] for name in (*_TEXTS, *_LISTS)}
    lists = {name: [text for parts in texts[name] for text in parts] for name in texts}
    if not lists["title"]:
        looked_at = " or ".join(value.path for value in mapping.values["title"] if value.path)
        raise ValueMissing(("title",), f"the mapping {mapping.name} finds no `title` in the event at {looked_at}")
    for value, parts in zip(mapping.values["key"], texts["key"], strict=True):
        if not parts:
            raise ValueMissing(
                value.place, f"the mapping {mapping.name} finds no value for a part of the `key` at {value.path}"
            )
    dates = {
        name: [Node(whole.search(value.path or ""), value.path or "") for value in mapping.values.get(name, ())]
        for name in _DATES
    }
    return build_finding(
        choose_dates(
            event.at("time"),
            occurred=dates["occurred_at"],
            detected=dates["detected_at"],
            last_seen=dates["updated_at"],
        ),
        source=mapping.name,
        account_id=account_id,
        producer=producer,
        key=composed_key(producer, account_id, mapping.name, *(json.dumps(part) for part in texts["key"])),
        title=" ".join(lists["title"]),
        description="\n".join(lists["description"]) or None,
        category=next(iter(lists["category"]), None),
        severity=severity_named(next(iter(lists["severity"]), None)),
        account_ids=lists["account_ids"],
        asset_ids=lists["asset_ids"],
        alert_ids=lists["alert_ids"],
        tags=lists["tags"],
        grouped=True,
        kind=mapping.kind,
        finding_class=ADAPTER,
        names=lists["tags"],
    )._replace(adapter=ADAPTER, summary=_summary(mapping, whole))


def parse(value: Any) -> SourceMapping:
    """Return the mapping that a JSON value describes. Raises InvalidMapping, which names the wrong member."""
    if not isinstance(value, Mapping):
        raise InvalidMapping((), "must be an object")
    for name in value:
        if name not in _MEMBERS:
            raise InvalidMapping((name,), f"is unknown. The members are {', '.join(sorted(_MEMBERS))}")
    for name in _NEEDED:
        if name not in value:
            raise InvalidMapping((), f"must have the member {name}")
    name, source, kind = value["name"], value["source"], value["kind"]
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name.startswith(_RESERVED):
        raise InvalidMapping(
            ("name",),
            "must have 1 to 64 characters from a-z, 0-9 and ._-, and must not begin with " + ", ".join(_RESERVED),
        )
    if not isinstance(source, str) or not re.fullmatch(r"aws\.partner/[A-Za-z0-9._/-]{1,240}\*?", source):
        raise InvalidMapping(
            ("source",), 'must be an event source that begins with "aws.partner/". It may end with a *'
        )
    if kind not in intake_policy.KINDS:
        raise InvalidMapping(("kind",), f"must be one of {', '.join(intake_policy.KINDS)}")
    values = {
        name: _values((name,), value[name], paths_only=name in _DATES)
        for name in (*_TEXTS, *_LISTS, *_DATES)
        if name in value
    }
    _check_severities(values.get("severity", ()))
    summary = value.get("summary", {})
    if not isinstance(summary, Mapping):
        raise InvalidMapping(("summary",), f"must be an object with members of {', '.join(LIFTED_MEMBERS)}")
    for member in summary:
        if member not in LIFTED_MEMBERS:
            raise InvalidMapping(("summary", member), f"is unknown. The members are {', '.join(LIFTED_MEMBERS)}")
    checked = SourceMapping(
        name=name,
        source=source,
        detail_types=tuple(_detail_types(value["detail_type"])),
        when=tuple(_conditions(value.get("when", []))),
        kind=kind,
        values=values,
        summary={member: _values(("summary", member), summary[member]) for member in summary},
    )
    if checked.paths > PATHS:
        raise InvalidMapping((), f"has {checked.paths} paths, but must have at most {PATHS}")
    return checked


def parse_all(value: Any) -> list[SourceMapping]:
    """Return the mappings in a tenant's settings. ``value`` is an object that has each mapping under its name.

    Raises InvalidMapping.
    """
    if not isinstance(value, Mapping) or len(value) > MAPPINGS:
        raise InvalidMapping((), f"settings must be an object with at most {MAPPINGS} mappings")
    checked = [parse(mapping) for mapping in value.values()]
    if (count := sum(mapping.paths for mapping in checked)) > PATHS_OF_TENANT:
        raise InvalidMapping((), f"settings have {count} paths, but must have at most {PATHS_OF_TENANT}")
    return checked


def spelled(place: Place) -> str:
    """Return the text for a place in a mapping, such as ``title[1].path``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place).lstrip(".")


def _summary(mapping: SourceMapping, event: PathReader) -> dict[str, Any]:
    return {name: [text for value in values for text in value.texts(event)] for name, values in mapping.summary.items()}


def _values(place: Place, given: Any, *, paths_only: bool = False) -> tuple[Value, ...]:
    listed = given if isinstance(given, list) else [given]
    if not 1 <= len(listed) <= VALUES:
        raise InvalidMapping(place, f"must have 1 to {VALUES} values")
    at = [(*place, n) if isinstance(given, list) else place for n in range(len(listed))]
    return tuple(_value(where, value, paths_only=paths_only) for where, value in zip(at, listed, strict=True))


def _value(place: Place, given: Any, *, paths_only: bool) -> Value:
    if not isinstance(given, Mapping) or ("path" in given) == ("constant" in given):
        raise InvalidMapping(place, 'must be {"path": "..."} or {"constant": "..."}')
    allowed = {"path"} if paths_only else {"path", "table", "otherwise"} if "path" in given else {"constant"}
    for name in given:
        if name not in allowed:
            raise InvalidMapping((*place, name), f"must not be here. Allowed here: {', '.join(sorted(allowed))}")
    for name in ("constant", "otherwise"):
        if name in given:
            _checked_text((*place, name), given[name])
    table = given.get("table")
    if "table" in given:
        if not isinstance(table, Mapping) or not 1 <= len(table) <= TABLE_LINES:
            raise InvalidMapping((*place, "table"), f"must be an object with 1 to {TABLE_LINES} members")
        for name, word in table.items():
            _check_can_match((*place, "table", name), name)
            _checked_text((*place, "table", name), word)
    path = _path((*place, "path"), given["path"]) if "path" in given else None
    return Value(place, path, given.get("constant"), table, given.get("otherwise"))


def _checked_text(place: Place, given: Any) -> str:
    if not isinstance(given, str) or not given.strip() or len(given) > model.TITLE_CHARACTERS:
        raise InvalidMapping(place, f"must be a text of 1 to {model.TITLE_CHARACTERS} characters")
    return _storable(place, given)


def _storable(place: Place, text: str) -> str:
    """Return the text unchanged. Raises InvalidMapping if UTF-8 cannot encode the text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidMapping(place, "must not have half a surrogate pair (\\ud800 to \\udfff)") from None
    return text


def _check_can_match(place: Place, text: str) -> None:
    """Raise InvalidMapping if ``PathReader.texts`` can never return the text."""
    if Node(text).text() != text:
        raise InvalidMapping(
            place, "can never match. It must not have control characters, and must not begin or end with a blank"
        )


def _path(place: Place, given: Any) -> str:
    try:
        paths.check(given)
    except ValueError as error:
        raise InvalidMapping(place, str(error)) from None
    return _storable(place, given)


def _words(place: Place, given: Any) -> Sequence[str]:
    listed = given if isinstance(given, list) else [given]
    if not 1 <= len(listed) <= TABLE_LINES:
        raise InvalidMapping(place, f"must have 1 to {TABLE_LINES} texts")
    for n, word in enumerate(listed):
        where = (*place, n) if isinstance(given, list) else place
        if isinstance(word, bool | int | float):
            raise InvalidMapping(where, f'must be a text, such as "{json.dumps(word)}"')
        _check_can_match(where, _checked_text(where, word))
    return listed


def _detail_types(given: Any) -> Iterator[str]:
    """Yield the detail-types of a mapping. Raises InvalidMapping for a detail-type that an adapter reads.

    The service never uses a mapping for such an event.
    """
    for n, word in enumerate(_words(("detail_type",), given)):
        if adapter(PARTNER, word) is not None:
            place: Place = ("detail_type", n) if isinstance(given, list) else ("detail_type",)
            raise InvalidMapping(place, f"must not be {word}, which the service reads without a mapping")
        yield word


def _conditions(given: Any) -> Iterator[Condition]:
    if not isinstance(given, list) or len(given) > VALUES:
        raise InvalidMapping(("when",), f"must be a list of at most {VALUES} conditions")
    for n, condition in enumerate(given):
        if not isinstance(condition, Mapping) or set(condition) != {"path", "in"}:
            raise InvalidMapping(("when", n), 'must be {"path": "...", "in": ["..."]}')
        path, words = _path(("when", n, "path"), condition["path"]), _words(("when", n, "in"), condition["in"])
        yield Condition(("when", n), path, frozenset(words))


def _check_severities(values: Sequence[Value]) -> None:
    for n, value in enumerate(values):
        for word in filter(None, (value.constant, value.otherwise, *(value.table or {}).values())):
            if severity_named(word) is None:
                place: Place = ("severity", n) if len(values) > 1 else ("severity",)
                raise InvalidMapping(place, f"must be one of {', '.join(model.SEVERITIES)}, not {word}")
