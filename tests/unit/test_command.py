"""The command `incidents` by itself: its version, its tables of costs, how it names its own commands."""

from importlib.metadata import version

import grc_client
import pytest
from incidents_cli.console import command
from incidents_cli.documents import costs
from incidents_cli.main import cli
from typer.testing import CliRunner


def test_it_prints_the_version_of_the_project() -> None:
    printed = CliRunner().invoke(cli, ["--version"])
    assert (printed.exit_code, printed.output) == (0, f"{version('grc-incidents')}\n")


def test_the_client_says_its_version() -> None:
    assert grc_client.__version__ == version("grc-client")


def test_it_prints_the_tables_of_costs() -> None:
    printed = CliRunner().invoke(cli, ["costs"])
    assert printed.output == "".join(f"{table}\n" for table in costs.tables().values())


def test_a_hint_is_the_command_as_it_was_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV", "/usr/bin/uv")
    assert command("up") == "uv run incidents up"
    monkeypatch.delenv("UV")
    assert command("up") == "incidents up"
