"""Tests of the paths of a mapping: their limits, and the steps that they may take in one event."""

import json
from typing import Any

import pytest
from incidents.findings import EventRefused, MalformedEvent, Node, mapping, paths
from incidents.findings.mapping import InvalidMapping
from incidents.findings.paths import PathReader, TooManySteps

from tests.unit.test_mapping import EVENT, MINIMAL

MANY: dict[str, Any] = {"detail": {"id": 7, "a": ["x"] * 100_000, "b": [{"c": {"d": [1]}}] * 1_000}}


def nested(levels: int, items: int) -> Any:
    return [nested(levels - 1, items) for _ in range(items)] if levels else "x"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("detail.a[?" + "||".join(["@<@"] * 40) + "]", "must be simpler"),
        ("detail.a" + "[]" * 120, "must be simpler"), ("detail.a" + "[*]" * 80, "must be simpler"),
        ("detail.a[]" + "[?@]" * 5, "must be simpler. It has 21 parts and 5 filters"),
        ("a" + "[?b]" * 55, "must be simpler"),
        ("*" + ".*" * 100, "must be simpler"), ("a" * 257, "must be a path of 1 to 256"),
        ("(" * 250, "is not a path"), ("!" * 250 + "a", "must be simpler"),
    ],
)  # fmt: skip
def test_a_path_of_too_many_parts_is_refused_when_it_is_set(path: str, reason: str) -> None:
    with pytest.raises(InvalidMapping) as refused:
        mapping.parse(MINIMAL | {"title": {"path": path}})
    assert str(refused.value).startswith(f"title.path {reason}")


def test_the_paths_of_a_mapping_and_of_a_tenant_are_limited() -> None:
    lists = {name: [{"path": "a"}] * 20 for name in ("alert_ids", "asset_ids", "account_ids", "tags", "description")}
    with pytest.raises(InvalidMapping, match=r"The mapping has 101 paths\. It may have at most 100"):
        mapping.parse(MINIMAL | lists)
    most = lists | {"tags": [{"path": "a"}] * 19}
    mapping.parse(MINIMAL | most)
    several = {f"m{n}": MINIMAL | most | {"name": f"m{n}"} for n in range(5)}
    with pytest.raises(InvalidMapping, match=r"have 500 paths\. They may have at most 400"):
        mapping.parse_all(several)
    del several["m0"]
    assert len(mapping.parse_all(several)) == 4


@pytest.mark.parametrize(
    "path",
    [
        "detail.a[?@<@||@<@||@<@||@<@]", "detail.a[][][][][]", "detail.b[?c==c].c", "detail == detail", "detail.a",
    ],
)  # fmt: skip
def test_all_paths_of_a_mapping_share_the_steps_of_an_event(path: str) -> None:
    """Each list of the mapping has this path often, so no event takes more steps than one with few paths."""
    checked = mapping.parse(MINIMAL | {name: [{"path": path}] * 16 for name in ("alert_ids", "asset_ids", "tags")})
    with pytest.raises(TooManySteps, match="the paths of the mapping x take more than 200000 steps") as refused:
        mapping.read(checked, Node(EVENT | MANY))
    assert isinstance(refused.value, EventRefused)


def test_nested_values_are_counted_when_they_are_flattened_or_compared() -> None:
    reader = PathReader({"a": nested(3, 10), "b": nested(3, 10)}, "x", steps=1000)
    with pytest.raises(TooManySteps):
        reader.search("a==b")
    with pytest.raises(TooManySteps):
        PathReader({"a": nested(1, 990)}, "x", steps=1000).search("a[][]")
    with pytest.raises(TooManySteps):
        PathReader({"a": "x" * 200_000}, "x", steps=1000).texts("a")


def test_an_ordinary_event_is_far_from_the_limit() -> None:
    target = [{"id": f"u{n}", "type": "User", "alternateId": f"u{n}@example.com"} for n in range(500)]
    given = MINIMAL | {"alert_ids": [{"path": "detail.target[?type=='User'].id"}] * 5,
                       "asset_ids": [{"path": "detail.target[].alternateId || detail.id"}] * 5}  # fmt: skip
    found = mapping.read(mapping.parse(given), Node(EVENT | {"detail": {"id": 1, "target": target}}))
    assert len(found.alert_ids) == 500  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("a.b", ["1"]), ("a.c[0]", ["x"]), ("a.c[-1]", ["y"]), ("a.c", ["x", "y"]), ("d[?e=='1'].f", ["g"]),
        ("d[?e!='1'].f", ["h"]), ("d[].f", ["g", "h"]), ("d[*].f", ["g", "h"]), ("none || a.b", ["1"]),
        ("a.c[0] == 'x'", ["true"]), ("a == a", ["true"]), ("d[?n>`1`].f", ["h"]), ("d[?f>`1`].f", []),
        ("a.*", ["1", "x", "y"]), ("d[?!e].f", []), ("d[?e && f].e", ["1", "2"]), ("l[]", ["1", "2", "3"]),
    ],
)  # fmt: skip
def test_counting_changes_no_result(path: str, wanted: list[str]) -> None:
    event = {"a": {"b": 1, "c": ["x", "y"]}, "d": [{"e": "1", "f": "g", "n": 1}, {"e": "2", "f": "h", "n": 2}],
             "l": [[1], [2, 3]]}  # fmt: skip
    paths.check(path)
    assert PathReader(event, "x").texts(path) == wanted


@pytest.mark.parametrize(
    "changed",
    [
        {"title": {"constant": "\ud800"}}, {"severity": {"path": "a", "otherwise": "\udfff"}},
        {"category": {"path": "a", "table": {"x": "y\ud800"}}}, {"title": {"path": "a=='\ud800'"}},
        {"when": [{"path": "a=='\ud800'", "in": "true"}]},
    ],
)  # fmt: skip
def test_a_text_that_the_table_cannot_store_is_refused_when_it_is_set(changed: dict[str, Any]) -> None:
    with pytest.raises(InvalidMapping, match="must not have half a surrogate pair"):
        mapping.parse(MINIMAL | changed)
    json.dumps(MINIMAL | changed)


@pytest.mark.parametrize(("given", "place"), [("Alert Escalated", "detail_type"), (["x", "Alert Escalated"], r"\[1\]")])
def test_an_event_of_our_own_form_needs_no_mapping(given: Any, place: str) -> None:
    """No mapping is asked for such an event, so the mapping would never be used."""
    with pytest.raises(InvalidMapping, match=f"{place} must not be Alert Escalated"):
        mapping.parse(MINIMAL | {"detail_type": given})


def test_an_event_with_too_many_texts_is_refused_and_not_cut() -> None:
    with pytest.raises(MalformedEvent):
        PathReader({"a": ["x"] * 300_000}, "x").texts("a")
