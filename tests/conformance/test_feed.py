"""Tests of the updates on AWS's own DynamoDB Local. They check the order, the pages, missing entries and refusals."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import create_incident
import delete_incident
import list_incident_updates
import pytest
import update_incident
from incidents.domain import model, timestamps, wire_form
from incidents.storage import dynamodb as client_module
from incidents.storage import feed_reader, keys, stored_form
from ulid import ULID

from tests.conformance.test_list import fill
from tests.support import invariants, releases, scale, templates, units
from tests.support.events import Context, claims, create_event, delete_event, patch_event, updates_event
from tests.support.operations import calls_to_dynamodb

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Page = dict[str, Any]
LARGE_TENANT = scale.of(short=10_000, full=100_000)
APP = claims(app_id="soc-portal")
pytestmark = pytest.mark.usefixtures("service")


def ask(caller: dict[str, str] | None = None, **parameters: object) -> dict[str, Any]:
    answer: dict[str, Any] = list_incident_updates.handler(updates_event(caller, **parameters), Context)
    return answer


def updates(caller: dict[str, str] | None = None, **parameters: object) -> Page:
    answer = ask(caller, **parameters)
    assert answer["statusCode"] == 200, answer["body"]
    page: Page = json.loads(answer["body"])
    assert list(page) == ["items", "next_cursor", "caught_up"]
    return page


def drain(caller: dict[str, str] | None = None, **parameters: object) -> tuple[list[Page], str]:
    """Read all pages, and return their incidents and the last cursor."""
    seen: list[Page] = []
    while True:
        page = updates(caller, **parameters)
        seen += page["items"]
        if page["caught_up"]:
            return seen, page["next_cursor"]
        parameters.pop("since", None)
        parameters["cursor"] = page["next_cursor"]


def create(caller: dict[str, str] | None = None, **values: Any) -> Page:
    made: Page = json.loads(
        create_incident.handler(create_event({"title": "x", **values}, caller=caller), Context)["body"]
    )
    return made


def patch(incident_id: str, **values: Any) -> Page:
    answer = update_incident.handler(patch_event(incident_id, values), Context)
    assert answer["statusCode"] == 200, answer["body"]
    changed: Page = json.loads(answer["body"])
    return changed


def store(client: "DynamoDBClient", table: str, *moments: str, **values: Any) -> list[str]:
    """Store one incident for each moment of a last change, and return their ids in the same order."""
    ids = [f"inc_{ULID()}" for _ in moments]
    for incident_id, moment in zip(ids, moments, strict=True):
        stamps = {"id": incident_id, "tenant_id": "acme", "created_at": moment, "updated_at": moment, "version": 1}
        usual = {"created_by": "ada", "title": "x", "status": "new", "incident_number": incident_id[-8:]}
        incident = cast("model.Incident", model.unset_fields() | stamps | usual | values)
        client.put_item(TableName=table, Item=stored_form.from_incident(incident))
    return ids


def test_every_change_brings_the_incident_again_in_its_current_state() -> None:
    first, second = create(), create()
    seen, cursor = drain()
    assert seen == [first, second]
    assert updates(cursor=cursor)["items"] == []

    changed = patch(first["id"], severity="high")
    seen, cursor = drain(cursor=cursor)
    assert seen == [changed]

    delete_incident.handler(delete_event(second["id"]), Context)
    (gone,), cursor = drain(cursor=cursor)
    assert (gone["id"], gone["is_deleted"], gone["version"]) == (second["id"], True, 2)

    back = patch(second["id"], is_deleted=False)
    assert drain(cursor=cursor)[0] == [back]
    assert drain()[0] == [changed, back]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_of_any_size_hold_each_incident_once_even_if_many_changed_at_one_moment(
    dynamodb: "DynamoDBClient", service: str, limit: int
) -> None:
    moments = [f"2026-01-01T00:00:00.00{n // 4}Z" for n in range(17)]
    ids = store(dynamodb, service, *moments)

    seen, _ = drain(limit=limit)

    assert [one["updated_at"] for one in seen] == moments
    assert sorted(one["id"] for one in seen) == sorted(ids)


def test_a_page_is_caught_up_only_at_the_end() -> None:
    made = [create()["id"] for _ in range(3)]
    pages = [updates(limit=2)]
    pages.append(updates(limit=2, cursor=pages[0]["next_cursor"]))

    assert [(len(page["items"]), page["caught_up"]) for page in pages] == [(2, False), (1, True)]
    assert [one["id"] for page in pages for one in page["items"]] == made
    assert updates(limit=3)["caught_up"] is True


def test_a_cursor_goes_on_after_its_incident_has_changed_again() -> None:
    first, second = create(), create()
    page = updates(limit=1)
    assert page["items"] == [first]

    changed = patch(first["id"], severity="low")

    assert drain(cursor=page["next_cursor"])[0] == [second, changed]


def test_since_includes_its_moment(dynamodb: "DynamoDBClient", service: str) -> None:
    ids = store(dynamodb, service, *(f"2026-01-0{n}T00:00:00.000Z" for n in (1, 2, 3)))

    for since, expected in (
        ("2026-01-02T00:00:00Z", ids[1:]), ("2026-01-02T00:00:00.001Z", ids[2:]),
        ("2026-01-02T01:00:00 01:00", ids[1:]),
        ("2026-02-01T00:00:00Z", []), ("2999-01-01T00:00:00Z", []), ("1970-01-01T00:00:00Z", ids),
    ):  # fmt: skip
        seen, cursor = drain(since=since, limit=1)
        assert [one["id"] for one in seen] == expected
        assert updates(cursor=cursor)["caught_up"]


def test_a_cursor_of_a_moment_in_the_future_waits_for_it(
    dynamodb: "DynamoDBClient", service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cursor = updates(since="2999-01-01T00:00:00Z")["next_cursor"]
    (late,) = store(dynamodb, service, "2999-01-01T00:00:00.000Z")
    assert updates(cursor=cursor)["items"] == []

    monkeypatch.setenv("FEED_SETTLE_SECONDS", str(-1000 * 366 * 86_400))
    assert [one["id"] for one in updates(cursor=cursor)["items"]] == [late]


def test_the_updates_end_some_time_before_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEED_SETTLE_SECONDS", "60")
    made = create()
    page = updates()
    assert (page["items"], page["caught_up"]) == ([], True)

    monkeypatch.setenv("FEED_SETTLE_SECONDS", "0")
    assert updates(cursor=page["next_cursor"])["items"] == [made]


def test_an_application_sees_only_its_own_however_few_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_reader, "ENTRIES_READ", 4)
    own = []
    for _ in range(3):
        own.append(create(APP))
        for _ in range(6):
            create()
    delete_incident.handler(delete_event(own[0]["id"], caller=APP), Context)

    seen, cursor = drain(APP)

    assert [one["id"] for one in seen] == [own[1]["id"], own[2]["id"], own[0]["id"]]
    assert seen[-1]["is_deleted"] is True
    with calls_to_dynamodb() as calls:
        assert updates(APP, cursor=cursor)["caught_up"]
    assert calls == ["Query"], "a page without incidents reads none, and what was looked through is not read again"


def test_a_page_ends_early_if_its_incidents_are_too_large_for_one_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [create(description="x" * 3000) for _ in range(4)]
    monkeypatch.setattr(wire_form, "PAGE_BYTES", 9_000)

    page = updates()

    assert (page["items"], page["caught_up"]) == (made[:2], False)
    assert drain()[0] == made


class Batches:
    """Changes the answers of BatchGetItem before the function gets them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *changes: Callable[[Any], Any]) -> None:
        self.asked: list[list[str]] = []
        waiting, client = iter(changes), client_module.client()
        send = client.batch_get_item

        def batch_get_item(RequestItems: Any) -> Any:  # noqa: N803
            (of_table,) = RequestItems.values()
            assert of_table["ConsistentRead"] is True
            self.asked.append([key["sk"]["S"] for key in of_table["Keys"]])
            answer = send(RequestItems=RequestItems)
            return next(waiting, lambda same: same)(answer)

        monkeypatch.setattr(client, "batch_get_item", batch_get_item)


def test_incidents_that_the_table_did_not_process_are_read_again(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [create() for _ in range(3)]

    def only_one(answer: Any) -> Any:
        first, *rest = answer["Responses"][service]
        left = [{"pk": item["pk"], "sk": item["sk"]} for item in rest]
        return {"Responses": {service: [first]}, "UnprocessedKeys": {service: {"Keys": left, "ConsistentRead": True}}}

    batches = Batches(monkeypatch, only_one, only_one)
    assert drain()[0] == made
    assert [len(ids) for ids in batches.asked] == [3, 2, 1]


def test_a_document_below_the_version_of_its_entry_is_read_again(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = create(), create()
    changed = patch(first["id"], title="new")

    def older(answer: Any) -> Any:
        items = [item | {"version": {"N": "1"}, "title": {"S": "x"}} for item in answer["Responses"][service]]
        return {"Responses": {service: items}, "UnprocessedKeys": {}}

    batches = Batches(monkeypatch, older)
    assert drain()[0] == [second, changed]
    assert batches.asked == [sorted([first["id"], second["id"]]), [first["id"]]]


def test_documents_that_stay_unread_are_a_503_and_no_shorter_page(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    create()

    def nothing(answer: Any) -> Any:
        left = [{"pk": item["pk"], "sk": item["sk"]} for item in answer["Responses"][service]]
        return {"Responses": {}, "UnprocessedKeys": {service: {"Keys": left}}}

    Batches(monkeypatch, *[nothing] * 20)
    monkeypatch.setattr("incidents.runtime.deadline.sleep", lambda _: None)
    assert ask()["statusCode"] == 503


def test_an_erased_incident_whose_entry_is_still_there_is_left_out(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = create(), create()

    def erased(answer: Any) -> Any:
        items = [item for item in answer["Responses"][service] if item["sk"]["S"] != first["id"]]
        return {"Responses": {service: items}, "UnprocessedKeys": {}}

    Batches(monkeypatch, erased)
    assert drain()[0] == [second]


def test_a_cursor_of_another_table_is_a_410_that_says_start_again(
    dynamodb: "DynamoDBClient", service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    create()
    cursor = updates()["next_cursor"]
    dynamodb.create_table(TableName="restored", **templates.table())
    try:
        monkeypatch.setenv("TABLE_NAME", "restored")
        answer = ask(cursor=cursor)
        changed = ask(cursor=cursor[:-2] + ("A" if cursor[-2] != "A" else "B") + cursor[-1])
        foreign = ask(claims("globex"), cursor=cursor)
        again = updates()
    finally:
        dynamodb.delete_table(TableName="restored")

    problem = json.loads(answer["body"])
    assert (answer["statusCode"], problem["title"]) == (410, "Cursor gone")
    assert "Start again" in problem["detail"]
    assert (changed["statusCode"], foreign["statusCode"]) == (400, 400)
    assert again["items"] == []


def test_without_its_index_the_operation_is_a_503_that_says_so(
    dynamodb: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch
) -> None:
    table = templates.table()
    table["GlobalSecondaryIndexes"] = [
        index for index in table["GlobalSecondaryIndexes"] if index["IndexName"] != keys.BY_UPDATED
    ]
    table["AttributeDefinitions"] = [
        one for one in table["AttributeDefinitions"] if one["AttributeName"] != "updated_at"
    ]
    dynamodb.create_table(TableName="old", **table)
    try:
        monkeypatch.setenv("TABLE_NAME", "old")
        create()
        answer = ask()
    finally:
        dynamodb.delete_table(TableName="old")

    assert (answer["statusCode"], answer["headers"]["retry-after"]) == (503, "1")
    assert "the table's index by-updated is missing or not yet filled" in json.loads(answer["body"])["detail"]


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"since": "yesterday"}, "since"), ({"since": "2026-01-01T00:00:00"}, "since"), ({"since": ""}, "since"),
        ({"since": "2026-01-01T00:00:00Z", "cursor": "x"}, "`since` and `cursor`"), ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"), ({"cursor": ""}, "cursor"), ({"cursor": "x"}, "cursor"),
        ({"status": "new"}, "status"), ({"order": "asc"}, "order"),
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_named(parameters: dict[str, Any], named: str) -> None:
    answer = ask(**parameters)

    assert answer["statusCode"] == 400
    assert named in json.loads(answer["body"])["detail"]


def test_the_table_of_an_earlier_release_is_followed_from_its_first_change(
    dynamodb: "DynamoDBClient", service: str
) -> None:
    release = releases.load(dynamodb, service)
    for tenant in ("acme", "globex"):
        partition = keys.incident(tenant, "").pk
        stored = [item for item in release.items if item["pk"]["S"] == partition]
        seen, _ = drain(claims(tenant), limit=7)
        assert [one["updated_at"] for one in seen] == sorted(item["updated_at"]["S"] for item in stored)
        assert {one["id"]: one["version"] for one in seen} == {
            item["sk"]["S"]: int(item["version"]["N"]) for item in stored
        }
        assert any(one["is_deleted"] for one in seen)


@pytest.mark.parametrize("limit", [50, 1])
def test_a_page_costs_the_same_for_a_tenant_of_any_size(dynamodb: "DynamoDBClient", service: str, limit: int) -> None:
    costs, cursors = {}, {}
    for tenant, count in (("small", 100), ("large", LARGE_TENANT)):
        moments = [timestamps.from_milliseconds(1_700_000_000_000 + n) for n in range(count)]
        fill(dynamodb, service, tenant, count, updated_at=moments)
        cursors[tenant] = drain(claims(tenant), since=moments[-60], limit=40)[1]
        for since in ({}, {"since": moments[count // 2 - 25]}, {"since": moments[-20]}):
            updates(claims(tenant), limit=limit, **since)  # this call opens the connection
            with units.of_calls() as used:
                updates(claims(tenant), limit=limit, **since)
            costs[tenant, str([*since] and since["since"] == moments[-20])] = (used.calls, used.units)
        with units.of_calls() as used:
            assert updates(claims(tenant), cursor=cursors[tenant])["items"] == []
        costs[tenant, "no update"] = (used.calls, used.units)

    for (tenant, place), cost in costs.items():
        assert cost == costs["small", place], tenant
    assert costs["large", "no update"][0] == 1
    assert costs["large", "False"] == (2, (limit + (1.0 if limit > 1 else 0.5), 0))


def test_only_incidents_are_in_the_index_of_updates(dynamodb: "DynamoDBClient", service: str) -> None:
    releases.load(dynamodb, service)
    create(incident_number="IR-1")
    for item in invariants.everything(dynamodb, service):
        assert invariants.in_the_index_of_updates(item) is (releases.kind(item) == "incident")
