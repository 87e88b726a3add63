"""Tests of the command `incidents`: its version, its cost tables, and the command lines in its hints."""

from importlib.metadata import version

import grc_client
import pytest
from incidents_cli.console import command
from incidents_cli.documents import costs
from incidents_cli.main import cli
from typer.testing import CliRunner


def test_the_version_option_prints_the_version_of_the_project() -> None:
    printed = CliRunner().invoke(cli, ["--version"])
    assert (printed.exit_code, printed.output) == (0, f"{version('grc-incidents')}\n")


def test_the_client_has_the_version_of_its_package() -> None:
    assert grc_client.__version__ == version("grc-client")


def test_costs_prints_the_cost_tables() -> None:
    printed = CliRunner().invoke(cli, ["costs"])
    assert printed.output == "".join(f"{table}\n" for table in costs.tables().values())


def test_a_hint_begins_with_uv_run_if_uv_started_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV", "/usr/bin/uv")
    assert command("up") == "uv run incidents up"
    monkeypatch.delenv("UV")
    assert command("up") == "incidents up"
