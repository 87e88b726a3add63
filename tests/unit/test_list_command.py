"""Tests of `incidents list`, with the client's requests answered by the test."""

import json
from typing import Any

import httpx2
import pytest
from incidents_cli.console import StepFailed
from incidents_cli.main import cli
from typer.testing import CliRunner, Result

from tests.support.api_commands import URL, answer_with
from tests.support.incidents import FULL


class Answers(httpx2.BaseTransport):
    """A transport that answers each list with two pages, and records the queries."""

    def __init__(self) -> None:
        self.queries: list[list[tuple[str, str]]] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.queries.append(request.url.params.multi_items())
        second = "cursor" in request.url.params
        item = FULL | {"id": "inc_1", "incident_number": f"IR-{1 + second}", "title": "a\u202eb", "severity": None,
                       "created_at": "2026-11-23T07:09:13.211Z", "status": "new"}  # fmt: skip
        body = json.dumps({"items": [item | {"financial_impact": 0}], "next_cursor": None if second else "more"})
        exact = body.replace('"financial_impact": 0', '"financial_impact": 999999999999999.1234')
        return httpx2.Response(200, text=exact)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    transport = Answers()
    answer_with(transport, monkeypatch)
    return transport


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["list", *arguments])


def test_a_list_has_a_line_for_each_incident_of_every_page(answers: Answers) -> None:
    printed = run("--url", URL)

    assert printed.exit_code == 0, printed.exception
    assert printed.stdout.splitlines() == [
        f"IR-{n}             new           -             2026-11-23 a\\u202eb" for n in (1, 2)
    ]
    assert answers.queries == [[("limit", "100")], [("limit", "100"), ("cursor", "more")]]


def test_the_options_become_filters_and_json_keeps_every_digit(answers: Answers) -> None:
    printed = run("--url", URL, "--open", "--unowned", "--asset", "a", "--asset", "b", "--q", "two words", "--json")

    assert [name_and_value for name_and_value in answers.queries[0] if name_and_value[0] != "limit"] == [
        ("open", "true"), ("unowned", "true"), ("affected_asset_id", "a"), ("affected_asset_id", "b"),
        ("q", "two words"),
    ]  # fmt: skip
    lines: list[dict[str, Any]] = [json.loads(line, parse_float=str) for line in printed.stdout.splitlines()]
    assert [line["incident_number"] for line in lines] == ["IR-1", "IR-2"]
    assert {line["financial_impact"] for line in lines} == {"999999999999999.1234"}


@pytest.mark.parametrize("arguments", [[], ["--tenant", "acme", "--url", URL], ["--url", URL, "--app", "scanner"]])
def test_a_list_needs_a_tenant_or_a_url_but_not_both(answers: Answers, arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2
    assert not answers.queries


@pytest.mark.parametrize("given", ["a.b\r\nX-Other: 1", "a b", "tök", "a\x1b[2J", "[a]"])
def test_a_token_with_other_characters_is_refused(
    answers: Answers, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("GRC_TOKEN", given)

    failure = run("--url", URL).exception

    assert isinstance(failure, StepFailed)
    assert "GRC_TOKEN is not a token" in failure.what
    assert given not in f"{failure.what}{failure.detail}{failure.advice}"
    assert not answers.queries


def test_a_deployed_api_needs_a_token(answers: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRC_TOKEN")

    failure = run("--url", URL).exception

    assert isinstance(failure, StepFailed)
    assert "GRC_TOKEN has no token" in failure.what
    assert not answers.queries


NOT_OF_THE_API = {
    "an array": "[]", "a text": '"x"', "no JSON": "{", "no items": "{}", "null": "null",
    "items that are no list": '{"items": 5}',
    "items that are no objects": '{"items": [5], "next_cursor": null, "caught_up": true}',
    "members that are missing": '{"items": [{"id": "a"}], "next_cursor": null, "caught_up": true}',
    "no cursor": '{"items": []}', "a cursor that is a number": '{"items": [], "next_cursor": 5, "caught_up": false}',
    "a number of 6000 digits": '{"items": [{"version": %s}], "next_cursor": null}' % ("9" * 6000),
    "nested arrays": '{"items": ' + "[" * 200_000 + "]" * 200_000 + "}",
    "a page that repeats itself": '{"items": [], "next_cursor": "same", "caught_up": false}',
    "a repeated amount": '{"items": [{"financial_impact": 1e9999999}], "next_cursor": "same", "caught_up": false}',
}  # fmt: skip


class Hostile(httpx2.BaseTransport):
    """A transport that gives the same answer to every request, at most five times."""

    def __init__(self, body: str) -> None:
        self.body, self.requests = body, 0

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests += 1
        assert self.requests <= 5
        return httpx2.Response(200, text=self.body, headers={"content-type": "application/json"})


@pytest.mark.parametrize(
    ("name", "more"),
    [(name, []) for name in NOT_OF_THE_API]
    + [(name, ["--json"]) for name in NOT_OF_THE_API if name != "members that are missing"],  # allows any members
)
@pytest.mark.parametrize("command", ["list", "follow"])
def test_an_answer_that_is_not_of_the_api_ends_in_one_clear_error(
    monkeypatch: pytest.MonkeyPatch, name: str, more: list[str], command: str
) -> None:
    answer_with(Hostile(NOT_OF_THE_API[name]), monkeypatch)
    monkeypatch.setattr("time.sleep", lambda _: None)

    failure = CliRunner().invoke(cli, [command, "--url", URL, *more]).exception

    assert isinstance(failure, StepFailed)
    assert "not from this API" in failure.what
