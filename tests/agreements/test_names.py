"""Tests that misleading names do not return: names of modules, classes, functions, parameters and variables."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.templates import CHECKOUT

PACKAGES = ("functions", "infra/cli", "infra/functions", "client/src")
MISLEADING = {
    # The verb "settle" had five meanings, and the noun "part" had four.
    "settle", "Part",
    # Names for things that already have another name.
    "measures", "drafts", "Draft", "listing", "announcing", "system_repository", "SystemRepository", "MarkedDays",
    # Names that do not match their content.
    "Beside", "sight", "seen", "Seen", "left_out", "counted", "blank", "is_beyond_callers", "not_wanted",
    "incident_unless_known", "Home", "Target", "Told", "Selection", "Partition", "Reader",
    # Names of a wrong form. The right form is a noun, or a verb with an object.
    "of", "one", "some", "told", "found", "altered", "again", "_again", "_check", "_bar", "_printable", "_text",
}  # fmt: skip
MODULES_ONCE = {
    "announcing", "aws_clients", "drafting", "drafts", "edge", "event_queue", "filters", "http_api", "items",
    "jobs", "listing", "local", "marked_days", "measures", "messages", "observability", "parts", "running",
    "stack", "system_repository", "target", "timeouts", "window",
}  # fmt: skip
DATA = {
    ("infra/cli/incidents_cli/operate/tenants/violations.py", "found"),  # a saved report has a field with this name
    ("infra/cli/incidents_cli/operate/importing/job.py", "left_out"),  # the command prints a count under this name
}
OF_TOKENS = {"identity", "http", "issuer", "command", "examples", "add_tenant", "local_stack", "sign_in"}
"""The modules that make or read tokens.

Only these modules may use the word "claim", which means a statement in a token.
"""


def modules() -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted((CHECKOUT / package).rglob("*.py"))


def definitions(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the name of each definition in a module."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, name
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                yield node.lineno, name
            case ast.ExceptHandler(name=str(name)):
                yield node.lineno, name
            case ast.alias(asname=str(name)):
                yield node.lineno, name


def misleading(text: str) -> list[tuple[int, str]]:
    return [(line, name) for line, name in definitions(text) if name in MISLEADING]


def test_no_definition_has_a_misleading_name() -> None:
    seen, wrong = 0, set()
    for path in modules():
        seen += 1
        place = str(path.relative_to(CHECKOUT))
        wrong |= {(place, name) for _, name in misleading(path.read_text())}
    assert seen > 120
    assert wrong == DATA


def test_no_module_has_a_misleading_name() -> None:
    packages = [path.parent for path in modules() if path.name == "__init__.py"]
    names = {path.stem for path in modules()} | {package.name for package in packages}
    assert names & MODULES_ONCE <= {"local"}, "only the room of the local stack may have one of these names"


@pytest.mark.parametrize(
    "planted",
    [
        "def settle() -> None: ...",
        "class Part: ...",
        "def f(of: int) -> None: ...",
        "one = 1",
        "x.found = 1",
        "[some for some in ()]",
    ],
)
def test_a_planted_misleading_name_is_found(planted: str) -> None:
    assert misleading(planted)


def test_only_modules_about_tokens_use_the_word_claim() -> None:
    speaking = {path.stem for path in modules() for _, name in definitions(path.read_text()) if "claim" in name.lower()}
    assert "identity" in speaking
    assert speaking <= OF_TOKENS
