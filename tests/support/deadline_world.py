"""Random histories of incidents with deadlines, the job that keeps their board, and two oracles.

``expected_board`` computes a board only from the final incidents. ``AlertOracle`` follows a history in the order of
time. It knows when the job checked an incident, and computes the alerts that the job must have published. Both oracles
use the deadlines that the API shows for an incident. They use no code that updates the board.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any

import announce_deadlines
import create_incident
import delete_incident
import follow_incidents
import list_deadlines
import pytest
import update_incident
from incidents.domain.deadlines import assessment, rules
from incidents.domain.errors import Busy
from incidents.storage import dynamodb as table_client
from incidents.storage import guard, keys, marks, stored_form
from incidents.storage.settings import DEADLINES, Settings, TenantSettings

from tests.support.events import (
    Context,
    board_event,
    claims,
    create_event,
    delete_event,
    patch_event,
    record,
    stream_event,
)
from tests.support.streams import shuffled

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Document = dict[str, Any]
Date = tuple[str, str, str, str]  # the regime, the stage, "due" or the only kind of its alerts, and the date
Times = list[tuple[str, datetime]]  # the kinds of a date's alerts, with their times
APPLICATIONS = (None, "scanner")
REGIMES = {
    "GDPR": "eu-gdpr", "NIS2": "eu-nis2", "DORA": "eu-dora", "MDR": "eu-mdr", "SEC": "us-sec-8k",
    "FTC": "us-ftc-safeguards", "contract-7": "contract-7", "no regime": "eu-gdpr",
}  # fmt: skip
STAGES = {
    "eu-gdpr": ("authority", "individuals"), "eu-nis2": ("early_warning", "notification", "final"),
    "eu-dora": ("initial", "intermediate"), "eu-mdr": ("serious",), "us-sec-8k": ("form_8k",),
    "us-ftc-safeguards": ("ftc",), "contract-7": ("notice",),
}  # fmt: skip
ANCHORS = {"us-sec-8k": "determined"}
OPEN = {"running", "overdue", "waiting_previous", "pending_anchor", "setting_missing", "no_fixed_term"}
HOURS = {
    ("eu-gdpr", "authority"): 72, ("eu-nis2", "early_warning"): 24, ("eu-nis2", "notification"): 72,
    ("eu-dora", "initial"): 24, ("contract-7", "notice"): 12,
}  # fmt: skip
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ProcessEnd(BaseException):
    """The process of the function ended at this call."""


class WorldClock:
    """The clock of all code under test. It stands still until the world moves it."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 6, 8, 6, tzinfo=UTC)

    def __call__(self) -> int:
        return (self.moment - _EPOCH) // timedelta(microseconds=1) * 1000


def text(moment: datetime) -> str:
    return f"{moment.isoformat(timespec='milliseconds')[:23]}Z"


def parsed(moment: str) -> datetime:
    return datetime.fromisoformat(moment)


class DeadlineWorld:
    """Some tenants with incidents whose deadlines change, and the stream records that are not yet delivered."""

    def __init__(self, client: "DynamoDBClient", table: str, run: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self._client, self._table = client, table
        self.clock = WorldClock()
        monkeypatch.setattr(time, "time_ns", self.clock)
        self.tenants = [f"t{run}-a", f"t{run}-b"]
        self.callers = [claims(tenant, app_id=app) for tenant in self.tenants for app in APPLICATIONS]
        self.documents: dict[str, Document] = {}
        self.settings: dict[str, dict[str, Any]] = {tenant: {} for tenant in self.tenants}
        self.versions = dict.fromkeys(self.tenants, 0)
        self.named: dict[str, dict[str, str]] = {}
        self.items: dict[str, dict[str, Any]] = {}
        self._numbers = count(1)
        self.waiting: list[dict[str, Any]] = []
        self.told: list[str] = []
        self.bus_works = True
        self.at_bus: Callable[[], None] = lambda: None

    # --- What people do ----------------------------------------------------------------------------------------------
    def create(self, random: Random) -> None:
        caller = random.choice(self.callers)
        fields: dict[str, Any] = {"title": "x", "reportable_to": random.sample([*REGIMES], random.choice([0, 1, 1, 2]))}
        ago = timedelta(minutes=random.choice([0, 30, 600, 4000, 20_000, 90_000]))
        if random.random() < 0.6:
            fields["detected_at"] = text(self.clock.moment - ago)
        if random.random() < 0.2:  # an import
            fields["status"] = random.choice(["closed", "dismissed"])
        if random.random() < 0.6:
            fields["regulatory_reports"] = self._anchors(random, caller["tenant_id"], fields["reportable_to"], ago)
        answer = create_incident.handler(create_event(fields, caller=caller), Context)
        self._keep(answer, 201)

    def change(self, random: Random, incident_id: str) -> None:
        document = self.documents[incident_id]
        caller = claims(document["tenant_id"], app_id=document.get("app_id"))
        if document["is_deleted"]:
            patch: dict[str, Any] = {"is_deleted": False}
        else:
            patch = self._patch(random, document)
        if patch:
            self._keep(update_incident.handler(patch_event(incident_id, patch, caller=caller), Context), 200)
        else:
            answer = delete_incident.handler(delete_event(incident_id, caller=caller), Context)
            assert answer["statusCode"] == 204
            document |= {"is_deleted": True, "version": document["version"] + 1}
            self._record(document)

    def _patch(self, random: Random, document: Document) -> dict[str, Any]:
        """Return a random patch. An empty patch stands for a deletion."""
        now, status, tenant = self.clock.moment, document["status"], document["tenant_id"]
        ago, names = timedelta(minutes=random.choice([0, 90, 3000])), document["reportable_to"]
        kinds = ["regimes", "anchor", "anchor", "submit", "withdraw", "detected", "status", "delete", "title"]
        match random.choice(kinds):
            case "regimes":
                return {"reportable_to": random.sample([*REGIMES], random.randint(0, 2))}
            case "anchor":
                return {"regulatory_reports": self._anchors(random, tenant, names, ago)}
            case "submit":
                regime = self._regime(random, tenant, names)
                at = now - timedelta(minutes=random.choice([0, 0, 60, 2000]))
                sent = {random.choice(STAGES[regime]): {"submitted_at": text(at)}}
                return {"regulatory_reports": {regime: {"stages": sent}}}
            case "withdraw":
                return {
                    "regulatory_reports": {self._regime(random, tenant, names): random.choice([None, {"stages": None}])}
                }
            case "detected":
                later = text(now - timedelta(minutes=random.choice([0, 600])))
                return {"detected_at": None if status == "closed" else random.choice([None, later])}
            case "status":
                return {"status": "dismissed" if status in ("new", "investigating") else "investigating"}
            case "title":
                return {"title": f"x{random.random()}"}
        return {}

    def _anchors(self, random: Random, tenant: str, names: list[str], ago: timedelta) -> dict[str, Any]:
        regime = self._regime(random, tenant, names)
        at = text(self.clock.moment - ago)
        anchors = {ANCHORS.get(regime, "aware"): at}
        if regime == "eu-dora" and random.random() < 0.5:
            anchors["classified"] = at
        return {regime: {"anchors": anchors}}

    def _regime(self, random: Random, tenant: str, names: list[str]) -> str:
        """Return a regime that the tenant has. Usually, the incident names the regime."""
        known = [name for name in STAGES if name != "contract-7" or self.settings[tenant].get("rules")]
        named = [REGIMES[name] for name in names if REGIMES[name] in known]
        return random.choice(named if named and random.random() < 0.9 else known)

    def choose(self, random: Random, own: list[dict[str, Any]]) -> None:
        """Change the settings of a tenant, and mark all its incidents, as `incidents deadlines rebuild` does."""
        tenant = random.choice(self.tenants)
        chosen: list[dict[str, Any]] = [
            {"zone": "Europe/Paris"}, {"member_state": "DE"}, {}, {"alerts": ["half", "anchor_missing"]}
        ]  # fmt: skip
        value = {"rules": own if random.random() < 0.8 else []} | random.choice(chosen)
        self.settings[tenant] = value
        self.versions[tenant] += 1
        with guard.serving_tenant(tenant):
            settings = TenantSettings(tenant, table_client.client(), self._table)
            settings.write(DEADLINES, Settings(value, self.versions[tenant], text(self.clock.moment), "ada"))
        for document in self.documents.values():
            if document["tenant_id"] == tenant:
                marks.deadlines().mark(tenant, document["id"], now=self.clock() // 1_000_000)

    def _keep(self, answer: dict[str, Any], status: int) -> None:
        assert answer["statusCode"] == status, answer
        document = json.loads(answer["body"])
        before = self.named.get(document["id"], {})
        self.named[document["id"]] = {
            name: before.get(name, document["updated_at"]) for name in map(str.casefold, document["reportable_to"])
        }
        self.documents[document["id"]] = document
        self._record(document)

    def _record(self, document: Document) -> None:
        """Append the stream record of a change, from the incident's item before the change and after it.

        The table has no stream, because each stored record of a stream makes every call to DynamoDB Local slower.
        """
        key = stored_form.key(keys.incident(document["tenant_id"], document["id"]))
        item = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)["Item"]
        images = record(self.items.get(document["id"]), item, next(self._numbers))
        self.waiting.append({"dynamodb": images["dynamodb"] | {"Keys": key}})
        self.items[document["id"]] = item

    # --- What the service does ---------------------------------------------------------------------------------------
    def deliver(self, random: Random, *, everything: bool = False) -> None:
        """Deliver some waiting records. The records of one item keep their order, but the items are mixed.

        Some batches are delivered twice.
        """
        number = len(self.waiting) if everything else random.randint(0, len(self.waiting))
        batch, self.waiting = shuffled(self.waiting, random, number)
        for _ in range(random.choice([1, 1, 2])):
            if batch:
                assert follow_incidents.handler(stream_event(batch), Context) == {"batchItemFailures": []}

    def put(self, entries: dict[str, Any]) -> set[str]:
        """Replace the bus. Return the names of the refused entries."""
        self.at_bus()
        if not self.bus_works:
            return set(entries)
        self.told += [json.loads(entry["Detail"])["deduplication_key"] for entry in entries.values()]
        self.at_bus()
        return set()

    def run(self) -> dict[str, int]:
        return announce_deadlines.handler({}, Context)

    def run_with_a_fault(self, random: Random) -> None:
        """Run the job with a fault or a second run at a random call. Then run it again at the same moment."""

        def fail() -> None:
            raise kind

        kind = random.choice([Busy, ProcessEnd])
        happens = random.choice([fail, fail, self.run])
        with at_call(table_client.client(), random.randint(1, 12), happens) as at_bus:
            self.at_bus = at_bus
            try:
                self.run()
            except (ProcessEnd, Busy):
                pass
            finally:
                self.at_bus = lambda: None
        self.run()

    def marked(self) -> set[str]:
        return {mark.name[0] for mark in marks.deadlines().of_all_tenants()}

    def board(self, caller: dict[str, str]) -> list[Document]:
        found: list[Document] = []
        cursor: dict[str, str] = {}
        while True:
            answer = list_deadlines.handler(board_event(caller, limit=7, **cursor), Context)
            assert answer["statusCode"] == 200, answer
            page = json.loads(answer["body"])
            found += page["items"]
            if page["next_cursor"] is None:
                return found
            cursor = {"cursor": page["next_cursor"]}

    # --- The oracles -------------------------------------------------------------------------------------------------
    def stages(self, document: Document, detected: str | None = None) -> Iterator[tuple[str, Document]]:
        """Yield the stages that the API shows for an incident now, with their regimes.

        With ``detected``, yield the stages that the API would show for this detection time. If the tenant has no zone,
        use UTC.
        """
        settings = rules.read(self.settings[document["tenant_id"]])
        if detected is not None and settings.zone is None and settings.member_state is None:
            settings = settings._replace(zone="UTC")
        reports = document["regulatory_reports"]
        incident = document | {"regulatory_reports": json.dumps(reports) if reports else None}
        if detected is not None:
            incident["detected_at"] = detected
        for entry in assessment.deadlines(assessment.known(incident), settings, self.clock.moment)["regimes"]:
            for stage in entry["stages"]:
                yield entry["regime"], stage

    def expected_board(self, caller: dict[str, str]) -> list[Document]:
        """Return a caller's board, computed only from the incidents."""
        shown = ("stage", "state", "due_at", "projected_at", "anchor_missing", "setting_missing")
        entries = []
        for document in self.documents.values():
            if document["tenant_id"] != caller["tenant_id"] or is_off(document):
                continue
            if caller.get("app_id") is not None and document.get("app_id") != caller["app_id"]:
                continue
            found = [
                {"regime": regime} | {name: stage[name] for name in shown}
                for regime, stage in self.stages(document)
                if stage["state"] in OPEN
            ]
            found.sort(key=lambda one: (one["due_at"] or one["projected_at"] or "~", one["regime"], one["stage"]))
            if found:
                entries.append({"incident_id": document["id"], "stages": found})
        return sorted(
            entries,
            key=lambda entry: (
                entry["stages"][0]["due_at"] or entry["stages"][0]["projected_at"] or "~", entry["incident_id"],
            ),
        )  # fmt: skip


def is_off(document: Document) -> bool:
    return bool(document["is_deleted"] or document["status"] == "dismissed")


class AlertOracle:
    """Computes the alerts that must have been published, from the facts that each run of the job could see."""

    def __init__(self, world: DeadlineWorld) -> None:
        self._world = world
        self.expected: set[str] = set()
        self._done: dict[str, dict[Date, set[str]]] = {}
        self._resting: dict[str, set[Date]] = {}
        self._times: dict[str, dict[Date, Times]] = {}

    def before_run(self) -> None:
        """Update the expected alerts for a run of the job that begins now.

        The run handles all marked incidents, and all incidents with a due alert.
        """
        marked = self._world.marked()
        for document in self._world.documents.values():
            if document["id"] in marked or self._is_due(document["id"]):
                self._look(document)

    def _is_due(self, incident_id: str) -> bool:
        """Return whether an incident has a due alert for one of its known dates."""
        return any(
            kind not in self._done[incident_id][date] and at <= self._world.clock.moment
            for date, times in self._times.get(incident_id, {}).items()
            for kind, at in times
            if date not in self._resting[incident_id]
        )

    def _look(self, document: Document) -> None:
        """Update the expected alerts of an incident for a run of the job that looks at the incident now."""
        incident_id, now = document["id"], self._world.clock.moment
        before, rested = self._done.get(incident_id, {}), self._resting.get(incident_id, set())
        dates = dict(self._dates(document))
        in_time = {
            (regime, stage["stage"], "due", stage["due_at"])
            for regime, stage in self._world.stages(document)
            if stage["state"] == "submitted"
        }
        resting = {*dates} if is_off(document) else in_time & {*dates}
        after: dict[Date, set[str]] = {}
        for date, times in dates.items():
            order = [kind for kind, _ in times]
            past = [kind for kind, at in times if at <= now]
            done = set(before.get(date, ()))
            while order and order[-1] not in done:  # if a kind is done, all earlier kinds are done, too
                order.pop()
            done = {*order}
            if date not in before and parsed(date[3]) < now - timedelta(days=7):
                done |= {*past}
            if date not in before or date in rested:
                done |= {*past[:-1]}
            if self._world.bus_works and date not in resting:
                regime, stage, _, moment = date
                self.expected |= {
                    f"{incident_id}/{regime}/{stage}/{kind}/{moment}" for kind in past if kind not in done
                }
                done |= {*past}
            after[date] = done
        self._done[incident_id], self._resting[incident_id], self._times[incident_id] = after, resting, dates

    def _dates(self, document: Document) -> Iterator[tuple[Date, Times]]:
        """Yield each date that the job must watch, with the times of its alerts in order."""
        chosen = self._world.settings[document["tenant_id"]].get("alerts")
        named = self._world.named[document["id"]]
        regimes = rules.Regimes(rules.read(self._world.settings[document["tenant_id"]]))
        since = {rule["id"]: at for name, at in named.items() if (rule := regimes.find(name))}
        for regime, stage in self._world.stages(document):
            key = (regime, stage["stage"])
            if stage["due_at"] and stage["state"] in ("running", "overdue", "submitted", "submitted_late"):
                first, due = parsed(stage["anchor_at"]), parsed(stage["due_at"])
                ends_day = regime in ("eu-mdr", "us-ftc-safeguards", "us-sec-8k") or stage["stage"] == "final"
                late = due + timedelta(milliseconds=1000 if ends_day and due.second == 59 else 1)
                found = [("missed", late)]
                if stage["state"] != "submitted_late" and due > first:
                    found += [("half", first + (due - first) / 2), ("four_fifths", first + (due - first) * 4 / 5)]
                    if due - first > timedelta(hours=2):
                        found.append(("hour_before", due - timedelta(hours=1)))
                kinds = [one for one in found if chosen is None or one[0] in (*chosen, "missed")]
                yield (*key, "due", stage["due_at"]), sorted(kinds, key=lambda one: one[1])
            elif stage["state"] == "pending_anchor" and stage["warn_at"] and chosen is None:
                warn = parsed(stage["warn_at"])
                yield (*key, "not_classified", text(warn + timedelta(hours=4))), [("not_classified", warn)]
            elif stage["state"] == "pending_anchor" and not stage["warn_at"]:
                begin = document["detected_at"] or since.get(regime)
                if begin is None or stage["anchor_missing"] not in ("aware", "classified"):
                    continue
                date = self._date_if_aware(document, regime, stage, begin)
                if date is not None:
                    half = parsed(begin) + (date - parsed(begin)) / 2
                    yield (*key, "anchor_missing", text(date)), [("anchor_missing", half)]

    def _date_if_aware(self, document: Document, regime: str, stage: Document, begin: str) -> datetime | None:
        """Return the date that a stage would have if the organization had become aware at a given time."""
        term = HOURS.get((regime, stage["stage"]))
        if term is not None:
            return parsed(begin) + timedelta(hours=term)
        assumed = {one["stage"]: one for name, one in self._world.stages(document, begin) if name == regime}
        projected = assumed[stage["stage"]]["projected_at"]
        return None if projected is None else parsed(projected)


@contextmanager
def at_call(client: "DynamoDBClient", number: int, happens: Callable[[], object]) -> Iterator[Callable[[], None]]:
    """Call ``happens`` once, before or after a call to the table or the bus with this number.

    Yield a function that the bus must call before and after each publication.
    """
    left = [number]

    def boundary(**_: object) -> None:
        left[0] -= 1
        if left[0] == 0:
            happens()

    events = client.meta.events
    events.register("before-call.dynamodb", boundary)
    events.register("after-call.dynamodb", boundary)
    try:
        yield boundary
    finally:
        events.unregister("before-call.dynamodb", boundary)
        events.unregister("after-call.dynamodb", boundary)
