"""The field ``regulatory_reports``: the facts of an incident's reports to regulators.

Its form is ``{regime: {"anchors": {name: at}, "facts": {...}, "stages": {stage: {"submitted_at": at, ...}}}}``. A
caller changes the field with a merge patch (RFC 7396). The rules check only the new values of a request. A request may
repeat a stored value that the rules do not know any more. The field is stored as JSON text.

This module has no arithmetic. It knows the names of the regimes from ``report_names``, which is generated.
"""

import json
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from . import json_text, model, report_names, texts, timestamps

REFERENCE_CHARACTERS = 256
_PARTS = ("anchors", "facts", "stages")
_MOMENTS = ("submitted_at", "resubmitted_at")
_SUBMISSION = (*_MOMENTS, "reference")
_LEVELS = 4  # the levels of a report are regime, part, stage and value
_KNOWN_ARE = " The known names are "

Fault = tuple[tuple[str, ...], str]
"""The path of a value, and what would be right."""


class Names(NamedTuple):
    """The anchors, the stages and the aliases of a regime. ``to_regulators`` are the stages that go to a regulator."""

    anchors: tuple[str, ...]
    stages: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    to_regulators: tuple[str, ...] = ()


RELEASED = {regime: Names(*names) for regime, names in report_names.REGIMES.items()}


def names_of(regime: Mapping[str, Any]) -> Names:
    """Return the names of a regime in the form of ``deadlines/rules.json``."""
    anchors: dict[str, None] = {}
    for stage in regime["stages"]:
        term = stage["due"] or {}
        starts = [stage["anchor"], term.get("cap", {}).get("from")]
        starts += [reading.get("from") for reading in stage.get("readings", ())]
        anchors |= dict.fromkeys(start for start in starts if start and not start.startswith("stage:"))
    if "dated_by" in regime:
        anchors[regime["dated_by"]] = None
    stages = tuple(stage["id"] for stage in regime["stages"])
    to_regulators = tuple(stage["id"] for stage in regime["stages"] if stage.get("to_regulator") is True)
    return Names(tuple(anchors), stages, tuple(regime["aliases"]), to_regulators)


def known_names(settings: object) -> dict[str, Names]:
    """Return the names of this release's regimes, and of the regimes in the value of a tenant's settings.

    A rule in another form is left out, because a newer release may have stored it.
    """
    own = settings.get("rules") if isinstance(settings, dict) else None
    names = {}
    for regime in own if isinstance(own, list) else []:
        try:
            names[regime["id"]] = names_of(regime)
        except (KeyError, TypeError, AttributeError):
            continue
    return names | RELEASED


def needs_rules(body: object, *, is_patch: bool) -> bool:
    """Return whether the tenant's own rules must be known for a body.

    A body that names reports needs the rules. So does a patch that gives ``model.TOLD_AT`` back to the derivation.
    """
    if not isinstance(body, dict):
        return False
    gives_back = is_patch and model.TOLD_AT in body and body[model.TOLD_AT] is None
    return gives_back or isinstance(body.get("regulatory_reports"), dict)


def faults(sent: object, stored: str | None, known: Mapping[str, Names]) -> Iterator[Fault]:
    """Yield a Fault for each invalid value of a merge patch on the stored reports."""
    if sent is None:
        return
    if not isinstance(sent, dict):
        yield (), "must be an object of regimes, or null"
        return
    lists = set()
    for path, fault in _faults(_in_stored_form(sent), _parsed(stored), known):
        text, _, names = fault.partition(_KNOWN_ARE)
        yield path, text if names in lists else fault  # a list of names stands only in the first error
        lists.add(names or None)


def merged(sent: Mapping[str, Any] | None, stored: str | None) -> str | None:
    """Return the stored reports after a valid merge patch, as JSON text. Timestamps are in the form of ``timestamps``.

    If nothing changes, the returned text is the stored text. Raises ValueError if the text would be too long.
    """
    if sent is None:
        return None
    before = _parsed(stored)
    after = _merge(before, _in_stored_form(sent))
    if stored is not None and _is_same(after, before):
        return stored
    text = json_text.dumps(after)
    if len(text.encode()) > model.TEXT_BYTES:
        raise ValueError(f"must be at most {model.TEXT_BYTES // 1024} KiB of UTF-8")
    return text


def canonical(text: str) -> str:
    """Return the reports as JSON with sorted members, so that the order of members does not matter."""
    return json.dumps(json.loads(text), sort_keys=True)


def earliest_submission(stored: str | None, known: Mapping[str, Names], held: str | None = None) -> str | None:
    """Return the time of the earliest submission to a regulator, or None without one.

    ``held`` is the derived value so far. A stage whose rule has left still counts if the value rests on it.
    """
    unknown = Names((), ())
    sent = []
    for regime, report in _parsed(stored).items():
        names = known.get(regime, unknown)
        for stage, submission in _object(_object(report).get("stages")).items():
            at = _object(submission).get("submitted_at")
            if isinstance(at, str) and (stage in names.to_regulators if stage in names.stages else at == held):
                sent.append(at)
    return min(sent, default=None)


def derive(
    incident: dict[str, Any],
    given: Mapping[str, Any],
    known: Mapping[str, Names],
    before: Mapping[str, Any] | None = None,
) -> None:
    """Set ``model.TOLD_AT`` to the earliest submission to a regulator, in place, unless a caller has given it.

    ``given`` has the values of this request. ``before`` is the incident before the change, or None for a new incident.
    A caller's value stays even if it equals a submission. After a null, the field is derived again.
    """
    told_at = given.get(model.TOLD_AT)
    if told_at is None:
        is_given = before is not None and before[model.TOLD_AT] is not None and not model.is_derived(before)
        is_same = before is not None and before["regulatory_reports"] == incident["regulatory_reports"]
        if model.TOLD_AT not in given and (is_given or is_same):
            return
        held = before[model.TOLD_AT] if before is not None and not is_given else None
        told_at = earliest_submission(incident["regulatory_reports"], known, held)
        incident[model.TOLD_AT] = incident[model.DERIVED_TOLD_AT] = told_at
    if told_at is None or given.get(model.TOLD_AT) is not None:
        incident.pop(model.DERIVED_TOLD_AT, None)


def _faults(sent: Mapping[str, Any], stored: Mapping[str, Any], known: Mapping[str, Names]) -> Iterator[Fault]:
    for regime, report in sent.items():
        held = stored.get(regime)
        if report is None or _is_same(report, held):  # a removed or repeated value needs no rule
            continue
        if regime not in known and not _sets_nothing(report, held):
            yield (regime,), _unknown("a regime", regime, known, _regime_of(regime, known))
        elif not isinstance(report, dict):
            yield (regime,), f"must be an object with {', '.join(_PARTS)}"
        else:
            for path, fault in _report_faults(report, _object(held), known.get(regime, Names((), ()))):
                yield (regime, *path), fault


def _report_faults(report: Mapping[str, Any], stored: Mapping[str, Any], names: Names) -> Iterator[Fault]:
    for part, values in report.items():
        held = stored.get(part)
        if values is None or _is_same(values, held):
            continue
        if part not in _PARTS and not _sets_nothing(values, held):
            yield (part,), _unknown("a part of a report", part, _PARTS)
        elif not isinstance(values, dict):
            yield (part,), "must be an object"
        else:
            for name, value in values.items():
                if value is None or _is_same(value, _object(held).get(name)):
                    continue
                for path, fault in _value_faults(part, name, value, _object(held).get(name), names):
                    yield (part, name, *path), fault


def _value_faults(part: str, name: str, value: Any, held: object, names: Names) -> Iterator[Fault]:
    match part:
        case "anchors":
            if name not in names.anchors:
                yield (), _unknown("an anchor of this regime", name, names.anchors)
            elif fault := _timestamp_fault(value):
                yield (), fault
        case "facts":
            yield from _fact_faults(name, value)
        case "stages":
            if name not in names.stages and not _sets_nothing(value, held):
                yield (), _unknown("a stage of this regime", name, names.stages)
            elif not isinstance(value, dict):
                yield (), f"must be an object with {', '.join(_SUBMISSION)}"
            else:
                yield from _submission_faults(value, _object(held))


def _fact_faults(name: str, value: Any) -> Iterator[Fault]:
    if name == "member_state":
        if value not in report_names.MEMBER_STATES:
            yield (), f"must be the code of a Member State: {', '.join(report_names.MEMBER_STATES)}"
    elif name not in report_names.FACTS:
        yield (), _unknown("a fact", name, report_names.FACTS)
    elif not isinstance(value, bool):
        yield (), "must be true or false"


def _submission_faults(value: Mapping[str, Any], stored: Mapping[str, Any]) -> Iterator[Fault]:
    for name, text in value.items():
        if text is None or _is_same(text, stored.get(name)):
            continue
        if name not in _SUBMISSION:
            yield (name,), _unknown("a part of a submission", name, _SUBMISSION)
        elif name != "reference":
            if fault := _timestamp_fault(text):
                yield (name,), fault
        elif not isinstance(text, str) or not 1 <= len(text) <= REFERENCE_CHARACTERS:
            yield (name,), f"must be a text of 1 to {REFERENCE_CHARACTERS} characters"
        elif fault := texts.line_fault(text):
            yield (name,), fault
    after = {**stored, **value}
    first, last = (_timestamp(after.get(name)) for name in _MOMENTS)
    if after.get("resubmitted_at") is not None and after.get("submitted_at") is None:
        yield ("resubmitted_at",), "must be left out unless submitted_at is known"
    elif first and last and last < first:
        yield ("resubmitted_at",), f"must not be before submitted_at, which is {first}"


def _timestamp_fault(value: object) -> str | None:
    if not isinstance(value, str):
        return f"must be {timestamps.WANTED}"
    try:
        timestamps.parse(value)
    except ValueError as error:
        return str(error)
    return None


def _timestamp(value: object) -> str | None:
    return timestamps.parse(value) if isinstance(value, str) and _timestamp_fault(value) is None else None


def _regime_of(alias: str, known: Mapping[str, Names]) -> str | None:
    """Return the regime that has an alias. Upper and lower case do not matter."""
    wanted = alias.strip().casefold()
    names = ((regime, name) for regime, names in known.items() for name in (regime, *names.aliases))
    return next((regime for regime, name in names if isinstance(name, str) and name.casefold() == wanted), None)


def _unknown(what: str, name: str, known: Mapping[str, Any] | tuple[str, ...], closest: str | None = None) -> str:
    """Return a sentence that lists the known names. It begins with the name that the caller probably meant."""
    closest = closest or next(iter(get_close_matches(name[:64].casefold(), known, n=1, cutoff=0.6)), None)
    meant = f"; did you mean {closest}?" if closest else "."
    return f"is not {what}{meant}{_KNOWN_ARE}{', '.join(known)}"


def _merge(stored: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return the stored value after a merge patch of at most four levels."""
    after = dict(stored)
    for name, value in patch.items():
        if value is None:
            after.pop(name, None)
        elif isinstance(value, dict):
            after[name] = _merge(_object(after.get(name)), value)
        else:
            after[name] = value
    return after


def _in_stored_form(value: Any, path: tuple[str, ...] = ()) -> Any:
    """Return a patch with its moments in the form of ``timestamps``. Other texts are unchanged."""
    if isinstance(value, dict) and len(path) < _LEVELS:
        return {name: _in_stored_form(below, (*path, name)) for name, below in value.items()}
    is_anchor = path[1:2] == ("anchors",) and len(path) == 3
    is_submission = path[1:2] == ("stages",) and len(path) == _LEVELS and path[-1] in _MOMENTS
    return (_timestamp(value) or value) if is_anchor or is_submission else value


def _sets_nothing(sent: object, held: object) -> bool:
    """Return whether a patch only removes or repeats stored values. Then the patch needs no rule."""
    if isinstance(sent, dict):
        below = held if isinstance(held, dict) else None
        return below is not None and all(_sets_nothing(value, below.get(name)) for name, value in sent.items())
    return sent is None or _is_same(sent, held)


def _is_same(left: object, right: object) -> bool:
    """Return whether two JSON values are equal. Unlike in Python, ``true`` does not equal 1."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_is_same(value, right[name]) for name, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_is_same, left, right))
    return type(left) is type(right) and left == right


def _parsed(stored: str | None) -> dict[str, Any]:
    value = json.loads(stored or "{}")
    return value if isinstance(value, dict) else {}


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
