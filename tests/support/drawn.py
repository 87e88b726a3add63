"""Hypothesis strategies for the requests to the API. Most drawn requests are valid, but many are not."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any, NamedTuple

from hypothesis import strategies as st

from tests.support import oracle
from tests.support.oracle import Document

UNKNOWN_ID = "inc_01M83KSHKVDF5861AFEAQ3ZK47"
APPS = ["scanner", "scanner-2"]
NUMBERS = [
    "IR-1", "IR 2026/17", "INC-2026-000003", "INC-2026-0000004", "INC-2025-000009", "INC-2026-001000",
    "INC-2026-9999999999999999",
]  # fmt: skip


def written(n: int, hours: int, digits: str = "", form: str = "+05:00") -> str:
    """Return the moment number ``n`` as text, in the UTC offset of this many hours, in the form of the example."""
    moment = datetime(2026, 1, 1, tzinfo=UTC) + n * timedelta(hours=7, minutes=13, seconds=37.251)
    text = moment.astimezone(timezone(timedelta(hours=hours))).isoformat(timespec="milliseconds")
    if not hours:
        return text.replace("+00:00", digits + "Z")
    offset = text[-6:].replace("+", form[0])
    return text[:-6] + digits + {6: offset, 5: offset.replace(":", ""), 3: offset[:3]}[len(form)]


def moments(first: int, last: int) -> st.SearchStrategy[str]:
    """Draw moments with numbers from ``first`` to ``last``, in different UTC offsets.

    Some moments are far in the future. Some have more digits than the service keeps.
    """
    places = st.integers(first, last) | st.integers(first, last) | st.integers(first, last + 1) | st.just(3000)
    forms = st.sampled_from(["+05:00", "+0500", " 05:00", " 0500", "+05", " 05"])
    return st.builds(written, places, st.sampled_from([0, 0, 5, -8]), st.sampled_from(["", "999"]), forms)


lessons: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from([None, True, 1, 0.5, "text", []]),
    lambda inner: st.dictionaries(st.sampled_from(["", "a", "b"]), inner, max_size=2),
    max_leaves=3,
)
submissions = st.fixed_dictionaries(
    {}, optional={"submitted_at": st.none() | moments(0, 5), "reference": st.sampled_from(["A 1", "B 2"])}
)
report = st.fixed_dictionaries(
    {},
    optional={
        "anchors": st.dictionaries(st.just("aware"), st.none() | moments(0, 5)),
        "stages": st.dictionaries(st.sampled_from(["authority", "individuals"]), st.none() | submissions, max_size=2),
    },
)
reports = st.dictionaries(st.sampled_from(["eu-gdpr", "uk-gdpr"]), st.none() | report, max_size=2)
words = st.sampled_from(["one", "two", "two-b", "drei ü\u00a0🔐"])
some = st.lists(words, max_size=3, unique=True)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "title": words,
    "severity": st.sampled_from(oracle.SEVERITIES),
    "category": words,
    "owner_id": words,
    "source": words,
    "source_type": st.sampled_from(["frontend", "system"]),
    "description": words,
    "root_cause": words,
    "occurred_at": moments(0, 3),
    "detected_at": moments(2, 5),
    "reported_at": moments(4, 8),
    "contained_at": moments(4, 7),
    "closed_at": moments(6, 9),
    "reported_to_regulators_at": moments(0, 9),
    "customer_notified_at": moments(0, 9),
    "mttd_minutes": st.sampled_from([0, 433, 867]),
    "mttr_minutes": st.sampled_from([0, 1734, 2167]),
    "financial_impact": st.sampled_from([0, 1.5, 1250000.0001, 10**15]),
    "lessons_learned": lessons,
    "regulatory_reports": reports,
    "tags": st.lists(words, max_size=3),  # equal ones too
}
for field in oracle.ID_LISTS:
    FIELDS[field] = some
edits = st.fixed_dictionaries({}, optional={"add": st.lists(words, max_size=3), "remove": st.lists(words, max_size=2)})
list_edits = st.dictionaries(st.sampled_from([*oracle.LISTS, *["tags"] * 3]), edits, min_size=1, max_size=3)
BAD: list[Document] = [
    {"title": None}, {"title": ""}, {"title": "x" * 301}, {"status": "open"}, {"status": None}, {"severity": "urgent"},
    {"source": None}, {"source_type": "human"}, {"occurred_at": "2026-01-03T00:00:00"}, {"mttd_minutes": -1},
    {"detected_at": "2026-02-30T00:00:00Z"}, {"detected_at": 5}, {"reported_at": "1969-12-31T23:59:59Z"},
    {"mttr_minutes": True}, {"financial_impact": 0.00001}, {"financial_impact": "5"}, {"commander_ids": ["a", "a"]},
    {"tags": [""]}, {"tags": "a"}, {"owner_id": ""}, {"category": "x" * 65}, {"incident_number": "#"},
    {"incident_number": "  "}, {"title": " \u2003"},
    {"title": "a\u202eb"}, {"category": "a\x00"}, {"category": ""}, {"owner_id": "a\u200b"}, {"source": "a\tb"},
    {"tags": ["a\x85"]}, {"reportable_to": ["\u2060"]}, {"description": "a\x1b[31m"}, {"root_cause": "M\ufffdnchen"},
    {"is_deleted": 1}, {"id": UNKNOWN_ID}, {"tenant_id": "other"},
    {"app_id": "scanner"}, {"created_at": "2026-01-01T00:00:00Z"}, {"deleted_at": None}, {"updated_by": "eve"},
    {"version": 1},
]  # fmt: skip

# Draw few fields at a time. The values of many fields would almost never satisfy the rules between fields.
OFTEN = [
    "mttd_minutes",
    "mttr_minutes",
    "detected_at",
    "severity",
    "category",
    "tags",
]  # rules and filters use these fields
one_value = st.sampled_from([*sorted(FIELDS), *OFTEN, *OFTEN]).flatmap(
    lambda name: FIELDS[name].map(lambda value: {name: value})
)
values = st.lists(one_value, max_size=4).map(lambda parts: {name: part[name] for part in parts for name in part})
times = st.fixed_dictionaries({}, optional={name: FIELDS[name] for name in oracle.MOMENTS[:5]})
statuses = st.sampled_from(list(oracle.MOVES))
several = st.lists(words, min_size=1, max_size=2)
FILTERS: dict[str, st.SearchStrategy[Any]] = {
    "status": st.lists(statuses, min_size=1, max_size=4),
    "severity": st.lists(st.sampled_from(oracle.SEVERITIES), min_size=1, max_size=3),
    "category": several,
    "owner_id": several,
    "source": st.lists(words | st.just("edm"), min_size=1, max_size=2),
    "tag": several,
    "app_id": st.lists(st.sampled_from([*APPS, "other"]), min_size=1, max_size=3),
    "created_from": st.integers(0, 20),
    "created_to": st.integers(0, 20),
    "detected_from": st.integers(0, 20),
    "detected_to": st.integers(0, 20),
    "incident_number": st.integers(0, 20),
    "open": st.sampled_from(["true", "false"]),
    "unowned": st.sampled_from(["true", "false"]),
    "q": st.lists(
        st.sampled_from(["One", "two", "-B", "DREI", "\u00dc\u00a0", "inc-2026", "ir", "\u2003"]),
        min_size=1,
        max_size=3,
    ).map(lambda parts: " ".join([*parts, "o" if not "".join(parts).strip() else ""])),
    **{name: several for name in oracle.LIST_OF if name != "tag"},
}
filters = st.lists(
    st.sampled_from([*sorted(FILTERS), *["status", "app_id"] * 3, "detected_to"]).flatmap(
        lambda name: st.tuples(st.just(name), FILTERS[name])
    ),
    max_size=2,
).map(dict)
shown_too = st.fixed_dictionaries(
    {},
    optional={"include_deleted": st.sampled_from(["true", "true", "false"]), "order": st.sampled_from(["asc", "desc"])},
)
limits = st.integers(1, 6) | st.integers(1, 100)
actors = st.integers(0, 7)
which = st.integers(0, 40)
preconditions = st.sampled_from(["none", "none", "none", "right", "right", "stale", "next", "any", "several", "weak"])
keys = st.sampled_from(["key-1", "key 2", "schlüssel"])


class Aim(NamedTuple):
    """A caller and an incident. The incident is within the caller's reach, unless ``is_stranger`` is set.

    If ``is_stranger`` is set, the incident may be of any tenant and application.
    """

    who: int
    n: int
    is_stranger: bool


aims = st.builds(Aim, actors, which, st.sampled_from([False] * 6 + [True]))


def rewritten(body: Document) -> Document:
    """Return the same values with the fields in reverse order, and with the moments in another UTC offset."""
    return {name: elsewhere(body[name]) if name in oracle.MOMENTS else body[name] for name in reversed(body)}


def elsewhere(moment: str | None) -> str | None:
    zone = timezone(timedelta(hours=3))
    return moment and oracle.moment_of(moment).astimezone(zone).isoformat(timespec="milliseconds")
