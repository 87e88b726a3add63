"""Tests of the filters of a list: the limits of DynamoDB for a filter expression, and the text that a cursor seals."""

import re
from typing import Any

import pytest
from incidents.domain import model
from incidents.domain.questions import FILTERS
from incidents.edges import parameters, request
from incidents.storage.page_reader import OpenPartition, PageRequest, filter_expression

# The limits of expression parameters in "Quotas" of the DynamoDB developer guide
EXPRESSION_BYTES, OPERATORS, SUBSTITUTED_BYTES = 4096, 300, 2 * 1024 * 1024


def everything() -> dict[str, list[str]]:
    """Return every parameter of a list at its maximum. The characters are those with the most bytes of UTF-8."""
    longest = {"app_id": parameters.APP_CHARACTERS}
    given = {
        name: [
            chr(0x1F600 + n) + "\U0001f512" * (longest.get(name, model.ID_CHARACTERS) - 1)
            for n in range(parameters.VALUES_MAX)
        ]
        for name in FILTERS
    }
    return given | {
        "status": list(model.STATUSES),
        "severity": list(model.SEVERITIES),
        "limit": ["100"],
        "order": ["asc"],
        "created_from": ["2026-01-01T00:00:00.000Z"],
        "created_to": ["2026-12-31T00:00:00.000Z"],
        "detected_from": ["2026-01-01T00:00:00.000Z"],
        "detected_to": ["2026-12-31T00:00:00.000Z"],
        "incident_number": ["N" * model.NUMBER_CHARACTERS],
        "include_deleted": ["true"],
        "open": ["true"],
        "unowned": ["false"],
        "q": [" ".join("ab" for _ in range(100))],
    }


def test_all_filters_at_their_maximum_fit_into_one_expression() -> None:
    filters = parameters.list_request(everything()).filters

    expression, names, values = filter_expression(filters, already_selected=None)

    assert len(expression.encode()) <= EXPRESSION_BYTES
    assert len(re.findall(r"contains|OR|AND|IN|BETWEEN|exists", expression)) <= OPERATORS
    texts = [*names, *names.values(), *values, *(value["S"] for value in values.values())]
    assert sum(len(text.encode()) for text in texts) <= SUBSTITUTED_BYTES
    assert set(names) | set(values) == set(re.findall(r"[#:]\w+", expression))


def test_a_query_string_may_have_every_parameter_as_often_as_it_may_be_given() -> None:
    assert len(parameters.REPEATABLE) * parameters.VALUES_MAX + len(parameters.SINGLE) <= request.PARAMETERS_MAX


def test_the_placeholders_of_a_filter_are_not_those_of_the_key_condition() -> None:
    filters = parameters.list_request(everything()).filters
    asked = PageRequest(filters, ("inc_0", "inc_7"), newest_first=True)

    query = OpenPartition(None, "pk", "TENANT#acme#INCIDENT").query(asked, "acme", None)

    _, names, values = filter_expression(filters, already_selected=None)
    assert len(query["ExpressionAttributeNames"]) == len(names) + 2
    assert len(query["ExpressionAttributeValues"]) == len(values) + 3


def test_each_list_of_an_incident_has_a_filter() -> None:
    assert {field for field in FILTERS.values() if field in model.LISTS} == model.LISTS
    assert set(FILTERS.values()) <= set(model.FIELDS)


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ({"tag": ["b", "a"]}, '[[["tag", ["a", "b"]]], ["1970-01-01T00:00:00.000Z", "9998-12-31T23:59:59.999Z"], null, '
         'null, false]'),
        ({"include_deleted": ["true"]}, '[[], ["1970-01-01T00:00:00.000Z", "9998-12-31T23:59:59.999Z"], null, null, '
         'true]'),
    ],
)  # fmt: skip
def test_the_filters_of_release_0_1_0_have_the_text_that_its_cursors_seal(given: Any, canonical: str) -> None:
    assert parameters.list_request(given).filters.canonical() == canonical
