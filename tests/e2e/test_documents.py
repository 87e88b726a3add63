"""Tests that run the examples of the README and of the pages under docs on the local stack, as printed."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from grc_client import Add, Client, Incident, PreconditionFailed, Remove, history_faults
from incidents.domain.deadlines import rules

from tests.support import documents, generators, templates
from tests.support.checkout import Checkout

STAMPED = {"id", "created_at", "updated_at", "contained_at", "incident_number"}
CLIENT = documents.PAGES["client.md"]
WRONG_VALUE = """
export const refused = () => client.POST("/api/v1/grc/incidents", {
  // @ts-expect-error: the compiler must refuse this severity
  body: { title: "x", severity: "hgh" },
});
"""


def run(stack: Checkout, script: str, folder: Path = templates.CHECKOUT) -> str:
    """Run a script in bash as a reader of the documents would, and return its output."""
    environment = os.environ | {"INCIDENTS_HOME": str(stack.home)}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env=environment, cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run_each(stack: Checkout, page: str) -> list[str]:
    """Run all bash examples of a page in order, in one script, and return the output of each example."""
    parts = run(stack, "echo; echo ====\n".join(documents.blocks(documents.PAGES[page], "bash"))).split("====")
    return [part.strip() for part in parts]


def in_this_environment(script: str) -> str:
    """Return a script that calls the command of this environment.

    Outside the checkout, `uv run` would not find the command.
    """
    return script.replace("uv run incidents", str(Path(sys.executable).with_name("incidents")))


def without_stamps(answer: str) -> dict[str, object]:
    return {name: value for name, value in json.loads(answer).items() if name not in STAMPED}


def test_the_call_of_the_readme_gives_the_answer_that_it_shows(stack: Checkout) -> None:
    (call,) = [block for block in documents.blocks(documents.README, "bash") if "curl" in block]
    (answer,) = documents.blocks(documents.README, "json")

    seen = run(stack, call)

    assert list(json.loads(seen)) == list(json.loads(answer))
    assert without_stamps(seen) == without_stamps(answer)


def test_the_examples_of_the_api_page_run_one_after_the_other(stack: Checkout) -> None:
    (answer,) = documents.blocks(documents.PAGES["api.md"], "json")

    nothing, complete, created, got, updated, edited, deleted, listed, changes, events, updates = run_each(
        stack, "api.md"
    )

    assert nothing == ""
    assert list(json.loads(complete)) == list(json.loads(answer))
    assert without_stamps(complete) == without_stamps(answer)
    assert (created, "304 Not Modified" in got, 'etag: "1"' in got) == ("", True, True)
    incident = json.loads(updated)
    assert (incident["status"], incident["owner_id"], incident["tags"]) == ("investigating", "team-red", [])
    assert json.loads(edited)["tags"] == ["gdpr", "physical"]
    restored = json.loads(deleted)
    assert (restored["id"], restored["is_deleted"]) == (incident["id"], False)
    assert incident["id"] in [one["id"] for one in json.loads(listed)["items"]]
    actions = [one["action"] for one in json.loads(changes)["items"]]
    assert actions == ["created", "updated", "updated", "deleted", "restored"]
    assert json.loads(events) == {"items": [], "next_cursor": None}
    assert list(json.loads(updates)) == ["items", "next_cursor", "caught_up"]


def test_the_example_of_the_metrics_page_runs(stack: Checkout) -> None:
    (measured,) = run_each(stack, "metrics.md")

    answer = json.loads(measured)
    assert "definitions" in answer
    assert answer["pending_days"] > 0 or answer["open"]["n"] > 0  # the schedule may already have computed the day


def test_the_example_of_the_import_page_runs(stack: Checkout) -> None:
    imported, mapped = run_each(stack, "import.md")

    assert imported.startswith("created        2\n")
    assert mapped.split() == ["valid", "2", "failed", "0"]


def test_the_example_of_the_findings_page_runs(stack: Checkout) -> None:
    (explained,) = run_each(stack, "findings.md")

    assert explained.startswith("adapter        guardduty")
    assert "acme (account 111122223333)" in explained


def test_the_examples_of_the_mapping_page_run(stack: Checkout) -> None:
    tried, stored = run_each(stack, "mapping.md")

    assert '"title": "Max sign in attempts exceeded by eve@example.com"' in tried
    assert stored == ""
    (only,) = json.loads(stack.answer("intake", "mappings", "--tenant", "acme")).values()
    assert only["name"] == "okta"


def test_the_example_of_the_intake_page_runs(stack: Checkout) -> None:
    (shown,) = run_each(stack, "intake.md")

    assert '"posture": "critical"' in shown
    assert '"prowler.*"' in shown


def test_the_examples_of_the_deadlines_page_run(stack: Checkout) -> None:
    recorded, board, shown = run_each(stack, "deadlines.md")

    (regime,) = json.loads(recorded[recorded.rindex('{"incident_id"') :])["regimes"]
    authority = regime["stages"][0]
    assert (regime["named"], regime["regime"]) == ("GDPR", "eu-gdpr")
    assert (authority["state"], authority["reference"]) == ("submitted", "A-17")
    assert authority["due_at"] == "2026-11-23T17:00:00.000Z"
    assert set(json.loads(board)) == {"items", "next_cursor"}
    assert '"zone": "Europe/Paris"' in shown

    (own,) = documents.blocks(documents.PAGES["deadlines.md"], "json")
    rules.check_own(json.loads(own))


def test_the_key_of_the_local_stack_reaches_other_tools_as_the_commands_page_says(stack: Checkout) -> None:
    page = documents.PAGES["commands.md"]
    (variables,), (code,) = documents.blocks(page, "bash"), documents.blocks(page, "python")
    check = "import boto3; print(*boto3.client('sqs').list_queues()['QueueUrls'])"

    listed = run(stack, f'{in_this_environment(variables)}\n{sys.executable} -c "{check}"\n')
    assert stack.status["queue_url"] in listed.split()
    assert run(stack, f"{sys.executable} - <<'EOF'\n{code}\nEOF\n") == "ACTIVE\n"


def test_the_example_of_the_tokens_page_prints_two_tokens(stack: Checkout) -> None:
    (tokens,) = run_each(stack, "tokens.md")

    assert [token.count(".") for token in tokens.splitlines()] == [2, 2]


def test_the_python_example_runs(stack: Checkout, tmp_path: Path) -> None:
    code = documents.blocks(CLIENT, "python")[0]
    # Without these arguments, the client takes the URL and the token of the local stack from the environment.
    where = '"https://api.example", token="eyJ..."'
    assert where in code
    (tmp_path / "example.py").write_text(code.replace(where, ""))
    setup = documents.blocks(CLIENT, "bash")[0].replace("--tenant acme", "--tenant readers")

    printed = run(stack, f"{in_this_environment(setup)}\n{sys.executable} -W error example.py\n", tmp_path)

    assert printed.startswith("INC-")


def test_the_other_examples_of_the_client_page_keep_what_others_write_and_find_no_fault(stack: Checkout) -> None:
    _, edit, loop, check = documents.blocks(CLIENT, "python")
    assert len(loop.splitlines()) == 5
    with Client(stack.status["api_url"], stack.token("readers")) as client:
        made = client.grc.incidents.create(title="A list", tags=["first"])
        changed_meanwhile = iter([True, False])

        class Raced:
            def get(self, incident_id: str) -> Incident:
                incident = client.grc.incidents.get(incident_id)
                if next(changed_meanwhile):
                    client.grc.incidents.update(incident_id, tags=["first", "of somebody else"])
                return incident

            update = client.grc.incidents.update

        raced = SimpleNamespace(grc=SimpleNamespace(incidents=Raced()))
        exec(loop, {"client": raced, "incident_id": made.id} | {  # noqa: S102
            "suppress": suppress, "PreconditionFailed": PreconditionFailed})  # fmt: skip

        after = client.grc.incidents.get(made.id)
        assert (after.tags, after.title) == (("first", "of somebody else"), f"{made.title} (confirmed)")

        names = {"client": client, "incident_id": made.id, "Add": Add, "Remove": Remove}
        client.grc.incidents.update(made.id, tags=Add("triage"))
        exec(edit, names)  # noqa: S102

        assert client.grc.incidents.get(made.id).tags == ("first", "of somebody else", "gdpr")
        exec(check, names | {"history_faults": history_faults})  # noqa: S102


def test_the_typescript_example_compiles_strictly_and_runs(stack: Checkout, tmp_path: Path) -> None:
    if missing := [program for program in ("node", "npm") if shutil.which(program) is None]:
        pytest.skip(f"the TypeScript example needs {' and '.join(missing)} on the PATH")
    setup, install, generate, compile_and_run = documents.blocks(CLIENT, "bash")
    example, money = documents.blocks(CLIENT, "typescript")
    (tmp_path / "example.ts").write_text(example + money + WRONG_VALUE)
    generators.link_node_modules(install, tmp_path)
    setup = in_this_environment(setup.replace("--tenant acme", "--tenant readers"))

    printed = run(stack, f"{setup}\n{generate}\n{compile_and_run}", tmp_path)

    created, changed, *listed, refused, amount = printed.partition("INC-")[2].splitlines()
    assert (created.endswith(" new"), changed, len(listed) > 0) == (True, "200 investigating", True)
    assert refused == "get a new token: { message: 'Unauthorized' }"
    assert amount == "999999999999999.9999"
