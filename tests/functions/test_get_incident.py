import json
from typing import Any

import pytest
from create_incident import handler as create
from get_incident import handler as get

from tests.support.events import Context, claims, create_event, get_event


def created(**caller: str) -> dict[str, Any]:
    incident: dict[str, Any] = json.loads(
        create(create_event({"title": "x"}, caller=claims(**caller)), Context)["body"]
    )
    return incident


def test_get_returns_the_incident_and_its_version() -> None:
    incident = created()

    answer = get(get_event(incident["id"]), Context)

    assert (answer["statusCode"], json.loads(answer["body"])) == (200, incident)
    assert answer["headers"] == {"content-type": "application/json", "etag": '"1"'}


def test_unknown_foreign_and_malformed_ids_get_the_same_answer() -> None:
    by_a_person = created()["id"]
    by_an_app = created(app_id="soc-portal")["id"]
    unknown = by_a_person[:-4] + "0000"
    answers = [
        get(get_event(unknown), Context),
        get(get_event("INC-2026-000001"), Context),
        get(get_event(by_a_person.lower()), Context),
        get(get_event(""), Context),
        get(get_event(by_a_person, caller=claims("globex")), Context),
        get(get_event(by_a_person, caller=claims(app_id="soc-portal")), Context),
        get(get_event(by_an_app, caller=claims(app_id="other-app")), Context),
    ]

    assert {answer["statusCode"] for answer in answers} == {404}
    assert len({answer["body"] for answer in answers}) == 1
    assert "inc_" not in answers[0]["body"]


@pytest.mark.parametrize("app", [None, "soc-portal"])
def test_an_application_gets_its_own_incident_and_so_does_a_person(app: str | None) -> None:
    incident = created(app_id="soc-portal")

    assert get(get_event(incident["id"], caller=claims(app_id=app)), Context)["statusCode"] == 200
