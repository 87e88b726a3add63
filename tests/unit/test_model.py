import itertools
from typing import Any, cast, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from incidents.domain import model, timestamps
from incidents.domain.model import Incident
from incidents.domain.payloads import NewIncident

NOW = "2026-11-23T12:00:00.000Z"
DAYS = [f"2026-11-{day:02d}T00:00:00.000Z" for day in (1, 2, 3)]


def incident(**values: Any) -> Incident:
    return cast("Incident", model.unset_fields() | {"status": "new"} | values)


def test_the_model_has_the_43_fields_of_the_contract_each_with_one_writer() -> None:
    by_callers = set(NewIncident.model_fields) | {"is_deleted"}

    assert len(model.FIELDS) == len(set(model.FIELDS)) == 43
    assert set(model.FIELDS) == model.STAMPED | by_callers
    assert not model.STAMPED & by_callers
    assert set(model.FIELDS) >= model.LISTS | model.DERIVED | set(model.MILESTONES)
    assert set(model.unset_fields()) == set(model.FIELDS) - {"app_id"}


def test_every_text_of_a_caller_has_rules_for_its_characters() -> None:
    texts = {field for field, hint in get_type_hints(Incident).items() if hint in (str, str | None)}
    words = {"status", "severity", "source_type"}
    checked_otherwise = words | {*model.JSON_TEXTS} | {field for field in texts if field.endswith("_at")}

    assert texts - model.STAMPED - checked_otherwise == (model.LINES - model.LISTS) | model.PARAGRAPHS
    assert not model.LINES & model.PARAGRAPHS


@pytest.mark.parametrize(("status", "stamped"), [("contained", "contained_at"), ("closed", "closed_at")])
@pytest.mark.parametrize("milestone", ["occurred_at", "detected_at"])
def test_a_timestamp_set_by_the_server_is_now_or_the_latest_earlier_milestone(
    status: str, stamped: str, milestone: str
) -> None:
    for earlier, expected in [(DAYS[0], NOW), ("2030-01-01T00:00:00.000Z", "2030-01-01T00:00:00.000Z")]:
        one = incident(status=status, **{milestone: earlier})
        assert model.apply_rules(one, {}, NOW) == []
        assert dict(one)[stamped] == expected


def test_a_given_milestone_is_never_overwritten() -> None:
    one = incident(status="closed", contained_at=DAYS[0], closed_at=DAYS[1])

    assert model.apply_rules(one, {}, NOW) == []
    assert (one["contained_at"], one["closed_at"]) == (DAYS[0], DAYS[1])


@pytest.mark.parametrize("status", [status for status in model.STATUSES if status != "closed"])
def test_closed_at_is_refused_unless_the_status_is_closed(status: str) -> None:
    violations = model.apply_rules(incident(status=status, closed_at=DAYS[0]), {}, NOW)

    assert [violation.pointer for violation in violations] == ["/closed_at"]


@pytest.mark.parametrize("status", [status for status in model.STATUSES if status not in ("closed", "contained")])
def test_other_statuses_set_no_timestamp(status: str) -> None:
    one = incident(status=status)

    assert model.apply_rules(one, {}, NOW) == []
    assert (one["contained_at"], one["closed_at"], one["mttr_minutes"]) == (None, None, None)


def test_every_two_milestones_must_be_in_order() -> None:
    order = ["occurred_at", "detected_at", "contained_at", "closed_at"]
    pairs = [*itertools.combinations(order, 2), ("detected_at", "reported_at"), ("occurred_at", "reported_at")]
    for earlier, later in itertools.permutations([*order, "reported_at"], 2):
        one = incident(status="closed" if "closed_at" in (earlier, later) else "new")
        one |= {earlier: DAYS[1], later: DAYS[0]}  # type: ignore[misc]
        pointers = [violation.pointer for violation in model.apply_rules(one, {}, NOW)]
        assert pointers == ([f"/{later}"] if (earlier, later) in pairs else []), (earlier, later)


def test_equal_milestones_are_allowed_and_give_zero_minutes() -> None:
    one = incident(status="closed", occurred_at=DAYS[0], detected_at=DAYS[0], closed_at=DAYS[0])

    assert model.apply_rules(one, {}, NOW) == []
    assert (one["mttd_minutes"], one["mttr_minutes"]) == (0, 0)


instants = st.integers(0, 10**10).map(timestamps.from_milliseconds)


@given(
    st.lists(instants, min_size=3, max_size=3).map(sorted), st.sets(st.sampled_from([0, 1, 2])), st.none() | st.just(7)
)
def test_minutes_are_derived_from_both_ends_or_else_as_given_or_else_null(
    moments: list[str], known: set[int], given_minutes: int | None
) -> None:
    fields = ["occurred_at", "detected_at", "closed_at"]
    values = {fields[place]: moments[place] for place in known}
    one = incident(status="closed" if 2 in known else "new", mttd_minutes=given_minutes, **values)

    assert model.apply_rules(one, {}, NOW) == []

    if {0, 1} <= known:
        apart = timestamps.to_milliseconds(moments[1]) - timestamps.to_milliseconds(moments[0])
        assert one["mttd_minutes"] == apart // 60_000
    else:
        assert one["mttd_minutes"] == given_minutes
    assert (one["mttr_minutes"] is not None) == ({1, 2} <= known)


def test_given_minutes_that_contradict_the_timestamps_are_refused() -> None:
    given = {"mttd_minutes": 5}
    violations = model.apply_rules(incident(occurred_at=DAYS[0], detected_at=DAYS[1], **given), given, NOW)

    assert violations == [
        ("/mttd_minutes", "must be 1440, the minutes from occurred_at to detected_at, or be left out")
    ]


@given(st.integers(0, 9999), st.integers(0, 10**12 - 1))
def test_a_generated_number_gives_its_year_and_count_back(year: int, count: int) -> None:
    assert model.parse_generated(model.generated_number(year, count)) == (year, count)


@pytest.mark.parametrize(
    "number",
    ["", "INC", "INC-2026-", "INC-2026-00042", "INC-2026-0000042", "INC-2026-00004a",
     "INC-26-000042", "inc-2026-000042", "INC-2026-000042 ", "INC-2026-+00042", "INC-٢٠٢٦-000042", "INC-2026-٠٠٠٠٤٢",
     "INC-2026-000042-1"],
)  # fmt: skip
def test_a_number_in_another_form_is_not_a_generated_number(number: str) -> None:
    assert model.parse_generated(number) is None
