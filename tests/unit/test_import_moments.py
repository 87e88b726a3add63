"""Tests of the forms of dates that programs of several countries export."""

from pathlib import Path

import pytest
from incidents_cli.operate.importing import moments

from tests.support.proposals import imported, of

BERLIN = moments.zone("Europe/Berlin")
NEW_YORK = moments.zone("America/New_York")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Mar 4th 2024 09:15:22", "08:15:22.000Z"), ("March 4th, 2024 at 9:15 AM", "08:15:00.000Z"),
        ("2024-03-04 08:15:22.123456 +0000 UTC", "08:15:22.123Z"), ("2024-03-04 09:15:22 +0100 CET", "08:15:22.000Z"),
        ("Mon Mar 04 09:15:22 2024", "08:15:22.000Z"), ("Mon Mar  4 08:15:22 UTC 2024", "08:15:22.000Z"),
        ("Mon Mar 04 09:15:22 +0100 2024", "08:15:22.000Z"), ("3/4/2024, 9:15:22 AM GMT+1", "08:15:22.000Z"),
        ("3/4/2024, 9:15:22 AM gmt-4:30", "13:45:22.000Z"), ("2024-03-04 09:15 (UTC+05:30)", "03:45:00.000Z"),
        ("3/4/2024 9:15 a.\u00a0m.", "08:15:00.000Z"), ("3/4/2024 0:15 a. m.", "2024-03-03T23:15:00.000Z"),
        ("4 de marzo de 2024 9:15", "08:15:00.000Z"), ("4 mars 2024 \u00e0 9h15", "08:15:00.000Z"),
        ("3/4/2024 22h00", "21:00:00.000Z"),
        ("2024年3月4日 9:15", "08:15:00.000Z"), ("04/mar/24 9:15 AM", "08:15:00.000Z"),
        ("4 set 2024 9:15", "2024-09-04T07:15:00.000Z"), ("4 out 2024 9:15", "2024-10-04T07:15:00.000Z"),
        ("4 gen 2024 9:15", "2024-01-04T08:15:00.000Z"), ("1709543722.5", "09:15:22.500Z"),
        ("2024-03-04 0915", "08:15:00.000Z"), ("4 March 2024 0915hrs", "08:15:00.000Z"),
        ("3/4/2024 0915Z", "09:15:00.000Z"),
        ("1709543722", "09:15:22.000Z"), ("1709543722123", "09:15:22.123Z"),
    ],
)  # fmt: skip
def test_a_form_of_a_date_is_known(text: str, wanted: str) -> None:
    moment = moments.parse(text, moments.DateRules(BERLIN, "month-first"))
    assert moment.text == (wanted if "T" in wanted else f"2024-03-04T{wanted}")
    assert moments.looks_like_date(text)


@pytest.mark.parametrize("text", ["March 2024", "03 2024", "Q1 2024", "2024-03-04 2515", "0915", "2024"])
def test_a_part_of_a_date_is_no_date(text: str) -> None:
    assert not moments.looks_like_date(text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("03/04/2024 09:15 AM EST", ("2024-03-04T14:15:00.000Z", None)),
        ("07/04/2024 09:15 AM (EDT)", ("2024-07-04T13:15:00.000Z", None)),
        ("07/04/2024 09:15 AM EST", ("2024-07-04T14:15:00.000Z", moments.OTHER_SEASON)),
    ],
)
def test_an_abbreviation_of_the_zone_of_the_mapping_is_known(text: str, wanted: tuple[str, str | None]) -> None:
    assert moments.parse(text, moments.DateRules(NEW_YORK, "month-first"))[:2] == wanted


def test_an_abbreviation_of_another_zone_is_refused_with_the_way_out() -> None:
    with pytest.raises(ValueError, match="several meanings: 'EST'") as refused:
        moments.parse("2024-03-04 09:15 EST", moments.DateRules(BERLIN))
    assert "or pass --zone" in str(refused.value)


def test_the_zone_of_an_abbreviation_is_asked(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("Title,Created,Closed\nA,03/14/2024 09:15 AM EDT,03/15/2024 10:00 AM EDT\n", "utf-8")
    assert any("in which zone is" in question for question in of(file, zone="").questions)
    (row,) = imported(file, zone="America/New_York")
    assert (row.body["detected_at"], row.body["closed_at"]) == ("2024-03-14T13:15:00.000Z", "2024-03-15T14:00:00.000Z")


def test_a_date_with_an_offset_is_a_date_in_each_order(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("Title,Created,Closed\nA,3/14/2024 9:15 AM +0100,3/15/2024 9:15 AM +0100\n", "utf-8")
    (row,) = imported(file)
    assert row.body["detected_at"] == "2024-03-14T08:15:00.000Z"
