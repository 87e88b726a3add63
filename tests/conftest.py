"""Fixtures that several suites share, the rule for skipped tests, and the figures of the promises.

In CI, a skipped test fails.
"""

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
import botocore.loaders
import botocore.session
import httpx2
import pytest
from incidents.domain.identity import Identity
from incidents.edges import queues
from incidents.runtime import sdk
from incidents.runtime.log import logger
from incidents.storage import dynamodb as client_module
from incidents.storage.incident_repository import IncidentRepository

from tests.support import dynamodb_local, side_by_side, templates
from tests.support.checkout import Checkout, free_port
from tests.support.events import ISSUER
from tests.support.metric_world import MetricClock, MetricWorld, Queue
from tests.support.streams import TableStream

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


pytest.register_assert_rewrite("tests.support.conversation")


@cache
def _loader_of(paths: str | None) -> Any:
    return botocore.loaders.create_loader(paths)


def _shared_loader(paths: str | None) -> Any:
    """Return botocore's loader of service data, which all sessions of this process share.

    Most tests make a client in a new session. Without the shared loader, each session would read 100 KB of JSON again.
    """
    loader = _loader_of(paths)
    loader.search_paths[:] = dict.fromkeys(loader.search_paths)  # each session of boto3 adds its path once more
    return loader


botocore.session.create_loader = _shared_loader  # type: ignore[assignment]
_FIGURES = pytest.StashKey[dict[str, str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--quick",
        action="store_true",
        help="run tests that need no table: tests/unit without imports and pictures, tests/agreements, tests/client",
    )
    parser.addoption("--full", action="store_true", help="run the load tests in full size: up to two hours")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    side_by_side.ask_for_them(config)


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_FIGURES] = {}
    # Without byte code, each command that a test starts would compile its libraries again.
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
        sys.dont_write_bytecode = False
    if config.getoption("--full"):
        os.environ["INCIDENTS_TESTS_FULL"] = "1"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> side_by_side.OneProcessForEachStack:
    return side_by_side.OneProcessForEachStack(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    side_by_side.sort(items)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Pass the figures of a worker process to the main process."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["figures"] = session.config.stash[_FIGURES]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    node.config.stash[_FIGURES].update(getattr(node, "workeroutput", {}).get("figures", {}))


@pytest.fixture
def promise(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Return a function that records a row of docs/promises.md: a promise that this run confirmed, and its figure."""

    def kept(name: str, figure: str) -> None:
        request.config.stash[_FIGURES][name] = figure

    return kept


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, but in CI no test may be skipped: {report.longrepr}"
    return report  # type: ignore[return-value]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the promises that this run has shown. For skipped tests, print one line for each reason."""
    figures = config.stash[_FIGURES]
    if figures:
        size = "in full" if config.getoption("--full") else "shortened; in full with --full"
        failed = len(terminalreporter.stats.get("failed", []))
        others = f"; {failed} other tests failed" if failed else ""
        terminalreporter.section(f"promises, {size}{others}")
        for name, figure in figures.items():
            terminalreporter.write_line(f"| {name} | {figure} |")
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    for reason, count in reasons.items():
        terminalreporter.write_line(f"{count} tests skipped: {reason}")


@pytest.fixture(autouse=True)
def _no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the AWS credentials of the person who runs the tests, so that no test can reach an AWS account."""
    sdk.session.cache_clear()  # the cache may hold a session with the removed credentials
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("CURSOR_KEY", "the key of the tests")
    monkeypatch.setenv("FEED_SETTLE_SECONDS", "0")
    monkeypatch.setenv("JWT_ISSUER", ISSUER)
    monkeypatch.setenv("TOKEN_CLAIMS", "tenant_id app_id  scope,scp")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)


@pytest.fixture(scope="session")
def shared_dynamodb() -> Iterator[dynamodb_local.Shared]:
    if missing := dynamodb_local.what_is_missing():
        pytest.skip(missing)
    shared = dynamodb_local.Shared()
    yield shared
    shared.stop()


@pytest.fixture(scope="session")
def dynamodb_url(shared_dynamodb: dynamodb_local.Shared) -> str:
    return shared_dynamodb.url


@pytest.fixture(scope="session")
def dynamodb(dynamodb_url: str) -> "DynamoDBClient":
    """Return a client of DynamoDB Local.

    DynamoDB Local requires an alphanumeric access key id.
    """
    session = boto3.Session("local", "local", region_name="us-east-1")
    return session.client("dynamodb", endpoint_url=dynamodb_url)


@pytest.fixture
def table_name(dynamodb: "DynamoDBClient") -> Iterator[str]:
    """Yield the name of an empty table. The table is as infra/storage.yaml deploys it, but without a stream."""
    name = dynamodb.create_table(TableName="incidents", **templates.table())["TableDescription"]["TableName"]
    yield name
    dynamodb.delete_table(TableName=name)


@pytest.fixture
def service(dynamodb_url: str, table_name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Connect the handlers to DynamoDB Local, with the client that they have on Lambda; yield the table's name."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", dynamodb_url)
    monkeypatch.setenv("TABLE_NAME", table_name)
    client_module.client.cache_clear()
    yield table_name
    client_module.client.cache_clear()


@pytest.fixture
def world(
    service: str, dynamodb: "DynamoDBClient", shared_dynamodb: dynamodb_local.Shared, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], MetricWorld]]:
    """Yield a function that makes a new metrics world with its own tenants."""
    dynamodb.update_table(TableName=service, **templates.stream())
    monkeypatch.setenv("MARK_SETTLE_SECONDS", "0")
    monkeypatch.setenv("METRICS_QUEUE_URL", "metrics")
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "true")
    monkeypatch.setattr(logger, "info", lambda *_, **__: None)
    queue = Queue()
    monkeypatch.setattr(queues, "client", lambda: queue)
    stream = TableStream(shared_dynamodb.url, service)

    def make() -> MetricWorld:
        clock = MetricClock()
        monkeypatch.setattr(time, "time_ns", clock)
        return MetricWorld(stream, queue, clock)

    yield make
    if shared_dynamodb.renew(stream.count):
        dynamodb.create_table(TableName=service, **templates.table())  # the fixture `table_name` deletes it


@pytest.fixture
def acme(dynamodb: "DynamoDBClient", table_name: str) -> IncidentRepository:
    """Return the repository of a person of the tenant acme."""
    return IncidentRepository(Identity("acme", "ada", None, frozenset()), dynamodb, table_name)


@pytest.fixture(scope="session")
def http() -> Iterator[httpx2.Client]:
    # The emulator closes a connection that is idle for five seconds. The client closes it after one second. Otherwise
    # it could send a request at the moment at which the emulator closes the connection.
    limits = httpx2.Limits(keepalive_expiry=1)
    with httpx2.Client(timeout=60, trust_env=False, limits=limits) as client:
        yield client


@pytest.fixture(scope="session")
def welcome_and_stack(tmp_path_factory: pytest.TempPathFactory, http: httpx2.Client) -> Iterator[tuple[str, Checkout]]:
    """Start a stack on its own port and in its own folder, and yield the output of `incidents up` and the stack.

    So the tests do not change a stack that a developer runs from this checkout.
    """
    checkout = Checkout(tmp_path_factory.mktemp("home"), free_port(), http)
    try:
        yield checkout.up(), checkout
    finally:
        checkout.run("down")


@pytest.fixture(scope="session")
def welcome(welcome_and_stack: tuple[str, Checkout]) -> str:
    """Return the output of `incidents up`."""
    return welcome_and_stack[0]


@pytest.fixture(scope="session")
def stack(welcome_and_stack: tuple[str, Checkout]) -> Checkout:
    return welcome_and_stack[1]


@pytest.fixture(scope="session")
def aws(stack: Checkout) -> Callable[[str], Any]:
    """Return a function that makes a client of the emulator, with an administrator's rights.

    Each start of the emulator has another key. So a client works only until the next `incidents down`.
    """
    session: Any = boto3.Session()

    def client(service: str) -> Any:
        status = stack.status
        return session.client(
            service, endpoint_url=status["endpoint_url"], region_name=status["region"],
            aws_access_key_id=status["access_key_id"], aws_secret_access_key=status["secret_access_key"],
        )  # fmt: skip

    return client
