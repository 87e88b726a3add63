import json
from decimal import Decimal
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from incidents.domain import json_text, model, payloads, wire_form
from incidents.domain.errors import IncidentTooLarge, InvalidIncident, MalformedRequest
from incidents.domain.model import Incident
from incidents.storage import stored_form

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
amounts = st.decimals(0, 10**15, places=4)
complete = anything.filter(lambda value: "\ufffd" not in json.dumps(value, ensure_ascii=False))
paragraphs = st.text(
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffd", include_characters="\r\n\t"),
    max_size=300,
)
STAMPS = {
    "id": "inc_1", "tenant_id": "acme", "created_at": "t", "updated_at": "t", "created_by": "a", "updated_by": "a",
    "incident_number": "1", "version": 7, "schema_version": 1,
}  # fmt: skip


@given(complete, amounts, paragraphs)
def test_a_caller_s_values_are_the_same_after_storing_and_reading(lessons: Any, amount: Decimal, text: str) -> None:
    sent = f'{{"title": "x", "financial_impact": {amount}, "lessons_learned": {json.dumps(lessons)}}}'
    body = json_text.loads(sent) | {"description": text}
    incident = cast("Incident", model.unset_fields() | payloads.new_incident(body) | STAMPS)

    stored = stored_form.to_incident(stored_form.from_incident(incident))

    assert stored.version == 7
    assert wire_form.dump_incident(stored.incident) == wire_form.dump_incident(incident)
    answer = json.loads(wire_form.dump_incident(incident), parse_float=Decimal)
    assert answer["financial_impact"] == amount
    assert answer["description"] == text
    assert json.loads(wire_form.dump_incident(incident))["lessons_learned"] == lessons
    assert list(answer) == [field for field in model.FIELDS if field != "app_id"]


@given(st.text() | anything.map(json.dumps))
def test_a_text_is_read_as_json_or_refused(text: str) -> None:
    try:
        value = json_text.loads(text)
    except MalformedRequest:
        return
    assert value == json.loads(text)


def test_the_size_limit_does_not_count_what_the_first_release_lacked() -> None:
    shown = model.unset_fields() | {"title": "x", "tags": ["x"]}
    del shown["version"], shown["regulatory_reports"]
    bytes_left = model.DOCUMENT_BYTES - len(json.dumps(shown | {"is_deleted": None}, separators=(",", ":")))
    largest: Any = model.unset_fields() | STAMPS | {"title": "x" * (bytes_left + 1), "tags": ["x"]}

    wire_form.check_size(largest)
    largest["title"] += "x"
    with pytest.raises(IncidentTooLarge):
        wire_form.check_size(largest)


@given(st.dictionaries(st.sampled_from([*model.FIELDS, "other"]), anything, max_size=8) | anything)
def test_any_body_gives_a_draft_or_named_violations(body: Any) -> None:
    try:
        draft = payloads.new_incident(body)
    except InvalidIncident as invalid:
        assert invalid.violations
        assert all(violation.detail for violation in invalid.violations)
        json.dumps([violation._asdict() for violation in invalid.violations])
    else:
        assert set(draft) <= set(model.FIELDS) - model.STAMPED


@pytest.mark.parametrize(
    "text", ['{"a": 1, "b": 2, "a": 3}', '[{"x": {"a": 1, "a": 1}}]', "NaN", "[Infinity]", "", "{'a': 1}"]
)
def test_a_text_that_is_not_strict_json_is_refused(text: str) -> None:
    with pytest.raises(MalformedRequest, match="must"):
        json_text.loads(text)


def test_the_error_names_the_first_repeated_member() -> None:
    with pytest.raises(MalformedRequest, match='A line must name each member once; "b" appears twice'):
        json_text.loads('{"a": 1, "b": 2, "b": 3, "a": 4, "a": 5}', "A line")
