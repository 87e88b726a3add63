"""Tests of clients that generators make from the committed document, on the local stack."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support import generators
from tests.support.checkout import Checkout

TENANT = "generators"

OPENAPI_PYTHON_CLIENT = """
import json, os, sys
from datetime import UTC, datetime
from incidents_client import AuthenticatedClient
from incidents_client.api.incidents import create_incident, get_incident, list_incident_changes, list_incidents
from incidents_client.api.incidents import update_incident
from incidents_client.api.metrics import get_incident_metrics
from incidents_client.models import IncidentPatch, NewIncident, Severity

url, token, read_only = sys.argv[1:]
client = AuthenticatedClient(base_url=url, token=token)
made = create_incident.sync_detailed(client=client, body=NewIncident(title="Only a title"))
changed = update_incident.sync_detailed(
    made.parsed.id, client=client, body=IncidentPatch(severity=Severity.HIGH, tags=["a"]),
    if_match=made.headers["etag"])
cleared = update_incident.sync_detailed(
    made.parsed.id, client=client, body=IncidentPatch(severity=None, tags=None))
began = datetime(2026, 11, 20, 10, tzinfo=UTC)
listed = list_incidents.sync_detailed(client=client, created_from=began, tag=["b", "c"])
everything = list_incidents.sync_detailed(client=client, include_deleted=True, limit=100)
trail = list_incident_changes.sync_detailed(made.parsed.id, client=client)
metrics = get_incident_metrics.sync_detailed(client=client)
wrong = create_incident.sync_detailed(client=client, body=NewIncident(title="x" * 301))
stale = update_incident.sync_detailed(made.parsed.id, client=client, body=IncidentPatch(title="y"), if_match='"1"')
UNKNOWN = "inc_01M83J8EHSBKC38ZQ0R08TEPS6"
unknown = get_incident.sync_detailed(UNKNOWN, client=client)
expired = get_incident.sync_detailed(UNKNOWN, client=AuthenticatedClient(base_url=url, token="expired"))
forbidden = create_incident.sync_detailed(
    client=AuthenticatedClient(base_url=url, token=read_only), body=NewIncident(title="x"))
elsewhere = get_incident.sync_detailed(UNKNOWN, client=AuthenticatedClient(base_url=url + "/elsewhere", token=token))
print(json.dumps({
    "created": [made.status_code, made.parsed.title, made.parsed.status, made.parsed.version],
    "patched": [changed.status_code, changed.parsed.severity, changed.parsed.tags, changed.parsed.version],
    "cleared": [cleared.status_code, cleared.parsed.severity, cleared.parsed.tags, cleared.parsed.version],
    "listed": [listed.status_code, listed.parsed.items],
    "found": [one.version for one in everything.parsed.items if one.id == made.parsed.id],
    "changes": [change.action for change in trail.parsed.items],
    "metrics": [metrics.status_code, metrics.parsed.mttd.n],
    "wrong": [wrong.status_code, wrong.parsed.type_, wrong.parsed.errors[0].pointer],
    "stale": [stale.status_code, stale.parsed.type_],
    "unknown": [unknown.status_code, unknown.parsed.status],
    "expired": [expired.status_code, expired.parsed.message],
    "forbidden": [forbidden.status_code, forbidden.parsed.message],
    "elsewhere": [elsewhere.status_code, elsewhere.parsed.message],
}))
"""

OPENAPI_GENERATOR = """
import json, sys
from datetime import UTC, datetime, timedelta, timezone
import openapi_client as o

url, token, read_only = sys.argv[1:]
incidents = lambda token, url=url: o.IncidentsApi(o.ApiClient(o.Configuration(host=url, access_token=token)))
api = incidents(token)

def refused(call, *arguments, **values):
    try:
        call(*arguments, **values)
    except o.ApiException as error:
        return [type(error).__name__, error.status, json.loads(error.body).get("message")]

began = datetime(2026, 11, 19, 23, 30, 0, 125000, timezone(timedelta(hours=-5, minutes=-30)))
made = api.create_incident(o.NewIncident(title="Only a title", occurred_at=began))
wanted = o.IncidentPatch(severity="high", tags=o.IncidentPatchTags(["a"]))  # a list or its edits, in a class of its own
patched = api.update_incident(made.id, wanted, if_match=f'"{made.version}"')
listed = api.list_incidents(created_from=datetime(2026, 11, 20, 10, tzinfo=UTC), severity=["high"], limit=100)
later = api.list_incidents(created_from=datetime(2998, 1, 1, 12, tzinfo=timezone(timedelta(hours=1))))
earlier = api.list_incidents(created_to=datetime(1999, 1, 1, tzinfo=timezone(timedelta(hours=-9, minutes=-30))))
trail = api.list_incident_changes(made.id, limit=1)
metrics = o.MetricsApi(api.api_client).get_incident_metrics(interval="week")
UNKNOWN = "inc_01M83J8EHSBKC38ZQ0R08TEPS6"
print(json.dumps({
    "created": [made.title, made.status, made.occurred_at.astimezone(UTC).isoformat()],
    "patched": [patched.severity, patched.tags, patched.version],
    "listed": made.id in [one.id for one in listed.items],
    "later": later.items,
    "earlier": earlier.items,
    "changes": [trail.items[0].action, trail.next_cursor is not None],
    "metrics": metrics.mttr.n,
    "wrong": refused(api.create_incident, o.NewIncident(title="x", closed_at=began)),
    "unknown": refused(api.get_incident, UNKNOWN),
    "expired": refused(incidents("expired").get_incident, UNKNOWN),
    "forbidden": refused(incidents(read_only).create_incident, o.NewIncident(title="x")),
    "elsewhere": refused(incidents(token, url + "/elsewhere").get_incident, UNKNOWN),
}))
"""

MODELS = """
import json, sys
import incident_models as m

read = {
    "created": m.Incident, "patched": m.Incident, "listed": m.IncidentPage, "changes": m.ChangePage,
    "metrics": m.Metrics, "unknown": m.NotFoundProblem, "wrong": m.InvalidIncidentProblem,
    "expired": m.NotAuthenticatedProblem, "elsewhere": m.NotFoundProblem,
}
print(json.dumps({name: read[name].model_validate_json(text).model_dump(mode="json")
                  for name, text in json.load(sys.stdin).items()}))
"""

# The test runs the first file, and only compiles the others. A line after `@ts-expect-error` must not compile.
TYPESCRIPT = {
    "run.ts": """
import createClient from "openapi-fetch";
import type { paths } from "./schema.d.ts";

const [baseUrl, token, readOnly] = process.argv.slice(2) as [string, string, string];
const of = (token: string, url = baseUrl) =>
  createClient<paths>({ baseUrl: url, headers: { Authorization: `Bearer ${token}` } });
const client = of(token);
const made = await client.POST("/api/v1/grc/incidents", { body: { title: "Only a title" } });
const path = { incident_id: made.data!.id };
const patched = await client.PATCH("/api/v1/grc/incidents/{incident_id}", {
  params: { path, header: { "If-Match": `"${made.data!.version}"` } },
  body: { severity: "high", tags: ["a"], owner_id: null },
});
const cleared = await client.PATCH("/api/v1/grc/incidents/{incident_id}", {
  params: { path },
  body: { severity: null, tags: null },
});
const listed = await client.GET("/api/v1/grc/incidents", {
  params: { query: { created_from: "2026-11-20T10:00:00+00:00", tag: ["b", "c"], limit: 100 } },
});
const changes = await client.GET("/api/v1/grc/incidents/{incident_id}/changes", { params: { path } });
const metrics = await client.GET("/api/v1/grc/incidents/metrics", { params: { query: { interval: "week" } } });
const wrong = await client.POST("/api/v1/grc/incidents", { body: { title: "" } });
const unknown = await client.GET("/api/v1/grc/incidents/{incident_id}", {
  params: { path: { incident_id: "inc_01M83J8EHSBKC38ZQ0R08TEPS6" } },
});
const expired = await of("expired").GET("/api/v1/grc/incidents");
const forbidden = await of(readOnly).POST("/api/v1/grc/incidents", { body: { title: "x" } });
const elsewhere = await of(token, `${baseUrl}/elsewhere`).GET("/api/v1/grc/incidents");
const said = (error: object | undefined) => error && "message" in error && error.message;
console.log(JSON.stringify({
  created: [made.response.status, made.data!.title, made.data!.status, made.data!.version],
  patched: [patched.data?.severity, patched.data?.tags, patched.data?.version],
  cleared: [cleared.data?.severity, cleared.data?.tags, cleared.data?.version],
  listed: [listed.response.status, listed.data?.items],
  changes: changes.data?.items.map((change) => change.action),
  metrics: metrics.data?.mttd.n,
  wrong: [wrong.response.status, wrong.error && "errors" in wrong.error && wrong.error.errors[0]?.pointer],
  unknown: [unknown.response.status, unknown.error && "type" in unknown.error && unknown.error.type],
  expired: [expired.response.status, said(expired.error)],
  forbidden: [forbidden.response.status, said(forbidden.error)],
  elsewhere: [elsewhere.response.status, said(elsewhere.error)],
}));
""",
    "wrong.ts": """
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.d.ts";

const client = createClient<paths>({ baseUrl: "https://api.example" });
// @ts-expect-error: the title is required
await client.POST("/api/v1/grc/incidents", { body: { description: "x" } });
// @ts-expect-error: the server stamps the version
export const stamped: components["schemas"]["NewIncident"] = { title: "x", version: 1 };
// @ts-expect-error: an answer has every member
export const partial: components["schemas"]["IncidentPage"] = { items: [] };
export const always: number = ({} as components["schemas"]["Incident"]).version;
""",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Path]]:
    """A function that returns the folder of a generated client. The generators work side by side."""
    if missing := generators.what_is_missing():
        pytest.skip(missing)
    made_by: dict[str, Future[Path]] = {}

    def make(generate: Callable[[Path], None], folder: Path) -> Path:
        generate(folder)
        return folder

    with ThreadPoolExecutor() as pool:
        for generate in (
            generators.make_openapi_generator_client,
            generators.make_openapi_python_client,
            generators.make_models,
        ):
            name = generate.__name__.removeprefix("make_")
            made_by[name] = pool.submit(make, generate, tmp_path_factory.mktemp(name))
        yield lambda name: made_by[name].result()


@pytest.fixture(scope="module")
def arguments(stack: Checkout) -> tuple[str, str, str]:
    """The API's URL, a token, and a token that may only read."""
    return stack.status["api_url"], stack.token(TENANT), stack.token(TENANT, scope="incidents:read")


def test_typescript_compiles_strictly_and_runs(
    stack: Checkout, arguments: tuple[str, str, str], tmp_path: Path
) -> None:
    if missing := generators.what_is_missing():
        pytest.skip(missing)

    printed = generators.run_typescript(TYPESCRIPT, tmp_path, *arguments)

    assert json.loads(printed) == {
        "created": [201, "Only a title", "new", 1],
        "patched": ["high", ["a"], 2],
        "cleared": [None, [], 3],
        "listed": [200, []],
        "changes": ["created", "updated", "updated"],
        "metrics": 0,
        "wrong": [422, "/title"],
        "unknown": [404, "urn:problem-type:incidents:not-found"],
        "expired": [401, "Unauthorized"],
        "forbidden": [403, "Forbidden"],
        "elsewhere": [404, "Not Found"],
    }


def test_openapi_python_client_gives_an_answer_for_every_status(
    made: Callable[[str], Path], arguments: tuple[str, str, str]
) -> None:
    printed = generators.run_python(OPENAPI_PYTHON_CLIENT, made("openapi_python_client"), *arguments)

    assert json.loads(printed) == {
        "created": [201, "Only a title", "new", 1],
        "patched": [200, "high", ["a"], 2],
        "cleared": [200, None, [], 3],
        "listed": [200, []],
        "found": [3],
        "changes": ["created", "updated", "updated"],
        "metrics": [200, 0],
        "wrong": [422, "urn:problem-type:incidents:invalid-incident", "/title"],
        "stale": [412, "urn:problem-type:incidents:precondition-failed"],
        "unknown": [404, 404],
        "expired": [401, "Unauthorized"],
        "forbidden": [403, "Forbidden"],
        "elsewhere": [404, "Not Found"],
    }


def test_openapi_generator_sends_its_dates_and_gives_an_error_for_every_status(
    made: Callable[[str], Path], arguments: tuple[str, str, str]
) -> None:
    printed = generators.run_python(OPENAPI_GENERATOR, made("openapi_generator_client"), *arguments)

    assert json.loads(printed) == {
        "created": ["Only a title", "new", "2026-11-20T05:00:00.125000+00:00"],
        "patched": ["high", ["a"], 2],
        "listed": True,
        "later": [],
        "earlier": [],
        "changes": ["created", True],
        "metrics": 0,
        "wrong": ["UnprocessableEntityException", 422, None],
        "unknown": ["NotFoundException", 404, None],
        "expired": ["UnauthorizedException", 401, "Unauthorized"],
        "forbidden": ["ForbiddenException", 403, "Forbidden"],
        "elsewhere": ["NotFoundException", 404, "Not Found"],
    }


def test_the_models_of_datamodel_code_generator_read_real_answers(stack: Checkout, made: Callable[[str], Path]) -> None:
    person, nobody = stack.caller(stack.token(TENANT)), stack.caller("expired")
    created = person.post(json={"title": "x", "detected_at": "2026-11-20T10:00:00+01:00"})
    path = f"/{created.json()['id']}"
    answers = {
        "created": created,
        "patched": person.patch(path, {"lessons_learned": {"a": [1]}, "financial_impact": 48_250.5, "tags": ["a"]}),
        "listed": person.get("?limit=100"),
        "changes": person.get(f"{path}/changes"),
        "metrics": person.get("/metrics"),
        "unknown": person.get("/inc_01M83J8EHSBKC38ZQ0R08TEPS6"),
        "wrong": person.post(json={"titel": "x"}),
        "expired": nobody.get(),
        "elsewhere": person.get("/a/b/c"),
    }
    bodies = {name: answer.text for name, answer in answers.items()}

    read: dict[str, Any] = json.loads(generators.run_python(MODELS, made("models"), given=json.dumps(bodies)))

    assert (read["patched"]["version"], read["patched"]["tags"]) == (2, ["a"])
    assert read["patched"]["lessons_learned"] == {"a": [1]}
    assert read["patched"]["financial_impact"] == 48_250.5
    assert created.json()["id"] in [one["id"] for one in read["listed"]["items"]]
    assert [change["action"] for change in read["changes"]["items"]] == ["created", "updated"]
    assert read["metrics"]["mttd"]["n"] == 0
    assert (read["unknown"]["status"], read["unknown"]["message"]) == (404, None)
    assert [one["pointer"] for one in read["wrong"]["errors"]] == ["/title", "/titel"]
    assert (read["expired"]["message"], read["elsewhere"]["message"]) == ("Unauthorized", "Not Found")
