"""Tests of the console's pure functions (merge, fields), and of two people who edit the same incident. They need node.

The people's edits run the console's own code in Node.js, against the real handlers.
"""

import json
import random
import shutil
import subprocess
from collections.abc import Callable
from http.client import HTTPConnection
from typing import Any

import pytest

from tests.browser.test_console_build import SOURCE
from tests.support import moto_table, scale, templates
from tests.support.console import API, Server, World, token

FOLDER = templates.CHECKOUT / "tests" / "browser"
LONGEST = 300


def node(script: str, *arguments: str, given: object) -> Any:
    """Run a script of this folder, and return the JSON value that it prints."""
    if shutil.which("node") is None or not (SOURCE / "node_modules").exists():
        pytest.skip("The console's packages are not installed: cd infra/console && npm ci --ignore-scripts")
    done = subprocess.run(
        ["node", str(FOLDER / script), *arguments], input=json.dumps(given), capture_output=True, text=True,
        check=False, timeout=LONGEST, env={"PATH": "/usr/local/bin:/usr/bin:/bin", "TZ": "Europe/Berlin"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# --- the merge


def edits(rng: random.Random) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for path in rng.sample(["title", "severity", "owner_id", "reports/gdpr/aware", "reports/nis2/aware"], 2):
        made[path] = {"value": rng.choice(["a", "b", None])}
    if rng.random() < 0.7:
        made["tags"] = {"add": rng.sample("abcdef", 2), "remove": rng.sample("abcdef", 2)}
        made["tags"]["remove"] = [one for one in made["tags"]["remove"] if one not in made["tags"]["add"]]
    return made


def applied(values: dict[str, Any], made: dict[str, Any]) -> dict[str, Any]:
    """Return the values after edits: an oracle of the merge, by other means."""
    after: dict[str, Any] = json.loads(json.dumps(values))
    for path, edit in made.items():
        *outer, last = path.split("/")
        place = after
        for step in outer:
            place = place.setdefault(step, {})
        if "value" in edit:
            place[last] = edit["value"]
        else:
            items = place.get(last) or []
            place[last] = [one for one in items if one not in edit["remove"]]
            place[last] += [one for one in edit["add"] if one not in items]
    return after


def at(values: dict[str, Any], path: str) -> Any:
    value: Any = values
    for step in path.split("/"):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def test_what_does_not_collide_merges_and_what_collides_is_named_and_nothing_is_lost() -> None:
    rng = random.Random(29)
    base: dict[str, Any] = {
        "title": "a",
        "severity": None,
        "owner_id": "b",
        "tags": ["a", "b", "c"],
        "reports": {"gdpr": {"aware": "a"}},
    }
    cases = []
    for _ in range(500):
        mine, theirs = edits(rng), applied(base, edits(rng))
        cases.append((mine, theirs))
    merged = node("call.mjs", "merge", "fields", given=[["merge", base, theirs, mine] for mine, theirs in cases])
    collided = 0
    for (mine, theirs), result in zip(cases, merged, strict=True):
        paths = {one["path"] for one in result["collisions"]}
        for path, edit in mine.items():
            before, now = at(base, path), at(theirs, path)
            if "value" not in edit:
                wanted = applied(theirs, {path: edit})
                assert {*at(applied(theirs, result["edits"]), path)} == {*at(wanted, path)}
                assert path not in paths, "lists merge by their items"
            elif edit["value"] == now:
                assert path not in result["edits"], "both wrote the same value, so nothing is left to write"
            else:
                assert result["edits"][path] == edit, "what the person typed is lost"
                assert (path in paths) is (before != now)
                collided += path in paths
        assert {*result["edits"]} <= {*mine}, "the merge writes a field that the person did not change"
    assert collided > 50


def test_a_patch_names_only_what_changed_and_a_step_may_contain_a_slash() -> None:
    path, changes = "regulatory_reports/own~1rule/anchors/aware", {"title": {"value": "b"}}
    base = {"title": "a", "regulatory_reports": {"own/rule": {"anchors": {"aware": "x"}}}}
    patch, held, same, names = node("call.mjs", "merge", "fields", given=[
        ["patchOf", base, {path: {"value": None}, "tags": {"add": ["x"], "remove": []}}],
        ["at", base, path],
        ["pruned", base, {"title": {"value": "a"}, path: {"value": "x"}}],
        ["pathOf", "regulatory_reports", "own/rule", "anchors", "aware"],
    ])  # fmt: skip
    assert patch == {
        "regulatory_reports": {"own/rule": {"anchors": {"aware": None}}},
        "tags": {"add": ["x"], "remove": []},
    }
    assert (held, same, names) == ("x", {}, path)
    assert node(
        "call.mjs",
        "merge",
        "fields",
        given=[["made", changes, {"title": "b", "mttd_minutes": 3}], ["made", changes, {"tags": []}]],
    ) == [True, False]


def test_a_patch_keeps_the_order_of_members_such_as_10() -> None:
    lessons = {"call": ["parsed", '{"b":1,"10":2,"c":{"d":3,"2":4}}']}
    patch = {"call": ["patchOf", {"lessons_learned": {"a": 1}}, {"lessons_learned": {"value": lessons}}]}
    assert node("call.mjs", "merge", "json", given=[["written", patch]]) == [
        '{"lessons_learned":{"a":null,"b":1,"10":2,"c":{"d":3,"2":4}}}'
    ]


# --- what typed texts mean


NO_TIME = {"wrong": "must be a time such as 2026-11-24 23:40"}
NO_AMOUNT = {"wrong": "must be an amount such as 48250.50, with at most 4 decimals"}
TYPED: list[tuple[str, str, Any]] = [
    ("title", "  Laptop lost ", "Laptop lost"), ("title", " ", {"wrong": "is required"}),
    ("title", "🚒" * 300, "🚒" * 300),
    ("title", "w" * 301, {"wrong": "must be at most 300 characters, not 301"}),
    ("description", " two\nlines ", " two\nlines "), ("owner_id", "", None), ("severity", "", None),
    ("financial_impact", "48,250.50", 48250.5), ("financial_impact", "12,5", NO_AMOUNT),
    ("financial_impact", "0100.00", 100), ("financial_impact", "0.50", 0.5), ("financial_impact", "00", 0),
    ("financial_impact", "123,456,789,012,345.6789", {"text": "123456789012345.6789"}),
    ("detected_at", "2026-11-24 23:40", "2026-11-24T22:40:00.000Z"),
    ("detected_at", "2026-11-24T22:40:01.5Z", "2026-11-24T22:40:01.500Z"),
    ("detected_at", "2026-07-01 9:05 +02:00", "2026-07-01T07:05:00.000Z"),
    ("detected_at", "2026-07-01 09:05", "2026-07-01T07:05:00.000Z"),
    ("detected_at", "2026-11-24", {"wrong": "needs a time after the date, such as 2026-11-24 09:30"}),
    ("detected_at", "2026-11-24 23:40 CET", {
        "wrong": "must not name the zone CET. An offset such as +01:00 is possible, or a Z for UTC"}),
    ("detected_at", "2026-11-24 11:40 PM", NO_TIME),
    ("detected_at", "2026-03-29 02:30", {
        "wrong": "is skipped in your zone, because the clocks go forward. Correct it, or add an offset such as "
        "+01:00"}),
    ("detected_at", "2026-03-29 01:30 +00:00", "2026-03-29T01:30:00.000Z"),
    ("detected_at", "2026-10-25 02:30", "2026-10-25T00:30:00.000Z"),
    ("detected_at", "2026-10-25 02:30 +01:00", "2026-10-25T01:30:00.000Z"),
    ("detected_at", "2026-02-30 10:00", NO_TIME), ("detected_at", "yesterday", NO_TIME),
    ("regulatory_reports/eu-gdpr/anchors/aware", "2026-11-24 22:40Z", "2026-11-24T22:40:00.000Z"),
    ("regulatory_reports/eu-gdpr/stages/authority/reference", "", None),
    ("lessons_learned", "segment the shares", "segment the shares"),
    ("incident_number", "INC#1", {"wrong": "must be printable ASCII without #"}),
]  # fmt: skip


def test_a_typed_text_means_a_value_or_says_what_would_be_right() -> None:
    meant = node("call.mjs", "fields", given=[["valueOf", path, typed, None] for path, typed, _ in TYPED])
    assert dict(zip([one[:2] for one in TYPED], meant, strict=True)) == {
        (path, typed): value for path, typed, value in TYPED
    }


def test_the_hint_of_a_time_names_the_zone_and_utc_only_once() -> None:
    zones = ["America/New_York", "UTC", "Etc/UTC"]
    hints = node("call.mjs", "texts", given=[["typedIn", zone] for zone in zones])
    assert hints == ["In America/New York. A Z at the end means UTC", "In UTC", "In UTC"]


def test_a_time_is_shown_as_it_is_typed() -> None:
    times = [
        "2026-11-24T22:40:00.000Z",
        "2026-07-01T07:05:09.000Z",
        "2026-07-01T07:05:00.120Z",
        "1999-12-31T23:59:59.999Z",
        "2026-10-25T00:30:00.000Z",
        "2026-10-25T01:30:00.000Z",  # the clocks went back, so this hour comes again
        "2026-10-25T02:00:00.000Z",
        "2026-03-29T01:00:00.000Z",
    ]
    shown = node("call.mjs", "fields", given=[["typedMoment", one] for one in times])
    assert shown[0] == "2026-11-24 23:40"
    assert shown[4:7] == ["2026-10-25 02:30", "2026-10-25 02:30 +01:00", "2026-10-25 03:00"]
    assert node("call.mjs", "fields", given=[["momentOf", one] for one in shown]) == times


def test_an_item_that_is_removed_and_then_typed_again_stays() -> None:
    typed = {"tags": {"add": [], "remove": ["a", "b"], "typing": " a "}}
    assert node("call.mjs", "fields", "merge", given=[["pruned", {"tags": ["a", "b"]}, {
        "tags": {"call": ["editOf", "tags", typed["tags"], {"tags": ["a", "b"]}]}}]]) == [
        {"tags": {"add": [], "remove": ["b"]}}
    ]  # fmt: skip


def test_a_new_time_in_the_future_asks_until_its_text_is_confirmed() -> None:
    path, now = "regulatory_reports/eu-gdpr/anchors/aware", 1_764_000_000_000  # in November 2025
    late, text = "2026-01-01T00:00:00.000Z", "2026-01-01 00:00Z"
    base = {"closed_at": late, "detected_at": None}
    made = {one: {"value": late} for one in (path, "closed_at", "title")} | {"detected_at": {"value": None}}
    typed = dict.fromkeys(made, text)
    asked, other, sure, past = node("call.mjs", "fields", given=[
        ["inFuture", made, typed, base, {}, now],
        ["inFuture", made, typed, base, {path: "2027-01-01 00:00Z"}, now],
        ["inFuture", made, typed, base, {path: text}, now],
        ["inFuture", made, typed, base, {}, 1_800_000_000_000],
    ])  # fmt: skip
    assert asked == other == {path: "is a time in the future. Correct it, or confirm it"}
    assert sure == past == {}


def test_the_service_s_words_become_those_of_the_forms() -> None:
    detail = "must not be after detected_at, which is 2026-11-20T08:00:00.000Z; see some_other_name"
    shown = node("call.mjs", "fields", given=[["inWords", detail]])
    assert shown == ["must not be after “Detected”, which is 2026-11-20 09:00; see some_other_name"]


def test_a_projection_in_the_past_says_for_how_long_the_report_would_be_overdue() -> None:
    due = {"due_at": None, "setting_missing": None, "state": "pending_anchor"}
    now, past, later = 1_764_000_000_000, "2025-10-01T16:00:00.000Z", "2025-11-24T18:00:00.000Z"
    said = node("call.mjs", "deadlines", given=[
        ["urgency", due | {"projected_at": past, "anchor_missing": "aware"}, now],
        ["urgency", due | {"projected_at": past, "anchor_missing": None}, now],
        ["urgency", due | {"projected_at": later, "anchor_missing": None}, now],
    ])  # fmt: skip
    assert [text for text, _ in said] == [
        "aware not recorded, would be overdue for 54 d", "would be overdue for 54 d", "projected in 2 h",
    ]  # fmt: skip


def test_a_create_of_which_nobody_knows_keeps_its_key_whatever_its_next_attempts_say() -> None:
    assert node("repeated_create.mjs", given=[504, 403, 0]) == 1
    assert node("repeated_create.mjs", given=[403, 504, 403, 0]) == 2, "the first one was surely not made"


# --- two people


TOGETHER = 5  # moto gets slower with each item
PEOPLE = ("ada.byron", "jo.mills")
LISTS = ("tags", "affected_asset_ids")
EDITED = (
    "title", "owner_id", "category", *LISTS, "regulatory_reports/eu-gdpr/stages/authority/reference",
    "regulatory_reports/eu-gdpr/stages/individuals/reference",
)  # fmt: skip
FAULTS = ["ok"] * 6 + ["401", "401", "429", "503", "unheard", "lost", "lost", "lost"]


def story(rng: random.Random, number: int, base: str, incident_id: str) -> dict[str, Any]:
    """Return the work of two people who edit one incident. All their values differ, so the trail tells them apart."""
    people = []
    for name in PEOPLE:
        subject = f"{name}.{number}"
        planned = []
        for turn in range(rng.randint(1, 3)):

            def unique(what: str, subject: str = subject, turn: int = turn) -> str:
                return f"{subject} {turn} {what}"

            fields = rng.sample(EDITED, rng.randint(1, 3))
            typed: dict[str, Any] = {
                one: {"add": [unique(one)], "remove": [], "typing": unique(f"{one} too")}
                if one in LISTS
                else unique(one)
                for one in fields
            }
            later: dict[str, Any] = {"root_cause": unique("root cause")} if rng.random() < 0.3 else {}
            for one in LISTS:
                if one in typed and rng.random() < 0.5:
                    items = [*typed[one]["add"], typed[one]["typing"], unique(f"{one} later")]
                    later[one] = {"add": items, "remove": [], "typing": ""}
            planned.append({"pause": rng.randint(0, 40), "typed": typed, "later": later,
                            "decisions": [rng.choice(["mine", "theirs"]) for _ in range(3)],
                            "stops": [rng.randint(0, 120) for _ in range(rng.choice([0, 0, 2, 4]))]})  # fmt: skip
        people.append({"subject": subject, "token": token("acme", subject), "edits": planned})
    return {"base": base, "id": incident_id, "people": people}


def call(server: Server, method: str, path: str, body: object = None) -> Any:
    connection = HTTPConnection(server.origin.removeprefix("http://"))
    headers = {"authorization": f"Bearer {token('acme', 'sam.ortiz')}", "content-type": "application/json"}
    connection.request(method, API + path, json.dumps(body) if body else None, headers)
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return answer


def values_of(edit: dict[str, Any]) -> dict[str, str]:
    """Return each value that an edit writes, with its field."""
    texts: dict[str, str] = {}
    for field, typed in edit["typed"].items():
        texts |= dict.fromkeys([typed] if isinstance(typed, str) else [*typed["add"], typed["typing"]], field)
    return texts


def written(trail: list[dict[str, Any]], value: str, field: str) -> list[int]:
    """Return the versions of the changes that wrote a value."""
    versions = []
    for change in trail:
        name = field.split("/")[0]
        changed = change["changes"].get(name, {})
        before, after = (at({name: changed.get(side)}, field) for side in ("from", "to"))
        had, has = (value in one if isinstance(one, list) else one == value for one in (before, after))
        if has and not had:
            versions.append(change["version"])
    return versions


def check(told: dict[str, Any], ending: list[Any], trail: list[dict[str, Any]]) -> tuple[int, int]:
    """Check that nothing was lost, and that each edit is one change. Return the numbers of values and of questions."""
    edited = asked = 0
    explained = {1}
    for person, ends in zip(told["people"], ending, strict=True):
        for edit, end in zip(person["edits"], ends, strict=True):
            assert end["saved"], end
            assert end["left"] == {}
            decided = {one["path"]: one["whose"] for one in end["asked"]}  # the last decision about a field counts
            for one in end["asked"]:
                assert one["mine"] != one["theirs"] != one["base"]
            values = values_of(edit)
            changes = {value: written(trail, value, field) for value, field in values.items()}
            for value, field in values.items():
                assert len(changes[value]) == (decided.get(field) != "theirs"), (value, changes, end)
            versions = {version for found in changes.values() for version in found}
            assert len(versions) <= 1, "one edit became several changes"
            for field, typed in edit["later"].items():
                value = typed if isinstance(typed, str) else typed["add"][-1]
                later = written(trail, value, field)
                assert len(later) == (decided.get(field) != "theirs"), (value, later, end)
                versions.update(later)
            assert not versions & explained
            explained |= versions
            edited += len(values)
            asked += len(end["asked"])
    assert explained == {one["version"] for one in trail}, "a change that is no edit"
    return edited, asked


def test_of_two_people_s_edits_nothing_is_lost_and_each_is_one_change_whatever_fails(
    server: Server, real: World, deployed: str, promise: Callable[[str, str], None]
) -> None:
    seed = random.randrange(1_000_000)
    rng = random.Random(seed)
    count = 200 if scale.FULL else 20
    edited = asked = 0
    for start in range(0, count, TOGETHER):
        moto_table.clear(deployed)
        stories = []
        for number in range(start, start + TOGETHER):
            made = call(server, "POST", "", {"title": f"Story {number}"})
            stories.append(story(rng, number, server.origin + API, made["id"]))
            real.faults |= {one["subject"]: rng.choices(FAULTS, k=30) for one in stories[-1]["people"]}
        for told, ending in zip(stories, node("two_editors.mjs", given=stories), strict=True):
            values, questions = check(told, ending, call(server, "GET", f"/{told['id']}/changes?limit=100")["items"])
            edited, asked = edited + values, asked + questions
    assert asked > count / 10, f"the stories of the seed {seed} hardly collide"
    promise(
        "Two people edit one incident in the console, and nothing is lost",
        f"{count} random stories with refused tokens, limits, a busy service and lost answers. Each of {edited} values "
        f"is in exactly one change, or a person gave it up in one of {asked} questions",
    )
