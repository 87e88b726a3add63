"""Tests that the client has the service's operations, fields, filters and errors.

tests/client/checked.py checks the client's types.
"""

from inspect import iscoroutinefunction, signature
from typing import get_args

import grc_client
import pytest
from grc_client import calls, fields, models
from grc_client.errors import OF_STATUS, ApiError, GrcError
from grc_client.incidents import AsyncIncidents, Incidents
from grc_client.raw import AsyncRawIncidents, RawIncidents
from incidents.domain import metric_definitions, model, payloads
from incidents.edges import parameters, responses
from incidents_cli.local.local_stack import operation_name

from tests.support import documents, templates
from tests.support.templates import CHECKOUT

# The client has two methods for the update operation: `update`, and `restore` for the patch that restores an incident.
ALSO = {"restore_incident"}
METHODS = {
    "create": "create_incident", "get": "get_incident", "list": "list_incidents", "update": "update_incident",
    "delete": "delete_incident", "restore": "restore_incident", "changes": "list_incident_changes",
    "findings": "list_incident_findings", "follow": "list_incident_updates", "deadlines": "get_incident_deadlines",
    "deadline_board": "list_deadlines", "metrics": "get_incident_metrics",
}  # fmt: skip


def public(kind: type) -> set[str]:
    return {name for name in vars(kind) if not name.startswith("_")}


def test_every_operation_has_a_call_and_a_method() -> None:
    operations = {operation_name(name) for name in templates.operations()}
    assert set(METHODS.values()) == operations | ALSO
    assert all(callable(getattr(calls, name)) for name in METHODS.values())
    assert public(Incidents) == public(AsyncIncidents) == set(METHODS)
    assert public(RawIncidents) == public(AsyncRawIncidents) == set(METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_both_clients_have_the_same_parameters(method: str) -> None:
    blocking, asynchronous = getattr(Incidents, method), getattr(AsyncIncidents, method)
    assert signature(blocking).parameters == signature(asynchronous).parameters
    for raw in (getattr(RawIncidents, method), getattr(AsyncRawIncidents, method)):
        assert signature(raw).parameters == signature(blocking).parameters
        assert raw.__doc__
    assert iscoroutinefunction(asynchronous) is (
        method not in ("list", "changes", "findings", "deadline_board", "follow")
    )
    assert blocking.__doc__
    assert asynchronous.__doc__


def test_the_client_reads_and_writes_every_field() -> None:
    assert tuple(models.Incident.model_fields) == model.FIELDS
    assert set(fields.NewIncident.__annotations__) == set(payloads.NewIncident.model_fields)
    assert set(fields.IncidentPatch.__annotations__) == set(payloads.IncidentPatch.model_fields) - {
        # An incident's number cannot change. The client's methods `delete` and `restore` set `is_deleted`.
        "incident_number", "is_deleted",
    }  # fmt: skip
    assert fields.NewIncident.__required_keys__ == {"title"}
    assert not fields.IncidentPatch.__required_keys__


def test_the_client_accepts_every_parameter() -> None:
    assert set(fields.IncidentFilters.__annotations__) == {*parameters.REPEATABLE, *parameters.SINGLE}
    assert set(fields.BoardFilters.__annotations__) == {*parameters.BOARD_REPEATABLE, *parameters.BOARD}
    assert {name.rstrip("_") for name in fields.MetricsWindow.__annotations__} == set(parameters.METRICS)


def test_the_client_has_the_service_s_statuses_severities_and_source_types() -> None:
    assert get_args(models.Status) == model.STATUSES
    assert get_args(models.Severity) == model.SEVERITIES
    assert get_args(models.SourceType) == model.SOURCE_TYPES


def test_the_client_has_every_metric_of_the_service() -> None:
    for kind in (models.Metrics, models.MetricsGroup, models.MetricsSpan):
        assert set(metric_definitions.METRICS) <= set(kind.model_fields)


def test_the_client_has_an_error_for_every_status_of_the_service() -> None:
    assert {status for status, _ in responses.STATUS_OF.values()} | {429} == set(OF_STATUS)


def test_every_client_error_is_public_and_in_the_module_s_tree() -> None:
    from grc_client import errors

    for error in (GrcError, ApiError, *GrcError.__subclasses__(), *ApiError.__subclasses__()):
        assert error.__name__ in (errors.__doc__ or "")
        assert error.__doc__
        assert error.__name__ in grc_client.__all__


def test_the_file_that_mypy_reads_uses_every_method() -> None:
    text = (CHECKOUT / "tests" / "client" / "uses_every_method.py").read_text()
    for method in METHODS:
        assert f"client.grc.incidents.{method}(" in text
        assert text.count(f"incidents.{method}(") >= 2, "both clients must use each method"


def test_the_client_s_own_tests_use_every_method() -> None:
    text = (CHECKOUT / "client" / "tests" / "test_methods.py").read_text()
    assert [method for method in METHODS if f"incidents.{method}(" not in text] == []


def test_the_client_s_readme_prepares_its_examples_as_the_page_does() -> None:
    """The first bash block of ``client.md`` sets the URL and the token for the examples, and tests run this block.

    The client's readme has the same block. No test runs the readme's block, so this test compares the blocks.
    """
    readme = (CHECKOUT / "client" / "README.md").read_text()
    assert documents.blocks(readme, "bash") == documents.blocks(documents.PAGES["client.md"], "bash")[:1]


def test_the_client_has_a_copy_of_the_license() -> None:
    assert (CHECKOUT / "client" / "LICENSE").read_bytes() == (CHECKOUT / "LICENSE").read_bytes()
