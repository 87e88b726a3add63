"""Tests that the documents match the product: fields, statuses, transitions, filters, routes, commands and links."""

import json
import re
from pathlib import Path

import pytest
from incidents.domain import metric_definitions, model, payloads
from incidents.edges import parameters, responses
from incidents_cli.main import cli
from typer.main import get_command

from tests.support import documents, templates

API, COMMANDS, METRICS = (documents.PAGES[name] for name in ("api.md", "commands.md", "metrics.md"))
TOP = {name: text for name, text in documents.PAGES.items() if "/" not in name}
LINES = 120  # the most lines that README.md and CONTRIBUTING.md may have


def routes() -> list[tuple[str, str]]:
    """Return each route with the scope that it requires; the scope is "none" if the route requires none."""
    events = [
        event["Properties"]
        for function in templates.functions().values()
        for event in function.get("Events", {}).values()
        if event["Type"] == "HttpApi"
    ]
    return [
        (
            f"{event['Method']} {event['Path']}",
            templates.scopes_of(event)[0] if "AuthorizationScopes" in event["Auth"] else "none",
        )
        for event in events
    ]


def test_the_answer_that_the_api_page_shows_has_the_fields_of_the_model_in_their_order() -> None:
    (answer,) = documents.blocks(API, "json")

    assert list(json.loads(answer)) == [field for field in model.FIELDS if field != "app_id"]


def test_the_answer_that_the_readme_shows_is_short_and_has_fields_of_the_model_in_order() -> None:
    (answer,) = documents.blocks(documents.README, "json")

    shown = list(json.loads(answer))
    assert shown == [field for field in model.FIELDS if field in shown]
    assert len(answer.splitlines()) == 8


@pytest.mark.parametrize("field", payloads.NewIncident.model_fields)
def test_every_field_that_a_caller_may_send_is_explained(field: str) -> None:
    assert f"`{field}`" in API


def test_every_http_status_of_the_service_is_explained() -> None:
    for status in {status for status, _ in responses.STATUS_OF.values()}:
        assert f"\n| {status} | " in API


def test_the_status_transitions_are_those_of_the_model() -> None:
    for status, allowed in model.ALLOWED_TRANSITIONS.items():
        assert f"\n| `{status}` | {', '.join(f'`{one}`' for one in allowed)} |\n" in API


def test_every_filter_is_explained() -> None:
    for name in (*parameters.REPEATABLE, *parameters.SINGLE):
        assert f"`{name}`" in API


def test_every_metric_and_its_parameters_are_explained() -> None:
    for name in (*metric_definitions.METRICS, "imported", "open", "excluded"):
        assert f"\n| `{name}` | " in METRICS
    for name in (*parameters.METRICS, *metric_definitions.REASONS):
        assert f"`{name}`" in METRICS


@pytest.mark.parametrize("page", [documents.README, API], ids=["README.md", "api.md"])
def test_every_route_is_explained_with_its_scope(page: str) -> None:
    assert len(routes()) == 15
    for route, scope in routes():
        (row,) = [line for line in page.splitlines() if line.startswith("| ") and f"`{route}`" in line]
        assert f"`{scope}`" in row or (scope == "none" and "| none, no token |" in row)


def test_every_command_and_option_is_explained() -> None:
    for name, command in get_command(cli).commands.items():  # type: ignore[attr-defined]
        assert f"`incidents {name}" in COMMANDS
        for option in (option for parameter in command.params for option in parameter.opts if option.startswith("--")):
            assert option in COMMANDS, f"incidents {name} {option}"


def test_every_command_and_option_below_a_group_is_explained() -> None:
    for name, group in get_command(cli).commands.items():  # type: ignore[attr-defined]
        for below, command in getattr(group, "commands", {}).items():
            assert re.search(rf"`(incidents {name} )?{below}\b", COMMANDS), f"incidents {name} {below}"
            for option in (one for parameter in command.params for one in parameter.opts if one.startswith("--")):
                assert option in COMMANDS, f"incidents {name} {below} {option}"


def test_ci_runs_the_test_command_of_the_readme() -> None:
    whole = "python3 -m venv .uv && .uv/bin/pip install --quiet uv && .uv/bin/uv run"
    assert f"{whole} incidents up\n" in documents.blocks(documents.README, "bash")
    assert f"{whole} pytest\n" in documents.blocks(documents.README, "bash")
    assert (templates.CHECKOUT / ".ci" / "run").read_text().splitlines()[-1] == "uv run pytest"


@pytest.mark.parametrize("path", documents.files(), ids=lambda path: str(path.relative_to(templates.CHECKOUT)))
def test_every_relative_link_leads_to_a_file_and_a_heading(path: Path) -> None:
    assert documents.broken_links(path) == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A title, `code`\n## Same\n## Same\n[a](#a-title-code) [b](page.md#same-1) [c](https://example.com/x#y)\n"
        "[d](#same-2) [e](none.md) ![f](none.png)\n`[g](none.md)`\n```bash\n# No heading\n[h](none.md)\n```\n"
        "[i](#no-heading)\n"
    )

    assert documents.broken_links(page) == ["#same-2", "none.md", "none.png", "#no-heading"]


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_the_first_documents_are_short(name: str) -> None:
    assert len((templates.CHECKOUT / name).read_text().splitlines()) <= LINES


@pytest.mark.parametrize("name", TOP)
def test_a_page_begins_with_its_audience(name: str) -> None:
    title, empty, whom = TOP[name].splitlines()[:3]
    assert (title[:2], empty, whom[:4]) == ("# ", "", "For ")


@pytest.mark.parametrize("name", TOP)
def test_the_readme_leads_to_every_page(name: str) -> None:
    assert f"docs/{name}" in documents.links(documents.README)


def test_the_changelog_groups_its_unreleased_changes() -> None:
    text = (templates.CHECKOUT / "CHANGELOG.md").read_text()
    unreleased = text.split("\n## ")[1]
    assert unreleased.startswith("Unreleased\n")
    groups = re.findall(r"^### (.+)$", unreleased, re.MULTILINE)
    assert groups == [group for group in ("Added", "Changed", "Removed", "Fixed") if group in groups]


def test_the_typescript_example_installs_exact_versions() -> None:
    (setup,) = [one for one in documents.blocks(documents.PAGES["client.md"], "bash") if "npm install" in one]
    for line in (line for line in setup.splitlines() if line.startswith("npm install")):
        packages = [word for word in line.split()[2:] if not word.startswith("--")]
        assert packages
        assert all(re.fullmatch(r"@?[\w/-]+@\d+\.\d+\.\d+", package) for package in packages)
