"""Tests that hostile texts need at most a number of steps that is proportional to their length."""

import ast
import importlib.util
import re
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import constant_text
import get_documentation
import pytest
from incidents import findings
from incidents.domain import identity, payloads, texts, timestamps
from incidents.domain.errors import IncidentError
from incidents.domain.identity import Identity
from incidents.domain.summary import summary_of
from incidents.edges import request
from incidents.edges.request import Request
from incidents.findings import EventRefused, Node, cloudwatch_alarm, nodes, security_hub
from incidents.findings import mapping as source_mapping
from incidents.storage import cursor
from incidents_cli.console import StepFailed
from incidents_cli.operate.importing import amounts, cells, convert, mapping, moments, repairing, rows

from tests.support.backtracking import STEPS_MAX, Pattern, hostile_texts
from tests.support.events import claims
from tests.support.recorded import event

CHECKOUT = Path(__file__).parents[2]
ROOTS = (
    "functions",
    "infra/functions/documentation",
    "infra/functions/console",
    "infra/functions/identity",
    "infra/cli",
    "client/src",
)
OUR_OWN_TEXTS = {  # patterns that read only texts of this repository or of its developers
    "infra/cli/incidents_cli/documents/openapi/operations.py", "infra/cli/incidents_cli/local/sam.py",
    "infra/cli/incidents_cli/local/routes.py", "infra/cli/incidents_cli/local/local_stack.py",
    "functions/incidents/storage/guard.py",
}  # fmt: skip
METHODS = ("fullmatch", "match", "search", "findall", "finditer", "sub", "split")
SHORT = 50  # characters
# For a text that is twice as long, a match may take GROWTH times as many steps. A quadratic pattern takes
# four times as many steps.
GROWTH = 2.6


class Use(NamedTuple):
    """A pattern, and one way in which the code uses it."""

    where: str
    pattern: re.Pattern[str]
    how: str


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for root in ROOTS:
        for path in sorted((CHECKOUT / root).rglob("*.py")):
            if str(path.relative_to(CHECKOUT)) not in OUR_OWN_TEXTS:
                yield path, ast.parse(path.read_text())


def loaded(path: Path) -> ModuleType:
    for module in list(sys.modules.values()):
        if getattr(module, "__file__", None) == str(path):
            return module
    root = next(CHECKOUT / root for root in ROOTS if path.is_relative_to(CHECKOUT / root))
    name = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
    return importlib.import_module(name)


def uses() -> list[Use]:
    """Return every use of a regular expression in the code. An expression that is not a constant fails the test."""
    found = []
    for path, tree in modules():
        text = path.read_text()
        if "import re" not in text and not re.search(r"\.(fullmatch|finditer|findall)\(", text):
            continue
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in METHODS):
                continue
            owner = node.func.value
            name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
            where = f"{path.relative_to(CHECKOUT)}:{node.lineno}"
            if name == "re":
                assert isinstance(node.args[0], ast.Constant), f"{where}: name the pattern in the module"
                found.append(Use(where, re.compile(str(node.args[0].value)), node.func.attr))
                continue
            holder: Any = loaded(path)
            value = getattr(holder, name, None)
            if value is None and isinstance(owner, ast.Attribute) and isinstance(owner.value, ast.Name):
                value = getattr(getattr(holder, owner.value.id, None), name, None)
            for pattern in value if isinstance(value, tuple) else (value,):
                if isinstance(pattern, re.Pattern):
                    found.append(Use(where, pattern, node.func.attr))
    return list({(use.pattern.pattern, use.how): use for use in found}.values())


USES = uses()


def grows(pattern: Pattern, how: str, text: Callable[[int], str]) -> bool:
    """Return whether the steps grow faster than the text.

    If they seem to, the function tries longer texts before it says so.
    """
    how = how if how in ("fullmatch", "match", "search") else "findall"
    for short in (SHORT, 8 * SHORT):
        steps = pattern.steps(text(2 * short), how)
        if steps < STEPS_MAX and steps <= GROWTH * pattern.steps(text(short), how):
            return False
    return True


@pytest.mark.parametrize("use", USES, ids=lambda use: f"{use.where}-{use.how}")
def test_a_pattern_takes_steps_in_proportion_to_a_hostile_text(use: Use) -> None:
    pattern = Pattern(use.pattern)
    worst = [text(24) for text in hostile_texts(pattern) if grows(pattern, use.how, text)]
    assert worst == [], use.pattern.pattern


FORMER = {
    r"(?:.*/)?([A-Za-z]+):([^/-]+)[/-](.+)": "fullmatch",  # this pattern reads a type of Security Hub
    r"(^|,)\s*gzip\s*(;\s*q=(1(\.0*)?|0?\.\d*[1-9]\d*)\s*)?(,|$)": "search",  # Accept-Encoding
    r"(a+)+b": "match",
    r"[0-9]+x": "search",
}


@pytest.mark.parametrize(("pattern", "how"), FORMER.items())
def test_the_count_finds_patterns_that_are_not_linear(pattern: str, how: str) -> None:
    counted = Pattern(re.compile(pattern))
    assert any(grows(counted, how, text) for text in hostile_texts(counted))


def test_the_counting_matcher_agrees_with_python() -> None:
    for use in USES:
        counted = Pattern(use.pattern)
        for text in islice(hostile_texts(counted), 0, None, 7):
            assert counted.matches(text(9)) == bool(use.pattern.fullmatch(text(9))), (use.pattern.pattern, text(9))


def counted_lines(call: Callable[[], object]) -> int:
    """Return how many lines of Python code a call runs, including lines of generators and called functions."""
    count = 0

    def trace(*_: object) -> Any:
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    except (IncidentError, EventRefused, StepFailed, ValueError):
        pass
    finally:
        sys.settrace(before)
    return count


class Counted:
    """A replacement for a pattern in a module.

    It counts the steps of each match, which Python's matcher in C does not do.
    """

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self._pattern, self._counted, self.steps = pattern, Pattern(pattern), 0

    def __getattr__(self, how: str) -> Callable[[str], Any]:
        def run(text: str, *more: Any) -> Any:
            self.steps += self._counted.steps(text, how if how in ("fullmatch", "match", "search") else "findall")
            return getattr(self._pattern, how)(text, *more)

        return run


class Compared(str):
    """A text that counts how often it is compared."""

    compared = 0

    def __eq__(self, other: object) -> bool:
        Compared.compared += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def escalated(**detail: object) -> dict[str, Any]:
    return event("alert_escalated", **{f"detail__{name}": value for name, value in detail.items()})


def hub(**finding: object) -> dict[str, Any]:
    return event("security_hub_asff_guardduty", **{f"detail__findings__0__{name}": v for name, v in finding.items()})


def mapped(path: str, **detail: object) -> object:
    """Read a partner's event with a mapping that has this path."""
    given = {
        "name": "x", "source": "aws.partner/x", "detail_type": "Alert", "kind": "detection", "title": {"path": path},
        "key": {"constant": "k"}, "alert_ids": {"path": path}, "summary": {"processes": {"path": path}},
    }  # fmt: skip
    envelope = {"source": "aws.partner/x", "account": "111122223333", "time": "2026-11-20T10:00:00Z", "detail": detail}
    return source_mapping.read(source_mapping.parse(given), Node(envelope))


V2 = "Findings Imported V2"
FLAG, TAG, FLAG_END = "\U0001f3f4", "\U000e0067", "\U000e007f"
NOBODY = Identity("acme", "ada", None, frozenset())
CALLS: dict[str, Callable[[int], object]] = {
    "a title that is one flag of many tags": lambda n: payloads.new_incident({"title": FLAG + TAG * n + FLAG_END}),
    "a title of joiners": lambda n: texts.repair_line("\u00e9\u200d" * n),
    "a title of layers of characters without ink": lambda n: texts.repair_line("\u3164\U000e0100\u200d" * n),
    "names that are no fields": lambda n: payloads.new_incident({f"titel{i}": 1 for i in range(n)}),
    "tags of flags": lambda n: payloads.new_incident({"title": "a", "tags": [FLAG + TAG * 60 + FLAG_END] * n}),
    "a type with many slashes and a line end": lambda n: findings.read(hub(Types=["a/" * n + "\n"])),
    "a type like many types": lambda n: findings.read(hub(Types=["TTPs/A:b/" * n + "\n"])),
    "many types": lambda n: findings.read(hub(Types=["TTPs/x"] * n)),
    "a product of many slashes": lambda n: findings.read(hub(ProductArn="product/" * n)),
    "many alert ids": lambda n: findings.read(escalated(alert_ids=[f"a{i}" for i in range(n)])),
    "a long alert id of tags": lambda n: findings.read(escalated(alert_ids=[FLAG + TAG * n])),
    "a description of control characters": lambda n: findings.read(escalated(description="\x85" * n + "a")),
    "a date of digits": lambda n: findings.read(escalated(occurred_at="2026-01-01T00:00:00." + "1" * n)),
    "an alarm's name of words": lambda n: findings.read(event("cloudwatch_alarm", detail__alarmName="a " * n)),
    "a summary of many places": lambda n: summary_of({"detail-type": V2, "detail": {"findings": [{"evidences": [
        {"src_endpoint": {"ip": f"{i}"}, "connection_info": {"direction_id": 1}} for i in range(n)]}] * 2}}),
    "a summary of many names": lambda n: summary_of({"detail": {f"n{i}": {"a": {}} for i in range(n)}}),
    "a mapping's path with many comparisons": lambda n: mapped("detail.a[?@<@||@>@||@<@]", a=["x"] * n),
    "a mapping's path with many filters": lambda n: mapped("detail.a[?b][?b].b", a=[{"b": f"{i}"} for i in range(n)]),
    "a mapping's path that flattens": lambda n: mapped("detail.a[][][]", a=[[["x"]]] * n),
    "a mapping's path that compares an event with itself": lambda n: mapped("detail==detail", a=[[1]] * n),
    "a mapping's path of brackets": lambda n: mapped("detail.a" + "[]" * n),
    "a mapping's path of parentheses": lambda n: mapped("(" * n),
    "Accept-Encoding": lambda n: get_documentation.handler(
        {"routeKey": "GET /api/v1/grc/incidents/docs", "headers": {"accept-encoding": "gzip;q=." + "1" * n + "x"}}, None
    ),
    "If-None-Match of tags": lambda n: get_documentation.handler(
        {"routeKey": "GET /api/v1/grc/incidents/docs", "headers": {"if-none-match": '"a" , ' * n + "x"}}, None
    ),
    "If-Match of tags": lambda n: Request({"headers": {"if-match": '"a", ' * n + "x"}}, NOBODY).if_match,
    "If-Match of blanks": lambda n: Request({"headers": {"if-match": '"a"' + " " * n + "x"}}, NOBODY).if_match,
    "Content-Type": lambda n: Request(
        {"headers": {"content-type": "application/json" + ';a="' * n}, "body": "{}"}, NOBODY
    ).json,
    "a query of parameters": lambda n: Request({"rawQueryString": "a=%41&" * n}, NOBODY).parameters,
    "a cursor": lambda n: cursor.unseal("A" * n, NOBODY, "list"),
    "a claim of words": lambda n: identity.from_claims(claims(scope="a " * n), 0, None),
    "a claim that is a list": lambda n: identity.from_claims(claims("[" + "a " * n + "]"), 0, None),
    "a CSV cell of a number": lambda n: cells.value("financial_impact", "1" * n + "x"),
    "a CSV cell of a list": lambda n: cells.value("tags", "a;" * n),
    "an exported list": lambda n: repairing.repair({"tags": [Compared(f"t{i}") for i in range(n)]}),
    "a header of a CSV": lambda n: rows._check_header(Path("x.csv"), ["title"] + [f"c{i}" for i in range(n)], None),
    "a date of another program": lambda n: moments.looks_like_date("1/" * n + "Jan " * n + "1:00 " * n),
    "an amount of another program": lambda n: amounts.readings_of("1,000" * n + "." * n),
    "a list of another program": lambda n: convert.convert({"tags": "a,b; " * n}, mapping.of_fields({})),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_a_hostile_text_takes_steps_in_proportion_to_its_length(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    patterns = []
    for module in (
        texts,
        timestamps,
        identity,
        request,
        security_hub,
        cloudwatch_alarm,
        nodes,
        constant_text,
        cells,
    ):
        for attribute, value in list(vars(module).items()):
            if isinstance(value, re.Pattern):
                patterns.append(Counted(value))
                monkeypatch.setattr(module, attribute, patterns[-1])

    def steps(n: int) -> int:
        Compared.compared, before = 0, sum(pattern.steps for pattern in patterns)
        lines = counted_lines(lambda: CALLS[name](n))
        return lines + Compared.compared + sum(pattern.steps for pattern in patterns) - before

    steps(1)
    assert steps(400) <= GROWTH * steps(200)
