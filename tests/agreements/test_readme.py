"""What the README promises is what there is."""

import json

import pytest
from incidents.domain import model, payloads
from incidents.edges import parameters, responses
from incidents_cli.main import cli
from typer.main import get_command

from tests.support import readme, templates


def test_the_answer_that_it_shows_has_the_fields_of_the_model_in_their_order() -> None:
    (answer,) = readme.blocks("json")

    assert list(json.loads(answer)) == [field for field in model.FIELDS if field != "app_id"]


@pytest.mark.parametrize("field", payloads.NewIncident.model_fields)
def test_every_field_that_a_caller_may_send_is_explained(field: str) -> None:
    assert f"`{field}`" in readme.TEXT


def test_every_status_of_ours_is_explained() -> None:
    for status in {status for status, _ in responses.STATUS_OF.values()}:
        assert f"\n| {status} | " in readme.TEXT


def test_the_moves_of_the_status_are_those_of_the_model() -> None:
    for status, allowed in model.ALLOWED_TRANSITIONS.items():
        assert f"\n| `{status}` | {', '.join(f'`{one}`' for one in allowed)} |\n" in readme.TEXT


def test_every_filter_is_explained() -> None:
    for name in (*parameters.REPEATABLE, *parameters.SINGLE):
        assert f"`{name}`" in readme.TEXT


def test_every_route_is_explained() -> None:
    for properties in templates.functions().values():
        for event in (event for event in properties.get("Events", {}).values() if event["Type"] == "HttpApi"):
            assert f"`{event['Properties']['Method']} {event['Properties']['Path']}`" in readme.TEXT


def test_every_command_and_option_is_explained() -> None:
    for name, command in get_command(cli).commands.items():  # type: ignore[attr-defined]
        assert f"`incidents {name}" in readme.TEXT
        for option in (option for parameter in command.params for option in parameter.opts if option.startswith("--")):
            assert option in readme.TEXT, f"incidents {name} {option}"


def test_ci_runs_the_test_command_of_the_readme() -> None:
    whole = "python3 -m venv .uv && .uv/bin/pip install --quiet uv && .uv/bin/uv run"
    assert f"{whole} incidents up\n" in readme.blocks("bash")
    assert f"{whole} pytest\n" in readme.blocks("bash")
    assert (templates.CHECKOUT / ".ci" / "run").read_text().splitlines()[-1] == "uv run pytest"
