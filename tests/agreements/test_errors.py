"""Tests that every error has one status and a description."""

from collections.abc import Iterator

import pytest
from incidents.domain import errors
from incidents.edges import responses


def leaves(error: type[errors.IncidentError]) -> Iterator[type[errors.IncidentError]]:
    children = error.__subclasses__()
    for child in children:
        yield from leaves(child)
    if not children:
        yield error


def test_every_error_has_a_status_and_every_status_has_an_error() -> None:
    assert set(responses.STATUS_OF) == set(leaves(errors.IncidentError))


def test_no_two_errors_share_a_problem_type() -> None:
    titles = [title for _, title in responses.STATUS_OF.values()]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("error", list(leaves(errors.IncidentError)), ids=lambda error: error.__name__)
def test_every_error_is_in_the_tree_in_its_module_s_docstring(error: type[errors.IncidentError]) -> None:
    assert f"── {error.__name__} " in (errors.__doc__ or "")
    assert error.__doc__
