"""Prepares every measurement: a table and a process for each subject, and the recorded scenes to replay."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
from incidents.storage.account_map import AccountMap

from tests.benchmarks import artifacts, canned, documents
from tests.benchmarks.artifacts import OURS, Subject
from tests.support import dynamodb_local, recorded, templates

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

WORKER = Path(__file__).parent / "worker.py"
INCIDENTS = 101  # each table has a page of 100 incidents, and one more for a next page


class Scene(NamedTuple):
    """A kind of request that every subject answers."""

    operation: str
    limit: int = 50

    def __str__(self) -> str:
        return f"list {self.limit}" if self.operation == "list" else self.operation


SCENES = (Scene("get"), Scene("create"), Scene("update"), Scene("list", 50), Scene("list", 100))
OWN_SCENES = (Scene("changes"), Scene("deadlines"), Scene("updates", 50), Scene("ingest"))
"""The requests that only this service answers."""


class Bench(NamedTuple):
    """All subjects, tables and servers, ready for the measurements."""

    subjects: list[Subject]
    runtime: Path
    dynamodb_url: str
    canned_url: str
    incident_ids: dict[str, str]

    def environment(self, subject: Subject, url: str) -> dict[str, str]:
        """Return the environment variables of a subject's process.

        Outside Lambda, Tracer sends nothing. So a subject with Tracer costs less here than on Lambda.
        """
        return {
            "AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_ENDPOINT_URL_DYNAMODB": url,
            "TABLE_NAME": table_of(subject), "CURSOR_KEY": "the key of the benchmarks", "FEED_SETTLE_SECONDS": "0",
            "POWERTOOLS_SERVICE_NAME": "incidents", "POWERTOOLS_LOG_LEVEL": "INFO",
            # On Lambda, a function cannot write byte code to /var/task.
            "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0",
        }  # fmt: skip

    def event(self, subject: Subject, scene: Scene) -> dict[str, Any]:
        named = scene.operation in ("get", "update", "changes", "deadlines")
        return documents.event(scene.operation, self.incident_ids[subject.name] if named else "", scene.limit)

    def set_scene(self, subject: Subject, scene: Scene, *, record: bool = False) -> None:
        canned.scene(self.canned_url, f"{subject.name}: {scene}", record=record)

    @contextmanager
    def worker(self, subject: Subject, place: Path, url: str, *options: str) -> Iterator["Worker"]:
        """Run a subject from its folder in a separate process, with DynamoDB at this URL, and yield the worker."""
        command = (sys.executable, "-P", "-s", "-S", str(WORKER), str(place), str(self.runtime), *options)
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=self.environment(subject, url)
        ) as process:
            yield Worker(process)
            assert process.stdin is not None
            process.stdin.close()


class Worker:
    """A process that runs the artifact of one subject."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def ask(self, **request: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        said: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert said.get("status", 200) in (200, 201), said
        return said


def table_of(subject: Subject) -> str:
    return "".join(one for one in subject.name if one.isalnum())


@contextmanager
def ready(folder: Path) -> Iterator[Bench]:
    """Yield the bench, ready for all measurements.

    Before, build the subjects, start DynamoDB Local and the canned server, fill the tables and record every scene.
    """
    subjects, runtime = artifacts.build(folder), artifacts.runtime(folder)
    with ExitStack() as stack:
        url = stack.enter_context(dynamodb_local.running())
        bench = Bench(subjects, runtime, url, stack.enter_context(canned.serving(url)), {})
        client = boto3.client(
            "dynamodb", endpoint_url=url, region_name="eu-central-1", aws_access_key_id="local",
            aws_secret_access_key="local",
        )  # fmt: skip
        for subject in subjects:
            client.create_table(TableName=table_of(subject), **templates.table(), **templates.stream())
            _fill(bench, subject, client)
            _record(bench, subject)
        yield bench


def _fill(bench: Bench, subject: Subject, client: "DynamoDBClient") -> None:
    with bench.worker(subject, subject.compiled, bench.dynamodb_url) as worker:
        worker.ask(load=subject.module("create"))
        made = worker.ask(calls=INCIDENTS, event=documents.event("create"))
    bench.incident_ids[subject.name] = json.loads(made["body"])["id"]
    if subject.name == OURS:
        AccountMap(client, table_of(subject)).link(recorded.ACCOUNT, documents.TENANT)


def _record(bench: Bench, subject: Subject) -> None:
    """Record every scene of a subject, and check the subject's answers."""
    for scene in SCENES:
        bench.set_scene(subject, scene, record=True)
        with bench.worker(subject, subject.compiled, bench.canned_url) as worker:
            worker.ask(load=subject.module(scene.operation))
            body = json.loads(worker.ask(calls=1, event=bench.event(subject, scene))["body"])
        shown = body["items"] if scene.operation == "list" else [body]
        assert len(shown) == (scene.limit if scene.operation == "list" else 1), (subject.name, scene)
        for incident in shown:
            _check(incident, subject, patched=scene.operation == "update")
        assert scene.operation != "list" or body["next_cursor"]


def _check(incident: dict[str, Any], subject: Subject, *, patched: bool) -> None:
    wanted = documents.INCIDENT | {"app_id": documents.APP, "tenant_id": documents.TENANT, "schema_version": 1}
    changed = set(documents.PATCH)
    for field, value in wanted.items():
        if field in changed and (patched or incident[field] != value):
            # The update is recorded before the lists, so a list shows the changed incident.
            assert incident[field] != value, (subject.name, field)
        else:
            got = incident[field]
            assert got == value or (field == "financial_impact" and float(got) == value), (subject.name, field, got)
