"""Tests of `incidents follow`, with the client's requests answered by the test."""

import json
import os
import shlex
import signal
from collections.abc import Iterator

import httpx2
import pytest
from incidents_cli.console import StepFailed
from incidents_cli.main import cli
from typer.testing import CliRunner, Result

from tests.support.api_commands import URL, answer_with
from tests.support.incidents import FULL

ONE = FULL | {"id": "inc_1", "incident_number": "IR-1", "title": "a\u202eb", "version": 2, "status": "review",
              "updated_at": "2026-11-23T07:09:13.211Z", "is_deleted": False}  # fmt: skip


class Answers(httpx2.BaseTransport):
    """A transport that answers with two pages of updates and then, after a pause, with an error."""

    error = 401
    cursor = "cursor-"
    stop: signal.Signals | None = None

    def __init__(self) -> None:
        self.queries: list[dict[str, str]] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.queries.append(dict(request.url.params))
        if len(self.queries) == 3 and self.stop:
            os.kill(os.getpid(), self.stop)
        if len(self.queries) == 3:
            return httpx2.Response(self.error, json={"title": "No", "detail": "Start again."})
        items = [ONE | {"financial_impact": 0}, ONE | {"incident_number": "IR-2", "is_deleted": len(self.queries) == 2}]
        page = {"items": items, "next_cursor": f"{self.cursor}{len(self.queries)}", "caught_up": len(self.queries) == 2}
        exact = json.dumps(page).replace('"financial_impact": 0', '"financial_impact": 999999999999999.1234')
        return httpx2.Response(200, text=exact)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    transport = Answers()
    answer_with(transport, monkeypatch)
    monkeypatch.setattr("time.sleep", lambda _: None)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield transport
    for number, handler in before.items():
        signal.signal(number, handler)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["follow", "--url", URL, *arguments])


def test_each_update_is_a_line_and_the_last_cursor_is_printed_at_the_end(answers: Answers) -> None:
    printed = run("--since", "2026-11-23T00:00:00Z")

    assert printed.stdout.splitlines() == [
        f"2026-11-23T07:09:13.211Z IR-{n}             v2    {status:<13} a\\u202eb"
        for n, status in ((1, "review"), (2, "review"), (1, "review"), (2, "deleted"))
    ]
    assert "--cursor cursor-2" in printed.stderr
    assert isinstance(printed.exception, StepFailed)
    assert "Start again" in str(printed.exception.detail)
    assert [{name: one for name, one in query.items() if name != "limit"} for query in answers.queries] == [
        {"since": "2026-11-23T00:00:00Z"}, {"cursor": "cursor-1"}, {"cursor": "cursor-2"},
    ]  # fmt: skip


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP])
def test_a_stop_by_a_supervisor_or_a_closed_terminal_prints_the_cursor_too(
    answers: Answers, how: signal.Signals
) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # a test run may ignore SIGHUP, so restore the default
    answers.stop = how

    printed = run()

    assert len(answers.queries) == 3
    assert "To continue later, give --cursor cursor-2" in printed.stderr


def test_a_printed_cursor_runs_nothing_in_a_shell(answers: Answers) -> None:
    answers.cursor = "x $(touch here)\n✓ All is well '"

    line = next(line for line in run().stderr.splitlines() if "To continue later" in line)

    assert shlex.split(line)[-2:] == ["--cursor", r"x $(touch here)\u000a✓ All is well '2"]


def test_json_keeps_every_digit_and_a_cursor_begins_there(answers: Answers) -> None:
    printed = run("--cursor", "kept", "--json")

    first = json.loads(printed.stdout.splitlines()[0], parse_float=str)
    assert (first["incident_number"], first["financial_impact"]) == ("IR-1", "999999999999999.1234")
    assert answers.queries[0]["cursor"] == "kept"


def test_a_moment_and_a_cursor_contradict_each_other(answers: Answers) -> None:
    assert run("--cursor", "x", "--since", "2026-11-23T00:00:00Z").exit_code == 2
    assert answers.queries == []


@pytest.mark.parametrize(("status", "advice"), [(400, "--cursor"), (410, "Start again without a cursor")])
def test_a_cursor_that_the_api_refuses_is_not_recommended(
    answers: Answers, monkeypatch: pytest.MonkeyPatch, status: int, advice: str
) -> None:
    monkeypatch.setattr(answers, "error", status)

    printed = run()

    assert len(answers.queries) == 3
    assert "To continue later" not in printed.stderr
    assert isinstance(printed.exception, StepFailed)
    assert advice in printed.exception.advice
