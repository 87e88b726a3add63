"""Tests the boundaries between tenants, and between a tenant's applications: every operation under every attack.

The tenant globex attacks the tenant acme. Within acme, the application other attacks the application soc-portal.
The attacks that change the caller run a second time with other names of claims, where only the code checks scopes.
"""

import json
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import create_incident
import delete_incident
import get_incident
import get_incident_deadlines
import get_incident_metrics
import list_deadlines
import list_incident_changes
import list_incident_findings
import list_incident_updates
import list_incidents
import pytest
import update_incident

from tests.support import invariants, templates
from tests.support.deadlines import put_on_board
from tests.support.events import Context, claims, http_event
from tests.support.findings import store_evidence
from tests.support.operations import calls_to_dynamodb
from tests.support.tokens import NAMESPACED, USUAL, Form

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SECRET = "what only acme may know"
UNKNOWN = "inc_01M83J8EHSBKC38ZQ0R08TEPS6"
KEY = {"idempotency-key": "nightly-report"}
ATTACKS = (
    "another tenant's id", "another application's id", "no claim", "malformed claim", "forged cursor",
    "forged incident number", "another tenant's idempotency key",
)  # fmt: skip

FORMS = [(attack, USUAL) for attack in ATTACKS] + [(attack, NAMESPACED) for attack in ATTACKS[:4]]

PERSON, OUTSIDER = claims("acme"), claims("globex", sub="eve")
PORTAL, OTHER_APP = claims("acme", app_id="soc-portal"), claims("acme", app_id="other", sub="other")
NOBODY = claims("acme", tenant_id=None)
MALFORMED = claims("[acme globex]")


class Before(NamedTuple):
    """The data that exists before the attack."""

    victim: str  # the id of acme's incident IR-1, which a person created
    portal: str  # the id of acme's incident that soc-portal created
    own: str  # the id of the attacker's incident in globex
    other: str  # the id of acme's incident that the attacking application created
    list_cursor: str  # the cursor of acme's list
    changes_cursor: str  # the cursor of the victim's trail
    updates_cursor: str  # the cursor of acme's updates
    findings_cursor: str  # the cursor of the victim's findings
    board_cursor: str  # the cursor of acme's board of deadlines


class Attacked(NamedTuple):
    """A function under attack, and the parts of its request other than the path and the caller."""

    handler: Callable[..., dict[str, Any]]
    body: object = None
    has_path: bool = True
    done: int = 200


OPERATIONS = {
    "create_incident": Attacked(create_incident.handler, {"title": "of the attacker"}, has_path=False, done=201),
    "get_incident": Attacked(get_incident.handler),
    "list_incidents": Attacked(list_incidents.handler, has_path=False),
    "update_incident": Attacked(update_incident.handler, {"title": "of the attacker"}),
    "delete_incident": Attacked(delete_incident.handler, done=204),
    "list_incident_changes": Attacked(list_incident_changes.handler),
    "list_incident_findings": Attacked(list_incident_findings.handler),
    "list_incident_updates": Attacked(list_incident_updates.handler, has_path=False),
    "get_incident_deadlines": Attacked(get_incident_deadlines.handler),
    "list_deadlines": Attacked(list_deadlines.handler, has_path=False),
    "get_incident_metrics": Attacked(get_incident_metrics.handler, has_path=False),
}


class Attempt(NamedTuple):
    """One request of the attacker, and the correct status of the answer."""

    status: int
    caller: dict[str, str]
    path: str = ""
    query: str = ""
    headers: dict[str, str] | None = None
    body: object = None


def by_path(done: int, **sent: Any) -> dict[str, Callable[[Before], Attempt]]:
    """Return the attacks on an operation that has an id in its path, by name.

    A foreign incident must give 404. The operation must ignore the parts of a request that it does not use.
    """
    return {
        "another tenant's id": lambda world: Attempt(404, OUTSIDER, world.victim, **sent),
        "another application's id": lambda world: Attempt(404, OTHER_APP, world.portal, **sent),
        "no claim": lambda world: Attempt(403, NOBODY, world.victim, **sent),
        "malformed claim": lambda world: Attempt(403, MALFORMED, world.victim, **sent),
        "forged cursor": lambda world: Attempt(400, OUTSIDER, world.own, f"cursor={world.list_cursor}", **sent),
        "forged incident number": lambda world: Attempt(404, OUTSIDER, "IR-1", **sent),
        "another tenant's idempotency key": lambda world: Attempt(done, OUTSIDER, world.own, headers=KEY, **sent),
    }


BODY: dict[str, Any] = {"title": "of the attacker"}
ROWS: dict[str, dict[str, Callable[[Before], Attempt]]] = {
    "create_incident": {
        "another tenant's id": lambda world: Attempt(422, OUTSIDER, body=BODY | {"tenant_id": "acme"}),
        "another application's id": lambda world: Attempt(422, OTHER_APP, body=BODY | {"app_id": "soc-portal"}),
        "no claim": lambda world: Attempt(403, NOBODY, body=BODY),
        "malformed claim": lambda world: Attempt(403, MALFORMED, body=BODY),
        "forged cursor": lambda world: Attempt(400, OUTSIDER, query=f"cursor={world.list_cursor}", body=BODY),
        "forged incident number": lambda world: Attempt(201, OUTSIDER, body=BODY | {"incident_number": "IR-1"}),
        "another tenant's idempotency key": lambda world: Attempt(201, OUTSIDER, headers=KEY, body=BODY),
    },
    "get_incident": by_path(200),
    "list_incidents": {
        "another tenant's id": lambda world: Attempt(400, OUTSIDER, query="tenant_id=acme"),
        "another application's id": lambda world: Attempt(200, OTHER_APP, query="app_id=soc-portal"),
        "no claim": lambda world: Attempt(403, NOBODY),
        "malformed claim": lambda world: Attempt(403, MALFORMED),
        "forged cursor": lambda world: Attempt(400, OUTSIDER, query=f"limit=1&cursor={world.list_cursor}"),
        "forged incident number": lambda world: Attempt(200, OUTSIDER, query="incident_number=IR-1"),
        "another tenant's idempotency key": lambda world: Attempt(200, OUTSIDER, headers=KEY),
    },
    "update_incident": by_path(200, body=BODY)
    | {"forged incident number": lambda world: Attempt(422, OUTSIDER, world.own, body={"incident_number": "IR-1"})},
    "delete_incident": by_path(204),
    "get_incident_deadlines": by_path(200),
    "list_incident_changes": by_path(200)
    | {
        "forged cursor": lambda world: Attempt(
            400, OUTSIDER, world.own, f"limit=1&cursor={world.changes_cursor}"
        )
    },
    "list_incident_findings": by_path(200)
    | {
        "forged cursor": lambda world: Attempt(
            400, OUTSIDER, world.own, f"limit=1&cursor={world.findings_cursor}"
        )
    },
    "list_incident_updates": {
        "another tenant's id": lambda world: Attempt(400, OUTSIDER, query="tenant_id=acme"),
        "another application's id": lambda world: Attempt(400, OTHER_APP, query="app_id=soc-portal"),
        "no claim": lambda world: Attempt(403, NOBODY),
        "malformed claim": lambda world: Attempt(403, MALFORMED),
        "forged cursor": lambda world: Attempt(400, OUTSIDER, query=f"limit=1&cursor={world.updates_cursor}"),
        "forged incident number": lambda world: Attempt(400, OUTSIDER, query="incident_number=IR-1"),
        "another tenant's idempotency key": lambda world: Attempt(200, OUTSIDER, headers=KEY),
    },
    "list_deadlines": {
        "another tenant's id": lambda world: Attempt(200, OUTSIDER, query=f"incident_id={world.victim}"),
        "another application's id": lambda world: Attempt(200, OTHER_APP, query=f"incident_id={world.portal}"),
        "no claim": lambda world: Attempt(403, NOBODY),
        "malformed claim": lambda world: Attempt(403, MALFORMED),
        "forged cursor": lambda world: Attempt(400, OUTSIDER, query=f"limit=1&cursor={world.board_cursor}"),
        "forged incident number": lambda world: Attempt(400, OUTSIDER, query="incident_number=IR-1"),
        "another tenant's idempotency key": lambda world: Attempt(200, OUTSIDER, headers=KEY),
    },
    "get_incident_metrics": {
        "another tenant's id": lambda world: Attempt(400, OUTSIDER, query="tenant_id=acme"),
        "another application's id": lambda world: Attempt(400, OTHER_APP, query="app_id=soc-portal"),
        "no claim": lambda world: Attempt(403, NOBODY),
        "malformed claim": lambda world: Attempt(403, MALFORMED),
        "forged cursor": lambda world: Attempt(400, OUTSIDER, query=f"cursor={world.list_cursor}"),
        "forged incident number": lambda world: Attempt(400, OUTSIDER, query="incident_number=IR-1"),
        "another tenant's idempotency key": lambda world: Attempt(200, OUTSIDER, headers=KEY),
    },
}  # fmt: skip


def test_every_operation_has_every_attack() -> None:
    names = {properties["Handler"].removesuffix(".handler") for properties in templates.operations().values()}
    assert set(OPERATIONS) == set(ROWS) == names
    assert all(set(row) == set(ATTACKS) for row in ROWS.values())


@pytest.fixture
def calls(service: str) -> Iterator[list[str]]:
    with calls_to_dynamodb() as made:
        yield made


@pytest.fixture
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Form:
    form: Form = getattr(request, "param", USUAL)
    monkeypatch.setenv("TOKEN_CLAIMS", form.token_claims)
    return form


def as_the_stack_names_them(caller: dict[str, str]) -> dict[str, str]:
    if os.environ["TOKEN_CLAIMS"] == USUAL.token_claims:
        return caller
    return {"azp": "a client of people"} | NAMESPACED.renamed(caller)


def send(operation: str, attempt: Attempt) -> dict[str, Any]:
    has_path = OPERATIONS[operation].has_path
    return OPERATIONS[operation].handler(
        http_event(
            body=None if attempt.body is None else json.dumps(attempt.body),
            path={"incident_id": attempt.path} if has_path else None,
            query=attempt.query,
            caller=as_the_stack_names_them(attempt.caller),
            headers=attempt.headers,
        ),
        Context,
    )


@pytest.fixture
def world(calls: list[str], form: Form) -> Before:
    def create(caller: dict[str, str], **more: Any) -> str:
        made = send(
            "create_incident", Attempt(201, caller, body={"title": SECRET, **more}, headers=more.pop("key", None))
        )
        incident_id: str = json.loads(made["body"])["id"]
        return incident_id

    def cursor(operation: str, path: str = "") -> str:
        page = send(operation, Attempt(200, PERSON, path, "limit=1"))
        sealed: str = json.loads(page["body"])["next_cursor"]
        return sealed

    victim, portal, other = create(PERSON, incident_number="IR-1"), create(PORTAL), create(OTHER_APP)
    own = json.loads(send("create_incident", Attempt(201, OUTSIDER, body=BODY))["body"])["id"]
    keyed = Attempt(201, PERSON, body=BODY, headers=KEY)
    assert send("create_incident", keyed)["statusCode"] == 201
    send("update_incident", Attempt(200, PERSON, victim, body={"owner_id": "ada"}))
    for incident_id in (victim, portal):
        store_evidence("acme", incident_id, SECRET, 2)
    for tenant, incident_id, app in (
        ("acme", victim, None), ("acme", portal, "soc-portal"), ("acme", other, "other"), ("globex", own, None),
    ):  # fmt: skip
        put_on_board(tenant, incident_id, app_id=app)
    made = Before(
        victim, portal, own, other, cursor("list_incidents"), cursor("list_incident_changes", victim),
        cursor("list_incident_updates"), cursor("list_incident_findings", victim), cursor("list_deadlines"),
    )  # fmt: skip
    calls.clear()
    return made


def without_request_id(answer: dict[str, Any]) -> dict[str, Any]:
    body = json.loads(answer["body"]) if answer["body"] else {}
    return answer | {"body": {name: value for name, value in body.items() if name != "request_id"}}


SHOWN: set[tuple[str, str]] = set()


@pytest.mark.parametrize(("attack", "form"), FORMS, indirect=["form"], ids=lambda one: one if one in ATTACKS else "")
@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_attack_on_an_operation_reaches_foreign_data(
    operation: str, attack: str, world: Before, service: str, dynamodb: "DynamoDBClient", calls: list[str],
    promise: Callable[[str, str], None],
) -> None:  # fmt: skip
    attempt = ROWS[operation][attack](world)
    before = invariants.of_tenant(dynamodb, service, "acme")

    answer = send(operation, attempt)

    made = list(calls)
    assert answer["statusCode"] == attempt.status
    assert SECRET not in answer["body"] + json.dumps(answer["headers"])
    assert all(name not in answer["body"] for name in (world.victim, world.portal))
    assert "idempotency-replayed" not in answer["headers"]
    assert invariants.of_tenant(dynamodb, service, "acme") == before
    if attempt.status in (401, 403, 400):
        assert made == []
    if attempt.status == 404:
        calls.clear()
        nothing = send(operation, attempt._replace(path=UNKNOWN if attempt.path != "IR-1" else "IR-2"))
        assert without_request_id(answer) == without_request_id(nothing)
        assert made == calls, "a foreign id must cause the same calls as an unknown id"
    if attack == "forged incident number" and operation == "list_incidents":
        assert json.loads(answer["body"]) == {"items": [], "next_cursor": None}
    SHOWN.add((operation, attack))
    promise(
        "Nobody reaches another tenant's or another application's incidents",
        f"{len(SHOWN)} attacks were tried, {len(ATTACKS)} on each of {len(OPERATIONS)} operations: 0 got through. "
        "The id of a foreign incident and an unknown id get the same 404, after the same calls to the table",
    )


@pytest.mark.parametrize("tenant", ["Acme", "ACME", "acme.", "acme-", "acme_", "acme.INCIDENT", "acme_INCIDENT"])
def test_a_tenant_whose_name_looks_alike_is_another_tenant(tenant: str, world: Before) -> None:
    look_alike = claims(tenant)
    for operation, attacked in OPERATIONS.items():
        if attacked.has_path:
            answer = send(operation, Attempt(404, look_alike, world.victim, body=attacked.body))
            assert answer["statusCode"] == 404
    for operation, sealed in (("list_incidents", world.list_cursor), ("list_incident_updates", world.updates_cursor)):
        for query in ("", f"limit=1&cursor={sealed}"):
            answer = send(operation, Attempt(200, look_alike, query=query))
            assert (answer["statusCode"], SECRET in answer["body"]) == (400 if query else 200, False)
    made = send("create_incident", Attempt(201, look_alike, body=BODY | {"incident_number": "IR-1"}, headers=KEY))
    assert (made["statusCode"], json.loads(made["body"])["tenant_id"]) == (201, tenant), (
        "its numbers and keys are its own"
    )


@pytest.mark.parametrize("operation", [name for name, one in OPERATIONS.items() if one.has_path])
def test_an_unknown_id_and_a_foreign_id_give_the_same_404(operation: str, world: Before, calls: list[str]) -> None:
    seen = []
    for caller, path in (
        (OUTSIDER, world.victim), (OUTSIDER, world.portal), (OTHER_APP, world.victim), (OTHER_APP, world.portal),
        (OUTSIDER, UNKNOWN), (OTHER_APP, UNKNOWN), (PERSON, world.own), (PORTAL, world.other),
    ):  # fmt: skip
        calls.clear()
        answer = send(operation, Attempt(404, caller, path, body=OPERATIONS[operation].body))
        seen.append((without_request_id(answer), list(calls)))

    assert seen[0][0]["statusCode"] == 404
    assert all(one == seen[0] for one in seen)
    assert seen[0][1] == ["GetItem"]


def test_an_application_s_list_has_only_its_own_incidents_for_any_filter(world: Before) -> None:
    for query in (
        "", "include_deleted=true", "status=new", "app_id=other", "app_id=other&app_id=soc-portal", "open=true",
        "open=true&include_deleted=true", "unowned=true", "q=inc", "q=inc&open=true&include_deleted=true&unowned=true",
    ):  # fmt: skip
        page = json.loads(send("list_incidents", Attempt(200, OTHER_APP, query=query))["body"])
        assert [incident["id"] for incident in page["items"]] == [world.other]


def test_an_application_s_updates_have_only_its_own_incidents(world: Before) -> None:
    cursor = ""
    for _ in range(3):
        answer = send("list_incident_updates", Attempt(200, OTHER_APP, query=f"limit=1{cursor}"))
        page = json.loads(answer["body"])
        assert {incident["id"] for incident in page["items"]} <= {world.other}
        cursor = f"&cursor={page['next_cursor']}"
    assert (page["items"], page["caught_up"]) == ([], True)
    for caller in (PERSON, PORTAL, OUTSIDER):
        answer = send("list_incident_updates", Attempt(400, caller, query=f"limit=1{cursor}"))
        assert answer["statusCode"] == 400


def test_an_application_s_board_has_only_its_own_incidents(world: Before) -> None:
    ids = "&".join(f"incident_id={one}" for one in (world.victim, world.portal, world.other, world.own))
    for query in ("", "state=running", "regime=eu-gdpr", "due_before=9998-01-01T00:00:00Z", ids):
        page = json.loads(send("list_deadlines", Attempt(200, OTHER_APP, query=query))["body"])
        assert [entry["incident_id"] for entry in page["items"]] == [world.other], query
        assert page["next_cursor"] is None


def test_an_application_s_findings_are_those_of_its_own_incidents(world: Before) -> None:
    own = send("list_incident_findings", Attempt(200, PORTAL, world.portal))
    assert [item["event"]["title"] for item in json.loads(own["body"])["items"]] == [SECRET, SECRET]
    for caller, incident_id in ((OTHER_APP, world.portal), (PORTAL, world.victim), (OUTSIDER, world.portal)):
        answer = send("list_incident_findings", Attempt(404, caller, incident_id))
        assert (answer["statusCode"], SECRET in answer["body"]) == (404, False)


def test_an_application_learns_only_that_a_number_of_its_tenant_is_in_use(world: Before) -> None:
    taken = send("create_incident", Attempt(409, OTHER_APP, body=BODY | {"incident_number": "IR-1"}))
    assert (taken["statusCode"], world.victim in taken["body"]) == (409, False)

    found = send("list_incidents", Attempt(200, OTHER_APP, query="incident_number=IR-1"))
    assert json.loads(found["body"]) == {"items": [], "next_cursor": None}
