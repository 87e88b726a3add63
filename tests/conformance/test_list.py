"""Tests of lists on AWS's own DynamoDB Local: paging, and the cost of a page for a tenant of any size."""

import json
import random
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import pytest
from incidents import queries
from incidents.commands import creating, deleting, updating
from incidents.domain import errors, model, timestamps, wire_form
from incidents.domain.identity import Identity
from incidents.domain.model import Incident
from incidents.domain.wire_form import JsonPage
from incidents.edges import parameters
from incidents.edges.parameters import LIMIT_DEFAULT
from incidents.storage import page_reader, stored_form
from incidents.storage.incident_repository import IncidentRepository
from ulid import ULID

from tests.support import scale

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SOME_TIME = 1_700_000_000_000
LARGE_TENANT = scale.of(short=5_000, full=30_000)


def fill(client: "DynamoDBClient", table: str, tenant: str, count: int, **values: Any) -> list[str]:
    """Store incidents one second apart, as a create would, and return their ids, oldest first.

    A field's value may be a list of texts. Then each incident gets the next text of the list.
    """
    ids = [f"inc_{ULID.from_timestamp((SOME_TIME + n * 1000) / 1000)}" for n in range(count)]
    puts: list[Any] = []
    for n, incident_id in enumerate(ids):
        stamps = {
            "id": incident_id,
            "tenant_id": tenant,
            "created_at": "t",
            "updated_at": timestamps.from_milliseconds(SOME_TIME + n * 1000),
            "created_by": "ada",
            "version": 1,
        }
        usual = {"title": "An incident " * 20, "status": "new", "schema_version": 1, "description": "words " * 200}
        own = {field: value[n % len(value)] if isinstance(value, list) else value for field, value in values.items()}
        incident = cast("Incident", model.unset_fields() | stamps | usual | own)
        puts.append({"PutRequest": {"Item": stored_form.from_incident(incident)}})
    for start in range(0, count, 25):
        answer = client.batch_write_item(RequestItems={table: puts[start : start + 25]})
        assert not answer["UnprocessedItems"]
    return ids


def walk(incidents: IncidentRepository, **given: Any) -> tuple[list[str], int]:
    """Read all pages of a list, and return the ids of the incidents and the number of pages."""
    query = {name: value if isinstance(value, list) else [str(value)] for name, value in given.items()}
    seen, pages = [], 0
    while pages == 0 or "cursor" in query:
        page = queries.list_incidents(parameters.list_request(query), incidents)
        seen += ids_of(page)
        pages += 1
        query.pop("cursor", None)
        if page.next_cursor:
            query["cursor"] = [page.next_cursor]
    return seen, pages


def ids_of(page: JsonPage) -> list[str]:
    return [json.loads(document)["id"] for document in page.items]


@pytest.fixture
def metered(dynamodb: "DynamoDBClient") -> Iterator[list[dict[str, Any]]]:
    """Yield a list that collects the answer to each query. An answer includes its count of items and its cost."""
    answers: list[dict[str, Any]] = []

    def ask(params: dict[str, Any], **_: object) -> None:
        params["ReturnConsumedCapacity"] = "TOTAL"

    def note(parsed: dict[str, Any], **_: object) -> None:
        answers.append(parsed)

    dynamodb.meta.events.register("provide-client-params.dynamodb.Query", ask)
    dynamodb.meta.events.register("after-call.dynamodb.Query", note)
    yield answers
    dynamodb.meta.events.unregister("provide-client-params.dynamodb.Query", ask)
    dynamodb.meta.events.unregister("after-call.dynamodb.Query", note)


def test_a_first_page_costs_the_same_for_a_large_tenant_as_for_100_incidents(
    dynamodb: "DynamoDBClient", table_name: str, metered: list[dict[str, Any]]
) -> None:
    costs: dict[str, dict[str, float]] = {}
    for tenant, count in (("small", 100), ("large", LARGE_TENANT)):
        ids = fill(dynamodb, table_name, tenant, count, status=["new", "new", "review"], app_id="soc-portal")
        fill(dynamodb, table_name, f"{tenant}-deleted", 10, is_deleted=True)
        repository = IncidentRepository(Identity(tenant, "ada", None, frozenset()), dynamodb, table_name)
        costs[tenant] = {}
        selections = {
            "": ids,
            "status": [one for n, one in enumerate(ids) if n % 3 != 2],
            "app_id": ids,
            "created_to": ids[:90],
        }
        values = {
            "status": "new",
            "app_id": "soc-portal",
            "created_to": timestamps.from_milliseconds(SOME_TIME + 89_000),
        }
        for name, selected in selections.items():
            metered.clear()

            found = queries.list_incidents(parameters.list_request({name: [values[name]]} if name else {}), repository)

            assert ids_of(found) == selected[: -LIMIT_DEFAULT - 1 : -1]
            (answer,) = metered
            assert answer["ScannedCount"] == answer["Count"] == min(LIMIT_DEFAULT + 1, len(selected))
            costs[tenant][name] = answer["ConsumedCapacity"]["CapacityUnits"]
    assert costs["small"] == costs["large"]
    assert min(costs["large"].values()) > 0


def test_deleted_incidents_add_no_cost_to_an_ordinary_list(
    dynamodb: "DynamoDBClient", table_name: str, acme: IncidentRepository, metered: list[dict[str, Any]]
) -> None:
    fill(dynamodb, table_name, "acme", 1_000, is_deleted=True)

    for given in ({}, {"status": ["new"]}):
        metered.clear()
        assert queries.list_incidents(parameters.list_request(given), acme) == JsonPage([], None)
        (answer,) = metered
        assert answer["ScannedCount"] == 0
        assert answer["ConsumedCapacity"]["CapacityUnits"] <= 0.5
    assert len(walk(acme, include_deleted="true", limit=100)[0]) == 1_000


def test_a_list_with_few_matches_stops_at_its_read_limit_and_continues(
    dynamodb: "DynamoDBClient", table_name: str, acme: IncidentRepository, metered: list[dict[str, Any]]
) -> None:
    ids = fill(
        dynamodb, table_name, "acme", 2_500, description=None, title="x", category=["other"] * 2_499 + ["phishing"]
    )
    assert len(ids) == 2_500

    first = queries.list_incidents(parameters.list_request({"category": ["phishing"], "order": ["asc"]}), acme)

    assert first.items == []
    assert first.next_cursor
    assert sum(answer["ScannedCount"] for answer in metered) == 1_000
    seen, pages = walk(acme, category="phishing", order="asc")
    assert (seen, pages) == ([ids[-1]], 3)


def test_a_filtered_list_reads_about_a_megabyte_before_it_answers(
    dynamodb: "DynamoDBClient", table_name: str, acme: IncidentRepository, metered: list[dict[str, Any]]
) -> None:
    fill(dynamodb, table_name, "acme", 100, description="x" * 30_000)

    page = queries.list_incidents(parameters.list_request({"category": ["phishing"]}), acme)

    assert page.items == []
    assert page.next_cursor
    assert 128 <= sum(answer["ConsumedCapacity"]["CapacityUnits"] for answer in metered) < 2 * 128 + 8


def test_the_read_limit_applies_to_several_partitions_together(
    dynamodb: "DynamoDBClient", table_name: str, acme: IncidentRepository, metered: list[dict[str, Any]]
) -> None:
    apps = [f"app-{n}" for n in range(10)]
    ids = fill(dynamodb, table_name, "acme", 200, description="x" * 30_000, app_id=apps)

    queries.list_incidents(parameters.list_request({"app_id": apps, "limit": ["100"]}), acme)

    assert sum(answer["ConsumedCapacity"]["CapacityUnits"] for answer in metered) < 2 * 128
    metered.clear()
    queries.list_incidents(parameters.list_request({"app_id": apps, "limit": ["1"]}), acme)
    assert sum(answer["ScannedCount"] for answer in metered) <= 20
    assert walk(acme, app_id=apps, limit=100)[0] == ids[::-1]


def test_an_incident_that_changes_partition_during_a_list_appears_once_as_it_is_now(
    acme: IncidentRepository, dynamodb: "DynamoDBClient"
) -> None:
    incident_id = creating.create_incident({"title": "x"}, acme).stored.incident["id"]
    queried = 0

    def move(**_: object) -> None:
        nonlocal queried
        queried += 1
        if queried == 2:
            updating.update_incident(incident_id, {"status": "investigating"}, None, acme)

    dynamodb.meta.events.register("before-call.dynamodb.Query", move)
    try:
        page = queries.list_incidents(parameters.list_request({"status": ["new", "investigating"]}), acme)
    finally:
        dynamodb.meta.events.unregister("before-call.dynamodb.Query", move)

    assert [json.loads(document)["status"] for document in page.items] == ["investigating"]


@pytest.mark.parametrize("given", [{"open": ["true"]}, {"status": ["contained", "new", "investigating"]}])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_an_open_incident_that_changes_its_status_all_the_time_is_on_its_page(
    dynamodb: "DynamoDBClient", acme: IncidentRepository, given: dict[str, list[str]], order: str
) -> None:
    """Before each query of a status, the incident gets another status. So none of these queries finds the incident."""
    ids = [creating.create_incident({"title": f"{n}"}, acme).stored.incident["id"] for n in range(8)]
    deleting.delete_incident(ids[0], None, acme)
    ids = sorted(ids[1:], reverse=order == "desc")
    restless = ids[3]

    def move(params: dict[str, Any], **_: object) -> None:
        asked = params["ExpressionAttributeValues"].get(":partition", {}).get("S", "").rpartition("#STATUS#")[2]
        if asked:
            status = "investigating" if asked != "investigating" else "contained"
            updating.update_incident(restless, {"status": status}, None, acme)

    dynamodb.meta.events.register("provide-client-params.dynamodb.Query", move, "rival")
    try:
        assert walk(acme, order=order, limit=3, **given) == (ids, 3)
        assert walk(acme, order=order, limit=100, **given) == (ids, 1)
        assert walk(acme, order=order, limit=3, severity="low", **given)[0] == []
    finally:
        dynamodb.meta.events.unregister("provide-client-params.dynamodb.Query", unique_id="rival")


def test_a_list_of_several_statuses_costs_one_more_small_query_in_a_quiet_tenant(
    dynamodb: "DynamoDBClient", table_name: str, acme: IncidentRepository, metered: list[dict[str, Any]]
) -> None:
    fill(dynamodb, table_name, "acme", 60, status=["new", "review"])

    found = queries.list_incidents(parameters.list_request({"status": ["new", "review"], "limit": ["10"]}), acme)

    assert len(found.items) == 10
    assert [answer["ScannedCount"] for answer in metered] == [6, 6, 0]
    assert metered[-1]["ConsumedCapacity"]["CapacityUnits"] <= 0.5


def test_a_page_ends_early_if_too_many_incidents_change(
    acme: IncidentRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_reader, "MOVED_READ", 2)
    ids = [creating.create_incident({"title": f"{n}"}, acme).stored.incident["id"] for n in range(9)]
    for each in ids:
        updating.update_incident(each, {"status": "closed", "severity": "low"}, None, acme)
    for each in ids[4:]:
        updating.update_incident(each, {"status": "review"}, None, acme)

    assert walk(acme, open="true", limit=4)[0] == sorted(ids[4:], reverse=True)
    assert walk(acme, open="true", limit=4, order="asc")[0] == sorted(ids[4:])


def test_a_list_of_several_statuses_works_without_the_index_of_updates(
    acme: IncidentRepository, dynamodb: "DynamoDBClient"
) -> None:
    incident_id = creating.create_incident({"title": "x"}, acme).stored.incident["id"]

    def drop(params: dict[str, Any], **_: object) -> None:
        if params.get("IndexName") == "by-updated":
            params["IndexName"] = "by-updated-missing"

    dynamodb.meta.events.register("provide-client-params.dynamodb.Query", drop, "no index")
    try:
        assert walk(acme, open="true") == ([incident_id], 1)
    finally:
        dynamodb.meta.events.unregister("provide-client-params.dynamodb.Query", unique_id="no index")


def test_no_page_exceeds_lambda_s_limit(acme: IncidentRepository) -> None:
    worst = {"title": "x", "description": "x" + "\n" * 31_500, "root_cause": "x" + "\n" * 31_500}
    for _ in range(60):
        creating.create_incident(worst, acme)
    incident_id = creating.create_incident({"title": "x"}, acme).stored.incident["id"]
    for n in range(40):
        updating.update_incident(
            incident_id, dict.fromkeys(["description", "root_cause"], "\t\n"[n % 2] * 31_500), None, acme
        )

    for page in (
        queries.list_incidents(parameters.list_request({"limit": ["100"]}), acme),
        queries.list_incident_changes(incident_id, parameters.changes_request({"limit": ["100"]}), acme),
    ):
        assert page.next_cursor
        assert 2_000_000 < len(json.dumps(wire_form.dump_page(page))) < 6_000_000
    assert len(walk(acme, limit=100)[0]) == 61


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 7, 100])
def test_several_partitions_are_merged_in_order(
    dynamodb: "DynamoDBClient", table_name: str, acme: IncidentRepository, order: str, limit: int
) -> None:
    turns = ["new", "new", "review", "closed", "new", "contained"]
    ids = fill(dynamodb, table_name, "acme", 60, status=turns, severity=["low", "high", None, "high", "low"])
    wanted = [incident_id for n, incident_id in enumerate(ids) if turns[n % 6] in ("new", "closed") and n % 5 in (1, 3)]

    seen, _ = walk(acme, status=["closed", "new"], severity="high", order=order, limit=limit)

    assert seen == (wanted if order == "asc" else wanted[::-1])


def test_pages_have_each_unchanged_incident_once_while_others_change(
    dynamodb: "DynamoDBClient", table_name: str, acme: IncidentRepository
) -> None:
    stable = [creating.create_incident({"title": "stable"}, acme).stored.incident["id"] for _ in range(60)]
    others = [creating.create_incident({"title": "other"}, acme).stored.incident["id"] for _ in range(60)]
    stop = threading.Event()

    def churn() -> None:
        chance = random.Random(7)
        while not stop.is_set():
            one = chance.choice(others)
            try:
                match chance.randrange(4):
                    case 0:
                        creating.create_incident({"title": "new"}, acme)
                    case 1:
                        deleting.delete_incident(one, None, acme)
                    case 2:
                        updating.update_incident(one, {"is_deleted": False}, None, acme)
                    case 3:
                        updating.update_incident(one, {"is_deleted": False, "status": "investigating"}, None, acme)
            except (errors.IllegalTransition, errors.IncidentDeleted):
                pass

    writer = threading.Thread(target=churn)
    writer.start()
    try:
        for parameters in ({}, {"order": "asc"}, {"status": ["new", "investigating"]}, {"tag": "none"}):
            for _ in range(5):
                seen, _ = walk(acme, limit=7, **parameters)
                assert len(seen) == len(set(seen))
                found = [incident_id for incident_id in seen if incident_id in set(stable)]
                expected = [] if "tag" in parameters else stable if parameters.get("order") == "asc" else stable[::-1]
                assert found == expected
    finally:
        stop.set()
        writer.join()


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize(("count", "limit"), [(0, 5), (1, 1), (5, 5), (6, 5), (10, 5), (23, 7)])
def test_the_pages_of_a_list_hold_each_incident_once(
    acme: IncidentRepository, dynamodb: "DynamoDBClient", table_name: str, count: int, limit: int, order: str
) -> None:
    ids = fill(dynamodb, table_name, "acme", count)
    fill(dynamodb, table_name, "acme2", 3)

    seen, pages = walk(acme, limit=limit, order=order)

    assert seen == (ids if order == "asc" else ids[::-1])
    assert pages == max(1, -(-count // limit))


def test_a_page_of_large_incidents_ends_early_and_the_next_one_continues(
    acme: IncidentRepository, dynamodb: "DynamoDBClient", table_name: str
) -> None:
    ids = fill(dynamodb, table_name, "acme", 30)
    for incident_id in ids:  # makes the incidents larger than the 1 MB that DynamoDB reads for one page
        dynamodb.update_item(
            TableName=table_name,
            Key={"pk": {"S": "TENANT#acme#INCIDENT"}, "sk": {"S": incident_id}},
            UpdateExpression="SET description = :long",
            ExpressionAttributeValues={":long": {"S": "x" * 100_000}},
        )

    first = queries.list_incidents(parameters.list_request({"limit": ["100"]}), acme)
    assert 0 < len(first.items) < 30
    seen, _ = walk(acme, limit=100)
    assert seen == ids[::-1]
