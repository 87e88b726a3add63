"""Names that misled once do not come back: no module, class, function, parameter or variable bears one."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.templates import CHECKOUT

PACKAGES = ("functions", "infra/cli", "infra/functions", "client/src")
MISLEADING = {
    # a verb with five meanings, a noun with four
    "settle", "Part",
    # two words for one thing
    "measures", "drafts", "Draft", "listing", "announcing", "system_repository", "SystemRepository", "MarkedDays",
    # what it is not
    "Beside", "sight", "seen", "Seen", "left_out", "counted", "blank", "is_beyond_callers", "not_wanted",
    "incident_unless_known", "Home", "Target", "Told", "Selection", "Partition", "Reader",
    # a word in the place of a noun, or of a verb with its object
    "of", "one", "some", "told", "found", "altered", "again", "_again", "_check", "_bar", "_printable", "_text",
}  # fmt: skip
MODULES_ONCE = {
    "announcing", "aws_clients", "drafting", "drafts", "edge", "event_queue", "filters", "http_api", "items",
    "jobs", "listing", "local", "marked_days", "measures", "messages", "observability", "parts", "running",
    "stack", "system_repository", "target", "timeouts", "window",
}  # fmt: skip
DATA = {
    ("infra/cli/incidents_cli/operate/tenants/invariants.py", "found"),  # a field of a report that people keep
    ("infra/cli/incidents_cli/operate/importing/job.py", "left_out"),  # a count that is printed as it is called
}
OF_TOKENS = {"identity", "http", "issuer", "command", "examples", "add_tenant"}
"""The modules that make tokens and read them. A claim is what a token says, and nothing else."""


def modules() -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted((CHECKOUT / package).rglob("*.py"))


def definitions(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the name of whatever a module gives a name to."""
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


def test_no_definition_bears_a_name_that_misled() -> None:
    seen, wrong = 0, set()
    for path in modules():
        seen += 1
        place = str(path.relative_to(CHECKOUT))
        wrong |= {(place, name) for _, name in misleading(path.read_text())}
    assert seen > 120
    assert wrong == DATA


def test_no_module_is_called_as_one_that_misled() -> None:
    packages = [path.parent for path in modules() if path.name == "__init__.py"]
    names = {path.stem for path in modules()} | {package.name for package in packages}
    assert names & MODULES_ONCE <= {"local"}, "the room of the local stack; its module is up_down"


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
def test_a_planted_name_is_seen(planted: str) -> None:
    assert misleading(planted)


def test_a_claim_is_what_a_token_says_and_nothing_else() -> None:
    speaking = {path.stem for path in modules() for _, name in definitions(path.read_text()) if "claim" in name.lower()}
    assert "identity" in speaking
    assert speaking <= OF_TOKENS
