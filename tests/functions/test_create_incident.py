import json
import re
from typing import Any
from urllib.parse import urljoin

import boto3
import httpx2
import pytest
from create_incident import handler as create
from get_incident import handler as get

from tests.support.events import Context, claims, create_event, get_event, http_event
from tests.support.incidents import FULL


def body(answer: dict[str, Any]) -> Any:
    return json.loads(answer["body"])


def items(table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = boto3.client("dynamodb").scan(TableName=table)["Items"]
    return found


def test_create_returns_every_field_with_unset_fields_null_or_empty(table: str) -> None:
    answer = create(create_event({"title": "Lost badge"}), Context)

    assert answer["statusCode"] == 201
    incident = body(answer)
    assert answer["headers"]["location"] == f"incidents/{incident['id']}"
    assert answer["headers"]["etag"] == '"1"'
    assert answer["headers"]["content-type"] == "application/json"
    assert re.fullmatch(r"INC-\d{4}-000001", incident["incident_number"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", incident["created_at"])
    unset = {name: value for name, value in incident.items() if value is None}
    assert "app_id" not in incident
    assert len(incident) == 42
    assert set(unset) == {
        "deleted_at", "deleted_by", "description", "root_cause", "category", "severity", "occurred_at", "detected_at",
        "reported_at", "contained_at", "closed_at", "owner_id", "lessons_learned", "reported_to_regulators_at",
        "regulatory_reports", "customer_notified_at", "financial_impact", "mttd_minutes", "mttr_minutes",
    }  # fmt: skip
    assert sum(value == [] for value in incident.values()) == 9
    assert (incident["source"], incident["source_type"], incident["status"]) == ("edm", "api", "new")
    assert (incident["tenant_id"], incident["created_by"], incident["updated_by"]) == ("acme", "ada", "ada")


def test_create_keeps_every_value_of_the_caller() -> None:
    answer = create(create_event(FULL, caller=claims(app_id="soc-portal")), Context)

    assert answer["statusCode"] == 201
    incident = body(answer)
    assert len(incident) == 43
    assert incident["app_id"] == "soc-portal"
    expected = FULL | {
        "occurred_at": "2026-01-31T18:00:00.999Z",
        "detected_at": "2026-02-01T00:00:00.000Z",
        "reported_at": "2026-02-01T01:00:00.000Z",
        "contained_at": "2026-02-01T02:00:00.000Z",
        "reported_to_regulators_at": "2026-02-02T00:00:00.000Z",
        "customer_notified_at": "2026-02-02T00:00:00.000Z",
    }
    assert {name: incident[name] for name in expected} == expected
    again = get(get_event(incident["id"], caller=claims(app_id="soc-portal")), Context)
    assert again["body"] == answer["body"]


@pytest.mark.parametrize("amount", ["0", "0.0001", "999999999999999.9999", "1000000000000000", "250.5", "1e3"])
def test_create_stores_and_returns_exact_amounts(amount: str) -> None:
    answer = create(http_event(body=f'{{"title": "x", "financial_impact": {amount}}}'), Context)

    shown = re.search(r'"financial_impact":([^,]+),', answer["body"])
    assert shown is not None
    assert shown[1] == {"1e3": "1000"}.get(amount, amount)
    assert get(get_event(body(answer)["id"]), Context)["body"] == answer["body"]


def test_create_stores_the_incident_its_first_change_and_its_number(table: str) -> None:
    incident = body(create(create_event({"title": "Lost badge", "severity": "low"}), Context))

    stored = {item["pk"]["S"]: item for item in items(table)}
    assert set(stored) == {f"TENANT#acme#{kind}" for kind in ("INCIDENT", "CHANGE", "NUMBER", "COUNTER")}
    number = stored["TENANT#acme#NUMBER"]
    assert (number["sk"]["S"], number["incident_id"]["S"]) == (incident["incident_number"], incident["id"])
    change = stored["TENANT#acme#CHANGE"]
    assert change["sk"]["S"] == f"{incident['id']}#0000000001"
    assert (change["by"]["S"], change["at"]["S"], change["action"]["S"]) == ("ada", incident["created_at"], "created")
    item = stored["TENANT#acme#INCIDENT"]
    assert item["version"] == {"N": "1"}
    assert "description" not in item
    assert "tags" not in item


def test_numbers_count_up_within_a_tenant_and_start_over_in_another() -> None:
    numbers = [body(create(create_event({"title": "x"}), Context))["incident_number"] for _ in range(3)]
    other = body(create(create_event({"title": "x"}, caller=claims("globex")), Context))["incident_number"]

    assert [number[-6:] for number in numbers] == ["000001", "000002", "000003"]
    assert other[-6:] == "000001"


def test_a_given_number_already_in_use_is_a_conflict_and_writes_nothing(table: str) -> None:
    create(create_event({"title": "x", "incident_number": "IR-7"}), Context)
    before = items(table)

    answer = create(create_event({"title": "y", "incident_number": "IR-7"}), Context)

    assert answer["statusCode"] == 409
    assert "is taken" in body(answer)["detail"]
    assert [error["pointer"] for error in body(answer)["errors"]] == ["/incident_number"]
    assert items(table) == before


def test_a_given_number_in_the_generated_form_raises_the_counter() -> None:
    year = body(create(create_event({"title": "x"}), Context))["created_at"][:4]
    create(create_event({"title": "x", "incident_number": f"INC-{year}-000041"}), Context)
    create(create_event({"title": "x", "incident_number": f"INC-{year}-000005"}), Context)

    following = body(create(create_event({"title": "x"}), Context))["incident_number"]

    assert following == f"INC-{year}-000042"


def test_a_given_number_of_up_to_15_digits_raises_the_counter_and_a_longer_one_does_not() -> None:
    year = body(create(create_event({"title": "x"}), Context))["created_at"][:4]

    def give(count: int) -> str:
        made = create(create_event({"title": "x", "incident_number": f"INC-{year}-{count:06d}"}), Context)
        assert made["statusCode"] == 201
        following: str = body(create(create_event({"title": "x"}), Context))["incident_number"]
        return following

    assert give(999_999_999) == f"INC-{year}-1000000000"
    assert give(10**15) == f"INC-{year}-1000000001"
    assert give(10**50) == f"INC-{year}-1000000002"
    assert give(10**15 - 2) == f"INC-{year}-{10**15 - 1}"
    assert body(create(create_event({"title": "x"}), Context))["incident_number"] == f"INC-{year}-{10**15 + 1}"


@pytest.mark.parametrize(
    "number",
    [
        "INC-2026-000042",
        "INC-1999-123456",
        "INC-2026-999999999",
        "INC-2026-1" + "0" * 20,
        "INC-2026-000042 ",
        " INC-2026-000042",
        "INC-2026-0000744",
        "inc-2026-000042",
    ],
)
def test_an_application_cannot_give_a_number_of_the_server_s_form(table: str, number: str) -> None:
    app = claims(app_id="soc-portal")

    answer = create(create_event({"title": "x", "incident_number": number}, caller=app), Context)

    assert answer["statusCode"] == 422
    assert [error["pointer"] for error in body(answer)["errors"]] == ["/incident_number"]
    assert "server's form" in body(answer)["errors"][0]["detail"]
    assert items(table) == []
    assert create(create_event({"title": "x", "incident_number": number}), Context)["statusCode"] == 201


@pytest.mark.parametrize("number", ["IR-7", "INC-26-000042", "INC-2026-42", "INC-2026-000042-a", "XINC-2026-000042"])
def test_an_application_may_give_a_number_of_another_form(number: str) -> None:
    app = claims(app_id="soc-portal")
    made = create(create_event({"title": "x", "incident_number": number}, caller=app), Context)
    assert (made["statusCode"], body(made)["incident_number"]) == (201, number)
    assert body(create(create_event({"title": "x"}, caller=app), Context))["incident_number"].endswith("-000001")


def test_create_skips_a_generated_number_already_in_use(table: str) -> None:
    first = body(create(create_event({"title": "x"}), Context))["incident_number"]
    taken = f"{first[:-1]}2"
    boto3.client("dynamodb").put_item(
        TableName=table,
        Item={"pk": {"S": "TENANT#acme#NUMBER"}, "sk": {"S": taken}, "incident_id": {"S": "inc_someone_else"}},
    )

    assert body(create(create_event({"title": "x"}), Context))["incident_number"] == f"{first[:-1]}3"


BAD = [
    ({}, "/title", "is required"),
    ({"title": ""}, "/title", "must not be empty"),
    ({"title": "x" * 301}, "/title", "at most 300 characters"),
    ({"title": None}, "/title", "must not be null"),
    ({"title": 7}, "/title", "must be a text"),
    ({"title": "x", "id": "inc_1"}, "/id", "set by the server"),
    ({"title": "x", "tenant_id": "globex"}, "/tenant_id", "set by the server"),
    ({"title": "x", "app_id": "other"}, "/app_id", "set by the server"),
    ({"title": "x", "is_deleted": True}, "/is_deleted", "cannot be set by a create"),
    ({"title": "x", "colour": "red"}, "/colour", "not a field"),
    ({"title": "x", "severty": "low"}, "/severty", "did you mean severity?"),
    ({"title": "x", "a/b~c": 1}, "/a~1b~0c", "not a field"),
    ({"title": "x", "severity": "urgent"}, "/severity", "'critical'"),
    ({"title": "x", "status": None}, "/status", "must not be null"),
    ({"title": "x", "source_type": "web"}, "/source_type", "'frontend'"),
    ({"title": "x", "detected_at": "2026-02-30T00:00:00Z"}, "/detected_at", "no such date"),
    ({"title": "x", "detected_at": "2026-02-03T00:00:00"}, "/detected_at", "offset"),
    ({"title": "x", "detected_at": 1700000000}, "/detected_at", "must be a text"),
    ({"title": "x", "description": "é" * 16_385}, "/description", "at most 32 KiB"),
    ({"title": "x", "affected_asset_ids": ["a", "b", "a"]}, "/affected_asset_ids", "item 2 repeats item 0"),
    ({"title": "x", "affected_asset_ids": ["a", 1]}, "/affected_asset_ids/1", "must be a text"),
    ({"title": "x", "commander_ids": [str(n) for n in range(501)]}, "/commander_ids", "at most 500 items"),
    ({"title": "x", "tags": ["t" * 257]}, "/tags/0", "at most 256 characters"),
    ({"title": "x", "tags": [str(n) for n in range(51)]}, "/tags", "at most 50 different items, not 51"),
    ({"title": "x", "commander_ids": ["i" * 2049]}, "/commander_ids/0", "at most 2048 characters"),
    ({"title": "x", "owner_id": "i" * 2049}, "/owner_id", "at most 2048 characters"),
    ({"title": "x", "incident_number": "A#1"}, "/incident_number", "printable ASCII without #"),
    ({"title": "x", "financial_impact": -1}, "/financial_impact", "from 0 to"),
    ({"title": "x", "financial_impact": 0.00001}, "/financial_impact", "at most 4 decimals"),
    ({"title": "x", "financial_impact": "12"}, "/financial_impact", "as a JSON number"),
    ({"title": "x", "mttd_minutes": -1}, "/mttd_minutes", "at least 0"),
    ({"title": "x", "mttd_minutes": 1.5}, "/mttd_minutes", "whole number"),
    ({"title": "x", "mttd_minutes": 1e300}, "/mttd_minutes", "at most"),
    ({"title": "x", "mttd_minutes": True}, "/mttd_minutes", "whole number"),
    ({"title": "x", "category": ""}, "/category", "must not be blank"),
    ({"title": "x", "lessons_learned": "x" * 32_768}, "/lessons_learned", "at most 32 KiB"),
    ({"title": "x", "closed_at": "2026-01-01T00:00:00Z"}, "/closed_at", "unless status is closed"),
    (
        {"title": "x", "occurred_at": "2026-01-02T00:00:00Z", "detected_at": "2026-01-01T00:00:00Z"},
        "/detected_at",
        "must not be before occurred_at, which is 2026-01-02T00:00:00.000Z",
    ),
    (
        {"title": "x", "occurred_at": "2026-01-01T00:00:00Z", "detected_at": "2026-01-01T01:00:00Z", "mttd_minutes": 5},
        "/mttd_minutes",
        "must be 60",
    ),
    (["title"], "", "must be a JSON object"),
    ("title", "", "must be a JSON object"),
    ({"title": "\ud800"}, "/title", "lone surrogates"),
    ({"title": "x", "\ud800": 1}, "/\ud800", "not a field"),
    ({"title": "x", "lessons_learned": ["\ud800"]}, "/lessons_learned", "lone surrogates"),
]


@pytest.mark.parametrize(("sent", "pointer", "right"), BAD)
def test_the_error_of_a_bad_value_names_its_field_and_the_right_values(
    table: str, sent: object, pointer: str, right: str
) -> None:
    answer = create(create_event(sent), Context)

    problem = body(answer)
    assert (answer["statusCode"], problem["status"]) == (422, 422)
    assert answer["headers"]["content-type"] == "application/problem+json"
    assert problem["request_id"] == "gateway-request-1"
    named = {error["pointer"]: error["detail"] for error in problem["errors"]}
    assert right in named[pointer]
    assert items(table) == []


def test_one_error_names_every_bad_value() -> None:
    answer = create(create_event({"titel": "x", "severity": "urgent", "tags": "gdpr"}), Context)

    assert {error["pointer"] for error in body(answer)["errors"]} == {"/title", "/titel", "/severity", "/tags"}


DEEP = '{"title": "x", "lessons_learned": ' + "[" * 17 + "]" * 17 + "}"


@pytest.mark.parametrize(
    ("sent", "status", "right"),
    [
        ("", 400, "line 1, column 1"),
        ("{", 400, "must be JSON"),
        ('{"title": "x", "title": "y"}', 400, '"title" appears twice'),
        ('{"title": "x", "lessons_learned": {"a": 1, "a": 2}}', 400, '"a" appears twice'),
        ('{"title": NaN}', 400, "in which NaN is not a value"),
        ('{"title": "x", "financial_impact": -Infinity}', 400, "in which -Infinity is not a value"),
        ('{"title": "x", "financial_impact": 1e400}', 422, "financial_impact"),
        ('{"title": "x", "financial_impact": 1e-400}', 422, "financial_impact"),
        ('{"title": "x", "financial_impact": 1e99999999}', 422, "financial_impact"),
        ('{"title": "x", "financial_impact": 1e999999999999999999999}', 422, "financial_impact"),
        ('{"title": "x", "financial_impact": 1e-999999999999999999999}', 422, "financial_impact"),
        ('{"title": "x", "financial_impact": 0e999999999999999999999}', 422, "financial_impact"),
        ('{"title": "x", "lessons_learned": 1e400}', 422, "finite"),
        ('{"title": "x", "lessons_learned": ' + "9" * 400 + "}", 422, "finite"),
        ('{"title": "x", "lessons_learned": ' + "9" * 5000 + "}", 400, "too many digits"),
        (DEEP, 422, "16 levels"),
        ("[" * 100_000, 400, "nested too deeply"),
        ("\ufeff\ufeff{}", 400, "must be JSON; at line 1, column 1: a byte order mark."),
        (b"\xff\xfe{\x00}\x00", 400, "UTF-8"),
        (b'{"title": "\xff"}', 400, "UTF-8"),
        ('{"title": "\ud800"}', 400, "UTF-8"),
        (b"x" * 800_000, 413, "768 KiB"),
    ],
)
def test_an_unreadable_body_is_refused(table: str, sent: str | bytes, status: int, right: str) -> None:
    answer = create(http_event(body=sent), Context)

    assert answer["statusCode"] == status
    assert right in answer["body"].replace('\\"', '"')
    assert items(table) == []


@pytest.mark.parametrize("zero", ["0e99999999999999999999", "0E-99999999999999999999", "-0.0e99999999999999999999"])
@pytest.mark.parametrize("field", ["mttd_minutes", "mttr_minutes", "financial_impact"])
def test_an_exponent_beyond_any_range_is_refused(field: str, zero: str) -> None:
    answer = create(http_event(body=f'{{"title": "x", "{field}": {zero}}}'), Context)
    assert answer["statusCode"] == 422
    assert [error["pointer"] for error in json.loads(answer["body"])["errors"]] == [f"/{field}"]


@pytest.mark.parametrize("minutes", ["5.0", "5e0", "50E-1", "5"])
def test_a_whole_number_may_be_written_with_a_fraction_of_zero(minutes: str) -> None:
    """JSON Schema 2020-12, section 6.1.1 of Validation: any number with a zero fraction is an integer."""
    answer = create(http_event(body=f'{{"title": "x", "mttd_minutes": {minutes}}}'), Context)

    assert answer["statusCode"] == 201
    assert '"mttd_minutes":5,' in answer["body"]


def test_sixteen_levels_of_lessons_learned_are_accepted() -> None:
    answer = create(http_event(body=DEEP.replace("[[", "[", 1).replace("]]", "]", 1)), Context)

    assert answer["statusCode"] == 201


def test_a_document_over_128_kib_is_refused(table: str) -> None:
    ids = [f"{n:0128}" for n in range(500)]
    large = {"title": "x", "affected_asset_ids": ids, "commander_ids": ids}

    assert create(create_event(large), Context)["statusCode"] == 413
    assert items(table) == []
    assert create(create_event(large | {"commander_ids": ids[:400]}), Context)["statusCode"] == 201


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_a_body_of_another_type_is_refused(content_type: str | None) -> None:
    answer = create(http_event(body='{"title": "x"}', content_type=content_type), Context)

    assert answer["statusCode"] == 415
    assert "application/json" in body(answer)["detail"]


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json; charset=iso-8859-1", "application/json;charset=ISO-8859-1",
        'application/json; charset="utf-16"',
        "application/json; profile=x; Charset=windows-1252", "application/json; charset=",
        "application/json ; charset = latin1",
        "application/json; charset=utf-8; charset=utf-16", 'application/json; charset="utf-8',
        "application/json; charset*=utf-8''latin1", 'application/json; x="a;b"; charset=latin1',
    ],
)  # fmt: skip
def test_a_charset_other_than_utf_8_is_refused(table: str, content_type: str) -> None:
    answer = create(http_event(body=b'{"title": "M\xfcnchen"}', content_type=content_type), Context)

    assert answer["statusCode"] == 415
    assert "must be UTF-8" in body(answer)["detail"]
    assert items(table) == []


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json;charset=UTF-8",
        'application/json; charset="utf-8"',
        "application/json; charset=utf8",
        'application/json; x="a;charset=latin1"',
        r'application/json; x="\";charset=latin1"; charset="UTF-8"',
    ],
)
def test_utf_8_may_be_declared_in_any_spelling(content_type: str) -> None:
    assert create(http_event(body='{"title": "x"}', content_type=content_type), Context)["statusCode"] == 201


@pytest.mark.parametrize("sent", [b'\xef\xbb\xbf{"title": "M\xc3\xbcnchen"}', '\ufeff{"title": "M\u00fcnchen"}'])
def test_a_byte_order_mark_before_the_body_is_ignored(sent: str | bytes) -> None:
    assert body(create(http_event(body=sent), Context))["title"] == "M\u00fcnchen"


def test_a_location_resolves_against_the_request_s_url_behind_any_prefix() -> None:
    location = create(create_event({"title": "x"}), Context)["headers"]["location"]
    incident_id = location.rpartition("/")[2]

    for prefix in ("https://api.example", "https://example.com/grc/v2", "http://127.0.0.1:4566/restapis/a1/$default"):
        collection = f"{prefix}/api/v1/grc/incidents"
        assert urljoin(collection, location) == f"{collection}/{incident_id}"
        assert str(httpx2.URL(collection).join(location)) == f"{collection}/{incident_id}"
    assert get(get_event(incident_id), Context)["statusCode"] == 200


def test_a_body_in_base64_from_the_gateway_is_decoded() -> None:
    event = http_event(body=b'{"title": "\xc3\xa9"}', content_type="Application/JSON; charset=utf-8")

    assert body(create(event, Context))["title"] == "é"
