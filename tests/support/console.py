"""A small server for the console's tests: the real page, the real sign-in, and an API with made-up incidents.

The API answers like the real API, but from memory. It can be slow or fail. A test compares its answers with the
OpenAPI document. For tests that write, the server passes the requests to the real handlers instead.
"""

import json
import random
import threading
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import get_console
from incidents.domain import board_entry, evidence, model
from incidents.domain.deadlines import assessment, keeping
from incidents.domain.deadlines.rules import Settings
from incidents.domain.metric_definitions import DEFINITIONS
from incidents.domain.questions import FILTERS
from incidents.domain.summary import summary_of
from incidents_cli.local import sign_in

from tests.support import recorded
from tests.support.events import ISSUER
from tests.support.gateway import Gateway

KEY = "0123456789abcdef0123456789abcdef"
API = "/_aws/execute-api/fake0api/api/v1/grc/incidents"
NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
_READ_AT_MOST = 1000
_PARAMETERS = {
    *FILTERS,
    "limit",
    "cursor",
    "order",
    "created_from",
    "created_to",
    "detected_from",
    "detected_to",
    "incident_number",
    "include_deleted",
    "open",
    "unowned",
    "q",
}
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LISTS = [name for name in model.FIELDS if name.endswith("_ids")] + ["reportable_to", "tags"]


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def incident(number: int, **values: Any) -> dict[str, Any]:
    """Return an incident with all its fields, as the API answers it."""
    created = NOW - timedelta(hours=7 * number + 3, minutes=13 * number % 60)
    digits = ""
    for _ in range(10):
        number, digit = divmod(number, 32)
        digits = _ALPHABET[digit] + digits
    made: dict[str, Any] = dict.fromkeys(model.FIELDS)
    made.pop("app_id", None)
    made |= {name: [] for name in _LISTS}
    made |= {
        "id": f"inc_01JDXN0000000000{digits}",
        "tenant_id": "acme",
        "created_at": stamp(created),
        "updated_at": stamp(created),
        "created_by": "ada.byron",
        "updated_by": "ada.byron",
        "version": 1,
        "source": "edm",
        "source_type": "api",
        "is_deleted": False,
        "schema_version": 1,
        "incident_number": "INC-2026-000001",
        "title": "An incident",
        "status": "new",
        "detected_at": stamp(created - timedelta(minutes=20)),
    }
    return made | values


_SAMPLES: list[dict[str, Any]] = [
    {
        "title": "Ransom note on the file server of the finance team",
        "severity": "critical",
        "status": "contained",
        "category": "ransomware",
        "owner_id": "ada.byron",
        "affected_asset_ids": ["fin-22", "fs-finance-01", "arn:aws:s3:::finance-archive"],
    },
    {
        "title": "Access key of the deployment user published in a public repository",
        "severity": "critical",
        "status": "investigating",
        "category": "unauthorized_access",
        "source": "aws.health",
        "affected_account_ids": ["111122223333"],
    },
    {
        "title": "198.51.100.7 is performing SSH brute force attacks against bastion",
        "severity": "high",
        "status": "new",
        "category": "unauthorized_access",
        "source": "aws.guardduty",
        "affected_asset_ids": ["i-0abc1234def567890"],
    },
    {
        "title": "The S3 bucket ledger-exports is public",
        "severity": "high",
        "status": "review",
        "category": "misconfiguration",
        "source": "aws.macie",
        "owner_id": "jo.mills",
    },
    {
        "title": "Credential stuffing on the customer portal",
        "severity": "high",
        "status": "recovering",
        "category": "unauthorized_access",
        "owner_id": "ada.byron",
    },
    {
        "title": "Laptop stolen on a train, disk encryption unknown",
        "severity": "medium",
        "status": "investigating",
        "category": "physical",
        "owner_id": "sam.ortiz",
    },
    {
        "title": "Phishing mail with a fake invoice reached 41 mailboxes",
        "severity": "medium",
        "status": "new",
        "category": "phishing",
    },
    {
        "title": "Certificate of the partner gateway expired over night",
        "severity": "low",
        "status": "new",
        "category": "availability",
        "owner_id": "team-network",
    },
    {
        "title": "Export of customer addresses written to a shared folder",
        "severity": "high",
        "status": "closed",
        "category": "data_breach",
        "owner_id": "jo.mills",
    },
    {
        "title": "Unknown device on the office network",
        "severity": "informational",
        "status": "dismissed",
        "category": "physical",
    },
    {
        "title": "Backup job of the ledger database failed twice",
        "severity": None,
        "status": "new",
        "category": "availability",
    },
]


def incidents(count: int) -> list[dict[str, Any]]:
    """Return incidents, the newest first."""
    made = []
    for n in range(count):
        sample = _SAMPLES[n % len(_SAMPLES)]
        one = incident(n, **sample, incident_number=f"INC-2026-{231 + count - n:06d}")
        created = datetime.fromisoformat(one["created_at"])
        if sample["status"] == "closed":
            one["closed_at"] = stamp(created + timedelta(hours=31))
            one["mttr_minutes"] = 31 * 60 + 20
        if "source" in sample:
            one |= {"source_type": "system", "created_by": f"system:{sample['source']}"}
        made.append(one)
    if made:
        began = datetime.fromisoformat(made[0]["detected_at"]) - timedelta(hours=8, minutes=12)
        made[0] |= {
            "description": "Shares of the finance team were encrypted from workstation fin-22. The note names LockBit. "
            "Backups of Saturday are intact; the workstation was taken off the network at 08:14.",
            "occurred_at": stamp(began),
            "contained_at": stamp(began + timedelta(hours=8, minutes=34)),
            "mttd_minutes": 492,
            "tags": ["finance", "lockbit"],
            "reportable_to": ["GDPR", "NIS2", "contract-7"],
            "regulatory_reports": {
                "eu-gdpr": {"anchors": {"aware": stamp(NOW - timedelta(hours=50))}},
                "eu-nis2": {
                    "anchors": {"aware": stamp(NOW - timedelta(hours=30))},
                    "facts": {"member_state": "DE"},
                },
            },
            "commander_ids": ["sam.ortiz"],
            "triggered_by_alert_ids": [
                "arn:aws:guardduty:eu-central-1:111122223333:detector/12abc/finding/9f8e7d6c5b4a"
            ],
            "realized_risk_ids": ["RISK-31"],
            "corrective_action_ids": ["CA-118"],
            "financial_impact": 48250.5,
            "lessons_learned": {
                "went_well": ["the block was in place 22 minutes after detection"],
                "change": ["segment the finance shares"],
            },
            "version": 5,
            "updated_by": "ada.byron",
        }
        for n, regimes in ((3, ["GDPR"]), (4, ["DORA"]), (8, ["MDR"])):
            if n < count:
                made[n]["reportable_to"] = regimes
    return made


def _stored(one: dict[str, Any]) -> dict[str, Any]:
    """Return an incident as the service's code has it: with its reports as JSON text."""
    reports = one["regulatory_reports"]
    return one | {"regulatory_reports": None if reports is None else json.dumps(reports)}


def deadlines(one: dict[str, Any]) -> dict[str, Any]:
    """Return the deadlines of an incident, by the service's own rules."""
    computed = assessment.deadlines(assessment.known(_stored(one)), Settings(), NOW)
    return {"incident_id": one["id"], "version": one["version"], **computed}


def board(those: list[dict[str, Any]], query: list[tuple[str, str]]) -> dict[str, Any]:
    """Return the board of incidents, by the service's own rules."""
    now = int(NOW.timestamp() * 1000)
    ids = {value for name, value in query if name == "incident_id"}
    regimes = {value for name, value in query if name == "regime"}
    plans = [keeping.plan(_stored(one), Settings(), now, dict) for one in those if not keeping.is_off(one)]
    plans.sort(key=lambda plan: plan.soonest or "~")
    entries = [board_entry.shown(json.loads(plan.entry), now) for plan in plans if plan.entry is not None]
    found = [
        entry for entry in entries
        if (not ids or entry["incident_id"] in ids)
        and (not regimes or regimes & {stage["regime"] for stage in entry["stages"]})
    ]  # fmt: skip
    return {"items": found, "next_cursor": None} if ids else _part(found, query)


def changes(one: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the trail of an incident, the oldest change first."""
    at = datetime.fromisoformat(one["created_at"])
    steps: list[tuple[str, str, dict[str, Any]]] = [
        (one["created_by"], "created", {}),
        (
            "jo.mills",
            "updated",
            {"affected_asset_ids": {"from": ["fin-22"], "to": one["affected_asset_ids"] or ["fin-22"]}},
        ),
        (
            "ada.byron",
            "updated",
            {
                "status": {"from": "investigating", "to": "contained"},
                "contained_at": {"from": None, "to": one["contained_at"] or one["created_at"]},
            },
        ),
        ("ada.byron", "updated", {"severity": {"from": "high", "to": "critical"}}),
        ("sam.ortiz", "updated", {"description": {"from": None, "to": one["description"] or "What is known. " * 20}}),
    ]
    return [
        {"version": n + 1, "at": stamp(at + timedelta(minutes=7 * n)), "by": by, "action": action, "changes": fields}
        for n, (by, action, fields) in enumerate(steps[: one["version"]])
    ]


def finding(event: dict[str, Any], *, is_cut: bool = False) -> dict[str, Any]:
    """Return an item of an incident's list of findings, with the summary that the service makes of the event."""
    kept = evidence.of_event(
        event, observed_at=stamp(NOW), source=event["source"], adapter="test", rule="a test says so"
    )
    return {
        "observed_at": kept.observed_at, "source": kept.source, "adapter": kept.adapter, "rule": kept.rule,
        "sha256": kept.sha256, "is_cut": is_cut, "summary": summary_of(event), "event": event,
    }  # fmt: skip


def _durations(rng: random.Random, n: int, middle: int) -> dict[str, Any]:
    if n == 0:
        return {"n": 0, "imported": 0} | dict.fromkeys(("mean", "p50", "p90", "p95", "min", "max"))
    values = sorted(int(middle * rng.lognormvariate(0, 0.6)) for _ in range(n))

    def rank(p: int) -> int:
        return values[max(0, -(-p * n // 100) - 1)]

    return {
        "n": n,
        "mean": round(sum(values) / n, 2),
        "p50": rank(50),
        "p90": rank(90),
        "p95": rank(95),
        "min": values[0],
        "max": values[-1],
        "imported": n // 9,
    }


def metrics(query: dict[str, str]) -> dict[str, Any]:
    """Return made-up metrics of a window, in which two spans have no value."""
    last = datetime.fromisoformat(query.get("to", "2026-11-27")).date()
    first = datetime.fromisoformat(query.get("from", str(last - timedelta(days=29)))).date()
    interval = query.get("interval", "day")
    rng = random.Random(7)
    spans: list[dict[str, Any]] = []
    start = first
    while start <= last:
        month_end = (start.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
        end = min(last, {"day": start, "week": start + timedelta(days=6), "month": month_end}[interval])
        n = 0 if len(spans) in (4, 5) else rng.randint(1, 6)
        spans.append(
            {
                "from": str(start),
                "to": str(end),
                "mttd": _durations(rng, n, 110),
                "mttr": _durations(rng, n, 1170),
                "time_to_contain": _durations(rng, n, 150),
            }
        )
        start = end + timedelta(days=1)

    def still_open(n: int) -> dict[str, int]:
        return {"n": n, "p50": 4320, "p90": 20_000, "max": 30_240}

    def counts(mttd: int, mttr: int, contain: int) -> dict[str, int]:
        return {"mttd": mttd, "mttr": mttr, "time_to_contain": contain}

    values: dict[str, list[str | None]] = {
        "severity": ["high", "critical", "medium", "low", None],
        "category": ["phishing", "unauthorized_access", "malware"],
        "app": ["soc-portal", None],
        "none": [],
    }
    groups = [
        {
            "group": value,
            "mttd": _durations(rng, 20, 110),
            "mttr": _durations(rng, 18, 1170),
            "time_to_contain": _durations(rng, 20, 150),
            "open": still_open(3),
        }
        for value in values[query.get("group_by", "severity")]
    ]
    return {
        "from": str(first),
        "to": str(last),
        "as_of": stamp(NOW),
        "computed_at": stamp(NOW - timedelta(minutes=12)),
        "pending_days": 2,
        "mttd": _durations(rng, 89, 110),
        "mttr": _durations(rng, 88, 1170),
        "time_to_contain": _durations(rng, 89, 150),
        "groups": groups,
        "other": None,
        "approximate": False,
        "trend": spans,
        "open": still_open(14),
        "excluded": {"deleted": counts(4, 4, 4), "dismissed": counts(7, 0, 7), "timestamps_missing": counts(11, 2, 6)},
        "definitions": DEFINITIONS,
    }


@dataclass
class World:
    """The data and the behavior of the API. Tests change them while the server runs."""

    incidents: list[dict[str, Any]] = field(default_factory=lambda: incidents(60))
    fails_with: int = 0
    retry_after: int = 1
    failures: int = -1
    """How many requests fail. -1 is all of them."""
    seconds: float = 0
    token_is_valid: bool = True
    refusals: int = 0
    """How many of the next requests get a 401 although their token is valid."""
    refresh_is_valid: bool = True
    requests: list[str] = field(default_factory=list)
    trail: list[dict[str, Any]] | None = None
    findings: list[dict[str, Any]] = field(default_factory=lambda: [finding(recorded.event("guardduty"))])
    """The events of each incident that a finding created."""
    handlers: Gateway | None = None
    """The real handlers, which answer in place of the made-up API."""
    faults: dict[str, list[str]] = field(default_factory=dict)
    """The faults of the next requests of each person: ok, 401, 429, 503, unheard (no handler gets the request) or lost.
    If an answer is lost, a handler did the request.
    """


class Server(ThreadingHTTPServer):
    daemon_threads = True
    world: World
    sign_in: sign_in.SignIn
    texts: dict[str, Any]

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def console(self) -> str:
        return self.origin + API + "/console"

    def address(self) -> str:
        """Return an address like the one that `incidents up` prints. It opens the console once, signed in."""
        return self.origin + sign_in.OPEN + sign_in.ticket(KEY, time.time())


@contextmanager
def serve(world: World, **environment: str) -> Iterator[Server]:
    """Run the server. ``environment`` may have other settings of the console."""
    server = Server(("127.0.0.1", 0), _Handler)
    issuer = f"{server.origin}/token-issuer"
    server.world = world
    server.sign_in = sign_in.SignIn(server.origin, KEY, lambda: {"api_id": "fake0api"}, _unsigned)
    server.texts = get_console.texts(
        {
            "JWT_ISSUER": issuer,
            "TOKEN_CLAIMS": "tenant_id app_id  scope,scp",
            "CLIENT_ID": sign_in.CLIENT,
            "AUTHORIZE_URL": server.origin + sign_in.AUTHORIZE,
            "TOKEN_URL": server.origin + sign_in.TOKEN,
            "SIGN_OUT_URL": server.origin + sign_in.SIGN_OUT,
            "SCOPES": " ".join(sign_in.SCOPES),
        }
        | environment
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def token(tenant: str, subject: str, scope: str = " ".join(sign_in.SCOPES)) -> str:
    """Return a token that this server accepts."""
    return _unsigned({"tenant_id": tenant, "sub": subject, "scope": scope, "exp": int(time.time()) + 3600})


def _claims(authorization: str) -> dict[str, str]:
    """Return the claims of an unsigned token, as the gateway passes them to a handler."""
    part = authorization.split(".")[1]
    claims = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return {name: str(value) for name, value in claims.items()} | {"iss": ISSUER}


def _unsigned(claims: dict[str, Any]) -> str:
    return ".".join(
        urlsafe_b64encode(part).rstrip(b"=").decode() for part in (b"{}", json.dumps(claims).encode(), b"x")
    )


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PATCH(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def _answer(self) -> None:
        url, world = urlsplit(self.path), self.server.world
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        world.requests.append(f"{self.command} {self.path}")
        if self.server.sign_in.answers(self.command, url.path):
            if url.path == sign_in.TOKEN and "grant_type=refresh_token" in body and not world.refresh_is_valid:
                self._send(400, {"content-type": "application/json"}, '{"error": "invalid_grant"}')
                return
            self._send(*self.server.sign_in.answer(self.command, url.path, url.query, body))
        elif url.path in (API + "/console", *(f"{API}/console/{name}" for name in self.server.texts)):
            text = self.server.texts[url.path.removeprefix(API + "/console").removeprefix("/")]
            answer = text.answer(
                {name.lower(): value for name, value in self.headers.items() if name != "Accept-Encoding"}
            )
            self._send(answer["statusCode"], answer["headers"], answer["body"])
        elif url.path.startswith(API):
            time.sleep(world.seconds)
            path = url.path.removeprefix(API)
            if world.handlers is None or not self._passes():
                self._send(*self._api(path, parse_qsl(url.query)))
            else:
                self._send_of_handlers(world.handlers, path + (f"?{url.query}" if url.query else ""), body)
        else:
            self._send(404, {"content-type": "text/plain"}, "no such page")

    def _passes(self) -> bool:
        """Return whether the made-up API would not refuse the request."""
        world = self.server.world
        return world.token_is_valid and world.refusals <= 0 and not (world.fails_with and world.failures)

    def _send_of_handlers(self, handlers: Gateway, path: str, body: str) -> None:
        """Pass the request to the handlers, and send their answer, unless the person's next fault prevents this."""
        claims = _claims(self.headers.get("authorization", ""))
        faults = self.server.world.faults.get(claims["sub"], [])
        fault = faults.pop(0) if faults else "ok"
        headers = {name.lower(): value for name, value in self.headers.items()}
        if fault == "401":
            self._send(401, {"content-type": "application/json"}, '{"message": "Unauthorized"}')
        elif fault in ("429", "503"):
            self._send(*_problem(int(fault), "The service cannot do this now.", 1))
        elif fault == "unheard":
            self._break_off()
        else:
            status, answered, text = handlers.answer(self.command, path, headers, body, claims)
            if fault == "lost":
                self._break_off()
            else:
                self._send(status, answered, text)

    def _break_off(self) -> None:
        """Close the connection within an answer. Without any answer, Chromium would send the request again."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n")
        self.close_connection = True

    def _api(self, path: str, query: list[tuple[str, str]]) -> tuple[int, dict[str, str], str]:
        world = self.server.world
        world.refusals -= 1
        if (
            world.refusals >= 0
            or not world.token_is_valid
            or not self.headers.get("authorization", "").startswith("Bearer e30.")
        ):
            return 401, {"content-type": "application/json"}, '{"message": "Unauthorized"}'
        if world.fails_with and world.failures:
            world.failures -= 1
            return _problem(world.fails_with, "The service cannot do this now.", world.retry_after)
        if path == "":
            return _page(world.incidents, query)
        if path == "/deadlines":
            return 200, {"content-type": "application/json"}, json.dumps(board(world.incidents, query))
        if path == "/metrics":
            return 200, {"content-type": "application/json"}, json.dumps(metrics(dict(query)))
        found = [one for one in world.incidents if path.startswith(f"/{one['id']}")]
        if not found:
            return _problem(404, "There is no such incident.", 0)
        value: Any = found[0]
        if path.endswith("/changes"):
            value = {"items": changes(found[0]) if world.trail is None else world.trail, "next_cursor": None}
        if path.endswith("/deadlines"):
            value = deadlines(found[0])
        if path.endswith("/findings"):
            is_found = found[0]["created_by"].startswith("system:")
            value = _part(world.findings if is_found else [], query)
        return 200, {"content-type": "application/json"}, json.dumps(value)

    def _send(self, status: int, headers: Mapping[str, str], body: str) -> None:
        content = body.encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


_KINDS = {400: "malformed-request", 403: "not-permitted", 404: "not-found", 500: "internal-error", 503: "busy"}


def _problem(status: int, detail: str, retry_after: int) -> tuple[int, dict[str, str], str]:
    body = {
        "type": f"urn:problem-type:incidents:{_KINDS.get(status, 'busy')}",
        "title": _KINDS.get(status, "busy").replace("-", " ").capitalize(),
        "status": status,
        "detail": detail,
        "request_id": "Kx1aBcDeFg=",
    }
    headers = {"content-type": "application/problem+json"} | ({"retry-after": str(retry_after)} if retry_after else {})
    return status, headers, json.dumps(body)


def _part(items: Sequence[dict[str, Any]], query: list[tuple[str, str]]) -> dict[str, Any]:
    single = dict(query)
    start = int(single.get("cursor", 0))
    end = start + int(single.get("limit", 50))
    return {"items": items[start:end], "next_cursor": str(end) if end < len(items) else None}


def _page(everything: list[dict[str, Any]], query: list[tuple[str, str]]) -> tuple[int, dict[str, str], str]:
    """Answer a list. One request reads at most 1 000 incidents, like a request to the real API."""
    single = dict(query)
    unknown = {name for name, _ in query} - _PARAMETERS
    if unknown:
        return _problem(400, f"Unknown parameter: {min(unknown)}", 0)
    ordered = everything if single.get("order") != "asc" else everything[::-1]
    start = int(single.get("cursor", 0))
    limit, items, at = int(single.get("limit", 50)), [], start
    for at in range(start, min(len(ordered), start + _READ_AT_MOST)):
        if _matches(ordered[at], query):
            items.append(ordered[at])
            if len(items) == limit:
                break
    after = at + 1
    cursor = str(after) if after < len(ordered) else None
    return 200, {"content-type": "application/json"}, json.dumps({"items": items, "next_cursor": cursor})


def _matches(one: dict[str, Any], query: list[tuple[str, str]]) -> bool:
    wanted: dict[str, list[str]] = {}
    for name, value in query:
        wanted.setdefault(name, []).append(value)
    for name, values in wanted.items():
        match name:
            case "open":
                held = (one["status"] not in ("closed", "dismissed")) is (values == ["true"])
            case "unowned":
                held = (one["owner_id"] is None) is (values == ["true"])
            case "q":
                text = f"{one['title']} {one['incident_number']}".casefold()
                held = all(word in text for word in values[0].casefold().split())
            case "status" | "severity" | "category" | "owner_id" | "source" | "incident_number":
                held = one[name] in values
            case "affected_asset_id" | "tag" | "reportable_to":
                held = bool({*one[f"{name}s" if name != "reportable_to" else name]} & {*values})
            case "created_from":
                held = one["created_at"] >= values[0]
            case "created_to":
                held = one["created_at"] <= values[0]
            case "detected_from":
                held = one["detected_at"] is not None and one["detected_at"] >= values[0]
            case "detected_to":
                held = one["detected_at"] is not None and one["detected_at"] <= values[0]
            case _:
                held = True
        if not held:
            return False
    return True
