"""Tests that the runbooks name only existing alarms, commands, parameters, queues, functions and files."""

import re
import shlex
from pathlib import Path

import pytest
from incidents_cli.local.local_stack import operation_name
from incidents_cli.main import cli
from typer.main import get_command

from tests.support import documents, templates

FOLDER = templates.CHECKOUT / "docs" / "runbooks"
PAGES = {path.name: path.read_text() for path in sorted(FOLDER.glob("*.md"))}
PARAMETERS = templates.service()["Parameters"]
each_page = pytest.mark.parametrize("page", PAGES)


def resources(kind: str) -> dict[str, dict[str, object]]:
    """Return the properties of all resources of a type in all templates, by file and logical id."""
    return {
        f"{path.name}:{name}": one["Properties"]
        for path in (templates.CHECKOUT / "template.yaml", *sorted((templates.CHECKOUT / "infra").glob("*.yaml")))
        for name, one in templates.read(path)["Resources"].items()
        if one["Type"] == kind
    }


def names(properties: dict[str, object], member: str) -> str:
    value = properties[member]
    text = value["Fn::Sub"] if isinstance(value, dict) else str(value)
    return re.sub(r"^\$\{(?:Stage|Prefix|AWS::StackName)\}-", "", text)


def test_every_alarm_has_its_runbook_section_and_links_to_it() -> None:
    alarms = resources("AWS::CloudWatch::Alarm")
    expected = {names(properties, "AlarmName") for properties in alarms.values()}
    sections = re.split(r"^## ", PAGES["alarms.md"], flags=re.MULTILINE)[1:]
    assert {section.splitlines()[0] for section in sections} == expected
    for section in sections:
        assert "**Means:**" in section
        assert re.search(r"^1\. |\]\(dead-letters\.md#", section, flags=re.MULTILINE), (
            f"the section must say what to do: {section[:40]}"
        )
    for properties in alarms.values():
        pointer = f" Runbook: docs/runbooks/alarms.md#{names(properties, 'AlarmName')}"
        assert str(properties["AlarmDescription"]).endswith(f".{pointer}")


@each_page
def test_every_command_in_a_runbook_exists_with_its_options(page: str) -> None:
    quoted = [
        *re.findall(r"`(incidents [^`]+)`", PAGES[page]),
        *re.findall(r"^(?:uv run )?(incidents .+)$", PAGES[page], re.M),
    ]
    for line in quoted:
        words = shlex.split(line.split("#")[0].split(">")[0], comments=False)[1:]
        command = get_command(cli)
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]  # type: ignore[attr-defined]
        known = {option for parameter in command.params for option in parameter.opts}
        assert not hasattr(command, "commands"), line
        assert {word for word in words if word.startswith("--")} <= known, line


def test_every_deployment_in_the_documents_follows_a_build() -> None:
    """Without a build, `sam deploy` deploys the sources without the libraries that the functions import."""
    pages = [documents.README, *documents.PAGES.values()]
    blocks = [
        block for page in pages for block in re.findall(r"^```\w+\n(.*?)^```", page, flags=re.DOTALL | re.MULTILINE)
    ]
    deployments = [block.partition("sam deploy")[0] for block in blocks if "sam deploy" in block]
    assert len(deployments) >= 7
    for before in deployments:
        assert "incidents build" in before, before


@each_page
def test_every_parameter_queue_and_log_group_in_a_runbook_exists(page: str) -> None:
    text = PAGES[page]
    listed = [
        name
        for row in re.findall(r"^\| (`[A-Z].*?) \|", text, flags=re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    ]
    for name in [*re.findall(r"[`\"]([A-Z][A-Za-z]+)=", text), *listed]:
        assert name in {*PARAMETERS, "CreatesHistory"}, name  # this parameter belongs to infra/delivery.yaml
    queues = {names(one, "QueueName") for one in resources("AWS::SQS::Queue").values()}
    others = {
        "metrics",
        "deadlines",
        "history",
        "restored-",
    }  # these are names of schedules, and the beginning of a restored table's name
    for name in re.findall(r"\$STACK-([a-z-]+)", text):
        assert name in queues | others, name
    functions = {operation_name(name) for name in templates.functions()}
    for name in re.findall(r"`/\$STACK/(\w+)`", text):
        assert name in functions, name


@each_page
def test_every_file_in_a_runbook_exists(page: str) -> None:
    for name in re.findall(r"`((?:functions|infra|tests)/[\w/.-]+)`", PAGES[page]):
        assert (templates.CHECKOUT / name).exists(), name
    for name in re.findall(r"`(\w+\.(?:py|yaml|toml))`", PAGES[page]):
        assert list(Path(templates.CHECKOUT).glob(name)) or list((templates.CHECKOUT / "functions").rglob(name)), name


@each_page
def test_no_runbook_names_an_account(page: str) -> None:
    assert not re.search(r"\b[0-9]{12}\b", PAGES[page].replace("111122223333", ""))


def test_every_reason_of_a_dead_letter_in_the_runbook_is_a_text_of_the_code() -> None:
    code = "\n".join(path.read_text() for path in sorted((templates.CHECKOUT / "functions").rglob("*.py")))
    table = PAGES["dead-letters.md"].partition("| reason |")[2].partition("\n\n")[0]
    reasons = re.findall(r"^\| `([^`]+)`", table, flags=re.MULTILINE)
    assert len(reasons) == 9
    for reason in reasons:
        for part in reason.split(" ... "):
            assert part.removesuffix(" ...") in code, reason
