from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from incidents.domain import timestamps
from incidents.findings import dates
from incidents.findings.nodes import MalformedEvent, Node


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("2026-11-17T02:12:07Z", "2026-11-17T02:12:07.000Z"),
        ("2026-11-17T02:12:07.123456Z", "2026-11-17T02:12:07.123Z"),
        ("2026-11-17T03:12:07+01:00", "2026-11-17T02:12:07.000Z"),
        ("2026-11-20T13:56:40.987+0000", "2026-11-20T13:56:40.987Z"),
        ("2026-11-20T13:56:40-0530", "2026-11-20T19:26:40.000Z"),
        ("2026-11-20T13:56:40 01:00", "2026-11-20T12:56:40.000Z"),
        ("2026-11-20T13:56:40,5+01", "2026-11-20T12:56:40.500Z"),
        (" 2026-11-17T02:12:07Z ", "2026-11-17T02:12:07.000Z"),
        ("Fri, 10 Jun 2022 05:01:10 GMT", "2022-06-10T05:01:10.000Z"),
        ("Fri, 1 Jul 2022 05:01:10 +0200", "2022-07-01T03:01:10.000Z"),
        ("Wed Sep 04 16:59:44.356 UTC 2024", "2024-09-04T16:59:44.356Z"),
        ("Sat Aug 31 00:04:50 UTC 2024", "2024-08-31T00:04:50.000Z"),
        ("Mar 20, 2023, 6:08:05 PM", "2023-03-20T18:08:05.000Z"),
        ("Mar 20, 2023, 12:08:05 AM", "2023-03-20T00:08:05.000Z"),
        ("Mar 20, 2023, 12:08:05 PM", "2023-03-20T12:08:05.000Z"),
        ("Mar 20, 2023, 6:08:05\u202fAM", "2023-03-20T06:08:05.000Z"),
        (1794882411, "2026-11-17T02:26:51.000Z"),
        (1794882411.432, "2026-11-17T02:26:51.432Z"),
        (1794882411432, "2026-11-17T02:26:51.432Z"),
        (1794882411432.0, "2026-11-17T02:26:51.432Z"),
        ("1794882411432", "2026-11-17T02:26:51.432Z"),
        ("1794882411", "2026-11-17T02:26:51.000Z"),
    ],
)
def test_every_date_format_of_the_sources_is_read(written: Any, utc: str) -> None:
    assert dates.parse(written) == utc


@pytest.mark.parametrize(
    "written",
    [
        0, "0", "1970-01-01T00:00:00Z", 31_535_999,
        None, True, [], {}, "", "yesterday", "2026-11-17", "2026-11-17T02:12:07", "2026-02-30T00:00:00Z", -1,
        10**14 * 3, 10**400, float("nan"), float("inf"), "Fri, 31 Feb 2022 05:01:10 GMT",
        "Fri, 10 Jun 2022 05:01:10 PST",
        "Wed Sep 04 16:59:44.356 CEST 2024", "Mar 20, 2023, 13:08:05 PM", "Mar 20, 2023, 0:08:05 AM",
        "Mrz 20, 2023, 6:08:05 PM", "1794882411432000", "\u0661794882411", "Wed Sep 04 16:59:44 UTC 0001",
    ],
)  # fmt: skip
def test_any_other_value_is_not_a_date(written: Any) -> None:
    assert dates.parse(written) is None


@given(st.integers(31_536_001_000, timestamps.to_milliseconds("9998-12-31T23:59:59.999Z")))
def test_seconds_and_milliseconds_are_read_exactly(milliseconds: int) -> None:
    expected = milliseconds if milliseconds >= 10**11 else milliseconds * 1000
    if expected <= timestamps.to_milliseconds("9998-12-31T23:59:59.999Z"):
        assert dates.parse(milliseconds) == timestamps.from_milliseconds(expected)


@given(st.text() | st.floats() | st.integers() | st.from_regex(r"[A-Z][a-z]{2} [0-9]{1,2}, [0-9]{4}, [0-9:]{7} [AP]M"))
def test_any_value_gives_a_normalized_date_or_none(written: Any) -> None:
    text = dates.parse(written)

    assert text is None or timestamps.parse(text) == text


ENVELOPE = Node("2026-11-17T03:00:00Z", "time")
EARLY, LATE = Node("2026-11-17T01:00:00Z", "detail.early"), Node("2026-11-17T02:00:00Z", "detail.late")
BAD, ABSENT = Node("soon", "detail.bad"), Node(None, "detail.absent")


def test_each_date_names_the_field_it_was_read_from() -> None:
    settled = dates.choose_dates(ENVELOPE, occurred=[ABSENT, EARLY], detected=[LATE], last_seen=[EARLY, LATE, BAD])

    assert settled == (
        "2026-11-17T01:00:00.000Z",
        "2026-11-17T02:00:00.000Z",
        "2026-11-17T02:00:00.000Z",
        {"occurred_at": "detail.early", "detected_at": "detail.late", "seen_at": "detail.late"},
    )


def test_only_the_detected_and_seen_dates_fall_back_to_the_envelope() -> None:
    settled = dates.choose_dates(ENVELOPE, occurred=[ABSENT], detected=[BAD], last_seen=[BAD])

    assert settled == (
        None,
        "2026-11-17T03:00:00.000Z",
        "2026-11-17T03:00:00.000Z",
        {"detected_at": "time", "seen_at": "time"},
    )


def test_a_start_after_the_detection_is_dropped_and_not_swapped() -> None:
    settled = dates.choose_dates(ENVELOPE, occurred=[LATE], detected=[EARLY], last_seen=[LATE])

    assert (settled.occurred_at, settled.detected_at) == (None, "2026-11-17T01:00:00.000Z")
    assert settled.read_from["occurred_at"] == "detail.late, dropped: later than detected_at"


def test_an_unreadable_start_is_dropped_and_recorded() -> None:
    settled = dates.choose_dates(ENVELOPE, occurred=[BAD], detected=[EARLY], last_seen=[LATE])

    assert settled.occurred_at is None
    assert settled.read_from["occurred_at"] == "detail.bad, dropped: not a date"


def test_an_event_without_a_detection_date_is_malformed() -> None:
    with pytest.raises(MalformedEvent, match=r"detail.bad or time must be a date"):
        dates.choose_dates(Node(None, "time"), occurred=[EARLY], detected=[BAD], last_seen=[EARLY])
