"""Reads the recorded tables of past releases (``tests/releases``), and the answers that each release gave.

``<version>.jsonl`` begins with a header that has the release and the number of items of each kind. After the header,
the file has one item a line in DynamoDB's notation, sorted by key. The class ``Release`` describes
``<version>.answers.json``.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import get_incident
import get_incident_metrics
import list_incident_changes
import list_incidents
import pytest
from incidents.storage import stored_form
from incidents_cli.operate.tenants.reading import batches

from tests.support.events import Context, changes_event, claims, get_event, list_event, metrics_event
from tests.support.templates import CHECKOUT

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

FOLDER = CHECKOUT / "tests" / "releases"
BATCH = 25  # BatchWriteItem takes at most 25 items

Item = dict[str, Any]
Caller = dict[str, str]
"""The arguments of the function ``claims``."""


class Question(NamedTuple):
    """A request that only reads. ``incident_id`` is empty if the path has no id."""

    operation: str
    caller: Caller
    incident_id: str
    parameters: dict[str, str]


class Recorded(NamedTuple):
    """A question and the body of its answer."""

    question: Question
    body: str


class Replay(NamedTuple):
    """A create with an idempotency key, as it was sent, and the id of the incident that it created."""

    caller: Caller
    key: str
    sent: dict[str, Any]
    incident_id: str


class Release(NamedTuple):
    """A release's table, and the answers that the release gave from this table.

    ``moment`` is the time of the answers, in milliseconds since 1970. ``computed`` has the answers after the release
    computed the days that are still marked in the table.
    """

    version: str
    kinds: dict[str, int]
    items: list[Item]
    moment: int
    answers: list[Recorded]
    computed: list[Recorded]
    replays: list[Replay]


def load(client: "DynamoDBClient", table_name: str, version: str = "0.1.0") -> Release:
    """Put a release's items into an empty table, and return the release."""
    release = read(version)
    for some in batches(release.items, BATCH):
        puts = [{"PutRequest": {"Item": item}} for item in some]
        answer = client.batch_write_item(RequestItems={table_name: puts})  # type: ignore[dict-item]
        assert answer["UnprocessedItems"] == {}
    return release


def read(version: str) -> Release:
    with (FOLDER / f"{version}.jsonl").open(encoding="utf-8") as lines:
        header, *items = map(json.loads, lines)
    told = json.loads((FOLDER / f"{version}.answers.json").read_text(encoding="utf-8"))
    return Release(
        header["release"], header["items"], items, told["moment"], _answers(told["answers"]),
        _answers(told["computed"]), [Replay(**one) for one in told["replays"]],
    )  # fmt: skip


def ask(question: Question) -> Recorded:
    """Send a question to the code of this checkout, and return the answer."""
    caller, parameters = claims(**question.caller), question.parameters
    match question.operation:
        case "get_incident":
            told = get_incident.handler(get_event(question.incident_id, caller=caller), Context)
        case "list_incident_changes":
            event = changes_event(question.incident_id, caller=caller, **parameters)
            told = list_incident_changes.handler(event, Context)
        case "list_incidents":
            told = list_incidents.handler(list_event(caller, **parameters), Context)
        case "get_incident_metrics":
            told = get_incident_metrics.handler(metrics_event(caller, **parameters), Context)
    assert told["statusCode"] == 200, told["body"]
    return Recorded(question, told["body"])


@contextmanager
def without_hashes() -> Iterator[None]:
    """Let the functions write no hashes within the block, as release 0.1.0 did."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stored_form, "chained", lambda change, *_: change)
        patch.setattr(stored_form, "chain_head", lambda _: {})
        yield


def kind(item: Item) -> str:
    """Return the kind of an item, as the drawing in the module ``keys`` names it."""
    pk, sk = item["pk"]["S"], item["sk"]["S"]
    if pk.startswith("METRICDUE#"):
        return "marked day"
    if pk == "ACCOUNTS":
        return "producer" if "#" in sk else "account"
    if not pk.endswith("#METRIC"):
        return str(pk.rpartition("#")[2]).lower()
    if sk.startswith("DAY#"):
        return "metric day"
    return "bucket" if sk.endswith(item["day"]["S"]) else "part"


def _answers(told: list[dict[str, Any]]) -> list[Recorded]:
    return [Recorded(Question(**one["question"]), one["body"]) for one in told]
