from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from incidents.domain import timestamps

offsets = st.integers(-(23 * 60 + 59), 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(
    st.datetimes(datetime(1970, 1, 2), datetime(9998, 12, 30), timezones=offsets),  # noqa: DTZ001
    st.sampled_from("Tt"),
)
def test_any_offset_becomes_utc_with_milliseconds(moment: datetime, separator: str) -> None:
    text = timestamps.parse(moment.isoformat(separator))

    utc = moment.astimezone(UTC)
    assert text == f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"
    assert timestamps.parse(text) == text
    assert timestamps.from_milliseconds(timestamps.to_milliseconds(text)) == text


@given(*[st.datetimes(datetime(1970, 1, 2), datetime(9998, 12, 30), timezones=offsets)] * 2)  # noqa: DTZ001
def test_timestamps_sort_as_text_in_order_of_time(one: datetime, other: datetime) -> None:
    to_milliseconds = timedelta(milliseconds=1)
    first, second = ((moment - datetime(1970, 1, 1, tzinfo=UTC)) // to_milliseconds for moment in (one, other))

    texts = [timestamps.parse(moment.isoformat()) for moment in (one, other)]

    assert (texts[0] < texts[1], texts[0] == texts[1]) == (first < second, first == second)


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-11-23T06:16:30Z", "2026-11-23T06:16:30.000Z"),
        ("2026-11-23t06:16:30.1z", "2026-11-23T06:16:30.100Z"),
        ("2026-11-23T06:16:30.9999999-00:00", "2026-11-23T06:16:30.999Z"),
        ("2026-11-20T10:00:00+0100", "2026-11-20T09:00:00.000Z"),
        ("2026-11-20T10:00:00.000000-0530", "2026-11-20T15:30:00.000Z"),
        ("2026-11-20T10:00:00 01:00", "2026-11-20T09:00:00.000Z"),
        ("2026-11-20T10:00:00.5 0100", "2026-11-20T09:00:00.500Z"),
        ("2026-11-20T10:00:00+01", "2026-11-20T09:00:00.000Z"),
        ("2026-11-20T10:00:00 01", "2026-11-20T09:00:00.000Z"),
        ("2026-11-20T10:00:00-08", "2026-11-20T18:00:00.000Z"),
        ("2026-11-20t10:00:00,25z", "2026-11-20T10:00:00.250Z"),
        ("2026-11-20T10:00:00.123456789012345Z", "2026-11-20T10:00:00.123Z"),
        ("2024-02-29T23:59:59+23:59", "2024-02-29T00:00:59.000Z"),
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"),
        ("1969-12-31T23:30:00-01:00", "1970-01-01T00:30:00.000Z"),
        ("9998-12-31T23:59:59.999Z", "9998-12-31T23:59:59.999Z"),
    ],
)
def test_a_valid_timestamp_is_converted_to_utc(text: str, utc: str) -> None:
    assert timestamps.parse(text) == utc


@pytest.mark.parametrize(
    "text",
    [
        "", "now", "2026-11-23", "2026-11-23T06:16:30", "2026-11-23 06:16:30Z", "2026-11-23T06:16Z", "20261123T061630Z",
        "2026-11-23T06:16:30+24:00", "2026-11-23T06:16:30+2400", "2026-11-23T06:16:30+01:60",
        "2026-11-23T06:16:30+1:00",
        "2026-11-23T06:16:30+010", "2026-11-23T06:16:30 01:0", "2026-11-23T06:16:30  01:00",
        "2026-11-23T06:16:30 +01:00",
        "2026-11-23T06:16:30 Z", "2026-11-23T06:16:30 ", "2026-11-23T06:16:30+", "2026-11-23T06:16:30Z+01:00",
        "2026-11-23T06:16:30\u221201:00", "2026-11-23T06:16:30,Z", "2016-12-31T23:59:60Z", "2026-11-23T24:00:00+0100",
        "2026-11-23 06:16:30+01:00", "2026-11-23T06:16:30,1.5Z", "2026-11-23T06:16:30.Z", "2026-11-23T06:16:60Z",
        "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-11-23T24:00:00Z", "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+00:01", "9999-01-01T00:00:00Z", "9998-12-31T23:59:59-00:01", "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59-10:00", " 2026-11-23T06:16:30Z", "2026-11-23T06:16:30Z\n",
        "٢٠٢٦-11-23T06:16:30Z", "2026-W48-1T06:16:30Z",
    ],
)  # fmt: skip
def test_an_invalid_timestamp_is_refused_with_the_right_form(text: str) -> None:
    with pytest.raises(ValueError, match="must be an RFC 3339 date and time with an offset"):
        timestamps.parse(text)


def test_minutes_are_rounded_down_once() -> None:
    assert timestamps.minutes_between("2026-01-01T00:00:00.001Z", "2026-01-01T01:00:00.000Z") == 59
    assert timestamps.minutes_between("2026-01-01T00:00:00.000Z", "2026-01-01T01:00:59.999Z") == 60
    assert timestamps.minutes_between("1970-01-01T00:00:00.000Z", "9998-12-31T23:59:59.999Z") < 5_000_000_000
