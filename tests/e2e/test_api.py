"""Tests of the deployed API over real HTTP, through its JWT authorizer."""

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.checkout import Caller, Checkout
from tests.support.incidents import FULL
from tests.support.signing import KEY_ID, Issuer
from tests.support.waiting import until

UNKNOWN = "inc_01M83J8EHSBKC38ZQ0R08TEPS6"


@pytest.fixture(scope="module")
def person(stack: Checkout) -> Caller:
    return stack.caller(stack.token())


def test_an_incident_with_all_43_fields_is_read_back_equal(stack: Checkout) -> None:
    app = stack.caller(stack.token(app="soc-portal"))
    created = app.post(json=FULL)

    assert created.status_code == 201
    incident = created.json()
    assert len(incident) == 43
    assert {name: incident[name] for name in FULL if not name.endswith("_at")} == {
        name: value for name, value in FULL.items() if not name.endswith("_at")
    }
    assert (incident["tenant_id"], incident["app_id"], incident["created_by"]) == ("initech", "soc-portal", "developer")
    assert created.headers["location"] == f"incidents/{incident['id']}"

    shown = app.get(f"/{incident['id']}")
    assert (shown.status_code, shown.text, shown.headers["etag"]) == (200, created.text, '"1"')
    assert incident in app.get().json()["items"]

    for other in (stack.token("globex"), stack.token(app="other-app")):
        foreign = stack.caller(other).get(f"/{incident['id']}")
        unknown = stack.caller(other).get(f"/{UNKNOWN}")
        assert foreign.status_code == unknown.status_code == 404
        assert foreign.json() | {"request_id": ""} == unknown.json() | {"request_id": ""}
        assert stack.caller(other).get().json()["items"] == []


def test_an_incident_is_created_changed_deleted_and_restored_over_http(person: Caller) -> None:
    incident = person.post(json={"title": "x", "detected_at": "2026-11-20T10:00:00Z"}).json()
    path = f"/{incident['id']}"

    contained = person.patch(path, {"status": "contained", "tags": ["vip"]}, {"if-match": '"1"'})
    assert (contained.status_code, contained.headers["etag"]) == (200, '"2"')
    assert contained.json()["contained_at"] == contained.json()["updated_at"]
    assert person.get(path, headers={"if-none-match": '"2"'}).status_code == 304
    assert person.delete(path).status_code == 204
    assert person.get(path).json()["is_deleted"] is True
    assert incident["id"] not in person.get().text
    assert incident["id"] in person.get(params={"include_deleted": "true"}).text
    assert person.patch(path, {"is_deleted": False, "status": "closed"}).json()["mttr_minutes"] > 0

    first = person.get(f"{path}/changes", params={"limit": 3}).json()
    rest = person.get(f"{path}/changes", params={"limit": 3, "cursor": first["next_cursor"]}).json()
    assert [one["action"] for one in first["items"] + rest["items"]] == ["created", "updated", "deleted", "restored"]
    assert first["items"][1]["changes"]["tags"] == {"from": [], "to": ["vip"]}


def test_a_create_with_a_key_may_be_sent_again(person: Caller) -> None:
    first, again = (person.post(json={"title": "once"}, headers={"idempotency-key": "e2e-1"}) for _ in range(2))

    assert (first.status_code, again.status_code, again.headers["idempotency-replayed"]) == (201, 201, "true")
    assert first.text == again.text


def test_a_list_is_filtered_over_http(person: Caller) -> None:
    for severity, tag in (("high", "a"), ("low", "b"), ("medium", "c")):
        person.post(json={"title": tag, "severity": severity, "tags": [tag], "category": "filtered"})

    found = person.get(params={"severity": ["high", "low"], "category": "filtered", "order": "asc"}).json()
    assert [incident["title"] for incident in found["items"]] == ["a", "b"]
    number = found["items"][0]["incident_number"]
    (one,) = person.get(params={"incident_number": number, "tag": "a"}).json()["items"]
    assert one["incident_number"] == number


def test_each_kind_of_error_is_a_problem_over_http(person: Caller) -> None:
    incident = person.post(json={"title": "x", "incident_number": "E2E-1"}).json()
    path = f"/{incident['id']}"
    key = {"idempotency-key": "e2e-2"}
    person.post(json={"title": "x"}, headers=key)

    answers = {
        "malformed-request": person.get(params={"cursor": "x"}),
        "not-found": person.get(f"/{UNKNOWN}/changes"),
        "number-taken": person.post(json={"title": "y", "incident_number": "E2E-1"}),
        "illegal-transition": person.patch(path, {"status": "review"}),
        "precondition-failed": person.patch(path, {"title": "y"}, {"if-match": '"9"'}),
        "incident-too-large": person.patch(path, {"tags": ["x" * 900_000]}),
        "unsupported-content": person.patch(path, {}, {"content-type": "text/plain"}),
        "invalid-incident": person.patch(path, {"title": None}),
        "key-reused": person.post(json={"title": "y"}, headers=key),
    }
    for kind, answer in answers.items():
        assert answer.headers["content-type"] == "application/problem+json", (kind, answer.text)
        assert answer.json()["type"] == f"urn:problem-type:incidents:{kind}"
        assert answer.json()["status"] == answer.status_code
    assert answers["illegal-transition"].json()["allowed_transitions"] == [
        "investigating", "contained", "closed", "dismissed"
    ]  # fmt: skip
    person.delete(path)
    gone = person.patch(path, {"title": "y"})
    assert (gone.status_code, gone.json()["type"]) == (409, "urn:problem-type:incidents:incident-deleted")


def test_the_pages_of_a_list_hold_all_incidents_over_http(stack: Checkout) -> None:
    client = stack.caller(stack.token("umbrella"))
    made = [client.post(json={"title": f"number {n}"}).json()["id"] for n in range(5)]

    first = client.get(params={"limit": 3}).json()
    second = client.get(params={"limit": 3, "cursor": first["next_cursor"]}).json()

    assert [incident["id"] for incident in first["items"] + second["items"]] == made[::-1]
    assert second["next_cursor"] is None


def test_the_problem_of_a_bad_body_names_the_field(person: Caller) -> None:
    answer = person.post(json={"title": "x", "severity": "urgent"})

    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/severity"]


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        ("{", "application/json", 400),
        ('{"title": "x"}', "text/plain", 415),
        ('{"title": "x"}', "application/octet-stream", 415),
        (b'{"title": "' + b"x" * 800_000 + b'"}', "application/json", 413),
    ],
)
def test_an_unreadable_body_is_refused_over_http(
    person: Caller, content: str | bytes, content_type: str, status: int
) -> None:
    answer = person.post(content=content, headers={"content-type": content_type})

    assert (answer.status_code, answer.json()["status"]) == (status, status)


def test_the_gateway_answers_401_without_a_valid_token(stack: Checkout) -> None:
    values, foreign_key = stack.status, rsa.generate_private_key(public_exponent=65537, key_size=2048)
    claims = jwt.decode(stack.token(), options={"verify_signature": False})
    forged = jwt.encode(claims, foreign_key, "RS256", headers={"kid": "development"})
    own = Issuer.of(stack)
    expired = jwt.encode(claims | {"exp": claims["iat"] - 60}, own.key, "RS256", headers={"kid": KEY_ID})
    bad = [None, "nonsense", forged, expired]

    for token in bad:
        for answer in (stack.caller(token).get(), stack.caller(token).post(json={"title": "x"})):
            assert (answer.status_code, answer.json()) == (401, {"message": "Unauthorized"})
    assert claims["iss"] == values["issuer"]


def test_a_scope_permits_only_its_own_routes(stack: Checkout) -> None:
    reader, writer = (stack.caller(stack.token(scope=f"incidents:{kind}")) for kind in ("read", "write"))

    assert reader.get().status_code == 200
    assert reader.post(json={"title": "x"}).status_code == 403
    created = writer.post(json={"title": "x"})
    assert created.status_code == 201
    assert writer.get().status_code == 403
    assert writer.get(f"/{created.json()['id']}").status_code == 403


def test_the_function_answers_403_to_a_token_without_a_valid_tenant(stack: Checkout) -> None:
    own = Issuer.of(stack)
    token = jwt.encode(own.claims("Not A Tenant"), own.key, "RS256", headers={"kid": KEY_ID})
    answer = stack.caller(token).get()

    assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json")
    assert "tenant_id" in answer.json()["detail"]


def test_a_browser_s_preflight_request_is_answered(stack: Checkout) -> None:
    asked = {"origin": "https://grc.example", "access-control-request-method": "POST"}
    answer = stack.caller(None).request("OPTIONS", headers=asked)

    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "authorization" in answer.headers["access-control-allow-headers"]


def test_each_request_logs_one_json_object_without_the_request_s_content(stack: Checkout) -> None:
    canary = "canary-51c0"
    caller = stack.caller(stack.token("umbrella", subject=f"{canary}@example.com"))
    sent = {"cookie": canary, "idempotency-key": canary, "user-agent": canary}
    made = caller.post(json={"title": canary, "description": canary}, headers=sent).json()
    caller.patch(f"/{made['id']}", {"owner_id": canary, "severity": canary})
    caller.get(params={"cursor": canary, "owner_id": canary})
    caller.get(f"/{canary}")

    expected = {
        ("create_incident", 201), ("update_incident", 422), ("list_incidents", 400), ("get_incident", 404)
    }  # fmt: skip

    def read() -> tuple[str, list[dict[str, Any]]] | None:
        """Return the logs and the tenant's lines, once the last line has arrived.

        A line may arrive later than the answer to its request.
        """
        logs = stack.answer("logs")
        lines = [json.loads(line.split(" ", 2)[2]) for line in logs.splitlines() if " {" in line]
        ours = [line for line in lines if line.get("tenant_id") == "umbrella"]
        return (logs, ours) if expected <= {(line["operation"], line["status"]) for line in ours} else None

    logs, ours = until(read, 30)

    assert canary not in logs
    assert all({"request_id", "duration_ms", "level", "timestamp"} <= set(line) for line in ours)
    platform = {line.split(" ", 3)[2] for line in logs.splitlines() if " {" not in line}
    assert platform <= {"START", "END", "REPORT"}


def test_the_api_takes_what_clients_send_and_refuses_what_is_damaged(stack: Checkout) -> None:
    """The local gateway replaces bytes that are not valid UTF-8 with U+FFFD."""
    person = stack.caller(stack.token("as-clients-send"))
    as_json = {"content-type": "application/json"}

    def post(body: bytes, content_type: str = "application/json") -> int:
        return person.post(content=body, headers={"content-type": content_type}).status_code

    assert post(b'{"title":"M\xfcnchen"}') in (400, 422)
    assert post(b'{"title":"M\xfcnchen"}', "application/json; charset=iso-8859-1") == 415
    assert post(b'{"title":"   "}') == 422
    assert person.get().json()["items"] == []
    made = person.post(content=b'\xef\xbb\xbf{"title":"x"}', headers=as_json)
    assert (made.status_code, made.json()["title"]) == (201, "x")

    for moment in ("2026-11-20T10:00:00+01:00", "2026-11-20T10:00:00%2B0100", "2026-11-20T10:00:00.000000+0000"):
        assert person.get(f"?created_from={moment}").json()["items"] == [made.json()], moment
    assert person.get("?created_from=2026-11-20T10:00:00").status_code == 400

    path = f"/{made.json()['id']}"
    for tag, status in (("1", 400), ("garbage", 400), ('W/"1"', 412), ('"1"', 200)):
        assert person.patch(path, {"severity": "low"}, {"if-match": tag}).status_code == status, tag
    assert person.delete(path, {"if-match": "garbage"}).status_code == 400
    assert person.get(path, headers={"if-none-match": "2"}).status_code == 400
    assert person.get(path, headers={"if-none-match": 'W/"2"'}).status_code == 304

    address = made.request.url.join(made.headers["location"])
    assert str(address) == f"{made.request.url}{path}"
