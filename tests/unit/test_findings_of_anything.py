"""Tests that an event with any content is refused with a reason, or gives findings that a create accepts."""

import copy
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from incidents import findings
from incidents.domain import model, payloads, wire_form
from incidents.findings import Finding, MalformedEvent, Node, Skipped, UnknownEvent, mapping
from incidents.findings.dates import Dates
from incidents.findings.finding import build_finding

from tests.support.recorded import NAMES, event
from tests.support.templates import CHECKOUT

IDS = ("account_ids", "alert_ids", "asset_ids")
FOLDER = CHECKOUT / "docs" / "mappings"
EVENTS = [event(name) for name in NAMES]

scalars: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=[]), max_size=8)
)
telling = st.sampled_from(
    ["ALARM", "true", "[SAMPLE] x", "arn:aws:x", "2026-11-17T02:12:07Z", "111122223333", "0", 1, 2004,
     10**400, -1, "\ud800", "\x00", " ", "\u200b", "\u202e\ufffd\x85\n", "x" * 299 + "\u0928\u200d\u0928",
     "x" * 40_000, "\u00e4" * 20_000, '"' * 40_000, ["x"] * 3,
     [f"{n:0>140}" for n in range(600)], [f"{n:0>2100}" for n in range(80)],
     {"a\ud800": "b\ud800"}, [{"a\ud800": 1}],
     [{"Id": f"{n:0>200}", "id": f"{n:0>200}", "uid": f"{n:0>200}", "entityValue": f"{n:0>200}"} for n in range(600)]]
)  # fmt: skip
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path to every member of a JSON value."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in pairs:
        yield (*way, name)
        yield from places(member, (*way, name))


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """Return a recorded event with one to four members removed or replaced."""
    changed = copy.deepcopy(draw(st.sampled_from(EVENTS)))
    for _ in range(draw(st.integers(1, 4))):
        ways = list(places(changed))
        if not ways:
            break
        *way, last = draw(st.sampled_from(ways))
        at = changed
        for step in way:
            at = at[step]
        if draw(st.booleans()):
            at[last] = copy.deepcopy(draw(telling | anything))
        else:
            del at[last]
    return changed


def read(whole: Any) -> list[findings.Report]:
    try:
        return findings.read(whole)
    except (UnknownEvent, MalformedEvent) as refused:
        assert refused.reason
        refused.reason.encode("ascii")
        return []


def check(one: findings.Report) -> None:
    """Check that a create accepts the finding, and that the server's fields still fit into an incident's size limit."""
    if isinstance(one, Skipped):
        assert one.reason in findings.REASONS
        one.source.encode()
        if one.solved:
            check(one.solved)
        return
    if isinstance(one, MalformedEvent):
        one.reason.encode("ascii")
        return
    body = {
        "title": one.title, "description": one.description, "category": one.category, "severity": one.severity,
        "occurred_at": one.occurred_at, "detected_at": one.detected_at, "affected_account_ids": one.account_ids,
        "affected_asset_ids": one.asset_ids, "triggered_by_alert_ids": one.alert_ids, "tags": one.tags,
        "source": one.source, "source_type": "system",
    }  # fmt: skip
    given_values = payloads.new_incident(body)
    incident: Any = model.unset_fields() | given_values
    assert model.apply_rules(incident, given_values, one.seen_at) == []
    assert len(wire_form.dump_incident(incident).encode()) < model.DOCUMENT_BYTES - 4096
    assert model.ACCOUNT_ID.fullmatch(one.account_id)
    assert one.producer is None or not one.source.startswith("aws.")
    "".join([one.key, *one.former_keys, *one.related_keys, *one.names, one.finding_class, *one.dates.values()]).encode()
    assert 0 < len(one.key) <= 1024
    assert {"detected_at", "seen_at"} <= set(one.dates) <= {"occurred_at", "detected_at", "seen_at"}
    assert (one.occurred_at is None) == ("dropped" in one.dates.get("occurred_at", "dropped"))


@settings(deadline=None, max_examples=400)
@given(mutated())
def test_a_recorded_event_with_random_changes_is_refused_or_gives_valid_findings(whole: Any) -> None:
    for one in read(whole):
        check(one)


@settings(deadline=None)
@given(anything)
def test_any_value_is_refused_or_gives_valid_findings(whole: Any) -> None:
    for one in read(whole):
        check(one)


@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_event_with_one_wrong_member_is_refused_or_gives_valid_findings(name: str) -> None:
    recorded = event(name)
    others: list[Any] = [None, 7, "", "x", [], {}, [[]], [{}], True, float("nan")]
    for *way, last in list(places(recorded)):
        for value in others:
            changed = copy.deepcopy(recorded)
            at = changed
            for step in way:
                at = at[step]
            at[last] = value
            for one in read(changed):
                check(one)


ODD = {"half a pair": "arn:a\ud800:b", "control characters": "\x00\x7f\x01", "long": "x" * 100_000}
MAPPINGS = [path.stem for path in FOLDER.glob("*.json") if not path.stem.endswith("-event")]


def with_one_odd_text(whole: Any, odd: str) -> Iterator[Any]:
    """Yield copies of a JSON value. In each copy, one text is odd, or one object has one odd name."""
    for way in list(places({"": whole})):
        for value in (odd, {odd: odd}, {odd: 3}):
            changed: Any = copy.deepcopy({"": whole})
            *outer, last = way
            at = changed
            for step in outer:
                at = at[step]
            if isinstance(value, str) and isinstance(at[last], str):
                at[last] = value
            elif isinstance(value, dict) and isinstance(at[last], dict):
                at[last] |= value
            else:
                continue
            yield changed[""]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_event_with_an_odd_text_or_name_is_refused_or_gives_valid_findings(name: str, odd: str) -> None:
    for changed in with_one_odd_text(event(name), ODD[odd]):
        for one in read(changed):
            check(one)


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", MAPPINGS)
def test_a_mapped_event_with_an_odd_text_or_name_is_refused_or_gives_a_valid_finding(name: str, odd: str) -> None:
    given_mapping, whole = (
        json.loads((FOLDER / f"{file}.json").read_text("utf-8")) for file in (name, f"{name}-event")
    )
    checked = mapping.parse(given_mapping)
    for changed in with_one_odd_text(whole, ODD[odd]):
        with suppress(MalformedEvent):
            check(mapping.read(checked, Node(changed)))


def test_a_finding_with_invisible_characters_is_repaired_and_keeps_its_key() -> None:
    odd = event("alert_escalated")
    odd["detail"] |= {
        "title": "M\ufffdnchen\u202e\r\nport", "category": "\u200b", "description": "a\x9b\nb\ufffd",
        "dedup_key": "k\u200b", "alert_ids": ["a\u200b", "a", "\u2060", "b\ud800"], "asset_ids": ["i\u0085-1"],
    }  # fmt: skip
    (one,) = findings.read(odd)
    assert isinstance(one, Finding)
    check(one)
    assert (one.title, one.category, one.description) == ("M?nchen port", None, one.description)
    assert (one.description or "").startswith("a\nb?")
    assert (one.alert_ids, one.asset_ids) == (["a", "b?"], ["i -1"])
    assert "k\u200b" in one.key

    odd["detail"] |= {"title": "\u200b\u3164", "dedup_key": "k"}
    (blank,) = findings.read(odd)
    assert isinstance(blank, Finding)
    check(blank)
    assert (blank.title, blank.key == one.key) == ("(untitled)", False)


def test_a_finding_s_tags_count_in_its_size() -> None:
    lists = [f"{n:0>2000}" for n in range(200)]
    for tags in ([], [f"{n:0>250}" for n in range(60)]):
        one = build_finding(
            Dates(None, "2026-11-20T10:00:00.000Z", "2026-11-20T10:00:00.000Z", {}),
            source="acme.soc", account_id="111122223333", key="k", title="t" * 300, description='"' * 40_000,
            category=None, severity=None, asset_ids=lists, alert_ids=lists, tags=tags,
        )  # fmt: skip
        check(one._replace(dates={"detected_at": "time", "seen_at": "time"}))
        assert len(one.tags) == min(len(tags), 50)
        assert sum(map(len, one.alert_ids)) > 16_000


def test_no_list_of_ids_takes_the_room_of_another() -> None:
    """The lists take turns, so a finding with too many alert ids still names its one asset and its accounts."""
    for many in (["alert_ids"], ["alert_ids", "account_ids"], ["asset_ids", "account_ids"]):
        alert = event("alert_escalated")
        kinds = {name: [f"{name}{n:0>1500}" for n in range(100)] if name in many else ["one"] for name in IDS}
        alert["detail"] |= kinds
        (one,) = findings.read(alert)
        assert isinstance(one, Finding)
        check(one)
        kept = {name: getattr(one, name) for name in IDS}
        assert all(kept[name] == ["one"] for name in IDS if name not in many)
        lengths = [len(kept[name]) for name in many]
        assert max(lengths) - min(lengths) <= 1
        assert sum(lengths) > 50


def test_a_huge_event_gives_a_finding_cut_to_size() -> None:
    huge = event("alert_escalated")
    many = [f"{n:0>300}\u00fc" for n in range(2000)]
    huge["detail"] |= {
        "title": "\u00fc" * 1000, "description": "\U0001f525" * 60_000, "category": "c" * 100, "dedup_key": "k" * 5000,
        "alert_ids": many, "asset_ids": many, "account_ids": many, "url": "https://soc.acme.example/" + "u" * 100_000,
    }  # fmt: skip
    (one,) = findings.read(json.loads(json.dumps(huge)))
    assert isinstance(one, Finding)
    check(one)
    assert (len(one.title), len(one.category or ""), len(one.account_ids)) == (300, 64, 94)
    assert len(one.alert_ids) == len(one.asset_ids) == 94
    assert one.key.startswith("sha256:")
    assert model.TEXT_BYTES - 4 < len((one.description or "").encode()) <= model.TEXT_BYTES
    assert len(set(one.account_ids)) == len(one.account_ids)
