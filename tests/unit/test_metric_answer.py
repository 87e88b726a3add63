"""Tests of the parameters of a request for metrics, and of answers with little or no data."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from incidents.domain import metric_answer, questions, tally
from incidents.domain.errors import MalformedRequest
from incidents.domain.metric_definitions import Kind
from incidents.domain.tally import DayBucket, Facts, Group
from incidents.edges import parameters

NOW = int(datetime(2026, 11, 23, 23, 59, 59, 999_000, tzinfo=UTC).timestamp() * 1000)


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: NOW * 1_000_000)


def asked(**given_once: str) -> questions.Window:
    return parameters.metrics_window({name.strip("_"): [value] for name, value in given_once.items()})


def one(**changed: Any) -> Facts:
    blank: dict[str, Any] = dict.fromkeys(Facts._fields)
    return Facts(**(blank | {"status": "new", "is_deleted": False} | changed))


class Buckets:
    """Stored days with these buckets."""

    tells_times = True

    def __init__(
        self, detected: Iterable[DayBucket] = (), closed: Iterable[DayBucket] = (), pending_days: int = 0
    ) -> None:
        self._buckets = {"detected": detected, "closed": closed}
        self._pending_days = pending_days

    def pending_days(self, *_: str) -> int:
        return self._pending_days

    def buckets(self, kind: Kind, *_: str) -> Iterable[DayBucket]:
        return self._buckets[kind]


def bucket(kind: Kind, day: str, incidents: Iterable[Facts], computed_at: int = NOW) -> DayBucket:
    return tally.to_bucket(day, computed_at, tally.totals_by_group(kind, incidents))


def answered(*incidents: Facts, **given_once: str) -> dict[str, Any]:
    """Return the answer about some incidents.

    All incidents were detected on 2026-11-23, and the closed incidents were closed on the same day.
    """
    closed = [incident for incident in incidents if incident.closed_at]
    source = Buckets(
        detected=[bucket("detected", "2026-11-23", incidents)], closed=[bucket("closed", "2026-11-23", closed)]
    )
    return metric_answer.get_incident_metrics(asked(**given_once), source)


def test_the_window_is_the_last_thirty_days_by_default() -> None:
    assert [str(day) for day in asked()[:2]] == ["2026-10-25", "2026-11-23"]
    assert asked()[2:] == ("severity", "day", NOW)
    assert [str(day) for day in asked(to="2027-03-01")[:2]] == ["2027-01-31", "2027-03-01"]
    assert [str(day) for day in asked(from_="2026-11-01")[:2]] == ["2026-11-01", "2026-11-23"]
    assert [str(day) for day in asked(from_="2030-01-01", to="2030-12-31")[:2]] == ["2030-01-01", "2030-12-31"]


def test_a_window_has_at_most_366_days() -> None:
    asked(from_="2024-01-01", to="2024-12-31")
    with pytest.raises(MalformedRequest, match="`from` to `to` must have at most 366"):
        asked(from_="2023-12-31", to="2024-12-31")


@pytest.mark.parametrize(
    ("given_wrong", "named"),
    [
        ({"from": ["2026-11-24"]}, "`from` must not be after `to`, which is today by default"),
        ({"from": ["2026-02-02"], "to": ["2026-02-01"]}, r"`from` must not be after `to`\."),
        ({"from": ["2026-02-30"]}, "`from` must be a date like"),
        ({"to": ["20261123"]}, "`to` must be a date like"),
        ({"to": ["2026-11-23T00:00:00Z"]}, "`to` must be a date like"),
        ({"to": [""]}, "`to` must be a date like"),
        ({"to": ["٢٠٢٦-11-23"]}, "`to` must be a date like"),
        ({"to": ["1969-12-31"]}, "`to` must be a date from 1970 to 9998"),
        ({"to": ["9999-01-01"]}, "`to` must be a date from 1970 to 9998"),
        ({"to": ["2026-11-23", "2026-11-23"]}, "`to` must be given once"),
        ({"group_by": ["status"]}, "`group_by` must be one of severity, category, app, none"),
        ({"interval": ["hour"]}, "`interval` must be one of day, week, month"),
        ({"tenant_id": ["acme"]}, "'tenant_id' is not known; use one of from, to, group_by, interval"),
    ],
)
def test_the_error_names_the_wrong_parameter_and_the_right_values(
    given_wrong: dict[str, list[str]], named: str
) -> None:
    with pytest.raises(MalformedRequest, match=named):
        parameters.metrics_window(given_wrong)


def test_a_window_may_reach_the_ends_of_the_calendar() -> None:
    assert str(asked(to="1970-01-01").first) == "1969-12-03"
    assert len(metric_answer.get_incident_metrics(asked(from_="9998-12-01", to="9998-12-31"), Buckets())["trend"]) == 31


def test_a_statistic_without_values_is_null_and_not_zero() -> None:
    told = metric_answer.get_incident_metrics(asked(), Buckets())

    assert list(told) == [
        "from", "to", "as_of", "computed_at", "pending_days", "mttd", "mttr", "time_to_contain", "groups", "other",
        "approximate", "trend", "open", "excluded", "definitions",
    ]  # fmt: skip
    nothing = {"n": 0, "mean": None, "p50": None, "p90": None, "p95": None, "min": None, "max": None, "imported": 0}
    assert told["mttd"] == told["mttr"] == told["time_to_contain"] == nothing
    assert list(told["mttd"]) == list(nothing)
    assert (told["groups"], len(told["trend"])) == ([], 30)
    assert told["open"] == {"n": 0, "p50": None, "p90": None, "max": None}
    assert set(told["definitions"]) >= {"mttd", "mttr", "time_to_contain", "percentiles", "open", "excluded", "as_of"}


def test_percentiles_are_nearest_rank_over_all_values_of_the_window() -> None:
    values = {"2026-11-01": range(1, 92), "2026-11-02": [1_000], "2026-11-03": range(92, 100)}
    known = {"detected_at": "x", "occurred_at": "y", "status": "closed"}
    detected = [
        bucket("detected", day, [one(**known, mttd_minutes=n) for n in minutes]) for day, minutes in values.items()
    ]
    told = metric_answer.get_incident_metrics(asked(from_="2026-11-01", interval="month"), Buckets(detected))

    mttd = {"n": 100, "mean": 59.5, "p50": 50, "p90": 90, "p95": 95, "min": 1, "max": 1000, "imported": 0}
    assert told["mttd"] == told["trend"][0]["mttd"] == mttd


def test_a_mean_is_rounded_once_to_two_decimals() -> None:
    told = answered(*(one(detected_at="x", occurred_at="y", mttd_minutes=n, status="closed") for n in (1, 1, 2)))
    assert told["mttd"]["mean"] == 1.33


def test_an_open_incident_has_an_age_and_no_time_to_resolve() -> None:
    told = answered(
        one(detected_at="2026-11-23T20:00:00.000Z", severity="high"),
        one(detected_at="2026-11-23T23:59:30.000Z"),
        one(detected_at="2026-11-24T12:00:00.000Z"),
        one(detected_at="2026-11-23T20:00:00.000Z", status="dismissed"),
        one(detected_at="2026-11-23T20:00:00.000Z", is_deleted=True),
    )

    assert told["open"] == {"n": 3, "p50": 0, "p90": 239, "max": 239}
    assert told["mttr"]["n"] == 0
    assert [(group["group"], group["open"]["n"]) for group in told["groups"]] == [("high", 1), (None, 2)]


def test_an_excluded_incident_counts_under_its_first_reason_and_in_no_value() -> None:
    whole = {"detected_at": "2026-11-23T01:00:00.000Z", "occurred_at": "y", "mttd_minutes": 5, "mttr_minutes": 7}
    closed = {**whole, "closed_at": "z", "status": "closed"}
    told = answered(
        one(**closed), one(**closed, is_deleted=True), one(**{**closed, "status": "dismissed"}),
        one(mttd_minutes=3, closed_at="z", status="closed"),
    )  # fmt: skip

    assert (told["mttd"]["n"], told["mttd"]["imported"], told["mttr"]["n"]) == (2, 1, 1)
    assert told["excluded"] == {
        "deleted": {"mttd": 1, "mttr": 1, "time_to_contain": 1},
        "dismissed": {"mttd": 1, "mttr": 1, "time_to_contain": 1},
        "timestamps_missing": {"mttd": 0, "mttr": 1, "time_to_contain": 2},
    }


@pytest.mark.parametrize(
    ("interval", "spans"),
    [
        ("week", [("2026-12-30", "2027-01-03"), ("2027-01-04", "2027-01-10"), ("2027-01-11", "2027-01-11")]),
        ("month", [("2026-12-30", "2026-12-31"), ("2027-01-01", "2027-01-11")]),
    ],
)
def test_a_trend_has_calendar_periods_cut_at_the_window(interval: str, spans: list[tuple[str, str]]) -> None:
    told = metric_answer.get_incident_metrics(asked(from_="2026-12-30", to="2027-01-11", interval=interval), Buckets())
    assert [(entry["from"], entry["to"]) for entry in told["trend"]] == spans


def test_severity_groups_go_from_critical_down_and_the_null_group_is_last() -> None:
    severities = [None, "low", "informational", "critical", "medium", "high"]
    told = answered(*(one(detected_at="2026-11-23T01:00:00.000Z", severity=severity) for severity in severities))
    assert [group["group"] for group in told["groups"]] == [
        "critical", "high", "medium", "low", "informational", None,
    ]  # fmt: skip
    categories = [None, "b", "a", "critical"]
    told = answered(
        *(one(detected_at="2026-11-23T01:00:00.000Z", category=category) for category in categories),
        group_by="category",
    )
    assert {group["group"] for group in told["groups"]} == {None, "a", "b", "critical"}
    assert told["groups"][-1]["group"] is None
    assert answered(one(detected_at="2026-11-23T01:00:00.000Z"), group_by="none")["groups"] == []


texts = st.none() | st.sampled_from(["a", "ü" * 8, '"'])
rows = st.builds(
    lambda parts: {Group(*row): of for row, of in parts},
    st.lists(
        st.tuples(
            st.tuples(texts, texts, texts),
            st.builds(
                tally.Tally,
                st.dictionaries(
                    st.tuples(st.sampled_from(["mttd", "mttr"]), st.integers(0, 10**9)), st.integers(1, 9), max_size=40
                ).map(Counter),
                st.dictionaries(st.sampled_from(["mttd", "mttr"]), st.integers(1, 9)).map(Counter),
                st.dictionaries(
                    st.tuples(st.sampled_from(["deleted", "dismissed"]), st.just("mttd")), st.integers(1, 9)
                ).map(Counter),
                st.lists(st.integers(0, 10**13), max_size=40).map(sorted),
            ),
        ),
        max_size=6,
        unique_by=lambda one: one[0],
    ),
)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "CHUNK_BYTES", 700)


@pytest.mark.usefixtures("small_chunks")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows)
def test_a_bucket_has_the_same_totals_after_storage_in_any_number_of_chunks(totals: tally.Totals) -> None:
    stored = tally.to_bucket("2026-11-23", NOW, totals)

    assert all(len(chunk) <= 700 + 2 for chunk in stored.chunks)
    assert in_order(tally.merged(stored.rows(), lambda group: group)) == in_order(
        tally.merged(totals.items(), lambda group: group._replace(category=None))
    )


@given(rows)
def test_the_stored_categories_have_the_totals_of_their_incidents(totals: tally.Totals) -> None:
    stored = tally.to_bucket("2026-11-23", NOW, totals)

    by_category = tally.merged(totals.items(), lambda group: group.category)
    wanted = {name: total for name, total in by_category.items() if total.incidents}
    if not wanted.keys() - {None}:
        assert stored.categories == b""
        return
    largest_omitted, kept = tally.unpack(stored.categories)
    totals_kept = {category.name: category.tally for category in kept}
    assert in_order(totals_kept) == in_order({name: wanted[name] for name in totals_kept})
    sizes = {name: total.incidents for name, total in wanted.items()}
    assert {category.name: category.incidents for category in kept} == {name: sizes[name] for name in totals_kept}
    names = tally.by_size(sizes)
    assert totals_kept.keys() == set(names[: len(kept)])
    assert largest_omitted == (sizes[names[len(kept)]] if len(kept) < len(names) else 0)


def in_order(totals: Mapping[Any, tally.Tally]) -> dict[Any, tally.Tally]:
    return {name: replace(total, open_since=sorted(total.open_since)) for name, total in totals.items()}


def detected(category: str | None, minutes: int, **more: Any) -> Facts:
    known = {"detected_at": "2026-11-23T01:00:00.000Z", "occurred_at": "y", "status": "closed"}
    return one(**(known | {"category": category, "mttd_minutes": minutes} | more))


@pytest.mark.parametrize("name", ["malware", "x" * 64])
def test_the_categories_of_a_day_have_at_most_half_the_bytes_of_its_values(name: str) -> None:
    incidents = [detected(f"{n:06d}{name}"[:64], 7 * n) for n in range(5_000)]
    stored = bucket("detected", "2026-11-23", incidents)

    largest_omitted, kept = tally.unpack(stored.categories)
    assert largest_omitted == 1
    assert 500 < len(kept) <= tally.CATEGORIES_OF_DAY
    assert len(stored.categories) <= sum(map(len, stored.chunks)) / 2


def test_an_answer_shows_the_hundred_largest_groups_and_the_others_as_one() -> None:
    counts = {f"category {n}": 1 + n % 150 for n in range(300)}
    incidents = [detected(name, n) for name, count in counts.items() for n in range(count)]
    told = answered(*incidents, group_by="category")

    largest = sorted(counts, key=lambda name: (-counts[name], name))[:100]
    assert [group["group"] for group in told["groups"]] == largest
    assert [group["mttd"]["n"] for group in told["groups"]] == [counts[name] for name in largest]
    assert told["other"]["mttd"]["n"] == len(incidents) - sum(counts[name] for name in largest)
    assert told["other"]["mttd"]["max"] == max(counts[name] - 1 for name in counts.keys() - set(largest))
    assert told["approximate"] is False


def test_groups_are_approximate_if_a_day_left_out_categories_that_may_be_large(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(metric_answer, "GROUPS", 2)
    monkeypatch.setattr(tally, "CATEGORIES_OF_DAY", 2)

    def approximate(*days: str) -> bool:
        """Return whether the answer is approximate. Each letter is an incident's category."""
        stored = [
            bucket("detected", f"2026-11-0{n}", [detected(letter, 5) for letter in letters])
            for n, letters in enumerate(days, 1)
        ]
        window = asked(from_="2026-11-01", group_by="category")
        answer = metric_answer.get_incident_metrics(window, Buckets(stored))
        assert isinstance(answer["approximate"], bool)
        return bool(answer["approximate"])

    assert not approximate("aabbc")
    assert not approximate("aab", "ab")
    assert not approximate("aabbc", "aab")
    assert not approximate("aabbc", "ab", "aacc")
    # The first day stores only a and b. With the c of this day, c has more incidents than b.
    assert approximate("aabbc", "ab", "aaccc")
    # The first day stores only a and b. With the c of this day, c has more incidents than b.
    assert approximate("aaabbc", "cc")


def test_groups_are_approximate_if_a_group_has_its_only_value_on_a_day_that_left_it_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(metric_answer, "GROUPS", 1)
    monkeypatch.setattr(tally, "CATEGORIES_OF_DAY", 1)
    without_value = [detected(None, 0, mttd_minutes=None, contained_at=None)] * 2
    days = [
        bucket("detected", "2026-11-01", [detected("a", 1), detected("a", 1), detected(None, 1)]),
        bucket("detected", "2026-11-02", without_value),
    ]
    window = asked(from_="2026-11-01", group_by="category")
    assert metric_answer.get_incident_metrics(window, Buckets(days))["approximate"] is True


def test_a_group_without_a_value_is_left_out() -> None:
    told = answered(detected("a", 1), detected("b", 1, is_deleted=True), detected("c", 1, mttd_minutes=None,
                    contained_at=None), group_by="category")  # fmt: skip
    assert [group["group"] for group in told["groups"]] == ["a"]
    assert told["other"] is None
    assert told["excluded"]["deleted"]["mttd"] == 1
    told = answered(detected("a", 1, is_deleted=True), detected("a", 1, status="dismissed"), group_by="category")
    assert told["groups"] == []


def test_computed_at_is_the_time_of_the_oldest_bucket() -> None:
    days = [bucket("detected", f"2026-11-0{day}", [detected("a", 1)], NOW - day) for day in (1, 2, 3)]
    told = metric_answer.get_incident_metrics(asked(), Buckets(days, pending_days=4))
    assert (told["computed_at"], told["pending_days"]) == ("2026-11-23T23:59:59.996Z", 4)
    assert metric_answer.get_incident_metrics(asked(), Buckets())["computed_at"] is None
