"""Tests of the command `incidents`: its version, its cost tables, and the command lines in its hints."""

import errno
from importlib.metadata import version
from pathlib import Path

import grc_client
import pytest
from botocore.exceptions import EndpointConnectionError, ProfileNotFound
from incidents_cli import console, main
from incidents_cli.console import StepFailed, command
from incidents_cli.documents import costs
from incidents_cli.local.local_stack import Stack
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


@pytest.mark.parametrize("seconds", ["inf", "nan", "1e400", "-1", "86401"])
def test_an_erasure_waits_at_most_a_day(seconds: str) -> None:
    refused = CliRunner().invoke(cli, ["tenant", "erase", "--tenant", "acme", "--quiet-seconds", seconds])
    assert (refused.exit_code, "--quiet-seconds" in refused.stderr) == (2, True)


def test_a_hint_begins_with_uv_run_if_uv_started_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV", "/usr/bin/uv")
    assert command("up") == "uv run incidents up"
    monkeypatch.delenv("UV")
    assert command("up") == "incidents up"


def test_the_local_stack_s_clients_ignore_every_aws_setting_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "config"
    settings.write_text("[default]\nretry_mode = nonsense\nca_bundle = /nowhere\n[profile broken\n")
    for name in (
        "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_RETRY_MODE", "AWS_MAX_ATTEMPTS", "AWS_DEFAULTS_MODE",
        "AWS_CA_BUNDLE", "AWS_DATA_PATH", "AWS_USE_FIPS_ENDPOINT", "AWS_ACCOUNT_ID_ENDPOINT_MODE",
    ):  # fmt: skip
        monkeypatch.setenv(name, "nosuch")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(settings))
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB"):
        monkeypatch.setenv(name, "http://192.0.2.1")
    stack = Stack(4566, access_key="0123456789abcdef")

    client = stack.client("dynamodb")

    assert client.meta.endpoint_url == stack.endpoint_url
    assert client.meta.config.retries == {"mode": "standard"}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("error", "advice", "is_emulator_s"),
    [
        (ProfileNotFound(profile="nosuch"), "AWS_*", False),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:4566"), "up --fresh", True),
        (FileNotFoundError(errno.ENOENT, "No such file or directory"), "SSL_CERT_FILE", False),
        (OSError(errno.ENOSPC, "No space left on device"), "where the output goes", False),
        (OSError(errno.ENOSPC, "No space left on device", "x.jsonl"), "the disk has room", False),
    ],
)
def test_only_a_fault_of_the_emulator_is_answered_with_a_fresh_table(
    error: Exception, advice: str, is_emulator_s: bool, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr(main, "cli", fail)
    monkeypatch.setattr("sys.argv", ["incidents", "status"])
    with pytest.raises(SystemExit) as ended:
        main.app()
    told = capsys.readouterr().err
    assert ended.value.code == 1
    assert advice in told
    assert ("--fresh" in told) is is_emulator_s


@pytest.mark.parametrize("words", [("--table", ""), ("--table=",), ("--stack", ""), ("--tenant=",), ("",)])
def test_an_empty_value_does_not_count_as_not_given(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    monkeypatch.setattr("sys.argv", ["incidents", "tenant", "erase", "--yes-erase", "acme", *words])
    monkeypatch.setattr(main, "cli", lambda **_: pytest.fail("the command ran"))
    with pytest.raises(SystemExit) as ended:
        main.app()
    assert ended.value.code == 1
    assert "An argument or the value of an option is empty" in capsys.readouterr().err


def test_an_option_that_is_not_utf_8_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**_: object) -> None:
        "a seed \udcff".encode()

    monkeypatch.setattr(main, "cli", fail)
    with pytest.raises(SystemExit) as ended:
        main.app()
    assert ended.value.code == 1
    told = capsys.readouterr().err
    assert "A text is not valid UTF-8.\n  a seed \\udcff" in told


def test_a_closed_stdout_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", None)
    with pytest.raises(StepFailed, match="stdout is closed"):
        console.say("a result")
