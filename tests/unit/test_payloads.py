from typing import Any

import pydantic
import pytest
from incidents.domain import json_text, model, payloads

# The examples of RFC 7396, appendix A: original, patch and result.
EXAMPLES: list[tuple[Any, Any, Any]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("original", "patch", "result"), EXAMPLES)
def test_merge_gives_the_results_of_rfc_7396_s_examples(original: object, patch: object, result: object) -> None:
    assert payloads.merge(original, patch) == result


def test_a_patch_may_have_every_field_of_a_create_and_the_field_is_deleted() -> None:
    assert set(payloads.IncidentPatch.model_fields) == set(payloads.NewIncident.model_fields) | {"is_deleted"}
    assert not set(payloads.IncidentPatch.model_fields) & model.STAMPED


@pytest.mark.parametrize(("literal", "minutes"), [("5.0", 5), ("1e1", 10), ("0e5", 0), ("-0.0", 0), ("1e-999", None)])
def test_minutes_may_be_any_spelling_of_a_whole_number(literal: str, minutes: int | None) -> None:
    body = json_text.loads(f'{{"title": "x", "mttd_minutes": {literal}}}')
    if minutes is None:
        with pytest.raises(pydantic.ValidationError):
            payloads.NewIncident.model_validate(body)
    else:
        assert payloads.NewIncident.model_validate(body).mttd_minutes == minutes
