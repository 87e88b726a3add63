from typing import Any

import pytest
from incidents.domain import model, payloads

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
