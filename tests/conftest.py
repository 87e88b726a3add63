"""Fixtures that several suites share, and the rule on skips: in CI nothing may be skipped."""

import os
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from incidents.identity import Identity
from incidents.repository import IncidentRepository

from tests.support import dynamodb_local, templates

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and in CI nothing may be: {report.longrepr}"
    return report  # type: ignore[return-value]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say why tests were skipped: one line a reason."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    for reason, count in reasons.items():
        terminalreporter.write_line(f"{count} tests skipped: {reason}")


@pytest.fixture(autouse=True)
def _no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have an AWS account; no test may reach it."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("CURSOR_KEY", "the key of the tests")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)


@pytest.fixture(scope="session")
def dynamodb_url() -> Iterator[str]:
    if missing := dynamodb_local.what_is_missing():
        pytest.skip(missing)
    with dynamodb_local.running() as url:
        yield url


@pytest.fixture(scope="session")
def dynamodb(dynamodb_url: str) -> "DynamoDBClient":
    """A client of DynamoDB Local. Its access key id must be alphanumeric."""
    session = boto3.Session("local", "local", region_name="us-east-1")
    return session.client("dynamodb", endpoint_url=dynamodb_url)


@pytest.fixture
def table_name(dynamodb: "DynamoDBClient") -> Iterator[str]:
    """An empty table, as infra/storage.yaml deploys it."""
    name = dynamodb.create_table(TableName="incidents", **templates.table())["TableDescription"]["TableName"]
    yield name
    dynamodb.delete_table(TableName=name)


@pytest.fixture
def acme(dynamodb: "DynamoDBClient", table_name: str) -> IncidentRepository:
    """What a person of the tenant acme may reach."""
    return IncidentRepository(Identity("acme", "ada", None, frozenset()), dynamodb, table_name)
