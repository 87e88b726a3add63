"""Tests of the filters of a list against brute force, on AWS's own DynamoDB Local."""

import itertools
import json
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from incidents import queries
from incidents.domain import model
from incidents.domain.identity import Identity
from incidents.domain.questions import FILTERS
from incidents.edges import parameters
from incidents.storage import stored_form
from incidents.storage.incident_repository import IncidentRepository
from ulid import ULID

from tests.support import oracle, scale
from tests.support.oracle import Actor, Document, Life, PlainService
from tests.unit.test_filters import everything

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TENANTS = scale.of(short=200, full=2_000)
APPS = (None, None, "scanner", "portal")
WORDS = ("Laptop", "STRASSE", "stra\u00dfe", "\u00c9t\u00e9", "INC", "phishing", "fish", "a")
IDS = ("i-1", "I-1", "arn:aws:s3:::bucket", "i-10")
MOMENTS = [f"2026-03-0{day}T12:00:00.000Z" for day in range(1, 5)]


def incident(chance: Random, tenant: str, n: int) -> Document:
    """Return an incident with random values. About half of the optional values are unset."""

    def maybe(*values: str) -> str | None:
        return chance.choice((None, *values)) if chance.random() < 0.8 else None

    status = chance.choice(model.STATUSES)
    gone = chance.random() < 0.2
    lists = {name: chance.sample(IDS, chance.choice((0, 0, 1, 2))) for name in oracle.LISTS}
    app = chance.choice(APPS)
    moment = f"2026-02-0{1 + n % 9}T00:00:0{n % 10}.000Z"
    stamps = {"created_at": moment, "updated_at": moment, "created_by": "ada", "updated_by": "ada", "version": 1}
    return model.unset_fields() | lists | stamps | ({"app_id": app} if app else {}) | {
        "id": f"inc_{ULID.from_timestamp(1_770_000_000 + 86_400 * n + chance.random())}", "tenant_id": tenant,
        "schema_version": 1, "source_type": "api", "incident_number": f"INC-2026-{n:06d}",
        "title": " ".join(chance.sample(WORDS, chance.choice((1, 2, 3)))), "status": status,
        "severity": maybe(*model.SEVERITIES), "category": maybe("phishing", "malware"), "owner_id": maybe("ada", "bob"),
        "source": chance.choice(("edm", "splunk")), "detected_at": maybe(*MOMENTS), "is_deleted": gone,
        "closed_at": MOMENTS[3] if status == "closed" else None,
    }  # fmt: skip


def drawn(chance: Random) -> Document:
    """Return one to four random filters with values that incidents may have."""
    some: dict[str, Callable[[], Any]] = {
        "status": lambda: chance.sample(model.STATUSES, chance.choice((1, 2, 4))),
        "severity": lambda: chance.sample(model.SEVERITIES, 2),
        "category": lambda: [chance.choice(("phishing", "malware"))],
        "owner_id": lambda: [chance.choice(("ada", "bob"))],
        "source": lambda: [chance.choice(("edm", "splunk"))],
        "app_id": lambda: chance.sample(("scanner", "portal", "other"), chance.choice((1, 2))),
        "detected_from": lambda: MOMENTS[chance.choice((0, 1))],
        "detected_to": lambda: MOMENTS[chance.choice((2, 3))],
        "include_deleted": lambda: chance.choice(("true", "false")),
        "open": lambda: chance.choice(("true", "true", "false")),
        "unowned": lambda: chance.choice(("true", "false")),
        "q": lambda: chance.choice((" ", "  ")).join(chance.choice((str.upper, str.lower, str.title))(word)
                                                    for word in chance.sample(WORDS, chance.choice((1, 1, 2)))),
        "order": lambda: "asc",
        **{name: lambda: chance.sample(IDS, chance.choice((1, 2))) for name in oracle.LIST_OF},
    }  # fmt: skip
    return {name: some[name]() for name in chance.sample(sorted(some), chance.choice((1, 2, 3, 4)))}


def walk(incidents: IncidentRepository, given: Document, limit: int) -> list[Any]:
    query = {name: value if isinstance(value, list) else [value] for name, value in given.items()}
    query["limit"] = [str(limit)]
    seen: list[Any] = []
    while True:
        page = queries.list_incidents(parameters.list_request(query), incidents)
        assert len(page.items) <= limit
        seen += [json.loads(document)["id"] for document in page.items]
        if page.next_cursor is None:
            return seen
        query["cursor"] = [page.next_cursor]


def test_every_filter_selects_what_brute_force_selects_with_every_page_size(
    dynamodb: "DynamoDBClient", table_name: str, promise: Callable[[str, str], None]
) -> None:
    shown = compared = 0
    for number in range(TENANTS):
        chance = Random(number)
        tenant = f"tenant-{number}"
        world = PlainService()
        for n in range(chance.randrange(1, 9)):
            document = incident(chance, tenant, n)
            world.records[document["id"]] = Life(document, [])
        puts: Any = [
            {"PutRequest": {"Item": stored_form.from_incident(life.document)}}  # type: ignore[arg-type]
            for life in world.records.values()
        ]
        assert not dynamodb.batch_write_item(RequestItems={table_name: puts})["UnprocessedItems"]
        for app in (None, chance.choice(APPS)):
            given = drawn(chance)
            wanted = [document["id"] for document in world.select(Actor(tenant, "ada", app), given)]
            if app is None:
                query = {name: value if isinstance(value, list) else [value] for name, value in given.items()}
                filters = parameters.list_request(query).filters
                documents: Any = [life.document for life in world.records.values()]
                accepted = {each["id"] for each in documents if filters.accepts(each)}
                assert accepted == {*wanted}, (number, given)
            incidents = IncidentRepository(Identity(tenant, "ada", app, frozenset()), dynamodb, table_name)
            for limit in range(1, len(world.records) + 2):
                assert walk(incidents, given, limit) == wanted, (number, app, given, limit)
                compared += 1
            shown += len(wanted)
    assert shown > TENANTS / 2, "most lists were empty"
    promise("Filters select what brute force selects", f"{compared:,} lists of {TENANTS:,} tenants: 0 differences")


@pytest.mark.parametrize("include_deleted", ["true", "false"])
@pytest.mark.parametrize("app_id", [None, "app"])
def test_dynamodb_accepts_every_filter_at_its_maximum(
    dynamodb: "DynamoDBClient", table_name: str, include_deleted: str, app_id: str | None
) -> None:
    given = {name: value for name, value in everything().items() if name != "incident_number"}
    given |= {"include_deleted": [include_deleted]}
    if app_id:
        given["app_id"] = [*given["app_id"][1:], app_id]
    incidents = IncidentRepository(Identity("acme", "ada", app_id, frozenset()), dynamodb, table_name)
    values: Document = {
        field: given[name] if field in model.LISTS else given[name][0]
        for name, field in FILTERS.items()
        if name in given
    }
    values["app_id"] = app_id or given["app_id"][0]
    for name, list_ in oracle.LIST_OF.items():
        values[list_] = given[name][-1:]
    item = incident(Random(0), "acme", 1) | values | {
        "title": "AB", "status": "new", "is_deleted": False, "detected_at": MOMENTS[0], "closed_at": None,
        "severity": "low",
    }  # fmt: skip
    given |= {"created_from": ["1970-01-01T00:00:00Z"], "created_to": ["9998-01-01T00:00:00Z"]}
    dynamodb.put_item(TableName=table_name, Item=stored_form.from_incident(item))  # type: ignore[arg-type]

    assert walk(incidents, {name: value for name, value in given.items() if name != "limit"}, 100) == [item["id"]]


def test_the_filters_of_this_test_are_all_filters() -> None:
    names = set(itertools.chain.from_iterable(drawn(Random(n)) for n in range(500)))
    assert names == {*parameters.REPEATABLE, *parameters.SINGLE} - {
        "limit", "cursor", "incident_number", "created_from", "created_to",
    }  # fmt: skip
