"""A plain model of the service, in memory. It is written from docs/api.md and shares no code with the product.

For each request, the model returns the correct status, incident, version, lists and history. Only the service knows the
id of a new incident and the time of a request, so the model gets the id and the time as arguments.
"""

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from unicodedata import category

Document = dict[str, Any]

MOVES = {
    "new": ["investigating", "contained", "closed", "dismissed"],
    "investigating": ["contained", "recovering", "review", "closed", "dismissed"],
    "contained": ["investigating", "recovering", "review", "closed", "dismissed"],
    "recovering": ["investigating", "contained", "review", "closed"],
    "review": ["investigating", "recovering", "closed"],
    "closed": ["investigating", "review"],
    "dismissed": ["investigating"],
}
SEVERITIES = ["critical", "high", "medium", "low", "informational"]


class Actor(NamedTuple):
    """A caller: a person, or an application if ``app`` is set."""

    tenant: str
    subject: str
    app: str | None


@dataclass
class Life:
    """One incident with all its changes, as every caller with access sees it.

    ``has_told`` is true if a caller has given ``reported_to_regulators_at``. No answer shows it.
    """

    document: Document
    history: list[Document]
    has_told: bool = False

    @property
    def version(self) -> int:
        return len(self.history)


class Verdict(NamedTuple):
    """The correct answer to a request. ``wrote`` is true if the request changed anything."""

    status: int
    record: Life | None = None
    wrote: bool = False
    replayed: bool = False
    allowed: list[str] | None = None


# --- values


def canonical(value: object) -> str:
    """Return a text that is the same for equal JSON values.

    The order of members does not matter, and true differs from 1.
    """
    return json.dumps(value, sort_keys=True)


def text_of(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def made_at(incident_id: str) -> str:
    """Return the creation time that an incident's id contains.

    The first ten characters of a ULID are the milliseconds since 1970, in Crockford's base 32.
    """
    milliseconds = 0
    for character in incident_id.removeprefix("inc_")[:10]:
        milliseconds = milliseconds * 32 + "0123456789ABCDEFGHJKMNPQRSTVWXYZ".index(character)
    return text_of(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds))


def _minutes(start: str, end: str) -> int:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)) // timedelta(minutes=1)


def moment_of(text: str) -> datetime:
    """Return the time of a text. A bare ``+`` in a query string arrives as a space."""
    return datetime.fromisoformat(re.sub(r" (?=[0-9:]+$)", "+", text))


def _text(most: int) -> Callable[[Any], bool]:
    """A text of one line: not blank, and without control, format, separator and unassigned characters."""
    return lambda value: (
        isinstance(value, str)
        and 1 <= len(value) <= most
        and not any(category(letter) in ("Cc", "Cf", "Cn", "Cs", "Zl", "Zp") or letter == "\ufffd" for letter in value)
        and value.strip() != ""
    )


def _one_of(*words: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and value in words


def _long_text(value: Any) -> bool:
    if not isinstance(value, str) or len(value.encode()) > 32 * 1024 or "\ufffd" in value:
        return False
    return not any(category(letter) == "Cc" and letter not in "\n\r\t" for letter in value)


def _is_moment(value: Any) -> bool:
    form = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([.,]\d+)?(Z|[+ -]\d\d(:?\d\d)?)"
    if not isinstance(value, str) or not re.fullmatch(form, value):
        return False
    try:
        return "1970" <= text_of(moment_of(value))[:4] <= "9998"
    except ValueError:
        return False


def _is_ids(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= 500 and all(map(_text(2048), value)) and _once_each(value)


def _once_each(value: list[str]) -> bool:
    return len(set(value)) == len(value)


def _once(tags: list[str]) -> list[str]:
    return [tag for place, tag in enumerate(tags) if tag not in tags[:place]]


def _is_tags(value: Any) -> bool:
    return isinstance(value, list) and all(map(_text(256), value)) and len(set(value)) <= 50


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_amount(value: Any) -> bool:
    if type(value) not in (int, float) or not 0 <= value <= 10**15:
        return False
    return Decimal(repr(value)) * 10_000 % 1 == 0


def _is_number(value: Any) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"(?=.*[!-~])[ !\"$-~]{1,64}", value))


def _year_and_count(number: str) -> tuple[str, int] | None:
    form = re.fullmatch(r"INC-(\d{4})-(\d{6}|[1-9]\d{6,})", number)
    return (form[1], int(form[2])) if form else None


def _looks_like_ours(number: str) -> bool:
    """Return whether an application cannot give a number, because people could take it for one of the server's."""
    parts = number.strip(" ").upper().split("-")
    return len(parts) == 3 and parts[0] == "INC" and bool(re.fullmatch(r"\d{4}-\d{6,}", "-".join(parts[1:])))


MILESTONES = ["occurred_at", "detected_at", "contained_at", "closed_at"]
MOMENTS = [*MILESTONES, "reported_at", "reported_to_regulators_at", "customer_notified_at"]
ID_LISTS = [
    "realized_risk_ids", "affected_asset_ids", "affected_account_ids", "consolidated_investigation_ids",
    "triggered_by_alert_ids", "commander_ids", "corrective_action_ids", "reportable_to",
]  # fmt: skip
LISTS = [*ID_LISTS, "tags"]
LIST_OF = {name.removesuffix("s"): name for name in LISTS}  # the list that a filter looks into

RULES: dict[str, Callable[[Any], bool]] = {
    "title": _text(300),
    "incident_number": _is_number,
    "status": _one_of(*MOVES),
    "severity": _one_of(*SEVERITIES),
    "category": _text(64),
    "owner_id": _text(2048),
    "description": _long_text,
    "root_cause": _long_text,
    "source": _text(64),
    "source_type": _one_of("frontend", "backend", "server", "system", "api"),
    "mttd_minutes": _is_count,
    "mttr_minutes": _is_count,
    "tags": _is_tags,
    "financial_impact": _is_amount,
    "lessons_learned": lambda _: True,  # no test sends lessons that are too large or too deep
    "regulatory_reports": lambda value: isinstance(value, dict),  # the tests send only valid reports
    "is_deleted": lambda value: isinstance(value, bool),
    **dict.fromkeys(MOMENTS, _is_moment),
    **dict.fromkeys(ID_LISTS, _is_ids),
}
NEVER_NULL = {"title", "status", "source", "source_type", "is_deleted"}
OPTIONAL = sorted(RULES.keys() - NEVER_NULL - {"incident_number"})
USUAL = {"source": "edm", "source_type": "api", "status": "new"}


def _edited(body: Document, before: Document) -> Document:
    """Return the patch with the resulting list in place of each list's operators. Wrong operators stay in the patch."""
    result = dict(body)
    for name, edit in body.items():
        if name not in LISTS or not isinstance(edit, dict) or not edit or edit.keys() - {"add", "remove"}:
            continue
        add, remove = edit.get("add", []), edit.get("remove", [])
        item = _text(256 if name == "tags" else 2048)
        if not isinstance(add, list) or not isinstance(remove, list) or not all(map(item, add + remove)):
            continue
        if not set(add) & set(remove):
            kept = [one for one in before[name] if one not in remove]
            result[name] = kept + [one for one in _once(add) if one not in kept]
    return result


def _read(body: Document) -> Document | None:
    """Return the values of a body in the form of the answers, or None if a value breaks a rule of its own field."""
    values: Document = {}
    for name, value in body.items():
        if name not in RULES or (name in NEVER_NULL if value is None else not RULES[name](value)):
            return None
        if value is None:
            values[name] = [] if name in LISTS else None
        elif name in MOMENTS:
            values[name] = text_of(moment_of(value))
        elif name == "regulatory_reports":
            values[name] = _with_texts(value)
        elif name == "financial_impact":
            values[name] = int(value) if value == int(value) else value
        else:
            values[name] = value
    return values


def _with_texts(reports: Any) -> Any:
    """Return reports with every moment in the form of the answers."""
    if isinstance(reports, dict):
        return {name: _with_texts(value) for name, value in reports.items()}
    return text_of(moment_of(reports)) if isinstance(reports, str) and _is_moment(reports) else reports


def _first_submission(document: Document) -> str | None:
    # The tests send submissions to the authority, and to the individuals, who are no regulators.
    stages = [
        report.get("stages", {}).get("authority", {}) for report in (document["regulatory_reports"] or {}).values()
    ]
    return min((stage["submitted_at"] for stage in stages if "submitted_at" in stage), default=None)


TOLD = "reported_to_regulators_at"


def _tell_regulators(after: Document, given: Document, has_told: bool) -> bool:
    """Set when regulators were told, in place: the first submission to one, unless a caller has given the moment.

    Return whether a caller has given it.
    """
    if given.get(TOLD) is not None or (has_told and TOLD not in given):
        return True
    after[TOLD] = _first_submission(after)
    return False


def _merge(target: object, patch: object) -> object:
    """Return the target with the merge patch applied (RFC 7396)."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        merged[name] = _merge(merged.get(name), value)
        if value is None:
            del merged[name]
    return merged


# --- rules between values


def _settle(after: Document, given: Document, before: Document | None, moment: str) -> bool:
    """Set the timestamps for the new status, and derive the minutes, in place. Return False if the values conflict."""
    start, end = (before or {}).get("status"), after["status"]
    stamped = None
    if start != end:
        if start == "closed":
            after["closed_at"], after["mttr_minutes"] = given.get("closed_at"), None
            if given.get("mttr_minutes") is not None:
                return False
        stamped = {"contained": "contained_at", "closed": "closed_at"}.get(end)
        if stamped and after[stamped] is None:
            earlier = MILESTONES[: MILESTONES.index(stamped)]
            after[stamped] = max([moment, *(after[name] for name in earlier if after[name])])
        else:
            stamped = None
    if (after["closed_at"] is not None) != (end == "closed"):
        return False
    for line in (MILESTONES, ["occurred_at", "detected_at", "reported_at"]):
        known = [after[name] for name in line if after[name]]
        if known != sorted(known):
            return False
    return _derive("mttd_minutes", "occurred_at", "detected_at", after, given, before, stamped) and _derive(
        "mttr_minutes", "detected_at", "closed_at", after, given, before, stamped
    )


def _derive(
    name: str, start: str, end: str, after: Document, given: Document, before: Document | None, stamped: str | None
) -> bool:
    if after[start] and after[end]:
        told, after[name] = given.get(name), _minutes(after[start], after[end])
        return told is None or told == after[name] or stamped == end
    if before and before[start] and before[end] and name not in given:
        after[name] = None
    return True


def _differences(before: Document, after: Document) -> Document:
    return {
        name: {"from": before[name], "to": after[name]}
        for name in after
        if name not in ("updated_at", "updated_by", "version") and canonical(before[name]) != canonical(after[name])
    }


def _action(before: Document, after: Document) -> str:
    if before["is_deleted"] != after["is_deleted"]:
        return "deleted" if after["is_deleted"] else "restored"
    if before["status"] != after["status"] and "closed" in (before["status"], after["status"]):
        return "closed" if after["status"] == "closed" else "reopened"
    return "updated"


# --- the service


@dataclass
class PlainService:
    """The model of the service, with the data of all tenants."""

    records: dict[str, Life] = field(default_factory=dict)  # the incidents by id, in order of creation
    numbers: dict[tuple[str, str], str] = field(default_factory=dict)  # the incident's id, by tenant and number
    # the counter of incident numbers, by tenant and year
    counters: Counter[tuple[str, str]] = field(default_factory=Counter)
    # The values and the id of a created incident, by tenant, application and idempotency key.
    keys: dict[tuple[str, str | None, str], tuple[str, str]] = field(default_factory=dict)

    def reach(self, actor: Actor, incident_id: str) -> Life | None:
        record = self.records.get(incident_id)
        return record if record and self._may_see(actor, record.document) else None

    def _may_see(self, actor: Actor, document: Document) -> bool:
        return document["tenant_id"] == actor.tenant and actor.app in (None, document.get("app_id"))

    def create(self, actor: Actor, body: Document, key: str | None, new_id: str, moment: str) -> Verdict:
        values = _read(body)
        if values is None or "title" not in values or "is_deleted" in values:
            return Verdict(422)
        values = USUAL | {name: value for name, value in values.items() if value is not None}
        if "regulatory_reports" in values:
            values["regulatory_reports"] = _merge({}, values["regulatory_reports"])
        slot = (actor.tenant, actor.app, key or "")
        if key is not None and slot in self.keys:
            earlier, made = self.keys[slot]
            same = earlier == canonical(values)
            return Verdict(201, self.records[made], replayed=True) if same else Verdict(422)
        sent = canonical(values)
        values |= {"tags": _once(values["tags"])} if "tags" in values else {}
        unset: Document = {name: [] if name in LISTS else None for name in RULES}
        document = unset | {"is_deleted": False} | values
        has_told = _tell_regulators(document, values, False)
        if not _settle(document, values, None, moment):
            return Verdict(422)
        if actor.app is not None and _looks_like_ours(values.get("incident_number") or ""):
            return Verdict(422)
        number = self._number(actor.tenant, values.get("incident_number"), moment[:4])
        if (actor.tenant, number) in self.numbers:
            return Verdict(409)
        document |= {
            "id": new_id, "tenant_id": actor.tenant, "created_at": moment, "updated_at": moment, "deleted_at": None,
            "created_by": actor.subject, "updated_by": actor.subject, "deleted_by": None, "schema_version": 1,
            "incident_number": number, "version": 1,
        }  # fmt: skip
        if actor.app is not None:
            document["app_id"] = actor.app
        created = {"version": 1, "at": moment, "by": actor.subject, "action": "created", "changes": {}}
        record = self.records[new_id] = Life(document, [created], has_told)
        self.numbers[actor.tenant, number] = new_id
        if key is not None:
            self.keys[slot] = (sent, new_id)
        return Verdict(201, record, wrote=True)

    def _number(self, tenant: str, given: str | None, year: str) -> str:
        if given is None:
            self.counters[tenant, year] += 1
            return f"INC-{year}-{self.counters[tenant, year]:06d}"
        if (counted := _year_and_count(given)) and counted[1] < 10**15:
            year, count = counted
            self.counters[tenant, year] = max(self.counters[tenant, year], count)
        return given

    def patch(self, actor: Actor, incident_id: str, body: Document, versions: set[int] | None, moment: str) -> Verdict:
        record = self.reach(actor, incident_id)
        if record is None:
            return Verdict(404)
        if versions is not None and record.version not in versions:
            return Verdict(412)
        before, given = record.document, _read(_edited(body, record.document))
        if given and given.get("tags", before["tags"]) != before["tags"]:
            given["tags"] = _once(given["tags"])
        if given is None or given.get("incident_number", before["incident_number"]) != before["incident_number"]:
            return Verdict(422)
        if before["is_deleted"] and given.get("is_deleted") is not False:
            return Verdict(409)
        if "lessons_learned" in given:
            given["lessons_learned"] = _merge(before["lessons_learned"], given["lessons_learned"])
        if "regulatory_reports" in given:
            given["regulatory_reports"] = _merge(before["regulatory_reports"], given["regulatory_reports"])
        after = before | given
        has_told = _tell_regulators(after, given, record.has_told)
        if after["status"] not in (before["status"], *MOVES[before["status"]]):
            return Verdict(409, allowed=MOVES[before["status"]])
        if not _settle(after, given, before, moment):
            return Verdict(422)
        return Verdict(200, record, wrote=self._write(record, after, actor, moment, has_told))

    def delete(self, actor: Actor, incident_id: str, versions: set[int] | None, moment: str) -> Verdict:
        record = self.reach(actor, incident_id)
        if record is None:
            return Verdict(404)
        if versions is not None and record.version not in versions:
            return Verdict(412)
        deleted = record.document | {"is_deleted": True}
        return Verdict(204, record, wrote=self._write(record, deleted, actor, moment, record.has_told))

    def _write(self, record: Life, after: Document, actor: Actor, moment: str, has_told: bool) -> bool:
        before = record.document
        # Who gives the moment that the submissions have, or gives it back, writes a change from the moment to itself.
        told = {TOLD: {"from": before[TOLD], "to": after[TOLD]}} if has_told != record.has_told else {}
        record.has_told = has_told
        if not _differences(before, after) | told:
            return False
        after |= {"updated_at": moment, "updated_by": actor.subject, "version": record.version + 1}
        if before["is_deleted"] != after["is_deleted"]:
            gone = after["is_deleted"]
            after |= {"deleted_at": moment if gone else None, "deleted_by": actor.subject if gone else None}
        record.history.append({
            "version": record.version + 1, "at": moment, "by": actor.subject, "action": _action(before, after),
            "changes": _differences(before, after) | told,
        })  # fmt: skip
        record.document = after
        return True

    def select(self, actor: Actor, parameters: Document) -> list[Document]:
        """Return the items of a list with these query parameters, from all its pages."""
        shown = [
            record.document
            for record in self.records.values()
            if self._may_see(actor, record.document) and _passes(record.document, parameters)
        ]
        return sorted(shown, key=lambda document: str(document["id"]), reverse=parameters.get("order") != "asc")


def _passes(document: Document, parameters: Document) -> bool:
    if document["is_deleted"] and parameters.get("include_deleted") != "true":
        return False
    for name in ("status", "severity", "category", "owner_id", "source", "app_id"):
        if name in parameters and document.get(name) not in parameters[name]:
            return False
    for name, values in parameters.items():
        if (of_items := LIST_OF.get(name)) and not set(values) & set(document[of_items]):
            return False
    if "open" in parameters and (parameters["open"] == "true") == (document["status"] in ("closed", "dismissed")):
        return False
    if "unowned" in parameters and (parameters["unowned"] == "true") != (document["owner_id"] is None):
        return False
    searched = f"{document['title']} {document['incident_number']}".casefold()
    if not all(word in searched for word in parameters.get("q", "").casefold().split()):
        return False
    if parameters.get("incident_number") not in (None, document["incident_number"]):
        return False
    for name, value in parameters.items():
        kind, _, end = name.rpartition("_")
        if end in ("from", "to") and kind in ("created", "detected"):
            moment, bound = document[f"{kind}_at"], text_of(moment_of(value))
            if moment is None or (moment < bound if end == "from" else moment > bound):
                return False
    return True
